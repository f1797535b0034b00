//! One connection: hyper speaks HTTP/1.1, and a single timer bounds every wait for the client.
//!
//! hyper's own `header_read_timeout` is switched off, as [`ConnectionClock`] has the same bound with a separate one for idle
//! connections, and writes. What hyper does is used: the bounds on the size of a head and of its buffers, keep-alive, and the
//! graceful shutdown.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use heapbeat_connection::{ClientTimeouts, ConnectionClock, TrackedSocket};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::connection_limit::{ConnectionPermit, PermitKind};
use super::dispatch::{ClientConnection, dispatch};
use super::progress::ConnectionProgress;
use super::{DrainStage, Server};
use crate::config::HttpLimits;
use crate::panic::contain_panics;

/// Maximum that hyper buffers in each direction. Its default of 400 kB, times a thousand connections, would be half the memory of a
/// small machine.
const BUFFER: usize = 64 << 10;

/// Least bytes of a response a second that a client takes, on average, once it was waited for longer than the write timeout.
const LEAST_RATE: u64 = 1024;

/// Time in which the first request arrives of a connection that was in the queue when the server closed.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// What is released when a connection ends, and its progress.
#[derive(Debug)]
struct OpenConnection {
    progress: Arc<ConnectionProgress>,
    _permit: ConnectionPermit,
}

impl AsRef<ConnectionClock> for OpenConnection {
    fn as_ref(&self) -> &ConnectionClock {
        &self.progress.clock
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(
    server: Arc<Server>,
    stream: TcpStream,
    permit: ConnectionPermit,
    mut stage: watch::Receiver<DrainStage>,
) {
    let Ok(address) = stream.peer_addr() else { return };
    // It has waited in the kernel's queue, and has not been read from yet. Closing it now would lose its request.
    if *stage.borrow() == DrainStage::Closing {
        let _ = timeout(FIRST_REQUEST, stream.readable()).await;
    }
    let progress = ConnectionProgress::begin(Instant::now());
    let client = Arc::new(ClientConnection { address, kind: permit.kind, progress: Arc::clone(&progress) });
    let timeouts = timeouts_of(&server.limits, permit.kind);
    let connection = OpenConnection { progress: Arc::clone(&progress), _permit: permit };
    let io = TokioIo::new(TrackedSocket::new(stream, connection));
    let service = service_fn(|request: http::Request<Incoming>| {
        client.progress.request_started(Instant::now());
        let (server, client) = (Arc::clone(&server), Arc::clone(&client));
        async move { Ok::<_, Infallible>(dispatch(&server, &client, request).await) }
    });
    let header = usize::try_from(server.limits.max_header.0).unwrap_or(usize::MAX);
    let inner = http1::Builder::new()
        .max_header_size(header)
        .max_buf_size(BUFFER.max(header))
        .header_read_timeout(None)
        .serve_connection(io, service)
        .with_upgrades();
    let deadline = progress.clock.deadline(&timeouts).unwrap_or_else(Instant::now);
    let mut patient = pin!(TimedConnection { inner, progress, timeouts, timer: sleep_until(deadline) });
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
        ConnectionEnd::Done(Err(error)) => tracing::debug!("connection from {address} failed: {error}"),
        ConnectionEnd::TimedOut => {
            tracing::debug!("connection from {address} closed: the client exceeded a timeout");
        }
    }
}

/// Returns when the stage is closing.
async fn closing(stage: &mut watch::Receiver<DrainStage>) {
    // An error means that the server is gone.
    let _ = stage.wait_for(|stage| *stage == DrainStage::Closing).await;
}

fn timeouts_of(limits: &HttpLimits, kind: PermitKind) -> ClientTimeouts {
    let timeouts = ClientTimeouts {
        head: limits.header_timeout,
        idle: limits.idle_timeout,
        write: limits.write_timeout,
        least_rate: LEAST_RATE,
    };
    match kind {
        PermitKind::Regular => timeouts,
        PermitKind::Reserve => timeouts.of_reserve(),
    }
}

enum ConnectionEnd {
    Done(hyper::Result<()>),
    TimedOut,
}

pin_project! {
    /// A connection that ends when its client exceeds a timeout.
    struct TimedConnection<C> {
        #[pin]
        inner: C,
        progress: Arc<ConnectionProgress>,
        timeouts: ClientTimeouts,
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
        while let Some(deadline) = this.progress.clock.deadline(this.timeouts) {
            // A timer that fires early does no harm, as it is checked again. So it is reset only if it would fire late, or has fired.
            if deadline < this.timer.deadline() || this.timer.is_elapsed() {
                this.timer.as_mut().reset(deadline);
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                return Poll::Ready(ConnectionEnd::TimedOut);
            }
        }
        Poll::Pending
    }
}
