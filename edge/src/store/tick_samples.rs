//! The samples and latencies of the ticks in an interval, by monitor.

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use worker::SqlStorageValue;

use super::sql::{Sql, StoreError};
use super::tick_codec::unpack_tick;
use crate::domain::engine::ProbeRecord;
use crate::domain::history::latency::LatencyAccumulator;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// The samples and latencies of one monitor.
#[derive(Default)]
pub(super) struct TickSamples {
    /// The memory samples.
    pub(super) runs: Vec<SampleRun>,
    /// The latencies.
    pub(super) probes: LatencyAccumulator,
}

/// Collects the samples and latencies of the ticks from `from` to `to`. A tick that cannot be read is skipped.
pub(super) fn collect_samples(
    sql: &Sql,
    from: UnixMillis,
    to: UnixMillis,
) -> Result<LiteMap<MonitorId, TickSamples>, StoreError> {
    let query = "SELECT probes FROM tick WHERE at_ms >= ? AND at_ms < ? ORDER BY at_ms";
    let mut by_monitor: LiteMap<MonitorId, TickSamples> = LiteMap::new();
    for row in sql.rows(query, vec![from.0.into(), to.0.into()])? {
        let Some(SqlStorageValue::Blob(blob)) = row.first() else { continue };
        for ProbeRecord { monitor, evaluation, runs } in unpack_tick(blob).unwrap_or_default() {
            let samples = by_monitor.entry(monitor).or_default();
            samples.runs.extend(runs);
            samples.probes.add(&evaluation);
        }
    }
    Ok(by_monitor)
}
