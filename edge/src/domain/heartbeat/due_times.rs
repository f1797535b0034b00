//! When a job is due, and for which due time a report counts.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::monitor_config::{Heartbeat, HeartbeatSchedule};
use heapbeat_shared::fnv::fnv1a;

/// How long before a due time a report counts for it, unless another due time is nearer: the clock of a job may be ahead.
pub const EARLIEST: Duration = Duration::from_secs(300);

/// The due times of a job, with the clock of its zone.
#[derive(Clone, Copy)]
pub struct DueTimes<'a> {
    pub(super) job: &'a Heartbeat,
    offset: &'a dyn Fn(UnixMillis) -> i32,
}

impl<'a> DueTimes<'a> {
    /// The due times of `job`. `offset` is that of the schedule's time zone, see [`heapbeat_monitors::schedule`].
    pub fn new(job: &'a Heartbeat, offset: &'a dyn Fn(UnixMillis) -> i32) -> Self {
        DueTimes { job, offset }
    }

    /// Returns a number that differs between schedules.
    pub(super) fn fingerprint(&self) -> u64 {
        let text = match &self.job.schedule {
            HeartbeatSchedule::Every(interval) => interval.as_millis().to_string(),
            HeartbeatSchedule::Cron(schedule) => schedule.to_string(),
        };
        fnv1a(text.as_bytes())
    }

    /// Whether the due times are those of a clock, whenever reports come. Otherwise each report moves them.
    pub(super) fn are_fixed(&self) -> bool {
        matches!(self.job.schedule, HeartbeatSchedule::Cron(_))
    }

    /// Returns the first due time after `after`, which is a due time or the instant of a report.
    pub(super) fn next(&self, after: UnixMillis) -> Option<UnixMillis> {
        match &self.job.schedule {
            HeartbeatSchedule::Every(interval) => Some(after.plus(*interval)),
            HeartbeatSchedule::Cron(schedule) => schedule.next_after(after, self.offset),
        }
    }

    /// Returns the first due time after `due`, itself one, that is not before `from`.
    pub(super) fn next_from(&self, due: UnixMillis, from: UnixMillis) -> Option<UnixMillis> {
        match &self.job.schedule {
            HeartbeatSchedule::Every(interval) => {
                let whole = from.since(due).as_millis().div_ceil(interval.as_millis().max(1)).max(1);
                Some(due.plus(interval.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX))))
            }
            HeartbeatSchedule::Cron(schedule) => {
                schedule.next_after(due.max(from.minus(Duration::from_millis(1))), self.offset)
            }
        }
    }

    /// Returns the other instant at which the clock shows the same time as at `due`, if it shows that time twice.
    pub(super) fn other_occurrence(&self, due: UnixMillis) -> Option<UnixMillis> {
        match &self.job.schedule {
            HeartbeatSchedule::Every(_) => None,
            HeartbeatSchedule::Cron(schedule) => schedule.other_occurrence(due, self.offset),
        }
    }

    /// Returns the due time for which a report that comes at `now` counts: the nearest one, if that is past or at most [`EARLIEST`]
    /// ahead. A report for a past due time counts for every one up to `now`, so the result is then `now`.
    pub(super) fn counts_for(&self, now: UnixMillis) -> UnixMillis {
        let HeartbeatSchedule::Cron(_) = self.job.schedule else { return now };
        let next = self.next(now).filter(|next| next.since(now) <= EARLIEST);
        let Some(next) = next else { return now };
        // The last due time, if it is near enough to be the nearest.
        let wait = next.since(now);
        let last = self.next(now.minus(wait).minus(Duration::from_millis(1))).filter(|last| *last <= now);
        if last.is_some() { now } else { next }
    }

    /// Returns the first due time after `reported` that no report up to `reported` counts for. The clock may show a time twice, and
    /// schedulers differ in whether they run a job at both; so a report for the first counts for the second as well.
    pub(super) fn next_unreported(&self, reported: UnixMillis) -> Option<UnixMillis> {
        let mut next = self.next(reported)?;
        while self.other_occurrence(next).is_some_and(|other| other <= reported) {
            next = self.next(next)?;
        }
        Some(next)
    }

    /// Whether a run that counts for `counted` is one of the due time `due` or of a later one.
    pub(super) fn reaches(&self, counted: UnixMillis, due: UnixMillis) -> bool {
        let tolerance = match &self.job.schedule {
            HeartbeatSchedule::Every(interval) => EARLIEST.min(*interval / 2),
            // What the report counts for includes the tolerance already.
            HeartbeatSchedule::Cron(_) => Duration::ZERO,
        };
        counted.plus(tolerance) >= due
    }
}
