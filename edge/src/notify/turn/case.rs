//! The incidents that a turn looks at: the latest of each monitor, and older ones that somebody has to be told of.

use heapbeat_shared::UnixMillis;

use super::Situation;
use crate::domain::engine::{IncidentStatus, ResultStatus, dependencies};
use crate::domain::incident::notification::{NotificationState, PAST_PERIOD, RECOVERY_PERIOD, StateSet};
use crate::domain::incident::{Incident, Severity};
use crate::monitor_config::{Monitor, MonitorId};
use crate::notify::records::Subject;

/// One incident with what matters for its notifications.
#[derive(Clone, Debug)]
pub(super) struct Case<'p> {
    pub(super) subject: Subject,
    pub(super) incident: &'p Incident,
    /// The monitor; `None` if it is no longer configured.
    pub(super) monitor: Option<&'p Monitor>,
    /// The monitors that it depends on, directly or indirectly.
    dependencies: Vec<&'p MonitorId>,
    pub(super) is_flapping: bool,
    pub(super) result: ResultStatus,
    /// Whether the monitor has no newer incident.
    pub(super) is_latest: bool,
}

impl<'p> Case<'p> {
    /// Lists the cases of a situation and of older incidents: dependencies before what depends on them, otherwise in the order of the
    /// configuration, and the incidents of one monitor in the order of time.
    pub(super) fn list(situation: &Situation<'p>, closed: &'p [Incident]) -> Vec<Case<'p>> {
        let monitors = &situation.config.monitors;
        let case = |status: IncidentStatus<'p>, is_latest| {
            let monitor = monitors.iter().find(|monitor| monitor.id == status.incident.monitor);
            Case {
                subject: Subject::of(status.incident),
                incident: status.incident,
                monitor,
                dependencies: monitor.map_or_else(Vec::new, |it| dependencies(situation.config, it)),
                is_flapping: status.is_flapping,
                result: status.result,
                is_latest,
            }
        };
        let mut cases: Vec<Case<'p>> = situation.incidents.iter().map(|status| case(*status, true)).collect();
        for incident in closed {
            let status = IncidentStatus { incident, is_flapping: false, result: ResultStatus::Valid };
            if !cases.iter().any(|known| known.subject.is_of(incident)) {
                let is_latest = !cases.iter().any(|known| known.incident.monitor == incident.monitor);
                cases.push(case(status, is_latest));
            }
        }
        let place = |case: &Case<'p>| monitors.iter().position(|it| it.id == case.incident.monitor);
        cases.sort_by_key(|case| {
            (case.dependencies.len(), place(case).unwrap_or(usize::MAX), case.incident.opened)
        });
        cases
    }

    /// The name of the monitor; its id if it is no longer configured.
    pub(super) fn name(&self) -> &'p str {
        self.monitor.map_or(self.incident.monitor.as_str(), |monitor| monitor.name.as_str())
    }

    /// Whether a valid result says whether trouble of the incident lasts.
    pub(super) fn is_observed(&self) -> bool {
        self.result == ResultStatus::Valid
    }

    /// The dependencies whose trouble explains this incident, of those that the recipient knows of with their severity.
    pub(super) fn explained_by(&self, announced: &[(&'p MonitorId, Severity)]) -> Vec<&'p MonitorId> {
        let is_so = self.is_observed() && self.incident.closed.is_none();
        let Some(current) = self.incident.current.filter(|_| is_so) else {
            return Vec::new();
        };
        let explains = |(id, severity): &&(&'p MonitorId, Severity)| {
            self.dependencies.contains(id) && severity.explains(current)
        };
        announced.iter().filter(explains).map(|(id, _)| *id).collect()
    }

    /// Whether what a recipient was told about `subject` is of no use any more.
    pub(super) fn is_forgotten(
        cases: &[Case<'_>],
        subject: &Subject,
        told: &NotificationState,
        now: UnixMillis,
    ) -> bool {
        let is_settled = !told.knows_trouble() && told.owed_since.is_none();
        let Subject::Incident(..) = subject else {
            return is_settled && told.uncertain == StateSet::default();
        };
        let Some(case) = cases.iter().find(|case| case.subject == *subject) else { return true };
        let Some(closed) = case.incident.closed else { return false };
        let period = if told.knows_trouble() { RECOVERY_PERIOD } else { PAST_PERIOD };
        is_settled || now.since(closed) > period
    }
}
