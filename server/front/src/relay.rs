//! Copies bytes in both directions until both have ended. A direction that is silent has no buffer: bytes are read to the stack, and kept
//! only if the other side does not take them at once.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are read at a time.
const STEP: usize = 8 << 10;

/// Most bytes that are read at a time while there are many tunnels. So many are kept of each direction whose other side does not read.
const SMALL_STEP: usize = 2 << 10;

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    /// What was read and not written yet.
    left: Vec<u8>,
    written: usize,
    ended: bool,
    finished: bool,
}

impl Direction {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut from: Pin<&mut impl AsyncRead>,
        mut to: Pin<&mut impl AsyncWrite>,
        step: usize,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.written < self.left.len() {
                self.written += written(ready!(to.as_mut().poll_write(cx, &self.left[self.written..])))?;
                continue;
            }
            (self.left, self.written) = (Vec::new(), 0);
            if self.finished {
                return Poll::Ready(Ok(()));
            }
            if self.ended {
                ready!(to.as_mut().poll_shutdown(cx))?;
                self.finished = true;
                continue;
            }
            let mut space = [MaybeUninit::uninit(); STEP];
            let mut read = ReadBuf::uninit(&mut space[..step.min(STEP)]);
            if from.as_mut().poll_read(cx, &mut read)?.is_pending() {
                ready!(to.as_mut().poll_flush(cx))?;
                return Poll::Pending;
            }
            let read = read.filled();
            if read.is_empty() {
                self.ended = true;
                continue;
            }
            match to.as_mut().poll_write(cx, read) {
                Poll::Ready(result) => {
                    let taken = written(result)?;
                    self.left = read[taken..].to_vec();
                }
                Poll::Pending => {
                    self.left = read.to_vec();
                    return Poll::Pending;
                }
            }
        }
    }
}

fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        result => result,
    }
}

/// Copies until both directions have ended; one may end first. `many` tells whether there are many tunnels.
pub(crate) async fn relay<A, B>(a: &mut A, b: &mut B, many: impl Fn() -> bool) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut forth, mut back) = (Direction::default(), Direction::default());
    poll_fn(|cx| {
        let step = if many() { SMALL_STEP } else { STEP };
        let forth = forth.poll(cx, Pin::new(&mut *a), Pin::new(&mut *b), step)?;
        let back = back.poll(cx, Pin::new(&mut *b), Pin::new(&mut *a), step)?;
        if forth.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn both_directions_are_copied_whole_and_one_may_end_first() {
        for many in [false, true] {
            // Smaller than a step, so that parts have to be kept.
            let (mut client, mut near) = duplex(1000);
            let (mut far, mut program) = duplex(700);
            let relayed = tokio::spawn(async move { relay(&mut near, &mut far, || many).await });
            let sent: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
            let answer: Vec<u8> = sent.iter().rev().copied().collect();
            let program = {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut received = Vec::new();
                    program.read_to_end(&mut received).await.unwrap();
                    program.write_all(&answer).await.unwrap();
                    program.shutdown().await.unwrap();
                    received
                })
            };
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            assert!(program.await.unwrap() == sent && received == answer);
            relayed.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_side_that_fails_ends_the_relay() {
        let (client, mut near) = duplex(10);
        let (mut far, program) = duplex(10);
        drop(program);
        let relayed = tokio::spawn(async move { relay(&mut near, &mut far, || false).await });
        let mut client = client;
        client.write_all(b"hello").await.unwrap();
        assert!(relayed.await.unwrap().is_err());
    }
}
