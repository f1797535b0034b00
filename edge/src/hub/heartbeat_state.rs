//! The last heartbeats of jobs, which are loaded from the store when they are needed first.

use std::cell::RefCell;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use worker::console_error;

use super::error::HubResult;
use super::store_handle::{Cached, StoreHandle};
use crate::domain::check::outcome::{ProbeError, ProbeResult};
use crate::domain::engine::Engine;
use crate::domain::heartbeat;
use crate::domain::heartbeat::report_pace::ReportPace;
use crate::domain::heartbeat::{DueTimes, JobSignal, JobState, JobStates};
use crate::domain::{Failure, ProbeSkipped};
use crate::hub_api::HubError;
use crate::monitor_config::{
    Heartbeat, HeartbeatSchedule, Monitor, MonitorConfig, MonitorId, MonitorKind, Target,
};
use crate::platform::clock::wall_clock;
use crate::platform::intl::zone_offset;
use crate::store::StoreError;

/// The stored heartbeats.
#[derive(Debug)]
pub(super) struct HeartbeatState {
    store: StoreHandle,
    heartbeats: Cached<JobStates>,
    pace: RefCell<ReportPace>,
}

impl HeartbeatState {
    /// Creates the state, which is loaded from `store`.
    pub(super) fn new(store: StoreHandle) -> Self {
        HeartbeatState { store, heartbeats: Cached::default(), pace: RefCell::default() }
    }

    /// Records what the job of a monitor of `config` reports, at the instant `now` at which the report came.
    pub(super) fn record(
        &self,
        config: &MonitorConfig,
        id: MonitorId,
        signal: JobSignal,
        now: UnixMillis,
    ) -> HubResult<()> {
        let job = config.monitors.iter().filter(|monitor| monitor.id == id).find_map(job_of);
        let job = job.ok_or_else(|| HubError::NotFound("heartbeat monitor".to_owned()))?;
        let zone = zone_of(job);
        let counted = self.pace.borrow_mut().count_report(&id, &DueTimes::new(job, &zone), now);
        counted.map_err(|wait| HubError::TooMany { retry_after_seconds: wait.as_secs() + 1 })?;
        let mut heartbeats = JobStates::clone(&*self.heartbeats()?);
        let state = JobState::after_signal(heartbeats.get(&id), job, signal, now, zone);
        match self.store.opened()?.record_heartbeat(&id, &state) {
            // A job that reported is not missing because it could not be stored.
            Err(StoreError::Full(error)) => {
                console_error!("the heartbeat of {id} is kept in memory only: {error}");
            }
            stored => stored?,
        }
        heartbeats.insert(id, state);
        self.heartbeats.set(heartbeats);
        Ok(())
    }

    /// Returns the results of the jobs of `config` at the tick of `at`. `is_offline`: the edge reached nothing in this tick, so that
    /// reports may not have reached it either.
    pub(super) fn check_jobs(
        &self,
        config: &MonitorConfig,
        engine: &Engine,
        at: UnixMillis,
        is_offline: bool,
    ) -> HubResult<Vec<ProbeResult>> {
        // A job that was in no tick yet was added after the last one, and what was reported before that is of an earlier job. (What is
        // imported before its monitor stays.)
        let last = engine.last_tick();
        let was_added = |id: &MonitorId| {
            engine.last_verdict(id).is_none() && config.monitors.iter().any(|it| it.id == *id)
        };
        self.forget(|id, state| was_added(id) && last.is_some_and(|last| state.last_report() <= last.at))?;
        let heartbeats = self.heartbeats()?;
        let probe = |monitor: &Monitor| {
            let job = job_of(monitor)?;
            let unwatched = || engine.unwatched_spans(&monitor.id, at);
            let mut result =
                heartbeat::check_job(heartbeats.get(&monitor.id), job, at, zone_of(job), unwatched);
            if is_offline && result.as_ref().is_err_and(|error| is_silence(*error)) {
                result = Err(ProbeSkipped::EdgeOffline.into());
            }
            Some(ProbeResult { monitor: monitor.id.clone(), received: wall_clock(), result })
        };
        Ok(config.monitors.iter().filter_map(probe).collect())
    }

    /// Forgets the reports of jobs that are not in `config` any more: a job that is added again has not been heard of.
    pub(super) fn forget_removed(&self, config: &MonitorConfig) -> HubResult<()> {
        let is_job = |monitor: &Monitor| monitor.kind() == MonitorKind::Heartbeat;
        self.forget(|id, _| !config.monitors.iter().any(|monitor| monitor.id == *id && is_job(monitor)))
    }

    /// Discards what is loaded, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        self.heartbeats.invalidate();
    }

    fn forget(&self, is_outdated: impl Fn(&MonitorId, &JobState) -> bool) -> HubResult<()> {
        let known = self.heartbeats()?;
        let outdated: Vec<&MonitorId> =
            known.iter().filter(|(id, state)| is_outdated(id, state)).map(|(id, _)| id).collect();
        if outdated.is_empty() {
            return Ok(());
        }
        let mut left = JobStates::clone(&known);
        for id in outdated {
            self.store.opened()?.delete_heartbeat(id)?;
            left.remove(id);
        }
        self.heartbeats.set(left);
        Ok(())
    }

    fn heartbeats(&self) -> HubResult<Rc<JobStates>> {
        self.heartbeats.get_or_load(|| Ok(self.store.opened()?.heartbeats()?))
    }
}

/// Whether a job failed only in that a report did not come.
fn is_silence(error: ProbeError) -> bool {
    matches!(error, ProbeError::Failed(Failure::JobMissed | Failure::JobTimedOut))
}

fn job_of(monitor: &Monitor) -> Option<&Heartbeat> {
    match &monitor.target {
        Target::Heartbeat(job) => Some(job),
        _ => None,
    }
}

/// Returns the offset of a job's clock from UTC at an instant, in seconds.
fn zone_of(job: &Heartbeat) -> impl Fn(UnixMillis) -> i32 + '_ {
    let zone = match &job.schedule {
        HeartbeatSchedule::Cron(schedule) => schedule.zone(),
        HeartbeatSchedule::Every(_) => "UTC",
    };
    move |at| zone_offset(zone, at).unwrap_or(0)
}
