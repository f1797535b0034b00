//! Readings of memory between two full measurements. Pure.
//!
//! A proportional set size costs milliseconds, as the kernel walks all pages; a resident set costs microseconds. So between two full
//! measurements the memory of an instance is what it was, plus what its resident sets have grown since.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use heapbeat_shared::{Bytes, Pressure};

use super::FULL_INTERVAL;
use crate::supervisor::machine::WorkerNumber;

/// Longest interval from the recycle threshold on, where memory may be constant because requests are refused.
const NEAR_LIMIT: Duration = Duration::from_millis(250);

/// Longest interval while two instances run whose sum nears the limit.
const BESIDE: Duration = Duration::from_millis(100);

/// Share of the limit from which the sum of two instances does, in percent.
const NEAR_SUM: u64 = 75;

/// Number of processes that are read twenty times a second; of more, all are read accordingly less often.
const MAX_PROCESSES: u32 = 64;

/// Shortest interval for so many processes.
const SHORTEST: Duration = Duration::from_millis(50);

/// The last full measurement, and when the next reading is due.
#[derive(Debug, Default)]
pub(super) struct QuickReadings {
    /// Memory and resident sets of each instance.
    bases: BTreeMap<WorkerNumber, (Bytes, Bytes)>,
    processes: u32,
    next_at: Option<Instant>,
    /// Whether an instance runs beside another one, and their sum nears the limit.
    sum_is_near: bool,
}

impl QuickReadings {
    /// Forgets everything before a full measurement.
    pub(super) fn clear(&mut self) {
        *self = QuickReadings::default();
    }

    /// Records a full measurement of an instance, and its resident sets at the same time.
    pub(super) fn begin(&mut self, number: WorkerNumber, processes: usize, memory: Bytes, resident: Bytes) {
        self.bases.insert(number, (memory, resident));
        self.processes = self.processes.saturating_add(u32::try_from(processes).unwrap_or(u32::MAX));
    }

    /// Returns the memory of an instance whose resident sets are now this large; `None` if it was not measured.
    pub(super) fn estimate(&self, number: WorkerNumber, resident: Bytes) -> Option<Bytes> {
        let (memory, before) = self.bases.get(&number)?;
        let grown = resident.saturating_sub(*before);
        let shrunk = before.saturating_sub(resident);
        Some(Bytes(memory.0.saturating_add(grown.0)).saturating_sub(shrunk))
    }

    /// Notes the memory of all instances, of several.
    pub(super) fn note_sum(&mut self, memory: impl Iterator<Item = Bytes>, limit: Bytes) {
        let (count, sum) = memory.fold((0, 0_u64), |(count, sum), it| (count + 1, sum.saturating_add(it.0)));
        self.sum_is_near = count > 1 && sum >= limit.0 / 100 * NEAR_SUM;
    }

    /// Sets the time to the next reading.
    pub(super) fn schedule(&mut self, wanted: Duration, pressure: Pressure, now: Instant) {
        let shortest = SHORTEST * self.processes.div_ceil(MAX_PROCESSES).max(1);
        let longest = match pressure {
            _ if self.sum_is_near => BESIDE,
            Pressure::Recycle | Pressure::Shed => NEAR_LIMIT,
            _ => FULL_INTERVAL,
        };
        let interval = wanted.min(longest).max(shortest);
        self.next_at = (interval < FULL_INTERVAL).then(|| now + interval);
    }

    /// Has the next reading follow at once.
    pub(super) fn bring_forward(&mut self, now: Instant) {
        self.next_at = Some(now);
    }

    /// Returns when the next reading is due; `None` if the next full measurement is soon enough.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_resident_sets() {
        let mb = Bytes::from_mb;
        let mut quick = QuickReadings::default();
        quick.begin(1, 3, mb(200), mb(250));
        for (resident, memory) in [(250, Some(200)), (262, Some(212)), (100, Some(50)), (10, Some(0))] {
            assert_eq!(quick.estimate(1, mb(resident)), memory.map(mb), "{resident}");
        }
        assert_eq!(quick.estimate(2, mb(1)), None);
        quick.clear();
        assert_eq!(quick.estimate(1, mb(250)), None);
    }

    #[test]
    fn two_instances_whose_sum_nears_the_limit_are_read_ten_times_a_second() {
        let (now, mb) = (Instant::now(), Bytes::from_mb);
        let cases: [(&[u64], bool); 4] =
            [(&[191], false), (&[200], false), (&[100, 90], false), (&[100, 92], true)];
        for (memory, near) in cases {
            let mut quick = QuickReadings::default();
            quick.begin(1, 1, Bytes(1), Bytes(1));
            quick.note_sum(memory.iter().map(|it| mb(*it)), mb(256));
            quick.schedule(Duration::from_secs(1), Pressure::Calm, now);
            assert_eq!(quick.next_at(), near.then(|| now + BESIDE), "{memory:?}");
        }
    }

    #[test]
    fn many_processes_are_read_less_often_and_memory_near_the_limit_more_often() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        // Processes, wanted interval in milliseconds, pressure, interval.
        let cases = [
            (1, 50, Pressure::Calm, Some(50)),
            (64, 50, Pressure::Calm, Some(50)),
            (640, 50, Pressure::Calm, Some(500)),
            (6400, 50, Pressure::Calm, None),
            (1, 1000, Pressure::Purge, None),
            (1, 1000, Pressure::Recycle, Some(250)),
        ];
        for (processes, wanted, pressure, expected) in cases {
            let mut quick = QuickReadings::default();
            quick.begin(1, processes, Bytes(1), Bytes(1));
            quick.schedule(second / 1000 * wanted, pressure, now);
            let found = quick.next_at().map(|at| at.duration_since(now).as_millis());
            assert_eq!(found, expected, "{processes} {wanted} {pressure:?}");
        }
    }
}
