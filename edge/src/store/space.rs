//! Room in the store: a database of a Durable Object has a limit, and a full one accepts no tick.
//!
//! The samples by the second are what takes most: 5 MB for a server, and up to 150 MB for one that sends noise. Those of the monitor that
//! has most of them are deleted first; its peaks by the minute stay. Where there are none, the history follows in the order of
//! [`ORDER`]: the oldest first, and last what explains the last days. Configuration, what recipients were told, open incidents, the latest
//! incident of each monitor and the present state are never deleted.

pub(super) mod history;

use std::collections::BTreeMap;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::sql::StoreError;
use crate::domain::instant::rfc3339;

/// The most bytes of all hubs of a deployment: what the free plan gives to an account, less a fifth.
const MAX_BYTES: u64 = 4_000_000_000;

/// The monitors whose samples are deleted at a time. To find each of them reads the keys of all samples.
const MAX_TRIMMED: usize = 5;

/// The bytes that a round frees, if there is as much: more than the longest row, so that the next ticks need no round.
const ROUND_BYTES: u64 = 4_000_000;

/// The most deletions of a round. Each reads the keys of one table: at most 12,000 of the series, 20,000 of incidents, 160,000 of ledgers.
const MAX_DELETIONS: usize = 12;

/// How much of a part one deletion deletes.
const STEP: Duration = days(7);

/// A round that frees less has found nothing.
pub(super) const LEAST_BYTES: u64 = 100_000;

/// How long nothing is sought after nothing was found.
const EXHAUSTED: Duration = hours(3);

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

const fn days(count: u64) -> Duration {
    hours(24 * count)
}

/// A part of the history that can be deleted without the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistoryPart {
    /// The states that a tick left, which only the last tick needs. Nothing is lost with them.
    OldStates,
    /// The latencies by hour.
    Latencies,
    /// The peaks of memory by the minute.
    MinutePeaks,
    /// The peaks of memory by the hour.
    HourPeaks,
    /// The samples before incidents that are closed.
    Recordings,
    /// Incidents that are closed, but the latest of each monitor and those that a recipient was told of last.
    Incidents,
    /// The probes of the last day, before the present hour.
    Probes,
    /// The ledgers. The state that held at the instant stays.
    Ledgers,
}

impl HistoryPart {
    /// What it is, for the owner; `None` if nothing is lost with it.
    pub const fn describe(self) -> Option<&'static str> {
        Some(match self {
            HistoryPart::OldStates => return None,
            HistoryPart::Latencies => "latencies by the hour",
            HistoryPart::MinutePeaks => "memory peaks by the minute",
            HistoryPart::HourPeaks => "memory peaks by the hour",
            HistoryPart::Recordings => "memory samples of incidents that closed",
            HistoryPart::Incidents => "incidents that closed",
            HistoryPart::Probes => "latencies of each probe",
            HistoryPart::Ledgers => "uptime",
        })
    }
}

/// What is deleted, in this order, and for how long it is kept until what follows has gone.
///
/// Pages show the last 90 days, and windows of more than eight days by the hour.
const ORDER: [(HistoryPart, Duration); 20] = [
    (HistoryPart::OldStates, hours(1)),
    (HistoryPart::Latencies, days(92)),
    (HistoryPart::HourPeaks, days(92)),
    (HistoryPart::MinutePeaks, days(8)),
    (HistoryPart::Recordings, days(92)),
    (HistoryPart::Incidents, days(92)),
    (HistoryPart::Latencies, days(8)),
    (HistoryPart::Recordings, days(31)),
    (HistoryPart::HourPeaks, days(31)),
    (HistoryPart::Incidents, days(31)),
    (HistoryPart::MinutePeaks, days(2)),
    (HistoryPart::Probes, hours(2)),
    (HistoryPart::Ledgers, days(31)),
    (HistoryPart::Latencies, days(1)),
    (HistoryPart::HourPeaks, days(1)),
    (HistoryPart::Recordings, days(1)),
    (HistoryPart::Ledgers, days(8)),
    (HistoryPart::Incidents, days(2)),
    (HistoryPart::MinutePeaks, days(1)),
    (HistoryPart::Ledgers, days(1)),
];

/// What was deleted to make room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The monitors whose samples by the second were deleted.
    pub samples: Vec<String>,
    /// The parts of which everything before an instant was deleted.
    pub parts: BTreeMap<HistoryPart, UnixMillis>,
}

impl Deleted {
    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.parts.is_empty()
    }

    /// Describes for the owner what was lost, one text for each kind.
    pub fn describe(&self) -> Vec<String> {
        let samples = self.samples.iter().map(|monitor| {
            format!(
                "the store was full, and the memory samples by the second of {monitor} were deleted; those by the minute are kept"
            )
        });
        let parts = self.parts.iter().filter_map(|(part, until)| {
            let what = part.describe()?;
            Some(format!(
                "the store was full, and the oldest history was deleted: {what} before {}",
                rfc3339(*until)
            ))
        });
        samples.chain(parts).collect()
    }

    /// Adds what was deleted later.
    pub fn merge(&mut self, later: Deleted) {
        for monitor in later.samples {
            if !self.samples.contains(&monitor) {
                self.samples.push(monitor);
            }
        }
        for (part, until) in later.parts {
            self.record(part, until);
        }
    }

    fn record(&mut self, part: HistoryPart, until: UnixMillis) {
        let latest = self.parts.entry(part).or_insert(until);
        *latest = until.max(*latest);
    }
}

/// The history in a store.
pub(super) trait History {
    /// Returns the bytes of the database.
    fn size(&self) -> u64;

    /// Deletes the samples by the second of the monitor that has most of them, and returns its id; `None` if there are none.
    fn delete_samples(&self) -> Result<Option<String>, StoreError>;

    /// Returns the oldest instant of what [`History::delete`] would delete before `limit`.
    fn oldest(&self, part: HistoryPart, limit: UnixMillis) -> Result<Option<UnixMillis>, StoreError>;

    /// Deletes a part before an instant.
    fn delete(&self, part: HistoryPart, until: UnixMillis) -> Result<(), StoreError>;
}

/// Returns the most bytes of the database of one of `hub_count` hubs.
pub(super) fn max_bytes(hub_count: usize) -> u64 {
    MAX_BYTES / u64::try_from(hub_count).unwrap_or(u64::MAX).max(1)
}

/// Deletes the samples by the second of one monitor after another until the database has at most `max_bytes`, at least those of one.
pub(super) fn delete_samples(history: &impl History, max_bytes: u64) -> Result<Deleted, StoreError> {
    let mut deleted = Deleted::default();
    while deleted.samples.len() < MAX_TRIMMED {
        let Some(monitor) = history.delete_samples()? else { break };
        deleted.samples.push(monitor);
        if history.size() <= max_bytes {
            break;
        }
    }
    Ok(deleted)
}

/// Deletes what is worth least at `now`: samples by the second, or [`ROUND_BYTES`] of the history if there are none. The result is empty if
/// nothing is left that may be deleted.
pub(super) fn make_room(
    history: &impl History,
    max_bytes: u64,
    now: UnixMillis,
) -> Result<Deleted, StoreError> {
    let before = history.size();
    let mut deletions = 0;
    let mut deleted = Deleted::default();
    for (index, (part, keep)) in ORDER.into_iter().enumerate() {
        if index == 1 {
            deleted.merge(delete_samples(history, max_bytes)?);
        }
        if !deleted.samples.is_empty() {
            return Ok(deleted);
        }
        let limit = now.minus(keep);
        let mut deleted_until = None;
        while let Some(oldest) = history.oldest(part, limit)? {
            if deleted_until.is_some_and(|until| oldest < until) {
                // What should have gone is still there; it must not keep the rest from being deleted.
                break;
            }
            let until = oldest.plus(STEP).min(limit);
            history.delete(part, until)?;
            deleted_until = Some(until);
            deleted.record(part, until);
            deletions += 1;
            if deletions == MAX_DELETIONS || history.size().saturating_add(ROUND_BYTES) <= before {
                return Ok(deleted);
            }
        }
    }
    Ok(deleted)
}

/// Whether nothing is sought at `now`, as little or nothing was found at `exhausted`.
pub(super) fn is_exhausted(exhausted: Option<UnixMillis>, now: UnixMillis) -> bool {
    exhausted.is_some_and(|at| now.since(at) < EXHAUSTED && now >= at)
}

#[cfg(test)]
mod tests;
