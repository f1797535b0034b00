//! Opening TCP connections.

use std::pin::pin;

use futures_util::future::{Either, select};
use worker::{Error, Result, SecureTransport, Socket};

/// Opens a connection and closes it again without sending a byte.
pub(crate) async fn check_connection(host: &str, port: u16) -> Result<()> {
    let mut socket = Socket::builder().secure_transport(SecureTransport::Off).connect(host, port)?;
    // `closed` fails along with `opened`; its error has to be awaited, or the platform logs an unhandled rejection.
    match select(pin!(socket.opened()), pin!(socket.closed())).await {
        Either::Left((Ok(_), _)) => {}
        Either::Left((Err(error), _)) | Either::Right((Err(error), _)) => return Err(error),
        Either::Right((Ok(()), _)) => {
            return Err(Error::from("the connection was closed before it was open"));
        }
    }
    // The connection was made, whatever becomes of closing it.
    let _ = socket.close().await;
    Ok(())
}
