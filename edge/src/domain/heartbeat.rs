//! Jobs that report to the edge, and what their silence means.
//!
//! A job that reported its start is on time, however long it runs. A job that failed is down until it succeeds. Before the first
//! report nothing is known of a job, which is not the same as a missed report.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Failure, ProbeSkipped};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::monitor_config::{Heartbeat, HeartbeatSchedule, MonitorId};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct JobState {
    /// The instant of the last report of any kind.
    #[n(0)]
    pub last_report: UnixMillis,
    /// When the present run started, if the job reported that.
    #[n(1)]
    pub started: Option<UnixMillis>,
    /// The last run that ended.
    #[n(2)]
    pub last_run: Option<JobRun>,
}

/// A run of a job that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct JobRun {
    /// Whether it succeeded.
    #[n(0)]
    pub ok: bool,
    /// The exit code, if the job gave one.
    #[n(1)]
    pub exit_code: Option<u16>,
    /// The duration in milliseconds, if the job reported its start.
    #[n(2)]
    pub duration_ms: Option<u64>,
}

/// All jobs of one hub.
pub type JobStates = LiteMap<MonitorId, JobState>;

impl JobState {
    /// Returns the state after a job reported `signal` at `now`.
    #[must_use]
    pub fn record_signal(self, signal: JobSignal, now: UnixMillis) -> JobState {
        let duration_ms = self.started.and_then(|started| u64::try_from(now.since(started).as_millis()).ok());
        let ended = |ok, exit_code| JobState {
            last_report: now,
            started: None,
            last_run: Some(JobRun { ok, exit_code, duration_ms }),
        };
        match signal {
            JobSignal::Start => JobState { last_report: now, started: Some(now), ..self },
            JobSignal::Success => ended(true, None),
            JobSignal::Fail(exit_code) => ended(false, exit_code),
        }
    }

    /// Checks the job at `now`. `offset` is that of the schedule's time zone, see [`heapbeat_monitors::schedule`].
    fn check(
        &self,
        job: &Heartbeat,
        now: UnixMillis,
        offset: impl Fn(UnixMillis) -> i32,
    ) -> Result<ProbeResponse, ProbeError> {
        if let (Some(started), Some(longest)) = (self.started, job.max_runtime)
            && now.since(started) > longest
        {
            return Err(Failure::JobTimedOut.into());
        }
        if let Some(JobRun { ok: false, exit_code, .. }) = self.last_run {
            return Err(Failure::JobFailed(exit_code).into());
        }
        let due = match &job.schedule {
            HeartbeatSchedule::Every(interval) => Some(self.last_report.plus(*interval)),
            HeartbeatSchedule::Cron(schedule) => schedule.next_after(self.last_report, offset),
        };
        if due.is_some_and(|due| now > due.plus(job.grace)) {
            return Err(Failure::JobMissed.into());
        }
        let duration_ms = self.last_run.and_then(|run| run.duration_ms);
        let latency = duration_ms.map_or(Duration::ZERO, Duration::from_millis);
        Ok(ProbeResponse { status: 0, latency, body: ResponseBody::Unread, report: None })
    }
}

/// Checks a job at `now` as if it were probed. `state` is `None` before its first report. `offset` is that of the schedule's time
/// zone, see [`heapbeat_monitors::schedule`].
pub fn check_job(
    state: Option<&JobState>,
    job: &Heartbeat,
    now: UnixMillis,
    offset: impl Fn(UnixMillis) -> i32,
) -> Result<ProbeResponse, ProbeError> {
    state.ok_or(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet))?.check(job, now, offset)
}

#[cfg(test)]
mod tests {
    use heapbeat_monitors::schedule::Schedule;

    use super::*;

    type Case<'a> = (&'static str, &'a [(i64, JobSignal)], i64, Option<ProbeError>);

    const MINUTE: Duration = Duration::from_secs(60);

    fn hourly() -> Heartbeat {
        Heartbeat {
            schedule: HeartbeatSchedule::Every(60 * MINUTE),
            grace: 5 * MINUTE,
            max_runtime: Some(10 * MINUTE),
        }
    }

    fn at(minute: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + minute * 60_000)
    }

    /// Records signals, each with its minute, and checks the job. Returns the failure, or `None` if there is none.
    fn check(job: &Heartbeat, signals: &[(i64, JobSignal)], minute: i64) -> Option<ProbeError> {
        let mut state: Option<JobState> = None;
        for (minute, signal) in signals {
            state = Some(state.unwrap_or_default().record_signal(*signal, at(*minute)));
        }
        check_job(state.as_ref(), job, at(minute), |_| 0).err()
    }

    #[test]
    fn a_job_is_down_if_it_fails_overruns_or_is_late() {
        use JobSignal::{Fail, Start, Success};
        let missed = Some(ProbeError::Failed(Failure::JobMissed));
        let failed = |exit| Some(ProbeError::Failed(Failure::JobFailed(exit)));
        let overran = Some(ProbeError::Failed(Failure::JobTimedOut));
        let cases: [Case<'_>; 15] = [
            (
                "never reported: unobserved",
                &[],
                1000,
                Some(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet)),
            ),
            ("on time", &[(0, Success)], 60, None),
            ("late, within its grace", &[(0, Success)], 65, None),
            ("missing", &[(0, Success)], 66, missed),
            ("back", &[(0, Success), (90, Success)], 91, None),
            ("failed", &[(0, Fail(None))], 1, failed(None)),
            ("failed with its code", &[(0, Fail(Some(137)))], 1, failed(Some(137))),
            ("failed, and stays so while it is silent", &[(0, Fail(Some(1)))], 500, failed(Some(1))),
            ("failed, and tries again", &[(0, Fail(Some(1))), (5, Start)], 6, failed(Some(1))),
            ("failed, tried again, well", &[(0, Fail(Some(1))), (5, Start), (7, Success)], 8, None),
            ("runs", &[(0, Start)], 10, None),
            ("runs too long", &[(0, Start)], 11, overran),
            ("ran too long and ended well", &[(0, Start), (30, Success)], 31, None),
            ("a start is a report", &[(0, Success), (60, Start), (62, Success)], 122, None),
            ("a clock that went back", &[(100, Success)], 0, None),
        ];
        for (name, signals, minute, expected) in cases {
            assert_eq!(check(&hourly(), signals, minute), expected, "{name}");
        }
    }

    #[test]
    fn a_schedule_says_when_a_job_is_due() {
        let schedule = Schedule::new("0 3 * * *", "UTC").unwrap();
        let job =
            Heartbeat { schedule: HeartbeatSchedule::Cron(schedule), grace: 10 * MINUTE, max_runtime: None };
        let (three, day) = (180, 1440);
        let ran = [(three, JobSignal::Start), (three + 200, JobSignal::Success)];
        assert_eq!(check(&job, &ran, three + 300), None);
        assert_eq!(check(&job, &ran, three + day + 10), None, "within its grace");
        assert_eq!(check(&job, &ran, three + day + 11), Some(Failure::JobMissed.into()));
    }

    #[test]
    fn the_latency_of_a_job_is_the_duration_of_its_last_run() {
        let state = JobState::default()
            .record_signal(JobSignal::Start, at(0))
            .record_signal(JobSignal::Success, at(3));
        assert_eq!(state.check(&hourly(), at(4), |_| 0).unwrap().latency, 3 * MINUTE);
        let without_start = state.record_signal(JobSignal::Success, at(5));
        assert_eq!(without_start.check(&hourly(), at(6), |_| 0).unwrap().latency, Duration::ZERO);
    }
}
