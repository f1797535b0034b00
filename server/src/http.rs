//! The HTTP server: listeners, connections with limits, the health endpoints, and graceful shutdown.
//!
//! It has an accept loop of its own over hyper, because `axum::serve` limits neither the time for a request head, nor clients that do
//! not read, nor the number of connections, and because `/health` must be answered even if nothing else is.

mod accept;
mod body;
mod connection;
mod connection_limit;
mod dispatch;
mod progress;
pub(crate) mod stop;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::HttpLimits;
use crate::endpoints::report::ReportHandler;
use connection_limit::ConnectionLimit;
use stop::{StopCause, StopSource};

/// State that all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    app: Router,
    handler: Arc<ReportHandler>,
    limits: HttpLimits,
    connections: ConnectionLimit,
}

/// Stage of the shutdown; connections and listeners follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrainStage {
    /// New connections are accepted.
    Open,
    /// A replacement accepts new connections; open connections stay for one more response.
    HandingOver,
    /// No new connections are accepted; open connections end with their current response.
    Closing,
}

/// Time that a connection waits for one more request after a replacement has taken over; its response carries `Connection: close`.
/// Closing the connection at once would lose a request that the client is just sending.
const ONE_MORE: Duration = Duration::from_secs(5);

/// Times of the shutdown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainTimes {
    /// Time during which new connections are still accepted.
    pub(crate) window: Duration,
    /// Time from the signal to the exit.
    pub(crate) timeout: Duration,
}

impl Server {
    pub(crate) fn new(app: Router, handler: Arc<ReportHandler>, limits: HttpLimits) -> Arc<Self> {
        // This server limits bodies itself; axum's own limit of 2 MB would override a larger one.
        let app = app.layer(DefaultBodyLimit::disable());
        let connections =
            connection_limit::affordable(limits.max_connections, connection_limit::descriptors_allowed());
        if connections < limits.max_connections {
            tracing::warn!(
                "accepting at most {connections} connections instead of {}: the system allows no more open files; raise it with ulimit -n",
                limits.max_connections
            );
        }
        let connections = ConnectionLimit::new(connections);
        Arc::new(Server { app, handler, limits, connections })
    }
}

/// Serves until `stop` completes, then finishes requests in flight; returns why it stopped.
pub(crate) async fn serve(
    server: Arc<Server>,
    listeners: Vec<TcpListener>,
    drain: DrainTimes,
    mut stop: StopSource,
) -> StopCause {
    let (stage, follow) = watch::channel(DrainStage::Open);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept::accept(listener, Arc::clone(&server), follow.clone()));
    }
    drop(follow);

    let cause = stop.next().await;
    let begun = Instant::now();
    let within = if let StopCause::HandOver(within) = cause {
        server.handler.state().hand_over();
        within
    } else {
        server.handler.state().drain();
        server.handler.telemetry().record_stop(&cause.to_string(), cause.as_str());
        drain.timeout
    };
    tracing::info!(heapbeat.stop.cause = cause.as_str(), "{cause}: finishing requests in flight");
    let drained = async {
        match cause {
            StopCause::Terminate => sleep_until(begun + drain.window).await,
            StopCause::HandOver(_) => {
                stage.send_replace(DrainStage::HandingOver);
                let _ = timeout_at(begun + ONE_MORE.min(within / 2), stage.closed()).await;
            }
            StopCause::Interrupt | StopCause::Application | StopCause::Memory | StopCause::Orphaned => {}
        }
        stage.send_replace(DrainStage::Closing);
        stage.closed().await;
    };
    tokio::select! {
        ended = timeout_at(begun + within, drained) => {
            if ended.is_ok() {
                tracing::info!("stopped: all requests in flight were finished");
                server.handler.telemetry().record_finished();
            } else {
                tracing::warn!("stopped: drain timeout of {within:?} exceeded (HEAPBEAT_DRAIN_TIMEOUT); closing requests that are still in flight");
            }
        }
        again = stop.next_urgent() => tracing::warn!("second {again}: closing requests that are still in flight"),
    }
    cause
}

/// Logs the address of the server.
pub(crate) fn announce(address: SocketAddr) {
    let host = if address.ip().is_unspecified() { "localhost".to_owned() } else { address.ip().to_string() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    tracing::info!(
        server.address = %address.ip(),
        server.port = address.port(),
        "listening on {address}: http://{host}:{}/health",
        address.port()
    );
}
