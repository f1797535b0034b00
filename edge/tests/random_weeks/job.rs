//! What is so of a job: it has to report in time, and that it succeeded. Nothing is missed that nobody watched.

use crate::script::{GRACE, HOUR, LONGEST_RUN, MINUTE, Report, Script};

/// A report this long before a full hour counts for that hour.
const EARLIEST: i64 = 5 * MINUTE;

/// The most runs that are counted as open.
const MOST_RUNS: usize = 16;

/// A job from tick to tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// Whether it has reported anything.
    has_reported: bool,
    /// When the last run ended, and whether it succeeded.
    last: Option<(i64, bool)>,
    /// The runs that have started and not ended: when they started, and the time for which that counts.
    runs: Vec<(i64, i64)>,
    /// The instant up to which the reports count.
    reported_until: i64,
    /// The spans in which nobody watched: from, to, and whether maintenance was announced.
    unwatched: Vec<(i64, i64, bool)>,
    last_tick: Option<(i64, bool)>,
}

impl Job {
    pub(crate) fn forget(&mut self) {
        *self = Job {
            unwatched: std::mem::take(&mut self.unwatched),
            last_tick: self.last_tick,
            ..Job::default()
        };
    }

    /// Records a tick, and with it the time in which nobody watched.
    pub(crate) fn begin_tick(&mut self, now: i64, is_maintained: bool) {
        if let Some((before, was_maintained)) = self.last_tick.replace((now, is_maintained)) {
            // A result is valid for a minute and a half.
            let ended = before + MINUTE + MINUTE / 2;
            if was_maintained {
                self.unwatched.push((before, now.min(ended), true));
            }
            if now > ended {
                self.unwatched.push((before, now, false));
            }
        }
    }

    /// Records a report that came at `now`.
    pub(crate) fn report(&mut self, script: &Script, now: i64, report: Report) {
        self.has_reported = true;
        let next_hour = now - now.rem_euclid(HOUR) + HOUR;
        let counts_for = match script.job_interval {
            None if next_hour - now <= EARLIEST => next_hour,
            _ => now,
        };
        let mut counts_for = counts_for;
        if report == Report::Start {
            if self.runs.len() == MOST_RUNS && now > self.runs[0].0 + LONGEST_RUN {
                self.runs.remove(0);
            }
            if self.runs.len() < MOST_RUNS {
                self.runs.push((now, counts_for));
            }
        } else {
            self.last = Some((now, report == Report::Success));
            // An end is that of the first run that is within its limit, and of those before it.
            let in_time = self.runs.iter().position(|(started, _)| now <= started + LONGEST_RUN);
            let ended = in_time.or(self.runs.len().checked_sub(1));
            let ended = ended.and_then(|ended| self.runs.drain(..=ended).next_back());
            if let (Some((_, due)), None) = (ended, script.job_interval) {
                counts_for = due;
            }
        }
        self.reported_until = self.reported_until.max(counts_for);
    }

    /// Whether the job is well; `None` before its first report.
    pub(crate) fn is_well(&self, script: &Script, now: i64) -> Option<bool> {
        if !self.has_reported {
            return None;
        }
        let is_within = |at: i64, span: &(i64, i64, bool)| span.0 <= at && at < span.1;
        // A run that may have ended while nobody watched is not too long.
        let is_endless = |(started, _): &(i64, i64)| {
            let limit = started + LONGEST_RUN;
            now > limit && !self.unwatched.iter().any(|span| span.0 <= limit && *started < span.1)
        };
        if self.runs.iter().any(is_endless) {
            return Some(false);
        }
        if let Some((reported, false)) = self.last
            && !self.unwatched.iter().any(|span| span.2 && is_within(reported, span))
        {
            return Some(false);
        }
        let interval = script.job_interval.unwrap_or(HOUR);
        let mut due = match script.job_interval {
            Some(interval) => self.reported_until + interval,
            None => self.reported_until - self.reported_until.rem_euclid(HOUR) + HOUR,
        };
        let spans = merged(&self.unwatched);
        while due + GRACE < now {
            let Some(span) = spans.iter().rfind(|span| is_within(due, span)) else {
                let mut deadline = due + GRACE;
                for (from, to, _) in &spans {
                    if *from <= deadline && due < *to {
                        deadline = deadline.max(to + GRACE);
                    }
                }
                return Some(now <= deadline);
            };
            // What was due while nobody watched is not missed.
            while due < span.1 {
                due += interval;
            }
        }
        Some(true)
    }
}

/// Joins spans that touch, of the same kind.
fn merged(spans: &[(i64, i64, bool)]) -> Vec<(i64, i64, bool)> {
    let mut all: Vec<(i64, i64, bool)> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if last.2 == span.2 && span.0 <= last.1 => last.1 = span.1,
            _ => all.push(*span),
        }
    }
    all
}
