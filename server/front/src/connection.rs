//! One connection of a client. While it is idle it is nothing but a socket: hyper's buffers, some 20 kB, are dropped a second after
//! the last response, and made again when the next request arrives.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};

use crate::client_socket::ClientSocket;
use crate::config::FrontLimits;
use crate::connection_limit::{OpenConnection, PermitKind};
use crate::dispatch::{ClientConnection, dispatch};
use crate::progress::ConnectionProgress;
use crate::shared::{Shared, Stage};
use crate::tracked_io::{SharedFraming, TrackedIo};

/// Time for the request of a connection that may request operator routes only.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum that hyper buffers in each direction.
const BUFFER: usize = 32 << 10;

/// Time that a connection without any request has for its first one when the front closes.
const FIRST_REQUEST: Duration = Duration::from_millis(250);

/// Time without a request after which a connection becomes a mere socket.
const PARK_AFTER: Duration = Duration::from_secs(1);

/// Time for which a request goes on whose client has gone. What the client sent before is still read: a client that sends something and
/// does not wait for the answer is served.
const AFTER_CLIENT: Duration = Duration::from_secs(1);

/// Serves a connection to its end.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    mut stream: ClientSocket,
    mut connection: OpenConnection,
    address: SocketAddr,
) {
    let client = Arc::new(ClientConnection {
        address,
        kind: connection.kind(),
        progress: Arc::clone(connection.progress()),
        framing: SharedFraming::new(shared.config.limits.max_header),
    });
    let limits = Arc::new(limits_of(&shared.config.limits, client.kind));
    let mut stage = shared.stage.subscribe();
    while parked(&stream, &client.progress, &limits, &mut stage).await {
        let mut gone = pin!(client_gone(stream.clone(), Arc::clone(&client.progress)));
        let io = TrackedIo::new(stream, Arc::clone(&client.framing), connection);
        match Box::pin(active(&shared, io, &client, &limits, &mut stage, gone.as_mut())).await {
            Some(io) => (stream, connection) = io.into_inner(),
            None => return,
        }
    }
}

/// Waits for a request; false if the connection is to be closed.
async fn parked(
    stream: &ClientSocket,
    progress: &ConnectionProgress,
    limits: &FrontLimits,
    stage: &mut watch::Receiver<Stage>,
) -> bool {
    let deadline = progress.deadline(limits).unwrap_or_else(Instant::now);
    tokio::select! {
        biased;
        readable = stream.readable() => readable.is_ok(),
        () = progress.evicted() => false,
        () = Shared::reached(stage, Stage::Closing) => {
            // The first request of a connection that was just accepted is on the way.
            let fresh = progress.idle_since().is_none();
            fresh && matches!(timeout(FIRST_REQUEST, stream.readable()).await, Ok(Ok(())))
        }
        () = sleep_until(deadline) => false,
    }
}

/// Completes a moment after the client has gone, whatever of its bytes is still unread.
async fn client_gone(stream: ClientSocket, progress: Arc<ConnectionProgress>) {
    stream.ended().await;
    progress.client_left();
    sleep(AFTER_CLIENT).await;
}

/// Serves requests until the connection ends, or is idle; then its socket is returned.
async fn active(
    shared: &Arc<Shared>,
    io: TrackedIo<ClientSocket>,
    client: &Arc<ClientConnection>,
    limits: &FrontLimits,
    stage: &mut watch::Receiver<Stage>,
    mut gone: Pin<&mut impl Future<Output = ()>>,
) -> Option<TrackedIo<ClientSocket>> {
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, client) = (Arc::clone(shared), Arc::clone(client));
        async move { Ok::<_, Infallible>(dispatch(&shared, &client, request).await) }
    });
    let header = limits.max_header;
    let mut inner = http1::Builder::new()
        .max_header_size(header)
        .max_buf_size(BUFFER.max(header))
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let progress = &client.progress;
    let mut timer = pin!(sleep_until(progress.deadline(limits).unwrap_or_else(Instant::now)));
    let mut closing = false;
    loop {
        let current = TimedConnection { inner: &mut inner, timer: timer.as_mut(), progress, limits };
        let ended = tokio::select! {
            biased;
            ended = current => ended,
            () = progress.evicted() => return None,
            () = &mut gone => {
                tracing::debug!("connection from {} closed: the client has gone", client.address);
                return None;
            }
            () = Shared::reached(stage, if closing { Stage::Stopped } else { Stage::Closing }) => {
                if closing {
                    return None;
                }
                closing = true;
                Pin::new(&mut inner).graceful_shutdown();
                continue;
            }
        };
        return match ended {
            ConnectionEnd::Idle if !closing => inner.into_parts().map(|parts| parts.io.into_inner()),
            ConnectionEnd::Done(Err(error)) => {
                tracing::debug!("connection from {} failed: {error}", client.address);
                None
            }
            ConnectionEnd::TimedOut => {
                tracing::debug!("connection from {} closed: the client exceeded a timeout", client.address);
                None
            }
            ConnectionEnd::Idle | ConnectionEnd::Done(Ok(())) => None,
        };
    }
}

fn limits_of(limits: &FrontLimits, kind: PermitKind) -> FrontLimits {
    match kind {
        PermitKind::Regular => limits.clone(),
        PermitKind::Reserve => FrontLimits {
            header_timeout: limits.header_timeout.min(RESERVE_TIMEOUT),
            write_timeout: limits.write_timeout.min(RESERVE_TIMEOUT),
            ..limits.clone()
        },
    }
}

enum ConnectionEnd {
    Done(hyper::Result<()>),
    /// Nothing is in progress.
    Idle,
    TimedOut,
}

/// A connection that ends when its client exceeds a timeout, or when it is idle.
struct TimedConnection<'a, C> {
    inner: &'a mut C,
    timer: Pin<&'a mut Sleep>,
    progress: &'a ConnectionProgress,
    limits: &'a FrontLimits,
}

impl<C: Future<Output = hyper::Result<()>> + Unpin> Future for TimedConnection<'_, C> {
    type Output = ConnectionEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let this = self.get_mut();
        if let Poll::Ready(result) = Pin::new(&mut *this.inner).poll(cx) {
            return Poll::Ready(ConnectionEnd::Done(result));
        }
        loop {
            let idle = this.progress.idle_since().map(|since| since + PARK_AFTER);
            let deadline = this.progress.deadline(this.limits).into_iter().chain(idle).min();
            let Some(deadline) = deadline else { return Poll::Pending };
            // A timer that fires early does no harm, as it is checked again. So it is reset only if it would fire late, or has fired.
            if deadline < this.timer.deadline() || this.timer.is_elapsed() {
                this.timer.as_mut().reset(deadline);
            }
            if this.timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= deadline {
                let parked = idle == Some(deadline);
                return Poll::Ready(if parked { ConnectionEnd::Idle } else { ConnectionEnd::TimedOut });
            }
        }
    }
}
