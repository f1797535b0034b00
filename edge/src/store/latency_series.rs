//! Latency history by hour, in one row per four days for all monitors. The probes of the last day are in memory
//! (`domain/history/recent_probes.rs`).
//!
//! An hour is aggregated together with its memory samples (`store/memory_series.rs`), from the same ticks. A row for each monitor and
//! hour would use a quarter of the free plan's rows for a thousand monitors; one row for all monitors of a hub, rewritten each hour, uses
//! 24 a day. It covers four days, so that a question about ninety days reads 24 rows, and has at most 400 kB. The row is in `series` under
//! an empty monitor id, and replaces an expired one.

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use worker::SqlStorageValue;

use super::latency_codec::{MonitorHour, append_hour, hours, is_readable};
use super::sql::{Sql, StoreError, integer};
use super::tick_samples::TickSamples;
use crate::domain::history::latency::LatencySummary;
use crate::domain::history::retention;
use crate::domain::history::ring::Ring;
use crate::monitor_config::MonitorId;

/// The tier of these rows in `series`; `domain/history/rollup.rs` has the others.
const TIER: i64 = 3;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The length of a chunk.
const CHUNK_MS: i64 = 4 * DAY_MS;

/// The tier of the rows, and the length of their chunks.
pub(super) const TIER_AND_CHUNK_MS: (i64, i64) = (TIER, CHUNK_MS);

/// The longest window that is read.
const LONGEST_MS: i64 = 92 * DAY_MS;

/// The ring of chunks.
const fn ring() -> Ring {
    Ring { chunk_ms: CHUNK_MS, places: retention::LATENCY.as_secs().cast_signed() * 1000 / CHUNK_MS + 2 }
}

/// Returns the key of a row in `series`: the tier, the beginning of the four days, and their slot.
pub fn latency_chunk(at: UnixMillis) -> (i64, UnixMillis, i64) {
    let (from, slot) = ring().slot(at);
    (TIER, from, slot)
}

/// Appends the hour that begins at `hour` to its chunk.
pub(super) fn append(
    sql: &Sql,
    hour: UnixMillis,
    samples: &LiteMap<MonitorId, TickSamples>,
) -> Result<(), StoreError> {
    let (tier, UnixMillis(from), slot) = latency_chunk(hour);
    let mut chunk = chunks(sql, from, from)?.pop().map_or_else(Vec::new, |(_, chunk)| chunk);
    if !is_readable(&chunk) {
        // What follows a damaged hour would be lost with it.
        sql.set_aside("series", &format!(" {tier} {from}"));
        let readable = hours(&chunk);
        chunk.clear();
        for hour in &readable {
            append_hour(&mut chunk, hour);
        }
    }
    let number = u8::try_from((hour.0 - from) / HOUR_MS).unwrap_or_default();
    for (monitor, samples) in samples.iter() {
        if let Some(figures) = samples.probes.summarize() {
            append_hour(&mut chunk, &MonitorHour { monitor: monitor.clone(), hour: number, figures });
        }
    }
    sql.run(
        "INSERT OR REPLACE INTO series (monitor, tier, slot, from_ms, data) VALUES ('', ?, ?, ?, ?)",
        vec![tier.into(), slot.into(), from.into(), chunk.into()],
    )
}

/// Reads the chunks that begin between two instants, oldest first: one row each.
fn chunks(sql: &Sql, from: i64, to: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let query =
        "SELECT from_ms, data FROM series WHERE monitor = '' AND tier = ? AND slot >= ? AND slot <= ?";
    let mut found = Vec::new();
    for (first, last) in ring().slots_between(UnixMillis(from), UnixMillis(to)) {
        for row in sql.rows(query, vec![TIER.into(), first.into(), last.into()])? {
            if let [at, SqlStorageValue::Blob(blob)] = row.as_slice()
                && let Some(at) = integer(at).filter(|at| (from..=to).contains(at))
            {
                found.push((at, blob.clone()));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    Ok(found)
}

/// Reads the latencies of the hours of `monitor` that begin from `from` to `to`, oldest first, of at most the last 92 days of that time.
/// The present hour is not among them.
pub(super) fn read(
    sql: &Sql,
    monitor: &MonitorId,
    (from, to): (UnixMillis, UnixMillis),
) -> Result<Vec<(UnixMillis, LatencySummary)>, StoreError> {
    let (from, to) = (from.0.max(to.0.saturating_sub(LONGEST_MS)), to.0);
    let mut rows = Vec::new();
    for (begin, chunk) in chunks(sql, from - from.rem_euclid(CHUNK_MS), to)? {
        for MonitorHour { monitor: id, hour, figures } in hours(&chunk) {
            let at = begin + i64::from(hour) * HOUR_MS;
            if id == *monitor && at >= from && at < to {
                rows.push((UnixMillis(at), figures));
            }
        }
    }
    Ok(rows)
}
