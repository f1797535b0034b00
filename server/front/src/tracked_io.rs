//! The socket of a client: every byte that it sends passes the framing before hyper sees it, and its progress is recorded.
//!
//! Only the socket, below hyper, shows whether a client reads its response. A client that still sends the body of a refused request
//! is read for a moment before the connection closes, because closing at once would lose the response that says why.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::connection_limit::OpenConnection;
use crate::framing::RequestFraming;

/// Maximum of a refused request that is read and discarded.
const LINGER_BYTES: usize = 4 << 20;

/// The framing of a connection, shared by its socket and its requests. Both run in the same task.
#[derive(Debug)]
pub(crate) struct SharedFraming {
    inner: Mutex<(RequestFraming, Option<Waker>)>,
}

impl SharedFraming {
    pub(crate) fn new(max_head: usize) -> Arc<Self> {
        Arc::new(SharedFraming { inner: Mutex::new((RequestFraming::new(max_head), None)) })
    }

    fn lock(&self) -> MutexGuard<'_, (RequestFraming, Option<Waker>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `read` with the framing.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&RequestFraming) -> T) -> T {
        read(&self.lock().0)
    }

    /// Ends the wait after a request to upgrade; requests are counted from 1.
    pub(crate) fn answer_upgrade(&self, request: u64, accepted: bool) {
        let mut inner = self.lock();
        if !inner.0.is_withheld_for(request) {
            return;
        }
        inner.0.answer_upgrade(accepted);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }
}

/// A socket whose bytes pass the framing; its permit is held while it is open.
#[derive(Debug)]
pub(crate) struct TrackedIo<S> {
    stream: S,
    framing: Arc<SharedFraming>,
    /// Bytes that were read behind a request to upgrade.
    withheld: Vec<u8>,
    lingered: usize,
    connection: OpenConnection,
}

impl<S> TrackedIo<S> {
    pub(crate) fn new(stream: S, framing: Arc<SharedFraming>, connection: OpenConnection) -> Self {
        TrackedIo { stream, framing, withheld: Vec::new(), lingered: 0, connection }
    }

    /// Returns the socket and its permit.
    pub(crate) fn into_inner(self) -> (S, OpenConnection) {
        (self.stream, self.connection)
    }

    fn record_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.connection.progress().write_stalled(Instant::now),
            Poll::Ready(Ok(bytes)) => self.connection.progress().write_resumed(*bytes, Instant::now),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TrackedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        {
            let mut inner = this.framing.lock();
            if inner.0.is_withheld() || inner.0.is_refused() {
                inner.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let before = buf.filled().len();
        if this.withheld.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let step = this.withheld.len().min(buf.remaining());
            buf.put_slice(&this.withheld[..step]);
            this.withheld.drain(..step);
        }
        let read = buf.filled().len() - before;
        if read == 0 {
            return Poll::Ready(Ok(()));
        }
        this.connection.progress().bytes_received(Instant::now);
        let mut inner = this.framing.lock();
        let admitted = inner.0.admit(&buf.filled()[before..]);
        if admitted.broken_body {
            buf.set_filled(before);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "malformed chunked body")));
        }
        if inner.0.is_withheld() && admitted.bytes < read {
            // What a pipelining client sent behind the request; at most one read.
            this.withheld.splice(..0, buf.filled()[before + admitted.bytes..].iter().copied());
        }
        if inner.0.is_refused() {
            this.connection.progress().leave_unread();
        }
        buf.set_filled(before + admitted.bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TrackedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.record_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.record_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if !self.connection.progress().close(Instant::now) {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; 8192];
        while self.lingered < LINGER_BYTES {
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                break;
            }
            self.lingered += waste.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
