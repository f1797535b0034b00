//! The socket of a client as hyper sees it: every byte passes the framing first.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use heapbeat_connection::TrackedSocket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::client_socket::ClientSocket;
use crate::connection_limit::OpenConnection;
use crate::framing::RequestFraming;
use crate::memory::{MemoryRoom, poll_read_in};

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
pub(crate) struct FramedSocket {
    socket: TrackedSocket<ClientSocket, OpenConnection>,
    framing: Arc<SharedFraming>,
    /// Bytes that were read behind a request to upgrade.
    withheld: Vec<u8>,
    memory: Arc<MemoryRoom>,
}

impl FramedSocket {
    pub(crate) fn new(
        socket: ClientSocket,
        framing: Arc<SharedFraming>,
        connection: OpenConnection,
        memory: Arc<MemoryRoom>,
    ) -> Self {
        let socket = TrackedSocket::new(socket, connection);
        FramedSocket { socket, framing, withheld: Vec::new(), memory }
    }

    /// Returns the socket and its permit.
    pub(crate) fn into_inner(self) -> (ClientSocket, OpenConnection) {
        self.socket.into_inner()
    }
}

impl AsyncRead for FramedSocket {
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
            ready!(poll_read_in(&this.memory, Pin::new(&mut this.socket), cx, buf))?;
        } else {
            let step = this.withheld.len().min(buf.remaining());
            buf.put_slice(&this.withheld[..step]);
            this.withheld.drain(..step);
            this.socket.clock().bytes_received(Instant::now);
        }
        let read = buf.filled().len() - before;
        if read == 0 {
            return Poll::Ready(Ok(()));
        }
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
            this.socket.clock().leave_unread();
        }
        buf.set_filled(before + admitted.bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FramedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
