//! The socket of a client, whose progress is recorded.
//!
//! Only the socket, below hyper, shows whether a client reads its response: hyper neither has a write timeout nor reports a stalled
//! write. The same holds for a refused request whose client is still sending: closing at once would reset the connection, and the
//! client would lose the response that says why, so a bounded rest is read and discarded first.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::clock::ConnectionClock;

/// Maximum of a refused request that is read and discarded, so that the client can read why it was refused.
const LINGER_BYTES: usize = 4 << 20;

/// A socket that records the connection's progress. It owns what belongs to the connection: its clock, and whatever is to be released when
/// it ends.
#[derive(Debug)]
pub struct TrackedSocket<S, C> {
    stream: S,
    connection: C,
    lingered: usize,
}

impl<S, C: AsRef<ConnectionClock>> TrackedSocket<S, C> {
    /// Wraps the socket of a connection.
    pub const fn new(stream: S, connection: C) -> Self {
        TrackedSocket { stream, connection, lingered: 0 }
    }

    /// Returns the socket and what belongs to the connection.
    pub fn into_inner(self) -> (S, C) {
        (self.stream, self.connection)
    }

    /// Returns the clock of the connection.
    pub fn clock(&self) -> &ConnectionClock {
        self.connection.as_ref()
    }

    /// Records whether the client accepted data, and returns the result of the write.
    fn record_write(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.clock().write_stalled(Instant::now),
            Poll::Ready(Ok(bytes)) => self.clock().write_resumed(*bytes, Instant::now),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S: AsyncRead + Unpin, C: AsRef<ConnectionClock> + Unpin> AsyncRead for TrackedSocket<S, C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.clock().bytes_received(Instant::now);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, C: AsRef<ConnectionClock> + Unpin> AsyncWrite
    for TrackedSocket<S, C>
{
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
        if !self.clock().close(Instant::now) {
            return Poll::Ready(Ok(()));
        }
        let mut waste = [MaybeUninit::uninit(); 8192];
        while self.lingered < LINGER_BYTES {
            let mut waste = ReadBuf::uninit(&mut waste);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut waste))?;
            if waste.filled().is_empty() {
                break;
            }
            self.lingered += waste.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
