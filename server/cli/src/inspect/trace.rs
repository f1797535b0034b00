//! The points of the chart; their number is bounded.

use std::collections::VecDeque;

use heapbeat_shared::{Bytes, Sample, UnixMillis};

use super::snapshot::Snapshot;

/// Most points that are kept: two hours at one per second, 230 kB.
const MAX_POINTS: usize = 7200;

/// One point of the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TracePoint {
    /// Time of the sample.
    pub(crate) at: UnixMillis,
    /// Resident set.
    pub(crate) rss: Bytes,
    /// Live heap, where known.
    pub(crate) heap: Option<Bytes>,
}

/// Points, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    points: VecDeque<TracePoint>,
    cpu: Option<(UnixMillis, f64)>,
    cpu_percent: Option<f64>,
}

impl Trace {
    /// Adds a snapshot and its history.
    pub(crate) fn push(&mut self, snapshot: &Snapshot) {
        for sample in &snapshot.history {
            self.push_point(sample, snapshot.heap_known);
        }
        self.push_point(&snapshot.sample, snapshot.heap_known);
        let Some(cpu) = snapshot.system.cpu_seconds else { return };
        if let Some((at, before)) = self.cpu.replace((snapshot.at, cpu)) {
            let elapsed = snapshot.at.since(at).as_secs_f64();
            // If the CPU time has decreased, the process was restarted.
            self.cpu_percent = (elapsed > 0.0 && cpu >= before).then(|| 100.0 * (cpu - before) / elapsed);
        }
    }

    /// Adds a point, unless it is not newer than the last one.
    fn push_point(&mut self, sample: &Sample, heap_known: bool) {
        if self.points.back().is_some_and(|last| sample.at <= last.at) {
            return;
        }
        if self.points.len() == MAX_POINTS {
            self.points.pop_front();
        }
        let heap = heap_known.then_some(sample.heap_used);
        self.points.push_back(TracePoint { at: sample.at, rss: sample.rss, heap });
    }

    /// Returns the points, oldest first.
    pub(crate) fn points(&self) -> impl ExactSizeIterator<Item = &TracePoint> {
        self.points.iter()
    }

    /// Returns the time from the first point to the last.
    pub(crate) fn span(&self) -> std::time::Duration {
        match (self.points.front(), self.points.back()) {
            (Some(first), Some(last)) => last.at.since(first.at),
            _ => std::time::Duration::ZERO,
        }
    }

    /// Returns the CPU time between the last two measurements in percent, 100 for one core.
    pub(crate) fn cpu_percent(&self) -> Option<f64> {
        self.cpu_percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::advice::tests::steady;

    fn at(seconds: i64, cpu: f64) -> Snapshot {
        let mut snapshot = steady();
        snapshot.at = UnixMillis(seconds * 1000);
        snapshot.sample.at = snapshot.at;
        snapshot.system.cpu_seconds = Some(cpu);
        snapshot
    }

    #[test]
    fn history_is_added_before_the_sample_and_without_duplicates() {
        let mut trace = Trace::default();
        let mut first = at(3, 1.0);
        first.history = vec![at(1, 0.0).sample, at(2, 0.0).sample, at(3, 0.0).sample];
        trace.push(&first);
        trace.push(&first);
        trace.push(&at(5, 2.0));
        let seconds: Vec<i64> = trace.points().map(|point| point.at.0 / 1000).collect();
        assert_eq!(seconds, [1, 2, 3, 5]);
        assert_eq!((trace.span().as_secs(), trace.cpu_percent()), (4, Some(50.0)));
    }

    #[test]
    fn the_number_of_points_is_bounded_and_a_restart_gives_no_negative_cpu() {
        let mut trace = Trace::default();
        (0..8000).for_each(|second| trace.push(&at(second, 9.0)));
        assert_eq!((trace.points().len(), trace.span().as_secs()), (MAX_POINTS, 7199));
        trace.push(&at(8001, 1.0));
        assert_eq!(trace.cpu_percent(), None);
    }
}
