//! TCP connections: the probe of a `tcp` monitor, and the check of a target that `fetch` could not reach.
//!
//! A connection is opened and closed again without sending a byte.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::Delay;

use super::cloudflare_name::leads_to_cloudflare;
use super::fetch_error::{TcpCheck, classify_error, explain_error};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::domain::check::request_plan::RequestAllowance;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::{TcpAddress, is_private_host};
use crate::platform::clock::wall_clock;
use crate::platform::tcp::check_connection;
use crate::platform::url::{HostAndPort, canonical_host};

/// How long the check after a failed `fetch` may take. A refused connection fails at once.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Probes a `tcp` monitor within `timeout`. A name whose connection was refused may be looked up with a request of `allowance`.
pub(super) async fn probe_tcp(
    address: &TcpAddress,
    timeout: Duration,
    allow_private: bool,
    allowance: &RequestAllowance<'_>,
) -> Result<ProbeResponse, ProbeError> {
    let host = canonical_host(address.host()).ok_or(Failure::Dns)?;
    if !allow_private && is_private_host(&host) {
        return Err(Failure::PrivateAddress.into());
    }
    let began = wall_clock();
    match select(pin!(check_connection(&host, address.port())), Delay::from(timeout)).await {
        Either::Left((Ok(()), _)) => {
            Ok(ProbeResponse::new(0, wall_clock().since(began), ResponseBody::Unread))
        }
        Either::Left((Err(error), _)) => {
            let error = explain_tcp_error(&error.to_string());
            let left = timeout.saturating_sub(wall_clock().since(began));
            if error == Failure::ConnectionRefused.into() && leads_to_cloudflare(&host, left, allowance).await
            {
                return Err(ProbeSkipped::Forbidden.into());
            }
            Err(error)
        }
        Either::Right(_) => Err(Failure::ConnectTimeout.into()),
    }
}

/// Checks whether the host of an address accepts connections.
pub(super) async fn check_target(url: &str) -> TcpCheck {
    let Some(endpoint) = HostAndPort::parse(url) else { return TcpCheck::Skipped };
    let check = pin!(check_connection(&endpoint.host, endpoint.port));
    match select(check, Delay::from(CHECK_TIMEOUT)).await {
        Either::Left((Ok(()), _)) => TcpCheck::Connected { is_tls: endpoint.is_tls },
        Either::Left((Err(_), _)) => TcpCheck::Failed { is_named: endpoint.is_named() },
        Either::Right(_) => TcpCheck::Skipped,
    }
}

/// The reason of a connection that failed. One that is lost while it is opened was refused.
fn explain_tcp_error(text: &str) -> ProbeError {
    match explain_error(classify_error(text), TcpCheck::Failed { is_named: false }) {
        ProbeError::Failed(Failure::ConnectionLost | Failure::Connection) => {
            Failure::ConnectionRefused.into()
        }
        other => other,
    }
}
