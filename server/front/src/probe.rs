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

/// A probe that runs on the thread of the front.
#[derive(Debug)]
pub struct ReadinessProbe {
    result: oneshot::Receiver<Result<Duration, NotReady>>,
}

impl ReadinessProbe {
    /// Returns the result once: how long it took until the copy was ready, or why it was not ready in time. `None` before that.
    pub fn result(&mut self) -> Option<Result<Duration, NotReady>> {
        match self.result.try_recv() {
            Ok(result) => Some(result),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(NotReady::Stopped)),
        }
    }

    pub(crate) const fn new(result: oneshot::Receiver<Result<Duration, NotReady>>) -> Self {
        ReadinessProbe { result }
    }
}

/// Waits until `address` accepts connections and answers a GET of `path` with a status below 500; with no path, until it accepts
/// connections. Returns how long that took. Must run within a tokio runtime.
pub async fn probe_ready(
    address: &UpstreamAddress,
    path: Option<&str>,
    within: Duration,
) -> Result<Duration, NotReady> {
    let begun = Instant::now();
    let deadline = begun + within;
    let mut pause = PAUSES.0;
    let mut reason = NotReady::NotListening(address.clone());
    loop {
        match timeout_at(deadline.min(Instant::now() + ATTEMPT), attempt(address, path)).await {
            Ok(Ok(())) => return Ok(begun.elapsed()),
            Ok(Err(failed)) => reason = failed,
            // The last attempt is cut off; what the one before it found says more.
            Err(_) if matches!(reason, NotReady::ServerError(..)) => {}
            Err(_) => reason = NotReady::NoAnswer(address.clone()),
        }
        if timeout_at(deadline, sleep(pause)).await.is_err() {
            return Err(reason);
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn attempt(address: &UpstreamAddress, path: Option<&str>) -> Result<(), NotReady> {
    let stream = address.connect().await.map_err(|_| NotReady::NotListening(address.clone()))?;
    let Some(path) = path else { return Ok(()) };
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
    match answer.map_err(|_| no_answer())?.status() {
        status if status.is_server_error() => Err(NotReady::ServerError(address.clone(), status)),
        _ => Ok(()),
    }
}
