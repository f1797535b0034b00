//! Jobs that report to the edge, and what their silence means.
//!
//! * A report counts for the nearest due time, by the time at which it came (`due_times`).
//! * A run that reported its start has to end (`runs`). A job that failed is down until it succeeds.
//! * A run that was due while nobody watched is not missed (`unwatched`).
//! * Before the first report since a job was added or rescheduled nothing is known of it, which is not the same as a missed report.

mod check;
mod due_times;
pub mod report_pace;
mod runs;
mod unwatched;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

pub use check::check_job;
pub use due_times::{DueTimes, EARLIEST};
pub use runs::MAX_OPEN_RUNS;
pub use unwatched::{UnwatchedSpan, unwatched_spans};

use self::runs::OpenRun;
use crate::monitor_config::{Heartbeat, MonitorId};

/// What a job reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobSignal {
    /// The job starts.
    Start,
    /// The job succeeded.
    Success,
    /// The job failed, with its exit code if it gave one.
    Fail(Option<u16>),
}

/// The reports of one job up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct JobState {
    /// The fingerprint of the schedule for which the reports were counted; those for another schedule say nothing.
    #[n(0)]
    schedule: u64,
    /// When the last report of any kind came.
    #[n(1)]
    last_report: UnixMillis,
    /// The due times up to this instant, itself included, are reported.
    #[n(2)]
    reported_until: UnixMillis,
    /// The runs that have started and not ended, oldest first, at most [`MAX_OPEN_RUNS`].
    #[n(3)]
    open_runs: Vec<OpenRun>,
    /// The last run that ended.
    #[n(4)]
    last_run: Option<JobRun>,
    /// When the first report came.
    #[n(5)]
    first_report: UnixMillis,
}

/// A run of a job that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct JobRun {
    /// Whether it succeeded.
    #[n(0)]
    ok: bool,
    /// The exit code, if the job gave one.
    #[n(1)]
    exit_code: Option<u16>,
    /// The duration in milliseconds, if the job reported its start.
    #[n(2)]
    duration_ms: Option<u64>,
    /// When the end was reported.
    #[n(3)]
    ended: UnixMillis,
}

/// All jobs of one hub.
pub type JobStates = LiteMap<MonitorId, JobState>;

impl JobState {
    /// Returns the state after a job reported `signal`, which came at `now`. `before` is the state until then.
    #[must_use]
    pub fn after_signal(
        before: Option<&JobState>,
        job: &Heartbeat,
        signal: JobSignal,
        now: UnixMillis,
        offset: impl Fn(UnixMillis) -> i32,
    ) -> JobState {
        let due = DueTimes::new(job, &offset);
        let schedule = due.fingerprint();
        let known = before.filter(|state| state.schedule == schedule);
        let mut state =
            known.cloned().unwrap_or_else(|| JobState { schedule, first_report: now, ..JobState::default() });
        let counted = match signal {
            JobSignal::Start => state.start_run(&due, now),
            JobSignal::Success => state.end_run(&due, now, true, None),
            JobSignal::Fail(exit_code) => state.end_run(&due, now, false, exit_code),
        };
        state.reported_until = state.reported_until.max(counted);
        state.last_report = state.last_report.max(now);
        state
    }

    /// When the last report of any kind came.
    pub fn last_report(&self) -> UnixMillis {
        self.last_report
    }

    /// Begins a run. Returns the due time for which its report counts.
    fn start_run(&mut self, due: &DueTimes<'_>, now: UnixMillis) -> UnixMillis {
        let counted = due.counts_for(now);
        runs::add(&mut self.open_runs, OpenRun { started: now, due: counted }, due);
        counted
    }

    /// Ends a run. Returns the due time for which its report counts: that of its start, if the job reported it.
    fn end_run(
        &mut self,
        due: &DueTimes<'_>,
        now: UnixMillis,
        ok: bool,
        exit_code: Option<u16>,
    ) -> UnixMillis {
        let run = runs::remove_ended(&mut self.open_runs, due, now);
        let duration_ms = run.and_then(|run| u64::try_from(now.since(run.started).as_millis()).ok());
        self.last_run = Some(JobRun { ok, exit_code, duration_ms, ended: now });
        match run {
            Some(run) if due.are_fixed() => run.due,
            _ => due.counts_for(now),
        }
    }
}

#[cfg(test)]
mod tests;
