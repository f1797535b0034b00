//! Asking a `tcp` monitor: a connection is opened and closed again, without a byte.

use std::time::Duration;

use futures_util::future::{Either, select};
use web_sys::Url;
use worker::{Delay, SecureTransport, Socket};

use super::platform::{Address, Look, conclude, read_error};
use super::wall_clock;
use crate::config::{TcpAddress, is_private_host};
use crate::domain::Failure;
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};

/// Opens a connection within `timeout`.
pub(super) async fn ask(
    address: &TcpAddress,
    timeout: Duration,
    private: bool,
) -> Result<ProbeResponse, ProbeError> {
    // As the platform writes it: `0x7f.1` and `127。0。0。1` are 127.0.0.1.
    let url = Url::new(&format!("http://{}:{}/", address.host(), address.port()));
    let host = url.map_err(|_| Failure::Dns)?.hostname();
    if !private && is_private_host(&host) {
        return Err(Failure::PrivateAddress.into());
    }
    let began = wall_clock();
    let opening = std::pin::pin!(open(&host, address.port()));
    match select(opening, Delay::from(timeout)).await {
        Either::Left((Ok(()), _)) => Ok(ProbeResponse {
            status: 0,
            latency: wall_clock().since(began),
            body: ResponseBody::Unread,
            report: None,
        }),
        Either::Left((Err(text), _)) => Err(reason(&text)),
        Either::Right(_) => Err(Failure::ConnectTimeout.into()),
    }
}

/// The text of the platform where it did not open.
async fn open(host: &str, port: u16) -> Result<(), String> {
    let socket = Socket::builder().secure_transport(SecureTransport::Off).connect(host, port);
    let mut socket = socket.map_err(|error| error.to_string())?;
    // `closed` fails along with `opened`; somebody has to hear it, or it is logged as nobody's.
    let opened = {
        let (opened, closed) = (std::pin::pin!(socket.opened()), std::pin::pin!(socket.closed()));
        match select(opened, closed).await {
            Either::Left((Ok(_), _)) => Ok(()),
            Either::Left((Err(error), _)) | Either::Right((Err(error), _)) => Err(error.to_string()),
            Either::Right((Ok(()), _)) => Err("closed before it was open".to_owned()),
        }
    };
    if opened.is_ok() {
        let _ = socket.close().await;
    }
    opened
}

/// A connection that was not made, or was lost while it was, is one that was refused: nothing else was asked of it.
fn reason(text: &str) -> ProbeError {
    match conclude(read_error(text), Look::Closed, Address::default()) {
        ProbeError::Failed(Failure::Lost | Failure::Connection) => Failure::Refused.into(),
        other => other,
    }
}
