//! The facts about incidents from which notifications are made.
//!
//! A fact is the present state of a monitor's incident. The notifier (`notify`) decides who is notified of it, and how. Facts are made
//! for all monitors at once, as they depend on each other: when a database is down, everything that needs it fails as well, and
//! people on call want to be notified of the database.

use super::{Commit, Engine};
use crate::config::{Config, Monitor, MonitorId};
use crate::domain::check::verdict::Verdict;
use crate::domain::incident::{Incident, Severity};

/// The latest incident of a monitor, open or closed, as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentFact<'c> {
    /// The monitor.
    pub monitor: &'c Monitor,
    /// Its latest incident.
    pub incident: Incident,
    /// A monitor that this one depends on, directly or not, and that has trouble or may be about to.
    pub inhibited_by: Option<MonitorId>,
}

impl Engine {
    /// The facts about the incidents of the monitors of `config`. Monitors that the edge cannot probe because it is itself
    /// offline are left out: their facts are made once it is online again.
    pub fn incident_facts<'c>(&self, config: &'c Config) -> Vec<IncidentFact<'c>> {
        let fact = |monitor: &'c Monitor| {
            let state = self.monitors.get(&monitor.id)?;
            if state.persisted.offline_since.is_some() {
                return None;
            }
            let incident = state.incidents.latest.clone()?;
            Some(IncidentFact { monitor, incident, inhibited_by: self.find_inhibitor(config, monitor) })
        };
        config.monitors.iter().filter_map(fact).collect()
    }

    /// Replaces incidents by versions whose notification state changed, and adds them to `commit`.
    pub fn record_notifications(&mut self, incidents: Vec<Incident>, commit: &mut Commit) {
        for incident in incidents {
            commit.incidents.retain(|other| other.monitor != incident.monitor);
            commit.incidents.push(incident.clone());
            self.replace_incident(incident);
        }
    }

    fn find_inhibitor(&self, config: &Config, monitor: &Monitor) -> Option<MonitorId> {
        let mut seen = vec![&monitor.id];
        let mut waiting: Vec<&MonitorId> = monitor.depends_on.iter().collect();
        while let Some(id) = waiting.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Some(state) = self.monitors.get(id) {
                let has_trouble = state.incidents.latest.as_ref().is_some_and(|incident| {
                    incident.closed.is_none()
                        && incident.recovering_since.is_none()
                        && incident.severity >= Severity::Degraded
                });
                if has_trouble || matches!(state.persisted.verdict, Some(Verdict::Failed(_))) {
                    return Some(id.clone());
                }
            }
            let next = config.monitors.iter().find(|other| other.id == *id);
            waiting.extend(next.into_iter().flat_map(|next| &next.depends_on));
        }
        None
    }
}
