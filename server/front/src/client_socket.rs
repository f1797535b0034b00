//! The socket of a client, shared between hyper, which reads and writes, and the watch for its end.
//!
//! hyper notices that a client has gone only while it reads. It does not read while bytes of a pipelined request wait in its buffer, nor
//! while the answer to a request to upgrade is awaited. The kernel tells the end at once, whatever is still unread.

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::progress::ConnectionProgress;

/// Time for which a request goes on whose client has gone. What the client sent before is still read: a client that sends something and
/// does not wait for the answer is served.
const AFTER_CLIENT: Duration = Duration::from_secs(1);

/// A client's socket. Its clones are the same socket.
#[derive(Clone, Debug)]
pub(crate) struct ClientSocket(Arc<TcpStream>);

impl ClientSocket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        ClientSocket(Arc::new(stream))
    }

    /// Completes when there is something to read, or the end.
    pub(crate) async fn readable(&self) -> io::Result<Ready> {
        self.0.ready(Interest::READABLE).await
    }

    /// Copies what can be read, which stays in the kernel's buffer; 0 bytes at the end.
    pub(crate) fn peek(&self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_io(Interest::READABLE, || Ok(recv(&*self.0, into, RecvFlags::PEEK)?.0))
    }

    /// Lets [`readable`](Self::readable) wait until more arrives than there is.
    pub(crate) fn await_more(&self) {
        // The kernel tells of each arrival.
        let _ = self.0.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
    }

    /// Completes when the client has ended its direction, or the connection has failed.
    pub(crate) async fn ended(&self) {
        // Of all interests, this one is satisfied by the end but not by bytes; urgent data is not subscribed to.
        let _ = self.0.ready(Interest::PRIORITY).await;
    }

    fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match write(&self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for ClientSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let room = buf.remaining();
            match self.0.try_read_buf(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(read) => {
                    if (1..room).contains(&read) {
                        // The socket is empty now; another read would only say so.
                        let _ =
                            self.0.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for ClientSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |stream| stream.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // The kernel does it faster.
            [only] => self.poll_write_with(cx, |stream| stream.try_write(only)),
            bufs => self.poll_write_with(cx, |stream| stream.try_write_vectored(bufs)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match SockRef::from(&*self.0).shutdown(Shutdown::Write) {
            Err(error) if error.kind() == ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

/// Completes a moment after the client has gone, whatever of its bytes is still unread.
pub(crate) async fn client_gone(stream: ClientSocket, progress: Arc<ConnectionProgress>) {
    stream.ended().await;
    progress.client_left();
    sleep(AFTER_CLIENT).await;
}
