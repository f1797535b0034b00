//! Latency history: by tick as long as the ring has the tick, and by hour in one row per day for all monitors.
//!
//! An hour is aggregated together with its memory samples (`store/memory_series.rs`), from the same ticks. A row for each monitor and
//! hour would use a quarter of the free plan's rows for a thousand monitors; one row per day for all monitors of a hub, rewritten each
//! hour, uses 24. The row is in `series` under an empty monitor id, and replaces an expired one.

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use worker::SqlStorageValue;

use super::latency_codec::{MonitorHour, append_hour, hours};
use super::sql::{Row, Sql, StoreError, integer};
use super::tick_codec::for_each_probe;
use super::tick_samples::TickSamples;
use super::ticks::SLOTS;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::history::latency_series::LatencySeriesBuilder;
use crate::domain::history::{latency::LatencyAccumulator, retention};
use crate::monitor_config::MonitorId;

/// The tier of these rows in `series`; `domain/history/rollup.rs` has the others.
const TIER: i64 = 3;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The longest window that is read by tick, as long as the ring at one tick per minute, and the longest window that is read at all.
const TICKS_MS: i64 = 26 * HOUR_MS;
const LONGEST_MS: i64 = 92 * DAY_MS;

/// Returns the key of a day's row in `series`: the tier, the beginning of the day, and its slot.
pub fn latency_day(at: UnixMillis) -> (i64, UnixMillis, i64) {
    let places = i64::try_from(retention::LATENCY.as_secs() / 86_400).unwrap_or(i64::MAX) + 2;
    let number = at.0.div_euclid(DAY_MS);
    (TIER, UnixMillis(number * DAY_MS), number.rem_euclid(places))
}

/// Appends the hour that begins at `hour` to its day.
pub(super) fn append(
    sql: &Sql,
    hour: UnixMillis,
    samples: &LiteMap<MonitorId, TickSamples>,
) -> Result<(), StoreError> {
    let (tier, UnixMillis(from), slot) = latency_day(hour);
    let mut day = days(sql, from, from)?.pop().map_or_else(Vec::new, |(_, day)| day);
    let number = u8::try_from((hour.0 - from) / HOUR_MS).unwrap_or_default();
    for (monitor, samples) in samples.iter() {
        if let Some(figures) = samples.probes.summarize() {
            append_hour(&mut day, &MonitorHour { monitor: monitor.clone(), hour: number, figures });
        }
    }
    sql.run(
        "INSERT OR REPLACE INTO series (monitor, tier, slot, from_ms, data) VALUES ('', ?, ?, ?, ?)",
        vec![tier.into(), slot.into(), from.into(), day.into()],
    )
}

/// Reads the days that begin between two instants, oldest first.
fn days(sql: &Sql, from: i64, to: i64) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let query =
        "SELECT from_ms, data FROM series WHERE monitor = '' AND tier = ? AND from_ms >= ? AND from_ms <= ?
        ORDER BY from_ms";
    instants(sql, query, vec![TIER.into(), from.into(), to.into()])
}

/// Reads the rows of a query for an instant and bytes. A row with other values is left out.
fn instants(sql: &Sql, query: &str, values: Row) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    for row in sql.rows(query, values)? {
        if let [at, SqlStorageValue::Blob(blob)] = row.as_slice()
            && let Some(at) = integer(at)
        {
            found.push((at, blob.clone()));
        }
    }
    Ok(found)
}

/// Adds the latencies of `monitor` from `from` to `to` to `rows`, oldest first. `last` is the last tick, whose hour is not in the row
/// of its day yet.
pub(super) fn read(
    sql: &Sql,
    monitor: &MonitorId,
    (from, to): (UnixMillis, UnixMillis),
    last: UnixMillis,
    rows: &mut LatencySeriesBuilder,
) -> Result<(), StoreError> {
    let (from, to) = (from.0.max(to.0.saturating_sub(LONGEST_MS)), to.0);
    let present = last.0 - last.0.rem_euclid(HOUR_MS);
    let oldest = sql.number("SELECT min(at_ms) FROM tick", vec![])?;
    // A ring that was never full has all ticks, so a chart of the first day can show each of them.
    let full = sql.number("SELECT max(slot) FROM tick", vec![])?.is_some_and(|slot| slot == SLOTS - 1);
    let reaches = (rows.is_downsampled() && !full) || oldest.is_some_and(|oldest| oldest <= from);
    let hourly = to.saturating_sub(from) > TICKS_MS || !reaches;
    if hourly {
        rows.switch_to_hours();
        for (begin, day) in days(sql, from.saturating_sub(DAY_MS), to)? {
            for MonitorHour { monitor: id, hour, figures } in hours(&day) {
                let at = begin + i64::from(hour) * HOUR_MS;
                if id == *monitor && at >= from && at < to {
                    rows.push(UnixMillis(at), &figures);
                }
            }
        }
    }
    let mut probes = LatencyAccumulator::default();
    let ticks = "SELECT at_ms, probes FROM tick WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms";
    let begin = if hourly { present } else { from };
    for (at, blob) in instants(sql, ticks, vec![begin.into(), to.into()])? {
        // A tick that cannot be read is skipped.
        let _ = for_each_probe(&blob, &mut |id, evaluation, _| {
            if id == monitor.as_str() {
                probes.add(&evaluation);
                if !hourly && !matches!(evaluation.verdict, CheckVerdict::Skipped(_)) {
                    rows.push(UnixMillis(at), &[evaluation.latency_ms]);
                }
            }
            Ok(())
        });
    }
    if let Some(hour) = probes.summarize().filter(|_| hourly && present >= from) {
        rows.push(UnixMillis(present), &hour);
    }
    Ok(())
}
