//! The status of incidents, from which the notifier (`notify`) plans notifications.
//!
//! All monitors are read at once, because a failing dependency inhibits the notifications of the monitors that need it: if a database
//! is down, only the database is notified.

use super::{Engine, TickChanges};
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::incident::{Incident, Severity};
use crate::monitor_config::{Monitor, MonitorConfig, MonitorId};

/// The latest incident of a monitor, open or closed, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentStatus<'c> {
    /// The monitor.
    pub monitor: &'c Monitor,
    /// Its latest incident.
    pub incident: Incident,
    /// A monitor that this one depends on, directly or indirectly, and that is failing or whose last probe failed.
    pub inhibited_by: Option<MonitorId>,
}

impl Engine {
    /// Returns the latest incidents of the monitors of `config`. Monitors that could not be probed because the edge is offline are
    /// omitted until it is online again.
    pub fn incident_statuses<'c>(&self, config: &'c MonitorConfig) -> Vec<IncidentStatus<'c>> {
        let fact = |monitor: &'c Monitor| {
            let state = self.monitors.get(&monitor.id)?;
            if state.persisted.offline_since.is_some() {
                return None;
            }
            let incident = state.incidents.latest.clone()?;
            Some(IncidentStatus { monitor, incident, inhibited_by: self.find_inhibitor(config, monitor) })
        };
        config.monitors.iter().filter_map(fact).collect()
    }

    /// Replaces incidents by versions whose notification state changed, and adds them to `commit`.
    pub fn record_notifications(&mut self, incidents: Vec<Incident>, commit: &mut TickChanges) {
        for incident in incidents {
            commit.incidents.retain(|other| other.monitor != incident.monitor);
            commit.incidents.push(incident.clone());
            self.replace_incident(incident);
        }
    }

    fn find_inhibitor(&self, config: &MonitorConfig, monitor: &Monitor) -> Option<MonitorId> {
        let mut visited = vec![&monitor.id];
        let mut pending: Vec<&MonitorId> = monitor.depends_on.iter().collect();
        while let Some(id) = pending.pop() {
            if visited.contains(&id) {
                continue;
            }
            visited.push(id);
            if let Some(state) = self.monitors.get(id) {
                let is_failing = state.incidents.latest.as_ref().is_some_and(|incident| {
                    incident.closed.is_none()
                        && incident.recovering_since.is_none()
                        && incident.severity >= Severity::Degraded
                });
                if is_failing || matches!(state.persisted.verdict, Some(CheckVerdict::Failed(_))) {
                    return Some(id.clone());
                }
            }
            let next = config.monitors.iter().find(|other| other.id == *id);
            pending.extend(next.into_iter().flat_map(|next| &next.depends_on));
        }
        None
    }
}
