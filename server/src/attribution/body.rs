//! The body of an attributed response, polled and dropped under the tag of its route.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::request_account::RequestAccount;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// A response body whose allocations are attributed to the route that responds.
    ///
    /// If the request exceeds its budget, the body fails with [`super::OverBudget`] and the connection is closed, as the status
    /// has been sent already.
    pub struct AttributedBody<B> {
        #[pin]
        inner: Option<B>,
        refusal_text: Option<Bytes>,
        account: RequestAccount,
    }

    impl<B> PinnedDrop for AttributedBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.account.run(|| this.inner.set(None));
        }
    }
}

impl<B> AttributedBody<B> {
    pub(super) const fn new(inner: B, account: RequestAccount) -> Self {
        Self { inner: Some(inner), refusal_text: None, account }
    }

    /// Creates the body of a refusal.
    pub(super) const fn refusal(message: &'static str, account: RequestAccount) -> Self {
        Self { inner: None, refusal_text: Some(Bytes::from_static(message.as_bytes())), account }
    }
}

impl<B> Body for AttributedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let account = this.account;
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(this.refusal_text.take().map(|bytes| Ok(Frame::data(bytes))));
        };
        let polled = account.run(|| inner.poll_frame(context));
        if let Some(over) = account.check() {
            account.run(|| {
                drop(polled);
                this.inner.set(None);
            });
            return Poll::Ready(Some(Err(over.into())));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.refusal_text.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = || SizeHint::with_exact(self.refusal_text.as_ref().map_or(0, |bytes| bytes.len() as u64));
        self.inner.as_ref().map_or_else(rest, Body::size_hint)
    }
}
