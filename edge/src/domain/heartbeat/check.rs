//! Whether a job is well: its runs ended in time, the last one did not fail, and none is missed.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::due_times::DueTimes;
use super::runs::OpenRun;
use super::{JobRun, JobState, UnwatchedSpan, runs};
use crate::domain::check::outcome::{ProbeError, ProbeResponse, ResponseBody};
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::Heartbeat;

/// Checks a job at `now` as if it were probed. `state` is `None` before its first report. `offset` is that of the schedule's time
/// zone, see [`heapbeat_monitors::schedule`]. `unwatched` returns the spans in which nobody watched it, oldest first; it is called only
/// for a job that seems not to be well.
pub fn check_job(
    state: Option<&JobState>,
    job: &Heartbeat,
    now: UnixMillis,
    offset: impl Fn(UnixMillis) -> i32,
    unwatched: impl Fn() -> Vec<UnwatchedSpan>,
) -> Result<ProbeResponse, ProbeError> {
    let due = DueTimes::new(job, &offset);
    let state = state.filter(|state| state.schedule == due.fingerprint());
    let state = state.ok_or(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet))?;
    if let Some(failure) = state.failure(&due, now, &unwatched) {
        return Err(failure.into());
    }
    let duration_ms = state.last_run.and_then(|run| run.duration_ms);
    let latency = duration_ms.map_or(Duration::ZERO, Duration::from_millis);
    Ok(ProbeResponse::new(0, latency, ResponseBody::Unread))
}

impl JobState {
    fn failure(
        &self,
        due: &DueTimes<'_>,
        now: UnixMillis,
        unwatched: &impl Fn() -> Vec<UnwatchedSpan>,
    ) -> Option<Failure> {
        if self.has_unfinished_run(due, now, unwatched) {
            return Some(Failure::JobTimedOut);
        }
        if let Some(JobRun { ok: false, exit_code, ended, .. }) = self.last_run {
            // What failed during announced maintenance says nothing about the time after it.
            let in_maintenance = |span: &UnwatchedSpan| span.is_maintenance && span.contains(ended);
            if !unwatched().iter().any(in_maintenance) {
                return Some(Failure::JobFailed(exit_code));
            }
        }
        self.has_missed(due, now, unwatched).then_some(Failure::JobMissed)
    }

    /// Whether a run has not ended in time. One whose end may have come while nobody watched does not count.
    fn has_unfinished_run(
        &self,
        due: &DueTimes<'_>,
        now: UnixMillis,
        unwatched: &impl Fn() -> Vec<UnwatchedSpan>,
    ) -> bool {
        let limit =
            |run: &OpenRun| runs::end_limit(run, &self.open_runs, due).map(|limit| (run.started, limit));
        let late = self.open_runs.iter().filter_map(limit).filter(|(_, limit)| now > *limit);
        let late: Vec<(UnixMillis, UnixMillis)> = late.collect();
        if late.is_empty() {
            return false;
        }
        let spans = unwatched();
        let spans: Vec<_> = spans.iter().filter(|span| span.is_after(self.first_report)).collect();
        late.iter()
            .any(|(started, limit)| !spans.iter().any(|span| span.from <= *limit && *started < span.to))
    }

    /// Whether a run that was due was not reported in time.
    fn has_missed(
        &self,
        due: &DueTimes<'_>,
        now: UnixMillis,
        unwatched: &impl Fn() -> Vec<UnwatchedSpan>,
    ) -> bool {
        let grace = due.job.grace;
        let is_over = |next: &UnixMillis| now > next.plus(grace);
        if due.next(self.reported_until).is_none_or(|next| !is_over(&next)) {
            // So it is in almost every tick; what follows looks at the clock more often.
            return false;
        }
        let Some(mut next) = due.next_unreported(self.reported_until).filter(is_over) else { return false };
        let spans = unwatched();
        while is_over(&next) {
            let after = if let Some(span) = spans.iter().rfind(|span| span.contains(next)) {
                due.next_from(next, span.to)
            } else if due.other_occurrence(next).is_some_and(|other| other > next) {
                // The clock will show this time again. The job may run then, so the second occurrence decides.
                due.next(next)
            } else {
                return now > deadline(next, grace, &spans);
            };
            let Some(after) = after else { return false };
            next = after;
        }
        false
    }
}

/// Returns until when the run that was due at `due` may be reported: the grace begins anew after each span that interrupts it.
fn deadline(due: UnixMillis, grace: Duration, spans: &[UnwatchedSpan]) -> UnixMillis {
    spans.iter().fold(due.plus(grace), |deadline, span| {
        if span.from <= deadline && due < span.to { deadline.max(span.to.plus(grace)) } else { deadline }
    })
}
