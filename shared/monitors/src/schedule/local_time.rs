//! Times of a zone's clock as instants, with the one rule for daylight saving time: a time is due whenever the clock shows it.
//!
//! So a time within the hour that is repeated in autumn is due twice, and a time within the hour that is skipped in spring is not due on
//! that day. The rule is the same for every expression, and for jobs as for maintenance windows.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use heapbeat_shared::UnixMillis;

const DAY: Duration = Duration::from_secs(86_400);
const MILLI: Duration = Duration::from_millis(1);

/// Most steps of one search: some twenty years of a time that the clock skips every spring.
const MAX_STEPS: usize = 64;

/// Returns the first instant after `after` at which the clock shows a due time. `offset` is the offset of the clock from UTC at an
/// instant, in seconds; the clock changes at most once a day, at a whole second. `next_local` returns the first due time of the clock
/// after a time.
pub(super) fn next_instant(
    after: UnixMillis,
    offset: impl Fn(UnixMillis) -> i32,
    next_local: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Option<UnixMillis> {
    let mut after = after;
    for _ in 0..MAX_STEPS {
        let first = after.plus(MILLI);
        let ahead = offset(first);
        let local = DateTime::from_timestamp_millis(clock(after, ahead).0)?.naive_utc();
        let candidate = UnixMillis(next_local(local)?.and_utc().timestamp_millis() - millis(ahead));
        let until = candidate.min(first.plus(DAY));
        let resume = if offset(until) != ahead {
            first_change(first, until, ahead, &offset)
        } else if until == candidate {
            return Some(candidate);
        } else {
            // A day after `after` its hour is not repeated, so nothing is due before the clock is near the candidate.
            until.max(candidate.minus(DAY.saturating_mul(2)))
        };
        after = resume.minus(MILLI);
    }
    None
}

/// Returns the other instant at which the clock shows the same time as at `at`, if it shows that time twice.
pub(super) fn other_occurrence(at: UnixMillis, offset: impl Fn(UnixMillis) -> i32) -> Option<UnixMillis> {
    let local = clock(at, offset(at));
    let offsets = [offset(at.minus(DAY)), offset(at.plus(DAY))];
    let instants = offsets.map(|ahead| (UnixMillis(local.0.saturating_sub(millis(ahead))), ahead));
    instants
        .into_iter()
        .find(|(instant, ahead)| *instant != at && offset(*instant) == *ahead)
        .map(|(it, _)| it)
}

/// Returns the first instant at which the offset is not `ahead` any more. It was so at `from`, and is not at `until`.
fn first_change(
    from: UnixMillis,
    until: UnixMillis,
    ahead: i32,
    offset: impl Fn(UnixMillis) -> i32,
) -> UnixMillis {
    let (mut before, mut changed) = (from.0.div_euclid(1000), until.0.div_euclid(1000) + 1);
    while changed - before > 1 {
        let middle = i64::midpoint(before, changed);
        if offset(UnixMillis(middle * 1000)) == ahead { before = middle } else { changed = middle }
    }
    UnixMillis(changed * 1000)
}

/// Returns what the clock shows, as if it were UTC.
fn clock(at: UnixMillis, ahead: i32) -> UnixMillis {
    UnixMillis(at.0.saturating_add(millis(ahead)))
}

fn millis(seconds: i32) -> i64 {
    i64::from(seconds) * 1000
}
