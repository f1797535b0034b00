//! Panics: their message and location, and the boundary that contains them.
//!
//! A panic in a handler ends its request, but neither its connection nor the server. tower-http's `CatchPanic` is not used, as this
//! boundary encloses the whole application with its fallbacks and layers, and needs no box per request. The panic hook, which alone
//! knows message and location, logs both.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

thread_local! {
    /// Location of this thread's last panic, stored by the panic hook before the unwinding.
    static LAST_PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether panics of this thread are contained.
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Returns the message of a panic; payloads other than text have none.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

/// Stores the location of a panic; called by the panic hook.
pub(crate) fn remember_place(place: &str) {
    LAST_PLACE.with(|it| *it.borrow_mut() = Some(place.to_owned()));
}

/// Returns message and location of the panic that this thread has just caught.
pub(crate) fn describe_panic(payload: &(dyn Any + Send)) -> String {
    let message = panic_message(payload);
    match LAST_PLACE.with(RefCell::take) {
        Some(place) => format!("{message} ({place})"),
        None => message.to_owned(),
    }
}

/// Runs work whose panics are contained, such as that of one connection.
pub(crate) fn contain_panics<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTAINED.set(self.0);
        }
    }
    let _restore = Restore(CONTAINED.replace(true));
    work()
}

/// Whether panics of this thread are contained now.
pub(crate) fn is_contained() -> bool {
    CONTAINED.get()
}

pin_project! {
    /// A future that returns a panic as an error.
    pub(crate) struct CatchPanic<F> {
        #[pin]
        inner: F,
    }
}

/// Turns a panic of `inner` into an error. `inner` is not polled again after one.
pub(crate) fn catch_panic<F: Future>(inner: F) -> CatchPanic<F> {
    CatchPanic { inner }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.project().inner;
        // State that a panic left inconsistent belongs to the request, which is dropped. Handlers must guard the state that they share (a
        // standard mutex is poisoned).
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_its_text() {
        let cases: [(Box<dyn Any + Send>, &str); 3] = [
            (Box::new("fixed"), "fixed"),
            (Box::new("made".to_owned()), "made"),
            (Box::new(7), "(no message)"),
        ];
        for (payload, message) in cases {
            assert_eq!(panic_message(payload.as_ref()), message);
        }
    }

    #[test]
    fn containment_ends_with_the_work_even_after_a_panic() {
        let nested = contain_panics(|| {
            let _ = catch_unwind(|| contain_panics(|| panic!("on purpose")));
            is_contained()
        });
        assert!(nested && !is_contained());
    }
}
