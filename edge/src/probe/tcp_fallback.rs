//! A second look at a target that `fetch` could not reach, where the platform's text leaves it open why.
//!
//! It opens a plain connection to the same host and port and closes it again, without a byte.

use std::time::Duration;

use futures_util::future::{Either, select};
use web_sys::Url;
use worker::{Delay, SecureTransport, Socket};

use super::platform::{Address, Look};

/// How long it may take. A refusal is immediate.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is needed of the address to conclude anything; and what the look found.
pub(super) async fn look(url: &str) -> (Address, Look) {
    let Ok(url) = Url::new(url) else {
        return (Address::default(), Look::NotTaken);
    };
    let secure = url.protocol() == "https:";
    let host = url.hostname();
    let address = Address { secure, named: !is_ip(&host) };
    let port = url.port().parse().unwrap_or(if secure { 443 } else { 80 });
    let found = match select(std::pin::pin!(opens(host, port)), Delay::from(PATIENCE)).await {
        Either::Left((true, _)) => Look::Opened,
        Either::Left((false, _)) => Look::Closed,
        Either::Right(_) => Look::NotTaken,
    };
    (address, found)
}

async fn opens(host: String, port: u16) -> bool {
    let socket = Socket::builder().secure_transport(SecureTransport::Off).connect(host, port);
    let Ok(mut socket) = socket else { return false };
    // `closed` fails along with `opened`; somebody has to hear it, or it is logged as nobody's.
    let opened = {
        let (opened, closed) = (std::pin::pin!(socket.opened()), std::pin::pin!(socket.closed()));
        matches!(select(opened, closed).await, Either::Left((Ok(_), _)))
    };
    if opened {
        let _ = socket.close().await;
    }
    opened
}

/// Whether a canonical host is an IP address.
fn is_ip(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}
