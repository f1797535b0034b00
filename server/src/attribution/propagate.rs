//! Work that a request hands on keeps its name: what a spawned task allocates, and leaves behind, is its route's.
//!
//! Such work may outlive its request, so its churn is counted apart (`carried_bytes`), and no budget ends it.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::allocation_counter::Scope;
use super::route::route;
use super::tag::Tag;
use super::thread_state;

fn run_for<R>(tag: Tag, work: impl FnOnce() -> R) -> R {
    let mut errand = Propagated { tag, spent: 0 };
    let _scope = Scope::enter(tag, &mut errand.spent, u64::MAX);
    work()
}

/// Books when it ends, after the scope that counts for it.
struct Propagated {
    tag: Tag,
    spent: u64,
}

impl Drop for Propagated {
    fn drop(&mut self) {
        if self.spent > 0 {
            route(self.tag).add_carried(self.spent);
        }
    }
}

/// Carries the route of the present request into a task: `tokio::spawn(carry(async move { … }))`.
pub fn carry<F: Future>(future: F) -> PropagatedFuture<F> {
    PropagatedFuture { inner: Some(future), tag: thread_state::tag() }
}

/// Carries the route of the present request onto a thread: `tokio::task::spawn_blocking(carry_fn(move || …))`.
pub fn carry_fn<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let tag = thread_state::tag();
    move || run_for(tag, work)
}

pin_project! {
    /// A future polled, and dropped, in the name of the route that made it. Made by [`carry`].
    pub struct PropagatedFuture<F> {
        #[pin]
        inner: Option<F>,
        tag: Tag,
    }

    impl<F> PinnedDrop for PropagatedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            run_for(*this.tag, || this.inner.set(None));
        }
    }
}

impl<F: Future> Future for PropagatedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        run_for(*this.tag, || {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
            let polled = inner.poll(context);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        })
    }
}
