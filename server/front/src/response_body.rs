//! The body of a response on its way to the client. Its end gives the connection to the program back, and ends the request.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::body::RequestBody;
use crate::pool::InFlight;
use crate::progress::ConnectionProgress;
use crate::read_budget::ReadBudget;
use crate::statistics::RequestTicket;

/// Why a response ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResponseFault {
    /// The connection to the program failed.
    #[error("the program did not finish its response: {0}")]
    Program(#[from] hyper::Error),
    /// Never: the front's own bodies do not fail.
    #[error(transparent)]
    Own(#[from] Infallible),
}

/// The body of a response of the program.
pub(crate) struct ProgramBody {
    incoming: Incoming,
    ended: bool,
    connection: Option<ReturnTicket>,
}

/// What gives a connection back to its pool.
pub(crate) struct ReturnTicket {
    pub(crate) sender: SendRequest<RequestBody>,
    pub(crate) budget: Arc<ReadBudget>,
    pub(crate) in_flight: InFlight,
    /// How long the program says that it keeps the connection, in seconds.
    pub(crate) kept: Option<u64>,
    /// Whether the connection may serve another request.
    pub(crate) reusable: bool,
}

impl ProgramBody {
    pub(crate) fn new(incoming: Incoming, connection: ReturnTicket) -> Self {
        let ended = incoming.is_end_stream();
        ProgramBody { incoming, ended, connection: Some(connection) }
    }

    fn note_interrupted(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.in_flight.note_interrupted();
        }
    }

    fn give_back(&mut self) {
        if let Some(ReturnTicket { sender, budget, in_flight, kept, reusable: true }) = self.connection.take()
        {
            in_flight.pool().give_back(sender, budget, kept);
        }
    }
}

impl Body for ProgramBody {
    type Data = Bytes;
    type Error = ResponseFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseFault>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(None) => {
                this.ended = true;
                this.give_back();
                Poll::Ready(None)
            }
            Poll::Ready(Some(frame)) => {
                // Trailers are the end; hyper asks for nothing behind them.
                this.ended |= frame.as_ref().is_ok_and(Frame::is_trailers);
                match (&frame, &this.connection) {
                    (Ok(_), Some(connection)) => {
                        connection.budget.renew();
                        connection.in_flight.pool().note_progress();
                    }
                    _ => this.note_interrupted(),
                }
                Poll::Ready(Some(frame.map_err(ResponseFault::Program)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for ProgramBody {
    fn drop(&mut self) {
        // hyper drops a body of known length without asking for its end. A body that did not end leaves a connection that cannot be
        // used again; dropping it tells the program that its client has gone.
        if self.ended || self.incoming.is_end_stream() {
            self.give_back();
        }
    }
}

pin_project! {
    /// The body of a response, of the program or of the front. The request ends when it is dropped.
    pub(crate) struct ResponseBody {
        #[pin]
        inner: Either<Full<Bytes>, ProgramBody>,
        // `None` for a connection that becomes a tunnel.
        progress: Option<Arc<ConnectionProgress>>,
        ticket: Option<RequestTicket>,
    }

    impl PinnedDrop for ResponseBody {
        fn drop(this: Pin<&mut Self>) {
            if let Some(progress) = &this.progress {
                progress.clock.response_ended(Instant::now());
            }
        }
    }
}

impl ResponseBody {
    pub(crate) fn new(
        inner: Either<Full<Bytes>, ProgramBody>,
        progress: Option<Arc<ConnectionProgress>>,
        ticket: Option<RequestTicket>,
    ) -> Self {
        ResponseBody { inner, progress, ticket }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseFault>>> {
        let this = self.project();
        match this.inner.get_mut() {
            Either::Left(own) => Pin::new(own).poll_frame(cx).map_err(ResponseFault::Own),
            Either::Right(program) => {
                // While the client takes nothing, nothing more is buffered for it.
                if let Some(progress) = this.progress {
                    ready!(progress.clock.poll_accepts(cx));
                }
                Pin::new(program).poll_frame(cx)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Either::Left(own) => own.is_end_stream(),
            Either::Right(program) => program.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Either::Left(own) => own.size_hint(),
            Either::Right(program) => program.size_hint(),
        }
    }
}
