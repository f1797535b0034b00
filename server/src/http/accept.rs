//! Takes connections from one listener until the end, whatever goes wrong with them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

use super::connection;
use super::connection_limit::ConnectionPermit;
use super::{DrainStage, Server};

/// Wait after the kernel could not give a connection for want of descriptors or memory: it will not at once either.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Runs as long as new connections are taken.
pub(super) async fn accept(
    listener: TcpListener,
    server: Arc<Server>,
    mut stage: watch::Receiver<DrainStage>,
) {
    let mut failing = false;
    loop {
        let slot = tokio::select! {
            biased;
            () = not_open(&mut stage) => break,
            slot = server.slots.take() => slot,
        };
        let accepted = tokio::select! {
            biased;
            () = not_open(&mut stage) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                failing = false;
                start(&server, stream, slot, &stage);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                if !failing {
                    tracing::error!("cannot accept connections: {error}; trying again");
                }
                failing = true;
                sleep(AFTER_ERROR).await;
            }
        }
    }
    // What is still in the queue is a replacement's, if there is one.
    if *stage.borrow() == DrainStage::Closing {
        finish_queue(&listener, &server, &stage);
    }
}

/// Connections that the kernel has taken already would be reset when the listener closes; they are served instead.
fn finish_queue(listener: &TcpListener, server: &Arc<Server>, stage: &watch::Receiver<DrainStage>) {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    let mut now = Context::from_waker(Waker::noop());
    while let Poll::Ready(slot) = pin!(server.slots.take()).poll(&mut now) {
        let Poll::Ready(Ok((stream, _))) = listener.poll_accept(&mut now) else { return };
        start(server, stream, slot, stage);
    }
}

fn start(
    server: &Arc<Server>,
    stream: TcpStream,
    slot: ConnectionPermit,
    stage: &watch::Receiver<DrainStage>,
) {
    let slot = server.slots.improve(slot);
    // Fails only when the client has gone, which the connection finds out by itself.
    let _ = stream.set_nodelay(true);
    tokio::spawn(connection::serve(Arc::clone(server), stream, slot, stage.clone()));
}

/// Returns when new connections are not taken any more.
async fn not_open(stage: &mut watch::Receiver<DrainStage>) {
    let _ = stage.wait_for(|stage| *stage != DrainStage::Open).await;
}

/// Returns when the stage is closing.
pub(super) async fn closing(stage: &mut watch::Receiver<DrainStage>) {
    // An error means that the sender is gone, and the server with it.
    let _ = stage.wait_for(|stage| *stage == DrainStage::Closing).await;
}

/// The connection broke before it was accepted; the listener is fine.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
