//! Brings what has to be told to a webhook, on a thread that is there only while there is something to bring.
//!
//! Nothing waits for it: a notice goes into a short queue. The address is a secret, so what went wrong is said in words of
//! our own, never in those of a library that may repeat it.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::header::RETRY_AFTER;

use crate::config::Webhook;

/// Notices that wait; beyond that, the oldest makes room.
const WAITING: usize = 8;

/// Longest wait for an answer, name and connection included.
const PATIENCE: Duration = Duration::from_secs(10);

/// Times that one notice is tried: an hour in all.
const TRIES: u32 = 20;

/// The first pause after a failure; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause, whatever the receiver asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Said when TLS does not come about.
const NO_TLS: &str = "its certificate is not good, or it speaks no TLS";

/// One thing to be told.
#[derive(Debug)]
pub(super) struct WebhookMessage {
    /// The same for every try, so that a receiver can tell them.
    pub(super) key: String,
    /// JSON.
    pub(super) body: String,
}

/// The queue and its thread; dropping it ends the thread after the request that it is at.
#[derive(Debug)]
pub(super) struct WebhookSender(Arc<SenderState>);

#[derive(Debug)]
struct SenderState {
    webhook: Webhook,
    queue: Mutex<Queue>,
    bell: Condvar,
    delivered: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<WebhookMessage>,
    /// Whether there is a thread.
    running: bool,
    stopped: bool,
}

/// How a try went.
#[derive(Debug, PartialEq, Eq)]
enum DeliveryResult {
    Delivered,
    /// It may go better later; after so long at the earliest, where the receiver said so.
    Failed(String, Duration),
    /// It would be the same again.
    Refused(String),
}

impl WebhookSender {
    pub(super) fn new(webhook: Webhook) -> Self {
        WebhookSender(Arc::new(SenderState {
            webhook,
            queue: Mutex::default(),
            bell: Condvar::new(),
            delivered: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }))
    }

    /// Takes a notice on; returns at once.
    pub(super) fn send(&self, notice: WebhookMessage) {
        let mut queue = self.0.queue();
        if queue.waiting.len() == WAITING {
            queue.waiting.pop_front();
            self.0.lose("too many of them wait");
        }
        queue.waiting.push_back(notice);
        if queue.running {
            return;
        }
        let desk = Arc::clone(&self.0);
        let started = thread::Builder::new().name("heapbeat-alert".to_owned()).spawn(move || desk.work());
        match started {
            Ok(_) => queue.running = true,
            // The next notice tries again.
            Err(error) => tracing::warn!("no thread to send an alert with: {error}"),
        }
    }

    /// Notices that arrived, and those that were given up.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.0.delivered.load(Ordering::Relaxed), self.0.lost.load(Ordering::Relaxed))
    }
}

impl Drop for WebhookSender {
    fn drop(&mut self) {
        self.0.queue().stopped = true;
        self.0.bell.notify_all();
    }
}

impl SenderState {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers until nothing is left.
    fn work(&self) {
        let agent = http_client();
        loop {
            let mut queue = self.queue();
            let Some(notice) = queue.waiting.pop_front().filter(|_| !queue.stopped) else {
                queue.running = false;
                return;
            };
            drop(queue);
            self.deliver(&agent, &notice);
        }
    }

    fn deliver(&self, agent: &Agent, notice: &WebhookMessage) {
        for tried in 1.. {
            let (why, asked) = match attempt(agent, self.webhook.address(), notice) {
                DeliveryResult::Delivered => {
                    self.delivered.fetch_add(1, Ordering::Relaxed);
                    tracing::info!("an alert was delivered to HEAPBEAT_ALERT_WEBHOOK");
                    return;
                }
                DeliveryResult::Refused(why) => return self.lose(&why),
                DeliveryResult::Failed(why, asked) => (why, asked),
            };
            let Some(pause) = pause(tried, asked) else { return self.lose(&why) };
            if tried == 1 {
                tracing::warn!("an alert did not reach HEAPBEAT_ALERT_WEBHOOK yet: {why}");
            }
            if self.stopped_within(pause) {
                return self.lose("the process ends");
            }
        }
    }

    fn lose(&self, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("an alert for HEAPBEAT_ALERT_WEBHOOK was given up: {why}");
    }

    fn stopped_within(&self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        let mut queue = self.queue();
        while !queue.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self.bell.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// How long to wait after the `tried`th try failed; `None`: it was the last.
fn pause(tried: u32, asked: Duration) -> Option<Duration> {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(tried - 1));
    (tried < TRIES).then(|| doubled.max(asked).min(LONGEST_PAUSE))
}

/// A client that returns responses of any status and follows no redirect, which would lead the alert to another receiver.
fn http_client() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("heapbeat/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

fn attempt(agent: &Agent, address: &str, notice: &WebhookMessage) -> DeliveryResult {
    let request =
        agent.post(address).header("content-type", "application/json").header("idempotency-key", &notice.key);
    match request.send(notice.body.as_str()) {
        Ok(response) => {
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            answered(response.status().as_u16(), Duration::from_secs(seconds.unwrap_or(0)))
        }
        Err(error) => DeliveryResult::Failed(reason(&error), Duration::ZERO),
    }
}

fn answered(status: u16, asked: Duration) -> DeliveryResult {
    match status {
        200..300 => DeliveryResult::Delivered,
        408 | 425 | 429 | 500.. => DeliveryResult::Failed(format!("it answered {status}"), asked),
        _ => DeliveryResult::Refused(format!("it answered {status}")),
    }
}

/// What went wrong, without a word of the address.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {PATIENCE:?}"),
        ureq::Error::HostNotFound => "its name is not known".to_owned(),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            format!("no answer within {PATIENCE:?}")
        }
        // So rustls says what it refuses.
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => NO_TLS.to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => NO_TLS.to_owned(),
        ureq::Error::Protocol(_) => "what it answers is no HTTP".to_owned(),
        _ => "the request could not be made".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_the_tries_end() {
        let pauses: Vec<u64> =
            (1..).map_while(|tried| pause(tried, Duration::ZERO)).map(|pause| pause.as_secs()).collect();
        let mut expected = vec![1, 2, 4, 8, 16, 32, 64, 128, 256];
        expected.resize(19, 300);
        assert_eq!(pauses, expected);
        assert_eq!(pause(2, Duration::from_secs(40)), Some(Duration::from_secs(40)), "as the receiver asks");
        assert_eq!(pause(2, Duration::from_secs(86_400)), Some(LONGEST_PAUSE), "within reason");
        assert_eq!(pause(u32::MAX, Duration::ZERO), None);
    }

    #[test]
    fn what_an_answer_means() {
        let asked = Duration::from_secs(7);
        for status in [200, 202, 204] {
            assert_eq!(answered(status, asked), DeliveryResult::Delivered, "{status}");
        }
        for status in [408, 425, 429, 500, 503, 599] {
            assert_eq!(
                answered(status, asked),
                DeliveryResult::Failed(format!("it answered {status}"), asked)
            );
        }
        for status in [301, 400, 401, 403, 404, 410] {
            assert_eq!(answered(status, asked), DeliveryResult::Refused(format!("it answered {status}")));
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
            let said = reason(&error);
            assert!(!said.contains("example") && !said.contains("token"), "{said}");
        }
        assert_eq!(
            reason(&ureq::Error::Io(io::Error::from(io::ErrorKind::ConnectionRefused))),
            "connection refused"
        );
    }
}
