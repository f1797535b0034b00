//! Memory history: the samples of an hour become one chunk per monitor, and their peaks become the coarser tiers.
//!
//! A chunk replaces an expired one (`domain/history/rollup.rs`). Seven days at one second, ninety days at one minute and two years at
//! one hour cost two written rows per monitor and hour, one more per day, and no deletion.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use worker::SqlStorageValue;

use super::latency_series;
use super::space::Deleted;
use super::sql::{Sql, StoreError, integer};
use super::tick_codec::{pack_runs, unpack_runs};
use super::tick_ring::TickRing;
use super::tick_samples::{collect_runs, collect_samples};
use super::ticks;
use crate::domain::history::rollup::{MemoryLine, Tier, build_line, keep_peaks, merge_runs};
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The most ticks of the present hour that a question reads from the store. All are in memory, unless servers send noise; then the samples
/// before these ticks are missing until the hour is over.
const MAX_TICKS: i64 = 15;

/// The longest time from a sample to the report with it, which is what the ring of a server holds.
const LATE: Duration = Duration::from_secs(2 * 3600);

/// What is stored of an hour that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compaction {
    /// All of it.
    All,
    /// All but the samples by the second, as the store is full and has none to delete.
    Peaks,
    /// Nothing, as the store is full and has nothing to delete.
    Nothing,
}

impl Compaction {
    /// Returns what is stored after `deleted` was deleted to make room.
    pub(super) fn after(self, deleted: &Deleted) -> Self {
        if self == Compaction::All && deleted.samples.is_empty() { Compaction::Peaks } else { self }
    }
}

/// Whether the tick at `at` is in another hour than the one before it.
pub(super) fn is_in_another_hour(last: UnixMillis, at: UnixMillis) -> bool {
    Tier::Second.chunk_slot(at).0 != Tier::Second.chunk_slot(last).0
}

/// Writes the chunks of the hour of `last` if the tick at `at` is the first of another hour.
pub(super) fn compact(
    sql: &Sql,
    ring: &TickRing,
    last: UnixMillis,
    at: UnixMillis,
    compaction: Compaction,
) -> Result<(), StoreError> {
    if compaction == Compaction::Nothing || !is_in_another_hour(last, at) {
        return Ok(());
    }
    let (hour, _) = Tier::Second.chunk_slot(last);
    let samples = collect_samples(&ring.since(sql, hour, ticks::SLOTS)?);
    latency_series::append(sql, hour, &samples)?;
    for (monitor, samples) in samples {
        if samples.runs.is_empty() {
            continue;
        }
        let runs = merge_runs(samples.runs);
        if compaction == Compaction::All {
            write(sql, &monitor, Tier::Second, last, &runs)?;
        }
        append(sql, &monitor, Tier::Minute, last, keep_peaks(&runs, MINUTE), MINUTE)?;
        if Tier::Minute.chunk_slot(at).0 != Tier::Minute.chunk_slot(last).0 {
            let day = keep_peaks(&chunk(sql, &monitor, Tier::Minute, last)?, HOUR);
            append(sql, &monitor, Tier::Hour, last, day, HOUR)?;
        }
    }
    Ok(())
}

fn write(
    sql: &Sql,
    monitor: &MonitorId,
    tier: Tier,
    at: UnixMillis,
    runs: &[SampleRun],
) -> Result<(), StoreError> {
    let (from, slot) = tier.chunk_slot(at);
    sql.run(
        "INSERT INTO series (monitor, tier, slot, from_ms, data) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (monitor, tier, slot) DO UPDATE SET from_ms = excluded.from_ms, data = excluded.data",
        vec![
            monitor.as_str().into(),
            tier.number().into(),
            slot.into(),
            from.0.into(),
            pack_runs(runs).into(),
        ],
    )
}

/// Adds peaks to the chunk that contains `at`.
fn append(
    sql: &Sql,
    monitor: &MonitorId,
    tier: Tier,
    at: UnixMillis,
    more: Vec<SampleRun>,
    bucket: Duration,
) -> Result<(), StoreError> {
    let mut runs = chunk(sql, monitor, tier, at)?;
    runs.extend(more);
    write(sql, monitor, tier, at, &keep_peaks(&runs, bucket))
}

/// Reads the chunk that contains `at`; it is empty if there is no such chunk.
fn chunk(sql: &Sql, monitor: &MonitorId, tier: Tier, at: UnixMillis) -> Result<Vec<SampleRun>, StoreError> {
    let (from, _) = tier.chunk_slot(at);
    chunks(sql, monitor, tier, from, from)
}

/// Reads the chunks that begin between two instants, oldest first: one row each.
fn chunks(
    sql: &Sql,
    monitor: &MonitorId,
    tier: Tier,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Vec<SampleRun>, StoreError> {
    let query = "SELECT from_ms, data FROM series WHERE monitor = ? AND tier = ? AND slot >= ? AND slot <= ?";
    let mut found = Vec::new();
    for (first, last) in tier.ring().slots_between(from, to) {
        let values = vec![monitor.as_str().into(), tier.number().into(), first.into(), last.into()];
        for row in sql.rows(query, values)? {
            if let [at, SqlStorageValue::Blob(blob)] = row.as_slice()
                && let Some(at) = integer(at).filter(|at| (from.0..=to.0).contains(at))
            {
                match unpack_runs(blob) {
                    Ok(runs) => found.push((at, runs)),
                    Err(_) => sql.set_aside("series", &format!("{monitor} {} {at}", tier.number())),
                }
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().flat_map(|(_, runs)| runs).collect())
}

/// Reads the memory of a monitor from `from` to `to` in the finest tier for such a window. `last` is the last tick.
pub(super) fn read(
    sql: &Sql,
    ring: &TickRing,
    monitor: &MonitorId,
    (from, to): (UnixMillis, UnixMillis),
    last: UnixMillis,
) -> Result<(Tier, MemoryLine), StoreError> {
    let (tier, runs) = read_runs(sql, ring, monitor, (from, to), last)?;
    Ok((tier, build_line(&runs, from, to, tier == Tier::Second)))
}

/// Reads the runs of a monitor from about `from` to `to` in the finest tier that shows such a window and still has it.
pub(super) fn read_runs(
    sql: &Sql,
    ring: &TickRing,
    monitor: &MonitorId,
    (from, to): (UnixMillis, UnixMillis),
    last: UnixMillis,
) -> Result<(Tier, Vec<SampleRun>), StoreError> {
    let tier = Tier::for_span(to.since(from)).max(Tier::for_age(last.since(from)));
    let begin = tier.chunk_slot(from).0;
    let mut runs = chunks(sql, monitor, tier, begin, to.plus(LATE))?;
    // The samples since the last chunk of this tier.
    if tier == Tier::Hour {
        runs.extend(keep_peaks(&chunk(sql, monitor, Tier::Minute, last)?, HOUR));
    }
    let (hour, _) = Tier::Second.chunk_slot(last);
    let mut recent = Vec::new();
    if to.plus(LATE) >= hour {
        recent = merge_runs(collect_runs(&ring.since(sql, hour, MAX_TICKS)?, monitor));
    }
    match tier {
        Tier::Second => runs.extend(recent),
        Tier::Minute => runs = keep_peaks(&[runs, recent].concat(), MINUTE),
        Tier::Hour => runs = keep_peaks(&[runs, recent].concat(), HOUR),
    }
    Ok((tier, merge_runs(runs)))
}
