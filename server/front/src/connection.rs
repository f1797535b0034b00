//! One connection of a client. While it has no request it is nothing but a socket (see `admission`): hyper's buffers, some 20 kB, are dropped
//! a second after the last response, at once if others wait, and made again for the next request.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use heapbeat_connection::ClientTimeouts;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::admission::admit;
use crate::client_socket::{ClientSocket, client_gone};
use crate::config::FrontLimits;
use crate::connection_limit::{OpenConnection, PermitKind};
use crate::dispatch::{ClientConnection, dispatch};
use crate::framed_socket::{FramedSocket, SharedFraming};
use crate::shared::{Shared, Stage};

/// Maximum that hyper buffers in each direction, unless a head may be larger.
const BUFFER: usize = 16 << 10;

/// Time without a request after which a connection becomes a mere socket, while nothing waits for what it has.
const PARK_AFTER: Duration = Duration::from_secs(1);

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
        admission: Mutex::default(),
    });
    let timeouts = timeouts_of(&shared.config.limits, client.kind);
    let mut stage = shared.stage.subscribe();
    let requester = (client.kind, &client.progress);
    while let Some(admission) = admit(&shared, &stream, requester, &timeouts, &mut stage).await {
        client.begin(admission);
        let io = {
            let mut gone = pin!(client_gone(stream.clone(), Arc::clone(&client.progress)));
            let memory = Arc::clone(&shared.memory);
            let io = FramedSocket::new(stream, Arc::clone(&client.framing), connection, memory);
            Box::pin(active(&shared, io, &client, &timeouts, &mut stage, gone.as_mut())).await
        };
        client.end();
        match io {
            Some(io) => (stream, connection) = io.into_inner(),
            None => return,
        }
    }
}

/// Serves requests until the connection ends, or is idle; then its socket is returned.
async fn active(
    shared: &Arc<Shared>,
    io: FramedSocket,
    client: &Arc<ClientConnection>,
    timeouts: &ClientTimeouts,
    stage: &mut watch::Receiver<Stage>,
    mut gone: Pin<&mut impl Future<Output = ()>>,
) -> Option<FramedSocket> {
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, client) = (Arc::clone(shared), Arc::clone(client));
        let (head, body) = request.into_parts();
        let head = Box::new(head);
        async move { Ok::<_, Infallible>(dispatch(&shared, &client, head, body).await) }
    });
    let header = shared.config.limits.max_header;
    let mut inner = http1::Builder::new()
        .max_header_size(header)
        .max_buf_size(BUFFER.max(header))
        .header_read_timeout(None)
        // `gone` watches for the end of the client; hyper would make another buffer for it.
        .half_close(true)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let progress = &client.progress;
    let mut timer = pin!(sleep_until(progress.clock.deadline(timeouts).unwrap_or_else(Instant::now)));
    let mut closing = false;
    loop {
        let current = TimedConnection { inner: &mut inner, timer: timer.as_mut(), client, shared, timeouts };
        let ended = tokio::select! {
            biased;
            ended = current => ended,
            () = progress.evicted() => return None,
            // If it is idle, it becomes a mere socket now.
            () = shared.memory.wanted() => continue,
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

fn timeouts_of(limits: &FrontLimits, kind: PermitKind) -> ClientTimeouts {
    let timeouts = ClientTimeouts {
        head: limits.header_timeout,
        idle: limits.idle_timeout,
        write: limits.write_timeout,
        least_rate: limits.least_rate,
    };
    match kind {
        PermitKind::Regular => timeouts,
        PermitKind::Reserve => timeouts.of_reserve(),
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
    client: &'a ClientConnection,
    shared: &'a Shared,
    timeouts: &'a ClientTimeouts,
}

impl<C> TimedConnection<'_, C> {
    /// Returns the time without a request after which the connection becomes a mere socket.
    fn park_after(&self) -> Duration {
        let is_wanted = !self.shared.passes_at_once() || self.client.has_reserve();
        if is_wanted { Duration::ZERO } else { PARK_AFTER }
    }
}

impl<C: Future<Output = hyper::Result<()>> + Unpin> Future for TimedConnection<'_, C> {
    type Output = ConnectionEnd;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let this = self.get_mut();
        if let Poll::Ready(result) = Pin::new(&mut *this.inner).poll(cx) {
            return Poll::Ready(ConnectionEnd::Done(result));
        }
        loop {
            let progress = &this.client.progress;
            let idle = this.client.idle_since().map(|since| since + this.park_after());
            let deadline = progress.clock.deadline(this.timeouts).into_iter().chain(idle).min();
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
