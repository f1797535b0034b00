//! The monitors that should be watched and are not.
//!
//! A monitor is unwatched once it has had no result for longer than three of its intervals, whatever keeps the edge from probing it.
//! The overall status is then not `up`, `notices` says so with the reason, and after [`UNWATCHED_ALERT_AFTER`] the owner is alerted.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};

use super::Engine;
use crate::domain::ProbeSkipped;
use crate::domain::incident::Severity;
use crate::domain::instant::rfc3339;
use crate::monitor_config::{Monitor, MonitorConfig, MonitorKind};

/// How many of its intervals a monitor may be without a result before it counts as unwatched.
const INTERVALS: u32 = 3;

/// How long a monitor is due without a result, at least, before the owner is alerted.
pub const UNWATCHED_ALERT_AFTER: Duration = Duration::from_secs(600);

/// A monitor that should be watched and is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwatched<'c> {
    /// The monitor.
    pub monitor: &'c Monitor,
    /// The tick of its last result; before the first result, the first tick that should have brought one.
    pub since: UnixMillis,
    /// Why it could not be probed; `None` if no tick came.
    pub reason: Option<ProbeSkipped>,
    /// The trouble that its last result found, of an incident that is open; `None` if there was none.
    pub trouble: Option<Severity>,
    /// Whether the owner is alerted about it: ticks have come for [`UNWATCHED_ALERT_AFTER`] without a result, no maintenance is
    /// announced for it, and the edge is not offline, as it then reaches no alert service either.
    pub alerts: bool,
}

/// Whether a monitor that is probed is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchStatus<'c> {
    /// The monitor.
    pub monitor: &'c Monitor,
    /// The tick of its last result.
    pub last_result: Option<UnixMillis>,
    /// Since when and why it is not watched; `None` if it is.
    pub unwatched: Option<Unwatched<'c>>,
}

impl Unwatched<'_> {
    /// Returns the reason as a statement for the public.
    pub fn statement(&self) -> Statement {
        self.reason.map_or_else(Statement::no_recent_data, ProbeSkipped::statement)
    }
}

impl Engine {
    /// Returns for each monitor of `config` whether it is watched at `now`. Jobs are not among them, as they report by themselves.
    pub fn watch_statuses<'c>(&self, config: &'c MonitorConfig, now: UnixMillis) -> Vec<WatchStatus<'c>> {
        let status = |monitor: &'c Monitor| {
            let state = self.monitors.get(&monitor.id);
            let wait = state.and_then(|state| state.persisted.schedule.wait);
            let last_result = state.and_then(|state| state.persisted.validity).map(|validity| validity.at);
            let since = last_result.or_else(|| wait.map(|wait| wait.since));
            let limit = monitor.interval.max(self.min_interval) * INTERVALS;
            let reason = wait.map(|wait| wait.reason);
            // The edge may have been away until now; only ticks show that a monitor is not asked.
            let is_left_out = wait.is_some_and(|it| now.since(it.since) >= UNWATCHED_ALERT_AFTER);
            let may_alert = self.under_maintenance.as_ref().is_some_and(|it| !it.contains(&monitor.id));
            let alerts = is_left_out && may_alert && reason != Some(ProbeSkipped::EdgeOffline);
            let since = since.filter(|since| now.since(*since) > limit);
            let incident = self.latest_incident(&monitor.id).filter(|incident| incident.closed.is_none());
            let trouble = incident.and_then(|incident| incident.current);
            let unwatched = since.map(|since| Unwatched { monitor, since, reason, trouble, alerts });
            WatchStatus { monitor, last_result, unwatched }
        };
        let probed = config.monitors.iter().filter(|monitor| monitor.kind() != MonitorKind::Heartbeat);
        probed.map(status).collect()
    }

    /// Returns the monitors of `config` that are unwatched at `now`.
    pub(super) fn unwatched<'c>(&self, config: &'c MonitorConfig, now: UnixMillis) -> Vec<Unwatched<'c>> {
        self.watch_statuses(config, now).into_iter().filter_map(|status| status.unwatched).collect()
    }
}

/// Returns the reason under which a notice counts another one.
fn notice_reason(reason: ProbeSkipped) -> ProbeSkipped {
    match reason {
        ProbeSkipped::OwnZone(_) | ProbeSkipped::Forbidden => ProbeSkipped::Platform,
        reason => reason,
    }
}

/// Returns one public notice for each reason. That the edge is offline has a notice of its own.
pub(super) fn unwatched_notices(unwatched: &[Unwatched<'_>]) -> Vec<Statement> {
    type Notice = fn(u64, &str) -> Statement;
    let kinds: [(Option<ProbeSkipped>, Notice); 5] = [
        (Some(ProbeSkipped::Budget), Statement::unwatched_requests),
        (Some(ProbeSkipped::Time), Statement::unwatched_time),
        (Some(ProbeSkipped::Secret), Statement::unwatched_configuration),
        (Some(ProbeSkipped::Platform), Statement::unwatched_platform),
        (None, Statement::unwatched_no_tick),
    ];
    let notice = |(reason, statement): (Option<ProbeSkipped>, Notice)| {
        let those = || unwatched.iter().filter(move |it| it.reason.map(notice_reason) == reason);
        let since = those().map(|it| it.since).min()?;
        Some(statement(those().count() as u64, &rfc3339(since)))
    };
    kinds.into_iter().filter_map(notice).collect()
}
