//! The script of a week: everything that is random about it, decided before it begins.
//!
//! A script is a function of its seed. It knows what each probe will find, how each service will answer, and what people do; it knows
//! nothing of incidents and messages.

mod gaps;
mod generator;
mod world;

use serde::Serialize;

pub(crate) use crate::service::Service;

/// The monitors of a week: websites, a server that signs reports, and a job.
pub(crate) const MONITORS: usize = 8;
/// The monitor that is a server with reports.
pub(crate) const SERVER: usize = 6;
/// The monitor that is a job.
pub(crate) const JOB: usize = 7;
/// The owner's channels.
pub(crate) const CHANNELS: usize = 3;
/// The channels, and one subscriber.
pub(crate) const RECIPIENTS: usize = CHANNELS + 1;
/// The subscriber.
pub(crate) const SUBSCRIBER: usize = CHANNELS;

/// The instant of the first tick, in Unix milliseconds: 2026-01-01.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// How late a report of the job may be.
pub(crate) const GRACE: i64 = 10 * MINUTE;

/// What a request to a monitor finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Found {
    Well,
    Slow,
    Refused,
    /// Status 404.
    Missing,
}

/// Why a monitor is not asked at a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Skip {
    /// There is no request left for it, and it is not even tried.
    NoRoom,
    /// The tick takes too long.
    NoTime,
    /// The secret that it names is not set: it is tried, and there is no result.
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum TickKind {
    Once,
    Missed,
    Doubled,
}

/// What somebody on call does after a tick, if the monitor has an open incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Action {
    Acknowledge,
    Resolve,
}

/// The longest run of a job that reports its starts.
pub(crate) const LONGEST_RUN: i64 = 15 * MINUTE;

/// What the job reports after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Report {
    Start,
    Success,
    Failure,
}

/// One monitor at one tick.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct MonitorTick {
    /// Whether it is in the list.
    pub(crate) listed: bool,
    pub(crate) public: bool,
    /// Whether announced maintenance lasts.
    pub(crate) maintained: bool,
    pub(crate) found: Found,
    /// Why it is not asked, if it is not.
    pub(crate) skipped: Option<Skip>,
    /// The channels that it alerts.
    pub(crate) alerts: [bool; CHANNELS],
}

/// One tick.
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own")]
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TickPlan {
    /// The scheduled time, in Unix milliseconds.
    pub(crate) at: i64,
    pub(crate) kind: TickKind,
    /// Whether the edge was stopped before the tick, and starts from what it stored.
    pub(crate) restarts: bool,
    /// The edge is killed once this many messages of the tick were sent, before it knows the answer to the last of them.
    pub(crate) killed_after: Option<usize>,
    /// Whether what recipients were told cannot be written in this tick.
    pub(crate) store_fails: bool,
    /// Whether the edge reaches nothing.
    pub(crate) offline: bool,
    /// Whether the subscriber subscribes again, if its subscription has ended.
    pub(crate) subscribes: bool,
    /// The requests that the probes leave for messages.
    pub(crate) budget: usize,
    pub(crate) monitors: [MonitorTick; MONITORS],
    /// The instance of the server that answers.
    pub(crate) instance: usize,
    pub(crate) short_of_memory: bool,
    pub(crate) services: [Service; RECIPIENTS],
    pub(crate) report: Option<Report>,
    pub(crate) action: Option<(usize, Action)>,
}

impl TickPlan {
    /// Whether a recipient is notified of a monitor.
    pub(crate) fn wants(&self, recipient: usize, monitor: usize) -> bool {
        let entry = &self.monitors[monitor];
        let is_wanted = if recipient == SUBSCRIBER { entry.public } else { entry.alerts[recipient] };
        entry.listed && is_wanted
    }
}

/// How an instance of the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum ExitPlan {
    OutOfMemory,
    Crash,
    Deploy,
}

/// A monitor, as far as it stays the same for the week.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct MonitorPlan {
    pub(crate) failure_threshold: u32,
    pub(crate) success_threshold: u32,
    /// The monitor that it depends on.
    pub(crate) depends_on: Option<usize>,
}

/// What a week takes place in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Place {
    /// The engine and the turn in this process.
    Process,
    /// The real Worker in workerd.
    Workerd,
}

/// A week.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Script {
    pub(crate) place: Place,
    /// The time between two ticks, in milliseconds, and the interval of every monitor that is probed.
    pub(crate) step: i64,
    pub(crate) monitors: [MonitorPlan; MONITORS],
    /// The time between the reminders of each channel, in milliseconds.
    pub(crate) reminders: [Option<i64>; RECIPIENTS],
    /// The time of day from which and until which each channel has quiet hours, in hours.
    pub(crate) quiet: [Option<(i64, i64)>; RECIPIENTS],
    /// When the job should report: at each full hour, or this many milliseconds after its last report.
    pub(crate) job_interval: Option<i64>,
    /// Whether the job reports its starts.
    pub(crate) has_starts: bool,
    /// How and when each instance of the server ended; the next one has started five seconds later.
    pub(crate) exits: Vec<(i64, ExitPlan)>,
    pub(crate) ticks: Vec<TickPlan>,
}

impl Script {
    /// Whether a recipient has quiet hours.
    pub(crate) fn is_quiet(&self, recipient: usize, now: i64) -> bool {
        let hour = now.rem_euclid(DAY) / HOUR;
        self.quiet[recipient].is_some_and(|(from, to)| {
            if from < to { (from..to).contains(&hour) } else { hour >= from || hour < to }
        })
    }

    /// The monitor that another one depends on, if both are in the list.
    pub(crate) fn dependency(&self, tick: &TickPlan, monitor: usize) -> Option<usize> {
        self.monitors[monitor].depends_on.filter(|on| tick.monitors[*on].listed)
    }

    /// Whether the list of monitors is another one than at the tick before.
    pub(crate) fn is_edited(&self, number: usize) -> bool {
        let names_secret = |it: &MonitorTick| self.place == Place::Workerd && it.skipped.is_some();
        let list =
            |tick: &TickPlan| tick.monitors.map(|it| (it.listed, it.public, it.alerts, names_secret(&it)));
        let before = number.checked_sub(1).map(|before| list(&self.ticks[before]));
        before != Some(list(&self.ticks[number]))
    }

    /// The configuration of the monitors at a tick, as the list that the edge reads. `url` is where a monitor answers.
    pub(crate) fn config(&self, tick: &TickPlan, url: &dyn Fn(usize) -> String) -> Vec<serde_json::Value> {
        let listed = (0..MONITORS).filter(|monitor| tick.monitors[*monitor].listed);
        listed.map(|monitor| self.entry(tick, monitor, url(monitor))).collect()
    }

    fn entry(&self, tick: &TickPlan, monitor: usize, url: String) -> serde_json::Value {
        let plan = &self.monitors[monitor];
        let channels = (0..CHANNELS).filter(|channel| tick.monitors[monitor].alerts[*channel]);
        let mut entry = serde_json::json!({
            "id": format!("m{monitor}"),
            "public": tick.monitors[monitor].public,
            "alerts": channels.map(|channel| format!("c{channel}")).collect::<Vec<_>>(),
            "failure-threshold": plan.failure_threshold,
            "success-threshold": plan.success_threshold,
        });
        if let Some(on) = self.dependency(tick, monitor) {
            entry["depends-on"] = serde_json::json!([format!("m{on}")]);
        }
        if monitor == JOB {
            entry["kind"] = "heartbeat".into();
            entry["grace"] = format!("{}m", GRACE / MINUTE).into();
            match self.job_interval {
                Some(interval) => entry["interval"] = format!("{}m", interval / MINUTE).into(),
                None => entry["schedule"] = "0 * * * *".into(),
            }
            if self.has_starts {
                entry["max-runtime"] = format!("{}m", LONGEST_RUN / MINUTE).into();
            }
            return entry;
        }
        entry["kind"] = if monitor == SERVER { "heapbeat" } else { "http" }.into();
        entry["url"] = url.into();
        entry["interval"] = format!("{}s", self.step / 1000).into();
        let is_fast = match self.place {
            Place::Process => "[RESPONSE_TIME] < 400",
            // Slow responses would take too long there.
            Place::Workerd => "[BODY] != slow",
        };
        entry["degraded"] = serde_json::json!([is_fast]);
        if self.place == Place::Workerd && tick.monitors[monitor].skipped.is_some() {
            entry["headers"] = serde_json::json!({ "authorization": { "secret": "MONITOR_UNSET" } });
        }
        entry
    }
}
