//! One connection: hyper speaks HTTP/1.1, and a single timer bounds every wait for the client.
//!
//! hyper's own `header_read_timeout` is switched off, as [`super::progress`] has the same bound with a separate one for idle
//! connections, and writes. What hyper does is used: the bounds on the size of a head and of its buffers, keep-alive, and the
//! graceful shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use super::accept::closing;
use super::connection_limit::{ConnectionPermit, PermitKind};
use super::dispatch::answer;
use super::progress::ConnectionProgress;
use super::tracked_io::TrackedIo;
use super::{DrainStage, Server};
use crate::config::HttpLimits;
use crate::panic::contain_panics;

/// Time for the request of a connection that is here for `/health` alone.
const RESERVE_PATIENCE: Duration = Duration::from_secs(2);

/// Most that hyper buffers in each direction. Its own default of 400 kB times a thousand connections would be half of a
/// small machine.
const BUFFER: usize = 64 << 10;

/// What an answer has to know of its client.
#[derive(Debug)]
pub(super) struct ClientConnection {
    pub(super) address: SocketAddr,
    pub(super) kind: PermitKind,
    pub(super) progress: Arc<ConnectionProgress>,
}

/// Serves a connection to its end.
pub(super) async fn serve(
    server: Arc<Server>,
    stream: TcpStream,
    slot: ConnectionPermit,
    mut stage: watch::Receiver<DrainStage>,
) {
    let Ok(address) = stream.peer_addr() else { return };
    let progress = ConnectionProgress::begin(Instant::now());
    let client = Arc::new(ClientConnection { address, kind: slot.kind, progress: Arc::clone(&progress) });
    let limits = patience(&server.limits, slot.kind);
    let io = TokioIo::new(TrackedIo::new(stream, Arc::clone(&progress), slot));
    let service = service_fn(|request: http::Request<Incoming>| {
        client.progress.request(Instant::now());
        let (server, client) = (Arc::clone(&server), Arc::clone(&client));
        async move { Ok::<_, Infallible>(answer(&server, &client, request).await) }
    });
    let header = usize::try_from(limits.max_header.0).unwrap_or(usize::MAX);
    let inner = http1::Builder::new()
        .max_header_size(header)
        .max_buf_size(BUFFER.max(header))
        .header_read_timeout(None)
        .serve_connection(io, service)
        .with_upgrades();
    let deadline = progress.deadline(&limits).unwrap_or_else(Instant::now);
    let mut patient = pin!(TimedConnection { inner, progress, limits, timer: sleep_until(deadline) });
    let ended = tokio::select! {
        biased;
        ended = &mut patient => ended,
        () = closing(&mut stage) => {
            patient.as_mut().project().inner.graceful_shutdown();
            patient.await
        }
    };
    match ended {
        ConnectionEnd::Done(Ok(())) => {}
        ConnectionEnd::Done(Err(error)) => tracing::debug!("a connection from {address} broke: {error}"),
        ConnectionEnd::OutOfPatience => {
            tracing::debug!("a connection from {address} was closed: it took too long");
        }
    }
}

fn patience(limits: &HttpLimits, kind: PermitKind) -> HttpLimits {
    match kind {
        PermitKind::Regular => limits.clone(),
        PermitKind::Reserve => HttpLimits {
            header_timeout: limits.header_timeout.min(RESERVE_PATIENCE),
            write_timeout: limits.write_timeout.min(RESERVE_PATIENCE),
            ..limits.clone()
        },
    }
}

enum ConnectionEnd {
    Done(hyper::Result<()>),
    OutOfPatience,
}

pin_project! {
    /// A connection that ends when its client lets it wait too long.
    struct TimedConnection<C> {
        #[pin]
        inner: C,
        progress: Arc<ConnectionProgress>,
        limits: HttpLimits,
        #[pin]
        timer: Sleep,
    }
}

impl<C: Future<Output = hyper::Result<()>>> Future for TimedConnection<C> {
    type Output = ConnectionEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let mut this = self.project();
        if let Poll::Ready(result) = contain_panics(|| this.inner.poll(cx)) {
            return Poll::Ready(ConnectionEnd::Done(result));
        }
        while let Some(deadline) = this.progress.deadline(this.limits) {
            // A timer that is early does no harm: it looks again. So it is moved only when it would be late, or has fired.
            if deadline < this.timer.deadline() || this.timer.is_elapsed() {
                this.timer.as_mut().reset(deadline);
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(ConnectionEnd::OutOfPatience);
            }
        }
        Poll::Pending
    }
}
