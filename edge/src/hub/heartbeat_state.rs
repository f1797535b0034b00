//! The last heartbeats of jobs, which are loaded from the store when they are needed first.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;

use super::error::HubResult;
use super::store_handle::{Cached, StoreHandle};
use crate::domain::check::outcome::ProbeResult;
use crate::domain::heartbeat;
use crate::domain::heartbeat::{JobSignal, JobStates};
use crate::hub_api::HubError;
use crate::monitor_config::{HeartbeatSchedule, Monitor, MonitorConfig, MonitorId, MonitorKind, Target};
use crate::platform::clock::wall_clock;
use crate::platform::intl::zone_offset;

/// The stored heartbeats.
#[derive(Debug)]
pub(super) struct HeartbeatState {
    store: StoreHandle,
    heartbeats: Cached<JobStates>,
}

impl HeartbeatState {
    /// Creates the state, which is loaded from `store`.
    pub(super) fn new(store: StoreHandle) -> Self {
        HeartbeatState { store, heartbeats: Cached::default() }
    }

    /// Records at `now` what the job of a monitor of `config` reports.
    pub(super) fn record(
        &self,
        config: &MonitorConfig,
        id: MonitorId,
        signal: JobSignal,
        now: UnixMillis,
    ) -> HubResult<()> {
        let mut jobs = config.monitors.iter().filter(|monitor| monitor.kind() == MonitorKind::Heartbeat);
        if !jobs.any(|monitor| monitor.id == id) {
            return Err(HubError::NotFound("heartbeat monitor".to_owned()));
        }
        let mut heartbeats = JobStates::clone(&*self.heartbeats()?);
        let heartbeat = heartbeats.get(&id).copied().unwrap_or_default().record_signal(signal, now);
        self.store.opened()?.record_heartbeat(&id, &heartbeat)?;
        heartbeats.insert(id, heartbeat);
        self.heartbeats.set(heartbeats);
        Ok(())
    }

    /// Returns the results of the jobs of `config` at the tick of `at`.
    pub(super) fn check_jobs(&self, config: &MonitorConfig, at: UnixMillis) -> HubResult<Vec<ProbeResult>> {
        let heartbeats = self.heartbeats()?;
        let probe = |monitor: &Monitor| {
            let Target::Heartbeat(job) = &monitor.target else { return None };
            let zone = match &job.schedule {
                HeartbeatSchedule::Cron(schedule) => schedule.zone(),
                HeartbeatSchedule::Every(_) => "UTC",
            };
            let offset = |at| zone_offset(zone, at).unwrap_or(0);
            let result = heartbeat::check_job(heartbeats.get(&monitor.id), job, at, offset);
            Some(ProbeResult { monitor: monitor.id.clone(), received: wall_clock(), result })
        };
        Ok(config.monitors.iter().filter_map(probe).collect())
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.heartbeats.invalidate();
    }

    fn heartbeats(&self) -> HubResult<Rc<JobStates>> {
        self.heartbeats.get_or_load(|| Ok(self.store.opened()?.heartbeats()?))
    }
}
