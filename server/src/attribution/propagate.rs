//! Propagation of a request's route to tasks and threads that it starts, so that their allocations are attributed to it.
//!
//! Such work may outlive its request, so its allocations are counted separately (`propagated_bytes`), and no budget applies to it.

use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::allocation_counter::CountingScope;
use super::route::route;
use super::tag::Tag;
use super::thread_state;

fn run_as<R>(tag: Tag, work: impl FnOnce() -> R) -> R {
    let mut propagated = PropagatedWork { tag, spent: 0 };
    let _scope = CountingScope::enter(tag, &mut propagated.spent, u64::MAX);
    work()
}

/// Adds the bytes to the route when it is dropped, after the scope that counts them.
struct PropagatedWork {
    tag: Tag,
    spent: u64,
}

impl Drop for PropagatedWork {
    fn drop(&mut self) {
        if self.spent > 0 {
            route(self.tag).add_propagated(self.spent);
        }
    }
}

/// Propagates the route of the current request to a task: `tokio::spawn(propagate(async move { … }))`.
pub fn propagate<F: Future>(future: F) -> PropagatedFuture<F> {
    PropagatedFuture { inner: Some(future), tag: thread_state::current_tag() }
}

/// Propagates the route of the current request to a thread: `tokio::task::spawn_blocking(propagate_fn(move || …))`.
pub fn propagate_fn<R>(work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let tag = thread_state::current_tag();
    move || run_as(tag, work)
}

pin_project! {
    /// A future that is polled and dropped under the tag of the route that created it; created by [`propagate`].
    pub struct PropagatedFuture<F> {
        #[pin]
        inner: Option<F>,
        tag: Tag,
    }

    impl<F> PinnedDrop for PropagatedFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            run_as(*this.tag, || this.inner.set(None));
        }
    }
}

impl<F: Future> Future for PropagatedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        run_as(*this.tag, || {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
            let polled = inner.poll(context);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        })
    }
}
