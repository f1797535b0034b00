//! Incidents: lists of them, one with its recording, and what people on call change.

use std::rc::Rc;

use super::config_state::ConfigState;
use super::engine_state::EngineState;
use super::error::HubResult;
use super::store_handle::StoreHandle;
use crate::config::Config;
use crate::domain::incident::Incident;
use crate::domain::incident::actions::IncidentUpdate;
use crate::domain::incident::id::{IncidentId, LAST_SECOND};
use crate::domain::report::last_report::SampleRun;
use crate::hub_api::HubError;
use crate::platform::clock::wall_clock;
use crate::view::{IncidentDetailView, IncidentView};

/// Answers about incidents, and what people change about them.
#[derive(Clone, Debug)]
pub(super) struct Incidents {
    pub(super) config: Rc<ConfigState>,
    pub(super) engine: Rc<EngineState>,
    pub(super) store: StoreHandle,
}

impl Incidents {
    /// The newest incidents of the public monitors, one more than `limit` where there are more.
    pub(super) fn list(&self, limit: u8, before: Option<&IncidentId>) -> HubResult<Vec<IncidentView>> {
        let list = self.newest_of(&self.config.public_monitors()?, before, i64::from(limit) + 1)?;
        Ok(list.iter().map(IncidentView::from).collect())
    }

    /// The newest incidents of the monitors of `config`, newest first; `before` is the incident behind which they begin.
    pub(super) fn newest_of(
        &self,
        config: &Config,
        before: Option<&IncidentId>,
        most: i64,
    ) -> HubResult<Vec<Incident>> {
        let (monitor, second) =
            before.map_or(("", LAST_SECOND + 1), |before| (before.monitor.as_str(), before.opened));
        let ids: Vec<&str> = config.monitors.iter().map(|monitor| monitor.id.as_str()).collect();
        let mut list = self.store.get()?.incidents_before(&ids, (second, monitor), most)?;
        for incident in &mut list {
            hide(incident, config);
        }
        Ok(list)
    }

    /// An incident of any monitor, and the samples before it.
    fn stored(&self, id: &IncidentId) -> HubResult<Option<(Incident, Vec<SampleRun>)>> {
        Ok(self.store.get()?.incident(id)?)
    }

    /// An incident of a public monitor, the samples before it, and the monitor's name.
    pub(super) fn public(&self, id: &IncidentId) -> HubResult<(Incident, Vec<SampleRun>, String)> {
        let config = self.config.public_monitors()?;
        let monitor =
            config.monitors.iter().find(|monitor| monitor.id == id.monitor).ok_or_else(no_incident)?;
        let (mut incident, runs) = self.stored(id)?.ok_or_else(no_incident)?;
        hide(&mut incident, &config);
        Ok((incident, runs, monitor.name.clone()))
    }

    /// An incident of a public monitor with its recording.
    pub(super) fn detail(&self, id: &IncidentId) -> HubResult<IncidentDetailView> {
        let (incident, runs, _) = self.public(id)?;
        Ok(IncidentDetailView::new(&incident, &runs))
    }

    /// Notes on, acknowledges or resolves an incident.
    pub(super) fn update(&self, id: &IncidentId, update: &IncidentUpdate) -> HubResult<IncidentDetailView> {
        let config = self.config.monitors()?;
        if !config.monitors.iter().any(|monitor| monitor.id == id.monitor) {
            return Err(no_incident());
        }
        let (mut incident, runs) = self.stored(id)?.ok_or_else(no_incident)?;
        let now = {
            let engine = self.engine.get()?;
            // The engine has what a tick has made of it since it was stored.
            let latest =
                engine.latest_incident(&incident.monitor).filter(|latest| latest.opened == incident.opened);
            incident = latest.cloned().unwrap_or(incident);
            engine.clock(wall_clock())
        };
        update.apply(&mut incident, now).map_err(|error| HubError::Conflict(error.to_string()))?;
        self.store.get()?.update_incident(&incident)?;
        let detail = IncidentDetailView::new(&incident, &runs);
        self.engine.update_incident(incident);
        Ok(detail)
    }
}

/// The error for an incident that does not exist, or whose monitor is not public.
fn no_incident() -> HubError {
    HubError::NotFound("incident".to_owned())
}

/// Takes out of an incident what names a monitor that is not shown.
fn hide(incident: &mut Incident, config: &Config) {
    incident.inhibited_by.take_if(|id| !config.monitors.iter().any(|monitor| monitor.id == *id));
}
