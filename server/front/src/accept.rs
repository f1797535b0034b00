//! Accepts connections from one listener until the shutdown, whatever errors occur.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::client_socket::ClientSocket;
use crate::config::FrontMode;
use crate::connection_limit::Permit;
use crate::progress::ConnectionProgress;
use crate::shared::{Shared, Stage};
use crate::{connection, tcp};

/// Pause after the kernel could not accept a connection for lack of descriptors or memory; an immediate retry would fail as well.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Silence after which the kernel asks whether a client is still there; tunnels have no other timeout.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Accepts connections while the front is open.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut stage = shared.stage.subscribe();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = Shared::reached(&mut stage, Stage::Closing) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                failing = false;
                // Only now: no connection is closed for one that nobody wants.
                let permit = tokio::select! {
                    biased;
                    permit = shared.connections.acquire() => Some(permit),
                    () = Shared::reached(&mut stage, Stage::Closing) => shared.connections.try_regular(),
                };
                let Some(permit) = permit else { break };
                spawn_connection(&shared, stream, address, permit);
            }
            Err(error) if is_client_error(&error) => {}
            Err(error) => {
                if !failing {
                    tracing::error!("cannot accept connections: {error}; trying again");
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
    finish_queue(&listener, &shared);
}

/// Serves the connections in the kernel's queue, which would be reset when the listener closes.
fn finish_queue(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut now = Context::from_waker(Waker::noop());
    while let Some(permit) = shared.connections.try_regular() {
        let Poll::Ready(Ok((stream, address))) = listener.poll_accept(&mut now) else { return };
        spawn_connection(shared, stream, address, permit);
    }
}

fn spawn_connection(shared: &Arc<Shared>, stream: TcpStream, address: std::net::SocketAddr, permit: Permit) {
    // These fail only if the client has gone, which the connection detects itself.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
    let connection = shared.connections.open(permit, &ConnectionProgress::begin(Instant::now()));
    let shared = Arc::clone(shared);
    match shared.config.mode {
        FrontMode::Http => {
            drop(tokio::spawn(connection::serve(shared, ClientSocket::new(stream), connection, address)));
        }
        FrontMode::Tcp => drop(tokio::spawn(tcp::serve(shared, stream, connection))),
    }
}

/// Whether the connection broke before it was accepted; the listener itself is fine.
fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
