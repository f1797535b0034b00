//! The samples and latencies of ticks, by monitor.

use litemap::LiteMap;

use super::tick_codec::{for_each_probe, unpack_packed_runs, unpack_tick};
use super::tick_ring::PackedTick;
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

/// Collects the samples and latencies of ticks. A tick that cannot be read is skipped.
pub(super) fn collect_samples(ticks: &[PackedTick]) -> LiteMap<MonitorId, TickSamples> {
    let mut by_monitor: LiteMap<MonitorId, TickSamples> = LiteMap::new();
    for (_, probes) in ticks {
        for ProbeRecord { monitor, evaluation, runs } in unpack_tick(probes).unwrap_or_default() {
            let samples = by_monitor.entry(monitor).or_default();
            samples.runs.extend(runs);
            samples.probes.add(&evaluation);
        }
    }
    by_monitor
}

/// Collects the samples of one monitor in ticks. A tick that cannot be read is skipped.
pub(super) fn collect_runs(ticks: &[PackedTick], monitor: &MonitorId) -> Vec<SampleRun> {
    let mut runs = Vec::new();
    for (_, probes) in ticks {
        let mut found = Vec::new();
        let read = for_each_probe(probes, &mut |id, _, packed| {
            if id == monitor.as_str() {
                found.extend(unpack_packed_runs(packed)?);
            }
            Ok(())
        });
        if read.is_ok() {
            runs.extend(found);
        }
    }
    runs
}
