//! Tunnels: bytes in both directions until both sides have ended. One side may end first (half-close).

use std::future::Future;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::sync::watch;

use crate::response_body::ReturnTicket;
use crate::shared::{Shared, Stage};
use crate::statistics::RequestTicket;

/// Buffer of each direction of a tunnel.
const BUFFER: usize = 8 << 10;

/// Tunnels bytes until both sides have ended, or until the tunnel is to be ended; then both sides are closed.
pub(crate) async fn tunnel<C, P>(mut client: C, mut program: P, stop: impl Future<Output = ()>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    P: AsyncRead + AsyncWrite + Unpin,
{
    let stopped = tokio::select! {
        biased;
        copied = copy_bidirectional_with_sizes(&mut client, &mut program, BUFFER, BUFFER) => {
            if let Err(error) = copied {
                tracing::debug!("tunnel failed: {error}");
            }
            false
        }
        () = stop => true,
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
    client: OnUpgrade,
    program: OnUpgrade,
    connection: ReturnTicket,
    request: RequestTicket,
    stage: watch::Receiver<Stage>,
) {
    tokio::spawn(async move {
        // Both are held until the tunnel has ended.
        let (_request, connection) = (request, connection);
        let stop = stopped(connection.in_flight.pool().aborted(), stage);
        match tokio::try_join!(client, program) {
            Ok((client, program)) => tunnel(TokioIo::new(client), TokioIo::new(program), stop).await,
            Err(error) => tracing::debug!("upgrade failed: {error}"),
        }
    });
}
