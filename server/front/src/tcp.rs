//! `--front tcp`: the bytes of each connection are forwarded; new connections wait while no copy of the program is active.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::connection_limit::{OpenConnection, PermitKind};
use crate::shared::{Shared, Stage};
use crate::tunnel::{stopped, tunnel};
use crate::wait::Wait;

/// Forwards a connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, client: TcpStream, connection: OpenConnection) {
    if connection.kind() == PermitKind::Reserve {
        // The reserve is for operator routes, which need HTTP.
        return;
    }
    connection.progress().request_started(Instant::now());
    let mut wait = Wait::new(&shared);
    let mut stage = shared.stage.subscribe();
    let (in_flight, program) = loop {
        let connected = async {
            let in_flight = wait.enter().await.ok()?;
            match in_flight.pool().connect_stream().await {
                Ok(program) => Some(Some((in_flight, program))),
                Err(error) => {
                    let address = &in_flight.pool().upstream().address;
                    tracing::debug!("cannot connect to the program at {address}: {error}");
                    drop(in_flight);
                    wait.after_refusal().await.ok().map(|()| None)
                }
            }
        };
        let connected = tokio::select! {
            connected = connected => connected,
            () = Shared::reached(&mut stage, Stage::Stopped) => None,
        };
        match connected {
            None => return,
            Some(None) => {}
            Some(Some(connected)) => break connected,
        }
    };
    drop(wait.pass());
    let stop = stopped(in_flight.pool().aborted(), stage);
    tunnel(&shared, client, connection.progress(), program, stop).await;
    drop(in_flight);
}
