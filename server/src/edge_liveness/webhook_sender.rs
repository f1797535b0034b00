//! Delivers messages to a webhook, on a thread that runs only while there are messages.
//!
//! Callers never wait: a message goes into a short queue. The address is a secret, so failures are described in our own words, never
//! in those of a library, which may repeat it.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::header::RETRY_AFTER;

use crate::config::Webhook;

/// Number of messages that wait at most; a further one displaces the oldest.
const MAX_QUEUED: usize = 8;

/// Timeout of one delivery, name resolution and connection included.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Number of attempts to deliver one message, over about an hour.
const MAX_ATTEMPTS: u32 = 20;

/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Longest pause, even if `Retry-After` asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Description of a TLS failure.
const NO_TLS: &str = "TLS failed: the certificate is not valid, or the server does not use TLS";

/// A message for the webhook.
#[derive(Debug)]
pub(super) struct WebhookMessage {
    /// Idempotency key, the same for every attempt.
    pub(super) key: String,
    /// JSON.
    pub(super) body: String,
}

/// The queue and its thread. When it is dropped, the thread ends after its current request.
#[derive(Debug)]
pub(super) struct WebhookSender(Arc<SenderState>);

#[derive(Debug)]
struct SenderState {
    webhook: Webhook,
    queue: Mutex<Queue>,
    wakeup: Condvar,
    delivered: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<WebhookMessage>,
    /// Whether the thread is running.
    running: bool,
    stopped: bool,
}

/// Result of one attempt.
#[derive(Debug, PartialEq, Eq)]
enum DeliveryResult {
    Delivered,
    /// The attempt failed; the reason, and the pause that the receiver asked for.
    Failed(String, Duration),
    /// The receiver refused the message, and would refuse it again.
    Refused(String),
}

impl WebhookSender {
    pub(super) fn new(webhook: Webhook) -> Self {
        WebhookSender(Arc::new(SenderState {
            webhook,
            queue: Mutex::default(),
            wakeup: Condvar::new(),
            delivered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Queues a message and returns at once.
    pub(super) fn send(&self, message: WebhookMessage) {
        let mut queue = self.0.queue();
        if queue.waiting.len() == MAX_QUEUED {
            queue.waiting.pop_front();
            self.0.drop_alert("too many alerts are waiting");
        }
        queue.waiting.push_back(message);
        if queue.running {
            return;
        }
        let state = Arc::clone(&self.0);
        let started =
            thread::Builder::new().name("heapbeat-alert".to_owned()).spawn(move || state.deliver_all());
        match started {
            Ok(_) => queue.running = true,
            // The next message tries again.
            Err(error) => tracing::warn!("cannot start the thread that sends alerts: {error}"),
        }
    }

    /// Returns the numbers of messages delivered and given up.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.0.delivered.load(Ordering::Relaxed), self.0.dropped.load(Ordering::Relaxed))
    }
}

impl Drop for WebhookSender {
    fn drop(&mut self) {
        self.0.queue().stopped = true;
        self.0.wakeup.notify_all();
    }
}

impl SenderState {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers messages until the queue is empty.
    fn deliver_all(&self) {
        let agent = http_client();
        loop {
            let mut queue = self.queue();
            let Some(message) = queue.waiting.pop_front().filter(|_| !queue.stopped) else {
                queue.running = false;
                return;
            };
            drop(queue);
            self.deliver(&agent, &message);
        }
    }

    fn deliver(&self, agent: &Agent, message: &WebhookMessage) {
        for attempts in 1.. {
            let (why, retry_after) = match attempt(agent, self.webhook.address(), message) {
                DeliveryResult::Delivered => {
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    tracing::info!("an alert was delivered to HEAPBEAT_ALERT_WEBHOOK");
                    return;
                }
                DeliveryResult::Refused(why) => return self.drop_alert(&why),
                DeliveryResult::Failed(why, retry_after) => (why, retry_after),
            };
            let Some(pause) = pause_after(attempts, retry_after) else { return self.drop_alert(&why) };
            if attempts == 1 {
                tracing::warn!(
                    "cannot deliver an alert to HEAPBEAT_ALERT_WEBHOOK: {why}; retrying in {} s",
                    pause.as_secs()
                );
            }
            if self.stopped_within(pause) {
                return self.drop_alert("the process is exiting");
            }
        }
    }

    fn drop_alert(&self, why: &str) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("dropped an alert for HEAPBEAT_ALERT_WEBHOOK: {why}");
    }

    fn stopped_within(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut queue = self.queue();
        while !queue.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.wakeup.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// How long to wait after the `attempts`th try failed; `None`: it was the last.
fn pause_after(attempts: u32, retry_after: Duration) -> Option<Duration> {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts - 1));
    (attempts < MAX_ATTEMPTS).then(|| doubled.max(retry_after).min(LONGEST_PAUSE))
}

/// Creates a client that returns responses of any status and does not follow redirects, which would send the alert elsewhere.
fn http_client() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("heapbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn attempt(agent: &Agent, address: &str, message: &WebhookMessage) -> DeliveryResult {
    let request = agent
        .post(address)
        .header("content-type", "application/json")
        .header("idempotency-key", &message.key);
    match request.send(message.body.as_str()) {
        Ok(response) => {
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            classify_status(response.status().as_u16(), Duration::from_secs(seconds.unwrap_or(0)))
        }
        Err(error) => DeliveryResult::Failed(describe_error(&error), Duration::ZERO),
    }
}

fn classify_status(status: u16, retry_after: Duration) -> DeliveryResult {
    match status {
        200..300 => DeliveryResult::Delivered,
        408 | 425 | 429 | 500.. => {
            DeliveryResult::Failed(format!("it responded with status {status}"), retry_after)
        }
        _ => DeliveryResult::Refused(format!("it responded with status {status}")),
    }
}

/// Describes an error without the address.
fn describe_error(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {TIMEOUT:?}"),
        ureq::Error::HostNotFound => "the host name cannot be resolved".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            format!("no answer within {TIMEOUT:?}")
        }
        // The kind with which rustls refuses a certificate.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => NO_TLS.to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => NO_TLS.to_owned(),
        ureq::Error::Protocol(_) => "the response is not HTTP".to_owned(),
        _ => "the request failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_attempts_end() {
        let pauses: Vec<u64> = (1..)
            .map_while(|attempts| pause_after(attempts, Duration::ZERO))
            .map(|pause| pause.as_secs())
            .collect();
        let mut expected = vec![1, 2, 4, 8, 16, 32, 64, 128, 256];
        expected.resize(19, 300);
        assert_eq!(pauses, expected);
        assert_eq!(pause_after(2, Duration::from_secs(40)), Some(Duration::from_secs(40)), "Retry-After");
        assert_eq!(
            pause_after(2, Duration::from_secs(86_400)),
            Some(LONGEST_PAUSE),
            "Retry-After has a limit"
        );
        assert_eq!(pause_after(u32::MAX, Duration::ZERO), None);
    }

    #[test]
    fn each_status_means_delivered_failed_or_refused() {
        let retry_after = Duration::from_secs(7);
        for status in [200, 202, 204] {
            assert_eq!(classify_status(status, retry_after), DeliveryResult::Delivered, "{status}");
        }
        for status in [408, 425, 429, 500, 503, 599] {
            assert_eq!(
                classify_status(status, retry_after),
                DeliveryResult::Failed(format!("it responded with status {status}"), retry_after)
            );
        }
        for status in [301, 400, 401, 403, 404, 410] {
            assert_eq!(
                classify_status(status, retry_after),
                DeliveryResult::Refused(format!("it responded with status {status}"))
            );
        }
    }

    #[test]
    fn no_error_repeats_the_address() {
        let secret = "hooks.example.com/T0/B0/token";
        let errors = [
            ureq::Error::BadUri(secret.to_owned()),
            ureq::Error::Io(io::Error::other(secret)),
            ureq::Error::Io(io::Error::from(io::ErrorKind::ConnectionRefused)),
            ureq::Error::HostNotFound,
        ];
        for error in errors {
            let expected = describe_error(&error);
            assert!(!expected.contains("example") && !expected.contains("token"), "{expected}");
        }
        assert_eq!(
            describe_error(&ureq::Error::Io(io::Error::from(io::ErrorKind::ConnectionRefused))),
            "connection refused"
        );
    }
}
