//! Runs that have started and not ended.
//!
//! A run has to end within `max-runtime`, or without that by the next due time and its grace. Reports name no run, so an end is that of
//! the run that began first, among those that may still be running.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use super::due_times::DueTimes;

/// Most runs that are counted as open. A further start is a report, and begins no run.
pub const MAX_OPEN_RUNS: usize = 16;

/// A start within this time after another is the same one: a client repeats a request whose response it did not get.
const SAME_START: Duration = Duration::from_secs(10);

/// A run that has started and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct OpenRun {
    /// When the start was reported.
    #[n(0)]
    pub started: UnixMillis,
    /// The due time for which the start counts.
    #[n(1)]
    pub due: UnixMillis,
}

/// Adds a run.
pub(super) fn add(runs: &mut Vec<OpenRun>, run: OpenRun, due: &DueTimes<'_>) {
    if runs.last().is_some_and(|last| run.started.since(last.started) < SAME_START) {
        return;
    }
    if runs.len() == MAX_OPEN_RUNS && !may_be_running(&runs[0], runs, due, run.started) {
        // The others say as well that runs do not end.
        runs.remove(0);
    }
    if runs.len() < MAX_OPEN_RUNS {
        runs.push(run);
    }
}

/// Removes the run whose end came at `now`, and all that have not ended in time: the end of a later run supersedes them. Returns the run,
/// or `None` if none is open.
pub(super) fn remove_ended(runs: &mut Vec<OpenRun>, due: &DueTimes<'_>, now: UnixMillis) -> Option<OpenRun> {
    let first = runs.iter().position(|run| may_be_running(run, runs, due, now));
    let ended = first.or(runs.len().checked_sub(1))?;
    runs.drain(..=ended).next_back()
}

/// Returns until when a run, one of `runs`, has to end; `None` if its job is never due again. Without `max-runtime` that is at the latest
/// when a run of a later due time begins.
pub(super) fn end_limit(run: &OpenRun, runs: &[OpenRun], due: &DueTimes<'_>) -> Option<UnixMillis> {
    if let Some(longest) = due.job.max_runtime {
        return Some(run.started.plus(longest));
    }
    let next = due.next_unreported(run.due)?;
    let follower = runs.iter().find(|other| due.reaches(other.due, next)).map(|other| other.started);
    Some(next.plus(due.job.grace)).into_iter().chain(follower).min()
}

/// Whether a run, one of `runs`, may still be running at `now`.
fn may_be_running(run: &OpenRun, runs: &[OpenRun], due: &DueTimes<'_>, now: UnixMillis) -> bool {
    end_limit(run, runs, due).is_none_or(|limit| now <= limit)
}
