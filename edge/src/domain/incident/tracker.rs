//! Opens, updates and closes the incidents of one monitor, tick by tick.

use std::time::Duration;

use heapbeat_shared::exit::Exit;
use heapbeat_shared::{Pressure, Statement, UnixMillis};

use crate::domain::State;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::incident::phase::PhaseState;
use crate::domain::incident::{Incident, ManualResolution, Severity};
use crate::domain::report::last_report::{LastReport, ReportDelta};
use crate::monitor_config::MonitorId;

/// A problem that returns within this time after an incident closed reopens it.
pub const REOPEN_WINDOW: Duration = Duration::from_secs(600);

/// How long all must be well before an incident about memory or a restart closes: a process that was just killed by the kernel
/// has not recovered because it answers once.
pub const RECOVERY_TIME: Duration = Duration::from_secs(120);

/// An incident that came back this often closes only after [`REOPEN_WINDOW`].
pub const MAX_RECURRENCES: u32 = 3;

/// A forecast that reaches the limit later than this opens no incident.
pub const FORECAST_HORIZON: Duration = Duration::from_secs(86_400);

/// How long after its start an instance's forecast is ignored: a deploy is a step in memory, and a step looks like a leak.
pub const DEPLOY_GRACE: Duration = Duration::from_secs(600);

/// What a tick found of one monitor, as far as incidents are concerned.
#[derive(Clone, Copy, Debug)]
pub struct TickObservation<'a> {
    /// The tick's instant.
    pub at: UnixMillis,
    /// The state that holds now.
    pub state: State,
    /// The verdict; `None` if the monitor was not probed.
    pub verdict: Option<CheckVerdict>,
    /// The last report; only one of this tick counts.
    pub last_report: Option<&'a LastReport>,
    /// What was new in it.
    pub delta: &'a ReportDelta,
    /// Whether another process responds than before.
    pub restarted: bool,
    /// Since when the monitor flaps.
    pub flapping_since: Option<UnixMillis>,
    /// Since when there was no valid result before this tick.
    pub unobserved_since: Option<UnixMillis>,
}

impl<'a> TickObservation<'a> {
    /// The report of this tick, if it brought one.
    pub(super) fn report(&self) -> Option<&'a LastReport> {
        self.last_report.filter(|report| report.at == self.at)
    }

    /// The exits that this tick made known and that were failures, in the order of time.
    pub(super) fn crashes(&self) -> impl Iterator<Item = &'a Exit> {
        self.delta.exits.iter().map(|it| &it.exit).filter(|exit| exit.kind.is_failure())
    }

    /// The severity of what goes on at the moment; `None` if all is well or nothing is known.
    fn ongoing_severity(&self) -> Option<Severity> {
        let by_state = match self.state {
            State::Down => Some(Severity::Down),
            State::Degraded => Some(Severity::Degraded),
            _ => None,
        };
        let short_of_memory =
            |report: &&LastReport| report.pressure >= Pressure::Alert || forecast_opens_incident(report);
        by_state.max(self.report().filter(short_of_memory).map(|_| Severity::Warning))
    }
}

/// The latest incident of one monitor, which may still change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentTracker {
    /// The incident that is open, or that closed last.
    pub latest: Option<Incident>,
}

impl IncidentTracker {
    /// Updates the incident by what a tick found. Returns whether it changed and has to be stored.
    pub fn record_tick(&mut self, monitor: &MonitorId, tick: &TickObservation<'_>) -> bool {
        if tick.state == State::Maintenance {
            return self.close(tick.at, Statement::maintenance_began());
        }
        let (crash, ongoing) = (tick.crashes().next(), tick.ongoing_severity());
        let Some(severity) = ongoing.max(crash.map(|_| Severity::Crashed)) else {
            return self.record_recovery(tick);
        };
        let resolved = self.latest.as_ref().and_then(|last| last.resolution);
        if let Some(ManualResolution::ProblemPersists(known)) = resolved
            && severity <= known
            && crash.is_none()
        {
            return false;
        }

        let before = self.latest.clone();
        // The id of an incident has no room for an instant before 1970, which a server can report.
        let began = crash.map_or(tick.at, |exit| exit.at.clamp(UnixMillis(0), tick.at.max(UnixMillis(0))));
        let mut incident = match self.latest.take() {
            Some(open) if open.closed.is_none() => continued(open, crash.is_none()),
            Some(closed) if reopens(&closed, tick.at) => reopened(closed, tick.at),
            // What a report tells late did not begin before the end of what is known already, and has an id of its own.
            earlier => {
                let after = earlier.map_or(began, |earlier| {
                    earlier.closed.max(Some(earlier.opened.plus(Duration::from_secs(1)))).unwrap_or(began)
                });
                Incident::new(monitor.clone(), began.max(after), severity)
            }
        };
        let known = before.as_ref().filter(|before| before.closed.is_none());
        incident.record_phases(tick, began, ongoing);
        incident.record_trouble(known, tick, severity);
        if ongoing.is_none() {
            incident.recovering_since = Some(tick.at);
        }
        self.latest = Some(incident);
        before != self.latest
    }

    /// Updates the incident by a tick that found nothing wrong, or could not tell.
    fn record_recovery(&mut self, tick: &TickObservation<'_>) -> bool {
        if let Some(last) = &mut self.latest
            && matches!(last.resolution, Some(ManualResolution::ProblemPersists(_)))
            && tick.state == State::Up
        {
            last.resolution = Some(ManualResolution::ProblemOver);
            return true;
        }
        let Some(incident) = self.open_incident() else { return false };
        let before = incident.clone();
        incident.add_event_entries(tick);
        incident.record_unobserved(tick);
        if tick.state != State::Up {
            return *incident != before;
        }
        incident.phases.begin(tick.at, PhaseState::Up);
        // A crash is over when it is noticed; it is what there is to say until the incident closes.
        incident.current.take_if(|current| *current != Severity::Crashed);
        let since = *incident.recovering_since.get_or_insert(tick.at);
        if tick.flapping_since.is_none() && tick.at.since(since) >= recovery_time(incident) {
            (incident.closed, incident.current) = (Some(since), None);
            incident.add_timeline_entry(tick.at, Statement::recovered());
        }
        *incident != before
    }

    /// Closes the open incident, whatever the monitor's state. Returns whether there was one.
    pub fn close(&mut self, at: UnixMillis, reason: Statement) -> bool {
        let Some(incident) = self.open_incident() else { return false };
        incident.close(at);
        incident.add_timeline_entry(at, reason);
        true
    }

    fn open_incident(&mut self) -> Option<&mut Incident> {
        self.latest.as_mut().filter(|incident| incident.closed.is_none())
    }
}

/// An open incident in which the problem goes on. `recurs`: trouble after a recovery counts as a recurrence.
fn continued(mut incident: Incident, recurs: bool) -> Incident {
    if incident.recovering_since.take().is_some() && recurs {
        incident.recurrences = incident.recurrences.saturating_add(1);
    }
    incident
}

/// Whether a problem at `at` belongs to an incident that is closed.
fn reopens(incident: &Incident, at: UnixMillis) -> bool {
    incident.closed.is_some_and(|closed| at.since(closed) <= REOPEN_WINDOW)
}

/// A closed incident that is open again.
fn reopened(mut incident: Incident, at: UnixMillis) -> Incident {
    incident.closed = None;
    incident.resolution = None;
    incident.acknowledged = false;
    incident.recovering_since = None;
    incident.recurrences = incident.recurrences.saturating_add(1);
    incident.add_timeline_entry(at, Statement::recurred());
    incident
}

/// How long all must be well before the incident closes.
fn recovery_time(incident: &Incident) -> Duration {
    match incident.cause {
        _ if incident.recurrences >= MAX_RECURRENCES => REOPEN_WINDOW,
        cause if cause.is_probe_failure() => Duration::ZERO,
        _ => RECOVERY_TIME,
    }
}

/// Whether a forecast is near enough, and the instance old enough, to open an incident.
pub(super) fn forecast_opens_incident(report: &LastReport) -> bool {
    report.forecast.reaches_limit_within(FORECAST_HORIZON)
        && report.latest.at.since(report.started) >= DEPLOY_GRACE
}
