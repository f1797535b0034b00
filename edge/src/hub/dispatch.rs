//! Which part of the hub answers which request.

use super::Hub;
use super::error::HubResult;
use crate::hub_api::{Audience, HubCall, HubError, HubRequest, HubResponse};

impl Hub {
    /// Answers a call, or says why it cannot.
    pub(super) async fn answer(&self, call: HubCall) -> HubResult<HubResponse> {
        let HubCall { hub, request } = call;
        if !matches!(
            request,
            HubRequest::Sync(_) | HubRequest::Import { .. } | HubRequest::ProbeFromRegion { .. }
        ) {
            self.check_ownership(&request, hub)?;
        }
        match request {
            HubRequest::Tick { at } => {
                let ticked = self.tick(at).await;
                self.arm(false).await;
                ticked.map(|_| HubResponse::Done)
            }
            HubRequest::ProbeFromRegion { monitors, entries } => {
                self.probe_for_hub(&monitors, &entries).await.map(HubResponse::RegionResults)
            }
            HubRequest::ApplyMonitors { monitors, dry_run } => {
                self.apply_monitors(monitors, dry_run).await.map(HubResponse::Applied)
            }
            HubRequest::SetMaintenance { maintenance } => {
                self.set_maintenance(maintenance).await.map(HubResponse::MaintenanceSet)
            }
            request => self.answer_at_once(request),
        }
    }

    /// Answers what needs no I/O but the store's.
    fn answer_at_once(&self, request: HubRequest) -> HubResult<HubResponse> {
        Ok(match request {
            HubRequest::HubCount => HubResponse::Done,
            HubRequest::Status { audience } => HubResponse::Status(self.status(audience)?),
            HubRequest::StatusOfSilentHub { hub, audience } => {
                HubResponse::Status(self.status_of_silent(hub, audience)?)
            }
            HubRequest::StatusPage => HubResponse::StatusPage(self.status_page()?),
            HubRequest::Monitor { monitor } => HubResponse::Monitor(Box::new(self.monitor_now(&monitor)?)),
            HubRequest::MonitorPage { monitor, range } => {
                HubResponse::MonitorPage(Box::new(self.monitor_page(&monitor, range)?))
            }
            HubRequest::Uptime { monitor, window_ms } => {
                HubResponse::Uptime(self.uptime(&monitor, window_ms)?)
            }
            HubRequest::Memory { monitor, range } => HubResponse::Memory(self.memory(&monitor, range)?),
            HubRequest::Latency { monitor, range } => HubResponse::Latency(self.latency(&monitor, range)?),
            HubRequest::Days { monitor } => HubResponse::Days(self.days(&monitor)?),
            HubRequest::Versions { monitor } => HubResponse::Versions(self.versions(&monitor)?),
            HubRequest::Incidents { limit, before } => {
                HubResponse::Incidents(self.incidents(limit, before.as_ref())?)
            }
            HubRequest::Incident { incident } => HubResponse::Incident(self.incident_detail(&incident)?),
            HubRequest::IncidentPage { incident } => {
                HubResponse::IncidentPage(Box::new(self.incident_page(&incident)?))
            }
            HubRequest::UpdateIncident { incident, update } => {
                HubResponse::Incident(self.update_incident(&incident, &update)?)
            }
            HubRequest::AppliedMonitors => HubResponse::AppliedMonitors(self.applied_monitors()?),
            HubRequest::Maintenance => HubResponse::Maintenance(self.maintenance_list()?),
            HubRequest::Subscriptions => HubResponse::Subscriptions(self.subscriptions_view()?),
            HubRequest::Subscribe { subscription } => {
                self.subscribe(subscription)?;
                HubResponse::Done
            }
            HubRequest::Unsubscribe { url, browser_keys } => {
                self.unsubscribe(&url, browser_keys.as_deref())?;
                HubResponse::Done
            }
            HubRequest::Heartbeat { monitor, signal } => {
                self.record_heartbeat(monitor, signal)?;
                HubResponse::Done
            }
            HubRequest::Export { from } => HubResponse::Export(self.export(from)?),
            HubRequest::Import { schema, lines, .. } => HubResponse::Imported(self.import(schema, &lines)?),
            HubRequest::Sync(assignment) => {
                self.take_assignment(assignment)?;
                HubResponse::Done
            }
            HubRequest::Tick { .. }
            | HubRequest::ProbeFromRegion { .. }
            | HubRequest::ApplyMonitors { .. }
            | HubRequest::SetMaintenance { .. } => {
                return Err(HubError::Invalid("the request is not answered at once".to_owned()));
            }
        })
    }

    /// Refuses a request that is for another hub, or for a hub that has not been assigned its monitors yet.
    fn check_ownership(&self, request: &HubRequest, hub: usize) -> HubResult<()> {
        let membership = self.membership()?;
        if membership.number != hub {
            return Err(HubError::NotFound("hub".to_owned()));
        }
        let (0, Some(monitor)) = (membership.number, request.monitor()) else { return Ok(()) };
        let fixed = self.setup.config.monitors.iter().any(|it| it.id == *monitor);
        let owner = if fixed { None } else { membership.assignment.hub_of(monitor.as_str()) };
        match owner.filter(|hub| *hub != 0) {
            Some(owner) => Err(HubError::OtherHub(owner)),
            None => Ok(()),
        }
    }

    fn status(&self, audience: Audience) -> HubResult<crate::view::StatusView> {
        let snapshot = match audience {
            Audience::Public => self.snapshot_of(&self.public_config()?)?,
            Audience::Owner => self.snapshot_of(&*self.config()?)?,
        };
        Ok((&snapshot).into())
    }
}
