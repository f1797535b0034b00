//! A panic in a handler ends its request, not its connection and not the server.
//!
//! By hand rather than by tower-http's `CatchPanic`: this goes around the whole application, its fallbacks and layers
//! included, and costs no box per request. Message and place are logged by the panic hook, where both are known.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::logging::panic_message;

thread_local! {
    /// Where the last panic of this thread was. Known to the hook alone, which runs before the unwinding.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// For the panic hook: where this thread panics.
pub(crate) fn remember_place(place: &str) {
    PLACE.with(|it| *it.borrow_mut() = Some(place.to_owned()));
}

/// Message and place of the panic that this thread has just caught.
pub(super) fn told(payload: &(dyn Any + Send)) -> String {
    let message = panic_message(payload);
    match PLACE.with(RefCell::take) {
        Some(place) => format!("{message} ({place})"),
        None => message.to_owned(),
    }
}

pin_project! {
    /// A future whose panic is its error.
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
        // What a panic may have left half done belongs to the request, which is dropped; what handlers share is theirs to
        // guard (a standard mutex is poisoned).
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}
