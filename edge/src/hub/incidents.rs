//! Incidents: lists of them, one with its recording, and updates by people on call.

use std::rc::Rc;

use super::config_state::ConfigState;
use super::engine_state::EngineState;
use super::error::HubResult;
use super::membership_state::MembershipState;
use super::store_handle::StoreHandle;
use crate::domain::incident::Incident;
use crate::domain::incident::actions::IncidentUpdate;
use crate::domain::incident::id::{IncidentId, LAST_SECOND};
use crate::domain::incident::recording::{join_recording, select_window, shown_window};
use crate::domain::report::last_report::SampleRun;
use crate::hub_api::HubError;
use crate::monitor_config::MonitorConfig;
use crate::platform::clock::wall_clock;
use crate::view::{IncidentDetailView, IncidentView};

/// Answers queries about incidents, and updates them.
#[derive(Clone, Debug)]
pub(super) struct Incidents {
    pub(super) config: Rc<ConfigState>,
    pub(super) membership: Rc<MembershipState>,
    pub(super) engine: Rc<EngineState>,
    pub(super) store: StoreHandle,
}

impl Incidents {
    /// Returns the newest incidents of the public monitors: one more than `limit` if there are more. `before` has to exist, so that there
    /// are no more different questions than incidents.
    pub(super) fn list_public(&self, limit: u8, before: Option<&IncidentId>) -> HubResult<Vec<IncidentView>> {
        let config = self.config.public_monitors()?;
        if let Some(before) = before {
            self.require_incident(before, &config)?;
        }
        let list = self.newest_incidents(&config, before, usize::from(limit) + 1)?;
        Ok(list.iter().map(IncidentView::from).collect())
    }

    /// Fails if there is no incident `id` of a public monitor. That of another hub is checked by that one.
    fn require_incident(&self, id: &IncidentId, public: &MonitorConfig) -> HubResult<()> {
        let is_own = public.monitors.iter().any(|monitor| monitor.id == id.monitor);
        let exists = if is_own {
            self.store.opened()?.has_incident(id)?
        } else {
            let membership = self.membership.current()?;
            let owner = membership.assignment.hub_of(id.monitor.as_str());
            membership.number != 0 || owner.is_some_and(|hub| hub != 0)
        };
        if exists { Ok(()) } else { Err(incident_not_found()) }
    }

    /// Returns at most `limit` incidents of the monitors of `config`, newest first, starting after the incident `before`.
    pub(super) fn newest_incidents(
        &self,
        config: &MonitorConfig,
        before: Option<&IncidentId>,
        limit: usize,
    ) -> HubResult<Vec<Incident>> {
        let (monitor, second) =
            before.map_or(("", LAST_SECOND + 1), |before| (before.monitor.as_str(), before.opened));
        let ids: Vec<&str> = config.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
        let mut list = self.store.opened()?.incidents_before(&ids, (second, monitor), limit)?;
        for incident in &mut list {
            hide_dependency(incident, config);
        }
        Ok(list)
    }

    /// Returns an incident of any monitor, and the samples around it.
    fn load_incident(&self, id: &IncidentId) -> HubResult<Option<(Incident, Vec<SampleRun>)>> {
        let store = self.store.opened()?;
        let Some((incident, stored)) = store.incident(id)? else { return Ok(None) };
        let engine = self.engine.loaded()?;
        let now = engine.clock(wall_clock());
        let window = shown_window(&incident, now);
        let last = engine.last_tick().map_or(now, |last| last.at);
        let history = store.memory_runs(&incident.monitor, window, last)?;
        Ok(Some((incident, select_window(&join_recording(stored, &history), window))))
    }

    /// Returns an incident of a public monitor, the samples around it, and the monitor's name.
    pub(super) fn find_public(&self, id: &IncidentId) -> HubResult<(Incident, Vec<SampleRun>, String)> {
        let config = self.config.public_monitors()?;
        let monitor =
            config.monitors.iter().find(|monitor| monitor.id == id.monitor).ok_or_else(incident_not_found)?;
        let (mut incident, runs) = self.load_incident(id)?.ok_or_else(incident_not_found)?;
        hide_dependency(&mut incident, &config);
        Ok((incident, runs, monitor.name.clone()))
    }

    /// Returns an incident of a public monitor with its recording.
    pub(super) fn detail(&self, id: &IncidentId) -> HubResult<IncidentDetailView> {
        let (incident, runs, _) = self.find_public(id)?;
        Ok(IncidentDetailView::new(&incident, &runs))
    }

    /// Adds a note to an incident, acknowledges it, or resolves it.
    pub(super) fn update(&self, id: &IncidentId, update: &IncidentUpdate) -> HubResult<IncidentDetailView> {
        let config = self.config.monitors()?;
        if !config.monitors.iter().any(|monitor| monitor.id == id.monitor) {
            return Err(incident_not_found());
        }
        let (mut incident, runs) = self.load_incident(id)?.ok_or_else(incident_not_found)?;
        let now = {
            let engine = self.engine.loaded()?;
            // A tick may have changed the incident in the engine since it was loaded.
            let latest =
                engine.latest_incident(&incident.monitor).filter(|latest| latest.opened == incident.opened);
            incident = latest.cloned().unwrap_or(incident);
            engine.clock(wall_clock())
        };
        update.apply(&mut incident, now).map_err(|error| HubError::Conflict(error.to_string()))?;
        self.store.opened()?.update_incident(&incident)?;
        let detail = IncidentDetailView::new(&incident, &runs);
        self.engine.update_incident(incident);
        Ok(detail)
    }
}

/// Returns the error for an incident that does not exist, or whose monitor is not public.
fn incident_not_found() -> HubError {
    HubError::NotFound("incident".to_owned())
}

/// Removes the name of a dependency that is not in `config`, which may be a monitor that is not public.
fn hide_dependency(incident: &mut Incident, config: &MonitorConfig) {
    incident.inhibited_by.take_if(|id| !config.monitors.iter().any(|monitor| monitor.id == *id));
}
