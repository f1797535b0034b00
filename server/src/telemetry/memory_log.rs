//! The periodic log line with memory figures.
//!
//! The sentence is for people. The fields are for machines and carry OpenTelemetry's names where it has any
//! (<https://opentelemetry.io/docs/specs/semconv/system/process-metrics/>), bytes throughout.

use std::fmt;
use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};

use crate::sampling::Reading;

/// Decides when a line is due. Times are the age of the process.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    interval: Duration,
    due: Duration,
    last: Option<Reading>,
}

impl MemoryLog {
    /// The first line is due at once.
    pub(crate) fn every(interval: Duration) -> Self {
        MemoryLog { interval, due: Duration::ZERO, last: None }
    }

    /// Writes a line if one is due.
    pub(crate) fn write_if_due(&mut self, reading: &Reading, pressure: Pressure) {
        if reading.now.age < self.due {
            return;
        }
        self.due = reading.now.age + self.interval;
        let last = self.last.replace(*reading).filter(|_| reading.program.is_none());
        let cores = last.map(|last| cores_used(&last, reading));
        write(reading, pressure, cores);
    }
}

/// Returns the cores that the process used between two readings; 1.0 is one core all the time.
fn cores_used(before: &Reading, now: &Reading) -> f64 {
    let passed = now.now.age.saturating_sub(before.now.age).as_secs_f64();
    let cpu = now.cpu.saturating_sub(before.cpu).as_secs_f64();
    if passed > 0.0 { cpu / passed } else { 0.0 }
}

fn write(reading: &Reading, pressure: Pressure, cores: Option<f64>) {
    let (process, heap) = (reading.process, reading.heap);
    let sample = reading.sample();
    tracing::info!(
        target: "heapbeat::memory",
        {
        process.memory.usage = sample.rss.0,
        process.memory.anonymous = process.map(|process| process.anon.0),
        process.memory.file = process.map(|process| process.file.0),
        process.memory.swap = process.map(|process| process.swap.0),
        process.thread.count = process.map(|process| process.threads),
        process.unix.file_descriptor.count = process.and_then(|process| process.descriptors),
        process.uptime = reading.now.age.as_secs(),
        process.cpu.cores = cores.map(|cores| (cores * 1000.0).round() / 1000.0),
        heapbeat.heap.used = sample.heap_used.known().map(|bytes| bytes.0),
        heapbeat.heap.total = sample.heap_total.known().map(|bytes| bytes.0),
        heapbeat.heap.resident = sample.heap_resident.known().map(|bytes| bytes.0),
        heapbeat.heap.retained = heap.map(|heap| heap.retained.0),
        heapbeat.heap.metadata = heap.map(|heap| heap.metadata.0),
        heapbeat.memory.external = sample.external().0,
        heapbeat.memory.working_set = sample.working_set.0,
        heapbeat.memory.limit = reading.limit.bytes.0,
        heapbeat.memory.limit_origin = reading.limit.origin.as_str(),
        container.memory.usage = reading.cgroup.map(|cgroup| cgroup.usage.0),
        heapbeat.memory.stall_percent = reading.stall.map(|stall| f64::from(stall.some) / 100.0),
        heapbeat.runtime.delay_ms = reading.runtime_delay.map(|late| late.as_secs_f64() * 1e3),
        heapbeat.oom_kills = reading.cgroup.map(|cgroup| cgroup.events.oom_kill),
        heapbeat.pressure = pressure.as_str(),
        },
        "{}",
        MemorySummary { reading, pressure }
    );
}

/// The message of the line.
struct MemorySummary<'a> {
    reading: &'a Reading,
    pressure: Pressure,
}

impl fmt::Display for MemorySummary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sample = self.reading.sample();
        let limit = self.reading.limit.bytes;
        write!(f, "{} of {limit} ({:.1} %)", sample.working_set, percent(sample.working_set, limit))?;
        write!(f, ", rss {}", sample.rss)?;
        if let Some(total) = sample.heap_total.known() {
            match sample.heap_used.known() {
                // Python tells what its heap takes, but not what of it is used.
                None => write!(f, ", heap used unknown, {total} total")?,
                Some(used) => write!(f, ", heap {used} in {total}")?,
            }
        }
        write!(f, ", external {}, {}", sample.external(), self.pressure.as_str())
    }
}

fn percent(part: Bytes, whole: Bytes) -> f64 {
    if whole == Bytes::ZERO { 0.0 } else { part.0 as f64 * 100.0 / whole.0 as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use crate::sampling::{HeapMemory, Limit, LimitOrigin, ProcessMemory, ProgramMemory, RuntimeHeap};

    fn reading(age: Duration, cpu: Duration) -> Reading {
        Reading {
            now: Now { age, ..Now::default() },
            cpu,
            process: Some(ProcessMemory { rss: Bytes::from_mb(150), ..ProcessMemory::default() }),
            heap: Some(HeapMemory {
                allocated: Bytes::from_mb(90),
                active: Bytes::from_mb(100),
                resident: Bytes::from_mb(120),
                ..HeapMemory::default()
            }),
            limit: Limit { bytes: Bytes::from_mb(512), origin: LimitOrigin::Configured },
            ..Reading::default()
        }
    }

    #[test]
    fn the_message_is_one_sentence() {
        let reading = reading(Duration::ZERO, Duration::ZERO);
        assert_eq!(
            MemorySummary { reading: &reading, pressure: Pressure::Calm }.to_string(),
            "150.0 MB of 512.0 MB (29.3 %), rss 150.0 MB, heap 90.0 MB in 100.0 MB, external 30.0 MB, calm"
        );
    }

    #[test]
    fn what_is_not_known_of_the_heap_is_left_out() {
        let program = ProgramMemory {
            tree: Bytes::from_mb(150),
            judged: Bytes::from_mb(150),
            processes: 1,
            heap: Some(RuntimeHeap { total: Some(Bytes::from_mb(129)), ..RuntimeHeap::default() }),
            managed: None,
        };
        let reading = Reading { program: Some(program), ..reading(Duration::ZERO, Duration::ZERO) };
        let text = MemorySummary { reading: &reading, pressure: Pressure::Calm }.to_string();
        assert!(text.contains(", heap used unknown, 129.0 MB total, external"), "{text}");
    }

    #[test]
    fn lines_are_one_interval_apart() {
        let mut line = MemoryLog::every(Duration::from_secs(30));
        let written: Vec<u64> = (0..100)
            .filter(|second| {
                let before = line.due;
                line.write_if_due(&reading(Duration::from_secs(*second), Duration::ZERO), Pressure::Calm);
                line.due != before
            })
            .collect();
        assert_eq!(written, [0, 30, 60, 90]);
    }

    #[test]
    fn cores_are_cpu_time_per_elapsed_time() {
        let at = |age, cpu| reading(Duration::from_secs(age), Duration::from_millis(cpu));
        // from (age s, cpu ms), to (age s, cpu ms), cores
        let cases = [((0, 0), (10, 5000), 0.5), ((0, 0), (10, 20_000), 2.0), ((5, 100), (5, 100), 0.0)];
        for (from, to, cores) in cases {
            let used = cores_used(&at(from.0, from.1), &at(to.0, to.1));
            assert!((used - cores).abs() < 1e-9, "{from:?} to {to:?}: {used}");
        }
    }
}
