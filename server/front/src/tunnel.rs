//! Tunnels: bytes in both directions until both sides have ended. One side may end first (half-close).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::progress::ConnectionProgress;
use crate::relay::relay;
use crate::response_body::ReturnTicket;
use crate::shared::{Shared, Stage};
use crate::statistics::RequestTicket;

/// The client's side of a tunnel, which records when bytes pass: a silent tunnel gives way when connections are short.
struct ActivityStream<S> {
    stream: S,
    progress: Arc<ConnectionProgress>,
}

impl<S> ActivityStream<S> {
    fn record<T>(&self, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if matches!(moved, Poll::Ready(Ok(_))) {
            self.progress.tunnel_moved(Instant::now());
        }
        moved
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActivityStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.record(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ActivityStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.record(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Tunnels bytes until both sides have ended, or until the tunnel is to be ended; then both sides are closed.
pub(crate) async fn tunnel<C, P>(
    shared: &Shared,
    client: C,
    progress: &Arc<ConnectionProgress>,
    mut program: P,
    stop: impl Future<Output = ()>,
) where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    progress.tunnel_moved(Instant::now());
    let _counted = shared.count_tunnel();
    let mut client = ActivityStream { stream: client, progress: Arc::clone(progress) };
    let stopped = tokio::select! {
        biased;
        copied = relay(&mut client, &mut program, || shared.has_many_tunnels()) => {
            if let Err(error) = copied {
                tracing::debug!("tunnel failed: {error}");
            }
            false
        }
        () = stop => true,
        () = progress.evicted() => true,
    };
    if stopped {
        // These fail only if the side is closed already.
        let _ = client.shutdown().await;
        let _ = program.shutdown().await;
    }
}

/// Completes when a tunnel to a copy of the program is to be ended.
pub(crate) async fn stopped(mut aborted: watch::Receiver<bool>, mut stage: watch::Receiver<Stage>) {
    tokio::select! {
        _ = aborted.wait_for(|aborted| *aborted) => {}
        () = Shared::reached(&mut stage, Stage::Stopped) => {}
    }
}

/// Tunnels between the two sides of an upgrade as soon as both are there.
pub(crate) fn spawn_upgrade(
    (client, progress): (OnUpgrade, Arc<ConnectionProgress>),
    program: OnUpgrade,
    connection: ReturnTicket,
    request: RequestTicket,
    shared: Arc<Shared>,
) {
    tokio::spawn(async move {
        // Both are held until the tunnel has ended.
        let (_request, mut connection) = (request, connection);
        connection.in_flight.note_answered();
        let stop = stopped(connection.in_flight.pool().aborted(), shared.stage.subscribe());
        match tokio::try_join!(client, program) {
            Ok((client, program)) => {
                tunnel(&shared, TokioIo::new(client), &progress, TokioIo::new(program), stop).await;
            }
            Err(error) => tracing::debug!("upgrade failed: {error}"),
        }
    });
}
