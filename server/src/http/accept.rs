//! Accepts connections from one listener until the shutdown, whatever errors occur.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::connection;
use super::connection_limit::ConnectionPermit;
use super::{DrainStage, Server};

/// Pause after the kernel could not accept a connection for lack of descriptors or memory; an immediate retry would fail as well.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts connections while the server is open.
pub(super) async fn accept(
    listener: TcpListener,
    server: Arc<Server>,
    mut stage: watch::Receiver<DrainStage>,
) {
    let mut failing = false;
    loop {
        let permit = tokio::select! {
            biased;
            () = stopped_accepting(&mut stage) => break,
            permit = server.connections.acquire() => permit,
        };
        let accepted = tokio::select! {
            biased;
            () = stopped_accepting(&mut stage) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                failing = false;
                spawn_connection(&server, stream, permit, &stage);
            }
            Err(error) if is_client_error(&error) => {}
            Err(error) => {
                if !failing {
                    tracing::error!(
                        "cannot accept connections: {error}; they wait in the kernel's queue until the next attempt"
                    );
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
    // Connections in the queue belong to the replacement, if there is one.
    if *stage.borrow() == DrainStage::Closing
        && let Err(error) = finish_queue(listener, &server, &stage)
    {
        tracing::warn!("cannot accept the connections that are waiting: {error}");
    }
}

/// Serves the connections in the kernel's queue, which would be reset when the listener closes.
///
/// The kernel is asked itself: tokio knows of connections only what its last poll has found, which is nothing yet of a server that was
/// stopped before it was ready.
fn finish_queue(
    listener: TcpListener,
    server: &Arc<Server>,
    stage: &watch::Receiver<DrainStage>,
) -> io::Result<()> {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    let listener = listener.into_std()?;
    let mut now = Context::from_waker(Waker::noop());
    while let Poll::Ready(permit) = pin!(server.connections.acquire()).poll(&mut now) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_client_error(&error) => continue,
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        spawn_connection(server, TcpStream::from_std(stream)?, permit, stage);
    }
    Ok(())
}

fn spawn_connection(
    server: &Arc<Server>,
    stream: TcpStream,
    permit: ConnectionPermit,
    stage: &watch::Receiver<DrainStage>,
) {
    let permit = server.connections.upgrade(permit);
    // This fails only if the client has gone, which the connection detects itself.
    let _ = stream.set_nodelay(true);
    tokio::spawn(connection::serve(Arc::clone(server), stream, permit, stage.clone()));
}

/// Returns when no more connections are accepted.
async fn stopped_accepting(stage: &mut watch::Receiver<DrainStage>) {
    let _ = stage.wait_for(|stage| *stage != DrainStage::Open).await;
}

/// Whether the connection broke before it was accepted; the listener itself is fine.
fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
