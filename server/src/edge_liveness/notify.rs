//! Records visits of the edge, and reports its silence to the log and to `HEAPBEAT_ALERT_WEBHOOK`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use serde::Serialize;

use super::webhook_sender::{WebhookMessage, WebhookSender};
use super::{LivenessChange, VisitTracker};
use crate::clock::Now;
use crate::config::{EdgeTimeout, Webhook};
use crate::instance::Instance;

/// Figures about the edge's visits, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EdgeVisits {
    /// Time since the last visit, if there was one.
    pub(crate) last: Option<Duration>,
    /// Whether the next visit is overdue.
    pub(crate) silent: bool,
    /// Alerts of this process that were delivered, and that were given up; `None` without a webhook.
    pub(crate) alerts: Option<(u64, u64)>,
}

/// The liveness of the edge; requests record its visits, and the sampler checks for silence.
#[derive(Debug)]
pub(crate) struct EdgeLiveness {
    timeout: EdgeTimeout,
    tracker: Mutex<VisitTracker>,
    webhook_sender: Option<WebhookSender>,
    instance: String,
    version: String,
}

/// The body for the webhook: the fields of the edge's own webhooks, and the instance that sends it.
#[derive(Debug, Serialize)]
struct AlertBody<'a> {
    key: &'a str,
    incident: &'a str,
    monitor: &'static str,
    name: &'static str,
    event: &'static str,
    severity: &'static str,
    title: &'static str,
    text: &'a str,
    since: String,
    at: String,
    instance: &'a str,
    version: &'a str,
}

impl EdgeLiveness {
    pub(crate) fn new(timeout: EdgeTimeout, webhook: Option<Webhook>, instance: &Instance) -> Self {
        EdgeLiveness {
            timeout,
            tracker: Mutex::default(),
            webhook_sender: webhook.map(WebhookSender::new),
            instance: instance.id.to_string(),
            version: instance.version.clone(),
        }
    }

    /// Records a visit of the edge.
    pub(crate) fn record_visit(&self, now: Now) {
        self.tracker().record_visit(now.age);
    }

    /// Reports a silence that began or ended. `reachable` is whether visits would reach this process at all.
    pub(crate) fn check_silence(&self, now: Now, reachable: bool) {
        let change = self.tracker().check_silence(now.age, reachable, self.timeout);
        if let Some(change) = change {
            self.report_change(now, change);
        }
    }

    /// Returns the figures for the metrics.
    pub(crate) fn visits(&self, now: Now) -> EdgeVisits {
        let tracker = self.tracker();
        EdgeVisits {
            last: tracker.last().map(|last| now.age.saturating_sub(last)),
            silent: tracker.is_silent(),
            alerts: self.webhook_sender.as_ref().map(WebhookSender::counts),
        }
    }

    fn tracker(&self) -> MutexGuard<'_, VisitTracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report_change(&self, now: Now, change: LivenessChange) {
        let (LivenessChange::Silent { since, .. } | LivenessChange::Returned { since, .. }) = change;
        let text = describe_change(now, change);
        let title = match change {
            LivenessChange::Silent { .. } => {
                tracing::warn!(heapbeat.edge.overdue = true, "the edge is overdue: {text}");
                "The edge is overdue"
            }
            LivenessChange::Returned { .. } => {
                tracing::warn!(heapbeat.edge.overdue = false, "{text}");
                "The edge is back"
            }
        };
        let Some(webhook_sender) = &self.webhook_sender else { return };
        let event = if matches!(change, LivenessChange::Silent { .. }) { "opened" } else { "recovered" };
        let began = wall(now, since);
        let incident = format!("edge-{}-{}", self.instance, began.0.div_euclid(1000));
        let key = format!("{incident}-{event}");
        let body = AlertBody {
            key: &key,
            incident: &incident,
            monitor: "edge",
            name: "The edge",
            event,
            severity: "warning",
            title,
            text: &text,
            since: began.to_rfc3339(),
            at: now.wall.to_rfc3339(),
            instance: &self.instance,
            version: &self.version,
        };
        let body = serde_json::to_string(&body).unwrap_or_default();
        webhook_sender.send(WebhookMessage { key, body });
    }
}

fn describe_change(now: Now, change: LivenessChange) -> String {
    match change {
        LivenessChange::Silent { since, interval } => {
            let usual = interval.map_or_else(String::new, |interval| {
                format!(", usual interval {}", human_duration(interval))
            });
            format!(
                "no signed request for /health from the edge for {} (last one at {}{usual}); until it returns, an outage of this \
                 server is not alerted",
                human_duration(now.age.saturating_sub(since)),
                wall(now, since).to_rfc3339(),
            )
        }
        LivenessChange::Returned { since, at } => {
            format!(
                "the edge requests /health again, after a gap of {}",
                human_duration(at.saturating_sub(since))
            )
        }
    }
}

/// Returns the wall time at which the process had the age `then`.
fn wall(now: Now, then: Duration) -> UnixMillis {
    now.wall.minus(now.age.saturating_sub(then))
}

/// Returns `45 s`, `3 min`, `3 min 5 s`, `2 h 10 min` or the like.
fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, 0) => format!("{min} min"),
        (0, min, s) => format!("{min} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, min, _) => format!("{h} h {min} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_their_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (185, "3 min 5 s"),
            (3600, "1 h"),
            (7_815, "2 h 10 min"),
            (90_000, "25 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(human_duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn a_change_is_described_with_its_times() {
        let now = Now { wall: UnixMillis(1_767_225_600_500), age: Duration::from_secs(1000) };
        let silent = LivenessChange::Silent {
            since: Duration::from_secs(815),
            interval: Some(Duration::from_secs(60)),
        };
        assert_eq!(
            describe_change(now, silent),
            "no signed request for /health from the edge for 3 min 5 s (last one at 2025-12-31T23:56:55Z, usual interval \
             1 min); until it returns, an outage of this server is not alerted"
        );
        let back =
            LivenessChange::Returned { since: Duration::from_secs(100), at: Duration::from_secs(1000) };
        assert_eq!(describe_change(now, back), "the edge requests /health again, after a gap of 15 min");
    }
}
