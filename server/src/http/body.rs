//! Request bodies with a limit on their length and on the time between two parts, and response bodies tracked to their end.
//!
//! The length is limited by `http_body_util::Limited`. The time limit stops slow bodies (R.U.D.Y.): a handler, and the memory it
//! holds, would wait for a client that sends a byte a minute. tower-http's `RequestBodyTimeoutLayer` has the same bound, but only the
//! handler learns of it, and may respond as it likes; here the client gets 408 or 413 and the rest of its body is discarded
//! before the connection closes. Nor is a timer made for a body that is there already, which most are.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{Either, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::progress::{BodyError, ConnectionProgress};

/// The next part of a request body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("no part of the request body arrived within {0:?}")]
struct TooSlow(Duration);

pin_project! {
    /// A request body with limits.
    pub(super) struct LimitedBody {
        #[pin]
        inner: Limited<Incoming>,
        timeout: Duration,
        // Created when the body is waited for; most bodies are there already.
        timer: Option<Pin<Box<Sleep>>>,
        waiting: bool,
        progress: Arc<ConnectionProgress>,
        ended: bool,
    }

    impl PinnedDrop for LimitedBody {
        fn drop(this: Pin<&mut Self>) {
            if !this.ended {
                this.progress.clock.leave_unread();
            }
        }
    }
}

impl LimitedBody {
    pub(super) fn new(
        body: Incoming,
        longest: usize,
        timeout: Duration,
        progress: Arc<ConnectionProgress>,
    ) -> Self {
        let inner = Limited::new(body, longest);
        LimitedBody { inner, timeout, timer: None, waiting: false, progress, ended: false }
    }
}

impl http_body::Body for LimitedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        match this.inner.poll_frame(cx) {
            Poll::Ready(frame) => {
                *this.waiting = false;
                match &frame {
                    Some(Err(error)) if error.is::<LengthLimitError>() => {
                        this.progress.set_body_error(BodyError::TooLarge);
                    }
                    None => *this.ended = true,
                    Some(_) => {}
                }
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(*this.timeout)));
                if !std::mem::replace(this.waiting, true) {
                    timer.as_mut().reset(Instant::now() + *this.timeout);
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.progress.set_body_error(BodyError::TooSlow);
                Poll::Ready(Some(Err(TooSlow(*this.timeout).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// A response body, of bytes or of the application. The response is complete when it is dropped.
    pub(super) struct ResponseBody {
        #[pin]
        inner: Either<Full<Bytes>, Body>,
        progress: Arc<ConnectionProgress>,
    }

    impl PinnedDrop for ResponseBody {
        fn drop(this: Pin<&mut Self>) {
            this.progress.clock.response_ended(Instant::now());
        }
    }
}

impl ResponseBody {
    pub(super) fn new(inner: Either<Full<Bytes>, Body>, progress: Arc<ConnectionProgress>) -> Self {
        ResponseBody { inner, progress }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
