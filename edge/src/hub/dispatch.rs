//! Dispatching requests to the parts of the hub.

use std::time::Duration;

use super::Hub;
use super::alert_test::test_channels;
use super::channel_list::list_channels;
use super::error::HubResult;
use super::tick::TickSource;
use crate::hub_api::{HubCall, HubError, HubRequest, HubResponse};
use crate::platform::clock::wall_clock;
use crate::store::row_check::ImportRules;
use crate::view::ImportResultView;

/// How far the clock of an edge may be ahead whose export is imported.
const CLOCK_RESERVE: Duration = Duration::from_secs(3600);

impl Hub {
    /// Handles a call from a Worker or another hub.
    pub(super) async fn handle_call(&self, call: HubCall) -> HubResult<HubResponse> {
        let HubCall { hub, request } = call;
        if !matches!(
            request,
            HubRequest::Sync(_) | HubRequest::Import { .. } | HubRequest::ProbeFromRegion { .. }
        ) {
            self.membership.check_ownership(&request, hub, &self.config.settings().config)?;
        }
        match request {
            HubRequest::Tick { at } => {
                let ticked = self.tick(at, TickSource::Cron).await;
                self.alarm.schedule_next(false).await;
                ticked.map(|_| HubResponse::Done)
            }
            HubRequest::ProbeFromRegion { probes, entries } => {
                self.prober.probe_for_hub(&probes, &entries).await.map(HubResponse::RegionResults)
            }
            HubRequest::ApplyMonitors { monitors, dry_run } => {
                let applied = self.lists.apply_monitors(monitors, dry_run).await;
                self.heartbeats.forget_removed(&*self.config.monitors()?)?;
                applied.map(HubResponse::Applied)
            }
            HubRequest::SetMaintenance { maintenance } => {
                let now = self.engine.now()?;
                self.lists.set_maintenance(maintenance, now).await.map(HubResponse::MaintenanceSet)
            }
            HubRequest::TestAlerts => {
                let (settings, now) = (self.config.settings(), self.engine.now()?);
                let tested = test_channels(&self.env, settings, &self.outbox, now).await?;
                self.quota.count_subrequests(tested.channels.len() as u64);
                Ok(HubResponse::AlertsTested(tested))
            }
            request if request.is_from_reader() => {
                // What a hub loads when it starts is not the reader's.
                let now = self.engine.now()?;
                self.outbox.count_failing()?;
                self.subscriptions.subscribers()?;
                let answer = self.quota.answer_reader(now, || self.handle_local(request));
                answer.unwrap_or(Err(HubError::ReaderBudget))
            }
            request => self.handle_local(request),
        }
    }

    /// Handles a request that needs no I/O except that of the store.
    fn handle_local(&self, request: HubRequest) -> HubResult<HubResponse> {
        Ok(match request {
            HubRequest::HubCount => HubResponse::Done,
            HubRequest::Status { audience } => HubResponse::Status(self.queries.status(audience)?),
            HubRequest::StatusOfSilentHub { hub, audience } => {
                HubResponse::Status(self.queries.status_of_silent(hub, audience)?)
            }
            HubRequest::StatusPage => HubResponse::StatusPage(self.pages.status()?),
            HubRequest::Monitor { monitor } => {
                HubResponse::Monitor(Box::new(self.queries.monitor_detail(&monitor)?))
            }
            HubRequest::MonitorPage { monitor, range } => {
                HubResponse::MonitorPage(Box::new(self.pages.monitor(&monitor, range)?))
            }
            HubRequest::Uptime { monitor, window_ms } => {
                HubResponse::Uptime(self.queries.uptime(&monitor, window_ms)?)
            }
            HubRequest::Memory { monitor, range } => {
                HubResponse::Memory(self.queries.memory(&monitor, range)?)
            }
            HubRequest::Latency { monitor, range } => {
                HubResponse::Latency(self.queries.latency(&monitor, range)?)
            }
            HubRequest::Days { monitor } => HubResponse::Days(self.queries.days(&monitor)?),
            HubRequest::Versions { monitor } => HubResponse::Versions(self.queries.versions(&monitor)?),
            HubRequest::Incidents { limit, before } => {
                HubResponse::Incidents(self.incidents.list_public(limit, before.as_ref())?)
            }
            HubRequest::Incident { incident } => HubResponse::Incident(self.incidents.detail(&incident)?),
            HubRequest::IncidentPage { incident } => {
                HubResponse::IncidentPage(Box::new(self.pages.incident(&incident)?))
            }
            HubRequest::UpdateIncident { incident, update } => {
                HubResponse::Incident(self.incidents.update(&incident, &update)?)
            }
            HubRequest::AppliedMonitors => HubResponse::AppliedMonitors(self.lists.applied_monitors()?),
            HubRequest::Channels => {
                HubResponse::Channels(list_channels(&self.env, self.config.settings(), &self.outbox)?)
            }
            HubRequest::RetryChannels { channels } => {
                for channel in &channels {
                    self.outbox.close_circuit(channel)?;
                }
                HubResponse::Done
            }
            HubRequest::Maintenance => HubResponse::Maintenance(self.lists.maintenance()?),
            HubRequest::Subscriptions => HubResponse::Subscriptions(self.subscriptions.view()?),
            HubRequest::Subscribe { subscription } => {
                self.lists.subscribe(subscription, self.engine.now()?)?;
                HubResponse::Done
            }
            HubRequest::Unsubscribe { url, browser_keys, client } => {
                let now = self.engine.now()?;
                let stranger = client.map(|client| (client, now));
                self.lists.unsubscribe(&url, browser_keys.as_deref(), stranger)?;
                HubResponse::Done
            }
            HubRequest::Heartbeat { monitor, signal } => {
                let now = self.engine.loaded()?.arrival_time(wall_clock());
                self.heartbeats.record(&*self.config.monitors()?, monitor, signal, now)?;
                HubResponse::Done
            }
            HubRequest::Export { from, with_subscriptions } => {
                HubResponse::Export(self.exporter.export(from, with_subscriptions)?)
            }
            HubRequest::Import { hub, schema, lines } => {
                HubResponse::Imported(self.import(hub, schema, &lines)?)
            }
            HubRequest::Sync(assignment) => {
                self.lists.store_assignment(assignment)?;
                self.heartbeats.forget_removed(&*self.config.monitors()?)?;
                HubResponse::Done
            }
            HubRequest::Tick { .. }
            | HubRequest::ProbeFromRegion { .. }
            | HubRequest::ApplyMonitors { .. }
            | HubRequest::TestAlerts
            | HubRequest::SetMaintenance { .. } => {
                return Err(HubError::Invalid("the request needs I/O".to_owned()));
            }
        })
    }

    /// Stores the rows of an export. Everything is loaded again from the store afterwards.
    fn import(&self, hub: usize, schema: i64, lines: &str) -> HubResult<ImportResultView> {
        let Some(_guard) = self.ticking.try_lock() else {
            return Err(HubError::Conflict("a tick is under way; retry in a moment".to_owned()));
        };
        let settings = self.config.settings();
        let rules = ImportRules {
            allow_private: settings.allow_private,
            max_subscriptions: settings.max_subscriptions,
            hub,
            latest: self.engine.now()?.max(wall_clock()).plus(CLOCK_RESERVE),
        };
        let imported = self.exporter.import(schema, lines, rules)?;
        self.outbox.invalidate()?;
        self.engine.invalidate();
        self.heartbeats.invalidate();
        self.lists.invalidate();
        // Incidents that later ones supersede are closed as the engine is loaded.
        self.engine.loaded()?;
        Ok(imported)
    }
}
