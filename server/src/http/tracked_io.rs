//! The socket of a connection: records for [`ConnectionProgress`] what arrives, whether the client reads, and how it closes.
//!
//! Only the socket, below hyper, shows whether a client reads its response: hyper neither has a write timeout nor reports a stalled
//! write. The same holds for a refused request whose client is still sending: closing at once would reset the connection, and the
//! client would lose the response that says why, so a bounded rest is read and discarded first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::connection_limit::ConnectionPermit;
use super::progress::ConnectionProgress;

/// Maximum of a refused request that is read and discarded, so that the client can read why it was refused.
const LINGER_BYTES: usize = 4 << 20;

/// A socket that records the connection's progress, and holds its permit while it is open.
#[derive(Debug)]
pub(super) struct TrackedIo<S> {
    inner: S,
    progress: Arc<ConnectionProgress>,
    lingered: usize,
    _slot: ConnectionPermit,
}

impl<S> TrackedIo<S> {
    pub(super) fn new(inner: S, progress: Arc<ConnectionProgress>, permit: ConnectionPermit) -> Self {
        TrackedIo { inner, progress, lingered: 0, _slot: permit }
    }

    /// Records whether the client accepted data, and returns the result of the write.
    fn record_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.progress.write_stalled(Instant::now),
            Poll::Ready(_) => self.progress.write_resumed(),
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
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.progress.bytes_received(Instant::now);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TrackedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.record_write(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.record_write(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        if !self.progress.close(Instant::now) {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [0; 8192];
        while self.lingered < LINGER_BYTES {
            let mut waste = ReadBuf::new(&mut waste);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                break;
            }
            self.lingered += waste.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
