//! The status of incidents, which the notifier (`notify`) compares with what each recipient was told.

use heapbeat_shared::UnixMillis;

use super::{Engine, TickChanges};
use crate::domain::State;
use crate::domain::incident::{Incident, Severity};
use crate::monitor_config::{Monitor, MonitorConfig, MonitorId};

/// What the last result of a monitor says about the present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultStatus {
    /// It is valid and decides the state.
    Valid,
    /// It has expired, or does not decide: nobody knows whether trouble of an open incident lasts.
    Expired,
    /// The monitor cannot be probed, as the edge itself is offline.
    EdgeOffline,
}

/// The latest incident of a monitor, open or closed, as it is now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IncidentStatus<'e> {
    /// The incident.
    pub incident: &'e Incident,
    /// Whether the monitor changes between serving and down again and again.
    pub is_flapping: bool,
    /// What the last result of the monitor says about the present.
    pub result: ResultStatus,
}

impl Engine {
    /// Returns the latest incident of each monitor at `now`, also of those that are no longer configured.
    pub fn incident_statuses(&self, now: UnixMillis) -> Vec<IncidentStatus<'_>> {
        let mut statuses = Vec::new();
        for state in self.monitors.values() {
            if let Some(incident) = &state.incidents.latest {
                let is_flapping = state.flapping_since().is_some();
                let result = match state.ledger.current_entry(now).map(|entry| entry.state) {
                    _ if state.persisted.offline_since.is_some() => ResultStatus::EdgeOffline,
                    Some(State::Unobserved) | None => ResultStatus::Expired,
                    Some(_) => ResultStatus::Valid,
                };
                statuses.push(IncidentStatus { incident, is_flapping, result });
            }
        }
        statuses
    }

    /// Records in each open incident which dependency explains it, and adds the incidents that changed to `commit`.
    pub(super) fn record_dependencies(&mut self, config: &MonitorConfig, commit: &mut TickChanges) {
        for monitor in config.monitors.iter().filter(|monitor| !monitor.depends_on.is_empty()) {
            let Some(incident) = self.latest_incident(&monitor.id).filter(|it| it.closed.is_none()) else {
                continue;
            };
            let Some(current) = incident.current else { continue };
            let explaining = find_explaining(self, config, monitor, current);
            if incident.inhibited_by == explaining {
                continue;
            }
            let incident = Incident { inhibited_by: explaining, ..incident.clone() };
            commit.incidents.retain(|other| other.monitor != incident.monitor);
            commit.incidents.push(incident.clone());
            self.replace_incident(incident);
        }
    }
}

/// Finds a monitor that `monitor` depends on, directly or indirectly, and that has trouble which explains trouble of `severity`.
fn find_explaining(
    engine: &Engine,
    config: &MonitorConfig,
    monitor: &Monitor,
    severity: Severity,
) -> Option<MonitorId> {
    let explains = |id: &&MonitorId| {
        let incident = engine.latest_incident(id).filter(|incident| incident.closed.is_none());
        incident.and_then(|it| it.current).is_some_and(|current| current.explains(severity))
    };
    dependencies(config, monitor).into_iter().find(explains).cloned()
}

/// Returns the monitors that `monitor` depends on, directly or indirectly, the nearest first.
pub fn dependencies<'c>(config: &'c MonitorConfig, monitor: &'c Monitor) -> Vec<&'c MonitorId> {
    let mut found: Vec<&MonitorId> = Vec::new();
    let mut pending: Vec<&MonitorId> = monitor.depends_on.iter().collect();
    while !pending.is_empty() {
        pending.retain(|id| **id != monitor.id && !found.contains(id));
        let mut next: Vec<&MonitorId> = Vec::new();
        for id in pending {
            if !found.contains(&id) {
                found.push(id);
                let of_dependency = config.monitors.iter().find(|other| other.id == *id);
                next.extend(of_dependency.into_iter().flat_map(|other| &other.depends_on));
            }
        }
        pending = next;
    }
    found
}

impl Severity {
    /// Whether trouble of a dependency with this severity explains trouble of `other` in a monitor that depends on it.
    pub fn explains(self, other: Severity) -> bool {
        self >= Severity::Degraded && self >= other
    }
}
