//! The server: listeners, connections with limits, the health endpoints, and an end in order.
//!
//! An accept loop of our own over hyper, because `axum::serve` bounds neither the time for a request's head, nor a client
//! that does not read, nor the number of connections; and because `/health` has to be answered when everything
//! else is not.

mod accept;
mod body;
mod connection;
mod connection_limit;
mod dispatch;
pub(crate) mod health;
mod operator;
mod problem;
mod progress;
pub(crate) mod report;
pub(crate) mod stop;
mod tracked_io;

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
use connection_limit::ConnectionLimit;
use report::ReportHandler;
use stop::{StopCause, StopSource};

/// What every connection needs.
#[derive(Debug)]
pub(crate) struct Server {
    app: Router,
    desk: Arc<ReportHandler>,
    limits: HttpLimits,
    slots: ConnectionLimit,
}

/// How far the end has come; connections and listeners follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrainStage {
    /// New connections are taken.
    Open,
    /// A replacement takes new connections; those that are there stay for one more answer.
    HandingOver,
    /// No new connections; those that are there end with the answer they are at.
    Closing,
}

/// After a replacement has taken over, how long a connection may wait for one more request, which is answered with
/// `Connection: close`. To close it at once would lose the request that its client is just sending.
const ONE_MORE: Duration = Duration::from_secs(5);

/// How long the end may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrainTimes {
    /// New connections are still taken for so long.
    pub(crate) window: Duration,
    /// From the signal to the end.
    pub(crate) timeout: Duration,
}

impl Server {
    pub(crate) fn new(app: Router, desk: Arc<ReportHandler>, limits: HttpLimits) -> Arc<Self> {
        // The limit on bodies is this server's; axum's own of 2 MB would make a larger one useless.
        let app = app.layer(DefaultBodyLimit::disable());
        let connections =
            connection_limit::affordable(limits.max_connections, connection_limit::descriptors_allowed());
        if connections < limits.max_connections {
            tracing::warn!(
                "at most {connections} connections instead of {}: the system allows no more open files (ulimit -n)",
                limits.max_connections
            );
        }
        let slots = ConnectionLimit::new(connections);
        Arc::new(Server { app, desk, limits, slots })
    }
}

/// Serves until `stop` says so, then finishes what is in flight; returns why it stopped.
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
        server.desk.state().hand_over();
        within
    } else {
        server.desk.state().drain();
        server.desk.recorder().stopping(&cause.to_string(), cause.as_str());
        drain.timeout
    };
    tracing::info!(heapbeat.stop.cause = cause.as_str(), "{cause}: finishing requests in flight");
    let ordered = async {
        match cause {
            StopCause::Terminate => sleep_until(begun + drain.window).await,
            StopCause::HandOver(_) => {
                stage.send_replace(DrainStage::HandingOver);
                let _ = timeout_at(begun + ONE_MORE.min(within / 2), stage.closed()).await;
            }
            StopCause::Interrupt | StopCause::Asked | StopCause::Memory | StopCause::Orphaned => {}
        }
        stage.send_replace(DrainStage::Closing);
        stage.closed().await;
    };
    tokio::select! {
        ended = timeout_at(begun + within, ordered) => {
            if ended.is_ok() {
                tracing::info!("stopped: all requests in flight were finished");
                server.desk.recorder().finished();
            } else {
                tracing::warn!("stopped: the drain timeout of {within:?} is over, closing requests that are still in flight");
            }
        }
        again = stop.cut() => tracing::warn!("{again} again: closing requests that are still in flight"),
    }
    cause
}

/// Says where the server can be reached.
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
