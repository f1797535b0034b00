//! Memory history: the samples of an hour become one chunk per monitor, and their peaks become the coarser tiers.
//!
//! A chunk replaces an expired one (`domain/history/rollup.rs`). Seven days at one second, ninety days at one minute and two years at
//! one hour cost two written rows per monitor and hour, one more per day, and no deletion.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use worker::SqlStorageValue;

use super::latency_series;
use super::sql::{Sql, StoreError};
use super::tick_codec::{pack_runs, unpack_runs};
use super::tick_samples::collect_samples;
use crate::domain::history::rollup::{MemoryLine, Tier, build_line, keep_peaks, merge_runs};
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The longest time from a sample to the report with it, which is what the ring of a server holds.
const LATE: Duration = Duration::from_secs(2 * 3600);

/// Writes the chunks of the hour of `last` if the tick at `at` is the first of another hour.
pub(super) fn compact(sql: &Sql, last: UnixMillis, at: UnixMillis) -> Result<(), StoreError> {
    let (hour, _) = Tier::Second.chunk_slot(last);
    if Tier::Second.chunk_slot(at).0 == hour {
        return Ok(());
    }
    let samples = collect_samples(sql, hour, hour.plus(HOUR))?;
    latency_series::append(sql, hour, &samples)?;
    for (monitor, samples) in samples {
        if samples.runs.is_empty() {
            continue;
        }
        let runs = merge_runs(samples.runs);
        write(sql, &monitor, Tier::Second, last, &runs)?;
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

/// Reads the chunks that begin between two instants, oldest first.
fn chunks(
    sql: &Sql,
    monitor: &MonitorId,
    tier: Tier,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<Vec<SampleRun>, StoreError> {
    let query = "SELECT data FROM series WHERE monitor = ? AND tier = ? AND from_ms >= ? AND from_ms <= ? ORDER BY from_ms";
    let values = vec![monitor.as_str().into(), tier.number().into(), from.0.into(), to.0.into()];
    let mut runs = Vec::new();
    for row in sql.rows(query, values)? {
        if let Some(SqlStorageValue::Blob(blob)) = row.first() {
            runs.extend(unpack_runs(blob).map_err(|_| StoreError::Unexpected("series"))?);
        }
    }
    Ok(runs)
}

/// Reads the memory of a monitor from `from` to `to` in the finest tier for such a window. `last` is the last tick.
pub(super) fn read(
    sql: &Sql,
    monitor: &MonitorId,
    (from, to): (UnixMillis, UnixMillis),
    last: UnixMillis,
) -> Result<(Tier, MemoryLine), StoreError> {
    let (tier, runs) = read_runs(sql, monitor, (from, to), last)?;
    Ok((tier, build_line(&runs, from, to, tier == Tier::Second)))
}

/// Reads the runs of a monitor from about `from` to `to` in the finest tier that shows such a window and still has it.
pub(super) fn read_runs(
    sql: &Sql,
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
        let samples = collect_samples(sql, hour, last.plus(MINUTE))?;
        let of_monitor = samples.into_iter().find(|(id, _)| id == monitor);
        recent = merge_runs(of_monitor.map_or_else(Vec::new, |(_, it)| it.runs));
    }
    match tier {
        Tier::Second => runs.extend(recent),
        Tier::Minute => runs = keep_peaks(&[runs, recent].concat(), MINUTE),
        Tier::Hour => runs = keep_peaks(&[runs, recent].concat(), HOUR),
    }
    Ok((tier, merge_runs(runs)))
}
