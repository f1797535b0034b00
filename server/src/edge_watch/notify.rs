//! Where visits are noted and silences told: in the log, and to `HEAPBEAT_ALERT_WEBHOOK`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use serde::Serialize;

use super::webhook_sender::{WebhookMessage, WebhookSender};
use super::{LivenessChange, VisitTracker};
use crate::clock::Now;
use crate::config::{EdgeSilence, Webhook};
use crate::instance::Instance;

/// The edge's visits, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EdgeVisits {
    /// Time since the last one, if there was one.
    pub(crate) last: Option<Duration>,
    /// Whether it should have come again.
    pub(crate) silent: bool,
    /// Alerts of this process's own that arrived, and that were given up; `None` where there is nowhere to send them.
    pub(crate) alerts: Option<(u64, u64)>,
}

/// Shared by the requests that are visits and the sampler that misses them.
#[derive(Debug)]
pub(crate) struct EdgeLiveness {
    patience: EdgeSilence,
    watcher: Mutex<VisitTracker>,
    courier: Option<WebhookSender>,
    instance: String,
    version: String,
}

/// The body for the webhook: the fields of the edge's own webhooks, and which instance tells.
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
    pub(crate) fn new(patience: EdgeSilence, webhook: Option<Webhook>, instance: &Instance) -> Self {
        EdgeLiveness {
            patience,
            watcher: Mutex::default(),
            courier: webhook.map(WebhookSender::new),
            instance: instance.id.to_string(),
            version: instance.version.clone(),
        }
    }

    /// Notes that the edge came.
    pub(crate) fn visit(&self, now: Now) {
        self.watcher().visit(now.age);
    }

    /// Tells of a silence that began or ended. `reachable` is whether visits would come to this process at all.
    pub(crate) fn look(&self, now: Now, reachable: bool) {
        let change = self.watcher().look(now.age, reachable, self.patience);
        if let Some(change) = change {
            self.tell(now, change);
        }
    }

    /// What is measured of it.
    pub(crate) fn figures(&self, now: Now) -> EdgeVisits {
        let watcher = self.watcher();
        EdgeVisits {
            last: watcher.last().map(|last| now.age.saturating_sub(last)),
            silent: watcher.is_silent(),
            alerts: self.courier.as_ref().map(WebhookSender::counts),
        }
    }

    fn watcher(&self) -> MutexGuard<'_, VisitTracker> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, now: Now, change: LivenessChange) {
        let (LivenessChange::Silent { since, .. } | LivenessChange::Back { since, .. }) = change;
        let text = text(now, change);
        let title = match change {
            LivenessChange::Silent { .. } => {
                tracing::warn!(heapbeat.watcher.silent = true, "the watcher is silent: {text}");
                "The watcher is silent"
            }
            LivenessChange::Back { .. } => {
                tracing::warn!(heapbeat.watcher.silent = false, "the watcher is back: {text}");
                "The watcher is back"
            }
        };
        let Some(courier) = &self.courier else { return };
        let event = if matches!(change, LivenessChange::Silent { .. }) { "opened" } else { "recovered" };
        let began = wall(now, since);
        let incident = format!("watcher-{}-{}", self.instance, began.0.div_euclid(1000));
        let key = format!("{incident}-{event}");
        let body = AlertBody {
            key: &key,
            incident: &incident,
            monitor: "watcher",
            name: "The watcher",
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
        courier.send(WebhookMessage { key, body });
    }
}

fn text(now: Now, change: LivenessChange) -> String {
    match change {
        LivenessChange::Silent { since, every } => {
            let usual =
                every.map_or_else(String::new, |every| format!(", and came every {} before", span(every)));
            format!(
                "the edge has not asked for a signed /health for {}, since {}{usual}; as long as it does not, nobody is told \
                 when this server is down",
                span(now.age.saturating_sub(since)),
                wall(now, since).to_rfc3339(),
            )
        }
        LivenessChange::Back { since, at } => {
            format!("the edge asked again, after {} without", span(at.saturating_sub(since)))
        }
    }
}

/// The wall time at which the process had the age `then`.
fn wall(now: Now, then: Duration) -> UnixMillis {
    now.wall.minus(now.age.saturating_sub(then))
}

/// `45 s`, `3 min`, `3 min 5 s`, `2 h 10 min`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
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
    fn spans_read_as_people_say_them() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (185, "3 min 5 s"),
            (3600, "1 h"),
            (7_815, "2 h 10 min"),
            (90_000, "25 h"),
        ];
        for (seconds, said) in cases {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn what_is_told() {
        let now = Now { wall: UnixMillis(1_767_225_600_500), age: Duration::from_secs(1000) };
        let silent =
            LivenessChange::Silent { since: Duration::from_secs(815), every: Some(Duration::from_secs(60)) };
        assert_eq!(
            text(now, silent),
            "the edge has not asked for a signed /health for 3 min 5 s, since 2025-12-31T23:56:55Z, and came every 1 min \
             before; as long as it does not, nobody is told when this server is down"
        );
        let back = LivenessChange::Back { since: Duration::from_secs(100), at: Duration::from_secs(1000) };
        assert_eq!(text(now, back), "the edge asked again, after 15 min without");
    }
}
