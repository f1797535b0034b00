//! Jobs that tell us: what each has said, and what is to be made of its silence.
//!
//! A job that said that it starts has come, however long it takes; one that failed is down until it succeeds. Until a
//! job is heard for the first time nothing is known of it, which is not the same as that it is missing.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Failure, ProbeSkipped};
use crate::config::{Heartbeat, MonitorId, Rhythm};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};

/// What a job reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobSignal {
    /// It begins.
    Start,
    /// It went well.
    Success,
    /// It did not; with its exit code, where it told one.
    Fail(Option<u16>),
}

/// What one job has said up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct JobState {
    /// When it was last heard, whatever it said.
    #[n(0)]
    pub heard: UnixMillis,
    /// When the run that is under way began, where it said so.
    #[n(1)]
    pub running: Option<UnixMillis>,
    /// How the last run that ended went.
    #[n(2)]
    pub ended: Option<JobRun>,
}

/// How a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct JobRun {
    /// Whether well.
    #[n(0)]
    pub ok: bool,
    /// Its exit code, where it told one.
    #[n(1)]
    pub exit: Option<u16>,
    /// How long it took, where it said when it began, in milliseconds.
    #[n(2)]
    pub took_ms: Option<u64>,
}

/// All jobs of one hub.
pub type JobStates = LiteMap<MonitorId, JobState>;

impl JobSignal {
    /// Reads the query of `POST /api/v1/heartbeats/{id}`: nothing is a success; else `event=start|success|fail`, or
    /// `exit=` and the code, of which 0 is a success.
    pub fn parse(query: &str) -> Result<JobSignal, String> {
        let right =
            "say ?event=start, ?event=success, ?event=fail or ?exit=CODE; without any it is a success";
        let (mut event, mut exit) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("event", word)) if event.is_none() => event = Some(word),
                Some(("exit", code)) if exit.is_none() => {
                    let code = code
                        .parse::<u16>()
                        .map_err(|_| format!("exit is a number from 0 to 65535; {right}"))?;
                    exit = Some(code);
                }
                _ => return Err(format!("the query is not understood; {right}")),
            }
        }
        match (event, exit) {
            (None | Some("success"), None | Some(0)) => Ok(JobSignal::Success),
            (None | Some("fail"), exit) => Ok(JobSignal::Fail(exit)),
            (Some("start"), None) => Ok(JobSignal::Start),
            _ => Err(format!("the query is not understood; {right}")),
        }
    }
}

impl JobState {
    /// After a job has said something at `now`.
    #[must_use]
    pub fn hear(self, said: JobSignal, now: UnixMillis) -> JobState {
        let took_ms = self.running.and_then(|began| u64::try_from(now.since(began).as_millis()).ok());
        match said {
            JobSignal::Start => JobState { heard: now, running: Some(now), ..self },
            JobSignal::Success => {
                JobState { heard: now, running: None, ended: Some(JobRun { ok: true, exit: None, took_ms }) }
            }
            JobSignal::Fail(exit) => {
                JobState { heard: now, running: None, ended: Some(JobRun { ok: false, exit, took_ms }) }
            }
        }
    }

    /// What a look at `now` finds. `offset` is the clock of a time zone, see [`heapbeat_monitors::schedule`].
    pub fn look(
        &self,
        job: &Heartbeat,
        now: UnixMillis,
        offset: impl Fn(UnixMillis) -> i32,
    ) -> Result<ProbeResponse, ProbeError> {
        if let (Some(began), Some(longest)) = (self.running, job.longest_run)
            && now.since(began) > longest
        {
            return Err(Failure::JobOverran.into());
        }
        if let Some(JobRun { ok: false, exit, .. }) = self.ended {
            return Err(Failure::JobFailed(exit).into());
        }
        let due = match &job.rhythm {
            Rhythm::Every(interval) => Some(self.heard.plus(*interval)),
            Rhythm::Cron(schedule) => schedule.next(self.heard, offset),
        };
        if due.is_some_and(|due| now > due.plus(job.grace)) {
            return Err(Failure::JobMissed.into());
        }
        let took = self.ended.and_then(|ended| ended.took_ms).map_or(Duration::ZERO, Duration::from_millis);
        Ok(ProbeResponse { status: 0, latency: took, body: ResponseBody::Unread, report: None })
    }
}

/// What a look at a job finds that may never have been heard.
pub fn look(
    beat: Option<&JobState>,
    job: &Heartbeat,
    now: UnixMillis,
    offset: impl Fn(UnixMillis) -> i32,
) -> Result<ProbeResponse, ProbeError> {
    beat.ok_or(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet))?.look(job, now, offset)
}

#[cfg(test)]
mod tests {
    use heapbeat_monitors::schedule::Schedule;

    use super::*;

    type Case<'a> = (&'static str, &'a [(i64, JobSignal)], i64, Option<ProbeError>);

    const MINUTE: Duration = Duration::from_secs(60);

    fn hourly() -> Heartbeat {
        Heartbeat { rhythm: Rhythm::Every(60 * MINUTE), grace: 5 * MINUTE, longest_run: Some(10 * MINUTE) }
    }

    fn at(minute: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + minute * 60_000)
    }

    /// A word a minute of the clock; then what a look finds: nothing where all is well.
    fn found(job: &Heartbeat, words: &[(i64, JobSignal)], minute: i64) -> Option<ProbeError> {
        let mut beat: Option<JobState> = None;
        for (minute, said) in words {
            beat = Some(beat.unwrap_or_default().hear(*said, at(*minute)));
        }
        look(beat.as_ref(), job, at(minute), |_| 0).err()
    }

    #[test]
    fn timelines() {
        use JobSignal::{Fail, Start, Success};
        let missed = Some(ProbeError::Failed(Failure::JobMissed));
        let failed = |exit| Some(ProbeError::Failed(Failure::JobFailed(exit)));
        let overran = Some(ProbeError::Failed(Failure::JobOverran));
        let cases: [Case<'_>; 15] = [
            ("never heard: nobody knows", &[], 1000, Some(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet))),
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
            ("a start is a sign of life", &[(0, Success), (60, Start), (62, Success)], 122, None),
            ("a clock that went back", &[(100, Success)], 0, None),
        ];
        for (name, words, minute, expected) in cases {
            assert_eq!(found(&hourly(), words, minute), expected, "{name}");
        }
    }

    #[test]
    fn by_the_calendar() {
        let schedule = Schedule::new("0 3 * * *", "UTC").unwrap();
        let job = Heartbeat { rhythm: Rhythm::Cron(schedule), grace: 10 * MINUTE, longest_run: None };
        let (three, day) = (180, 1440);
        let ran = [(three, JobSignal::Start), (three + 200, JobSignal::Success)];
        assert_eq!(found(&job, &ran, three + 300), None);
        assert_eq!(found(&job, &ran, three + day + 10), None, "within its grace");
        assert_eq!(found(&job, &ran, three + day + 11), Some(Failure::JobMissed.into()));
    }

    #[test]
    fn a_run_takes_its_time() {
        let beat = JobState::default().hear(JobSignal::Start, at(0)).hear(JobSignal::Success, at(3));
        assert_eq!(beat.look(&hourly(), at(4), |_| 0).unwrap().latency, 3 * MINUTE);
        let untold = beat.hear(JobSignal::Success, at(5));
        assert_eq!(untold.look(&hourly(), at(6), |_| 0).unwrap().latency, Duration::ZERO);
    }

    #[test]
    fn words() {
        let cases = [
            ("", Ok(JobSignal::Success)),
            ("event=success", Ok(JobSignal::Success)),
            ("event=start", Ok(JobSignal::Start)),
            ("event=fail", Ok(JobSignal::Fail(None))),
            ("event=fail&exit=3", Ok(JobSignal::Fail(Some(3)))),
            ("exit=0", Ok(JobSignal::Success)),
            ("exit=137", Ok(JobSignal::Fail(Some(137)))),
            ("exit=-1", Err(())),
            ("exit=99999", Err(())),
            ("event=start&exit=1", Err(())),
            ("event=success&exit=1", Err(())),
            ("event=begin", Err(())),
            ("event=fail&event=start", Err(())),
            ("what", Err(())),
        ];
        for (query, said) in cases {
            assert_eq!(JobSignal::parse(query).map_err(|_| ()), said, "{query}");
        }
    }
}
