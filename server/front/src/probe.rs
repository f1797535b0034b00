//! Whether a copy of the program is ready: it accepts connections and answers a path with a status below 500.

use std::pin::pin;
use std::time::Duration;

use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::upstream::UpstreamAddress;

/// First and longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// Longest time that one attempt waits for an answer.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Why a copy of the program is not ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It does not accept connections.
    #[error("nothing listens on {0}")]
    NotListening(UpstreamAddress),
    /// It accepts connections, but does not answer.
    #[error("{0} accepts connections but does not answer")]
    NoAnswer(UpstreamAddress),
    /// It answers with a server error.
    #[error("{0} answers with {1}")]
    ServerError(UpstreamAddress, StatusCode),
    /// The front has stopped.
    #[error("the front has stopped")]
    Stopped,
}

/// A probe that runs on the thread of the front, until it is dropped.
#[derive(Debug)]
pub struct ReadinessProbe {
    result: oneshot::Receiver<Result<Ready, NotReady>>,
}

/// A copy that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The address at which it answered.
    pub address: UpstreamAddress,
    /// Time from the begin of the probe.
    pub after: Duration,
}

impl ReadinessProbe {
    /// Returns the result once: that the copy is ready, or why it was not ready in time. `None` before that.
    pub fn result(&mut self) -> Option<Result<Ready, NotReady>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(NotReady::Stopped)),
        }
    }

    pub(crate) const fn new(result: oneshot::Receiver<Result<Ready, NotReady>>) -> Self {
        ReadinessProbe { result }
    }
}

/// Waits until one of `addresses` accepts connections and answers a GET of `path` with a status below 500; with no path, until it accepts
/// connections. Must run within a tokio runtime.
///
/// # Errors
/// If none does in time, what the first of them did that accepted connections.
pub async fn probe_ready(
    addresses: &[UpstreamAddress],
    path: Option<&str>,
    within: Duration,
) -> Result<Ready, NotReady> {
    let begun = Instant::now();
    let deadline = begun + within;
    let mut pause = PAUSES.0;
    let mut found = None;
    loop {
        let mut accepted = None;
        for address in addresses {
            let attempt = timeout_at(deadline.min(Instant::now() + ATTEMPT), attempt(address, path)).await;
            match attempt {
                Ok(Ok(())) => return Ok(Ready { address: address.clone(), after: begun.elapsed() }),
                Ok(Err(NotReady::NotListening(_))) => {}
                Ok(Err(failed)) => accepted = accepted.or(Some(failed)),
                // The last attempt is cut off; what the one before it found says more.
                Err(_) if matches!(found, Some(NotReady::ServerError(..))) => accepted = found.clone(),
                Err(_) => accepted = accepted.or(Some(NotReady::NoAnswer(address.clone()))),
            }
        }
        found = accepted;
        if timeout_at(deadline, sleep(pause)).await.is_err() {
            let first = addresses.first().cloned().map_or(NotReady::Stopped, NotReady::NotListening);
            return Err(found.unwrap_or(first));
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn attempt(address: &UpstreamAddress, path: Option<&str>) -> Result<(), NotReady> {
    let Some(path) = path else {
        let connected = address.connect().await;
        return connected.map(drop).map_err(|_| NotReady::NotListening(address.clone()));
    };
    match fetch_status(address, path).await? {
        status if status.is_server_error() => Err(NotReady::ServerError(address.clone(), status)),
        _ => Ok(()),
    }
}

/// Returns the status with which a copy answers a GET of `path`, on a connection of its own. Must run within a tokio runtime.
///
/// # Errors
/// If it does not accept connections, or does not answer in HTTP/1.1. It may take as long as it likes.
pub async fn fetch_status(address: &UpstreamAddress, path: &str) -> Result<StatusCode, NotReady> {
    let stream = address.connect().await.map_err(|_| NotReady::NotListening(address.clone()))?;
    let no_answer = || NotReady::NoAnswer(address.clone());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| no_answer())?;
    let mut request = Request::get(path).body(Empty::<Bytes>::new()).map_err(|_| no_answer())?;
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let mut answer = pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The answer may have arrived together with the end of the connection.
        _ = connection => answer.await,
    };
    Ok(answer.map_err(|_| no_answer())?.status())
}
