//! Lateness of the async runtime.
//!
//! A handler that blocks its thread delays all tasks of that thread, and no figure of the kernel shows it. So a probe task sleeps a
//! quarter of a second at a time and records how late it was woken. In a wedged runtime the task does not run at all; then the
//! sampler, which has a thread of its own, notices that the wakeup is overdue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two wakeups of the probe, so that a longer block is not missed. One wakeup per second of an idle runtime costs about
/// 0.017 % of a core (measured on two virtual cores; more than a reading of memory), so it is not shorter.
const PROBE_INTERVAL: Duration = Duration::from_millis(250);

/// Length of the window of the worst lateness.
const WINDOW: Duration = Duration::from_secs(60);

/// No wakeup is due.
const NEVER: u64 = u64::MAX;

/// State that the probe task and the sampler share. Times are microseconds since `made`.
#[derive(Debug)]
pub(crate) struct RuntimeProbe {
    made: Instant,
    /// When the next wakeup is due.
    due: AtomicU64,
    /// Worst lateness since it was taken last.
    late: AtomicU64,
}

/// The probe task; dropping it stops the task.
#[derive(Debug)]
pub(crate) struct ProbeTask {
    probe: Arc<RuntimeProbe>,
    task: tokio::task::JoinHandle<()>,
}

impl Default for RuntimeProbe {
    fn default() -> Self {
        RuntimeProbe { made: Instant::now(), due: AtomicU64::new(NEVER), late: AtomicU64::new(0) }
    }
}

impl RuntimeProbe {
    /// Starts the probe task in the current runtime.
    pub(crate) fn start(self: &Arc<Self>) -> ProbeTask {
        let probe = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                let due = Instant::now() + PROBE_INTERVAL;
                probe.due.store(probe.micros(due), Ordering::Relaxed);
                tokio::time::sleep_until(due.into()).await;
                let late = Instant::now().saturating_duration_since(due);
                probe.late.fetch_max(micros(late), Ordering::Relaxed);
            }
        });
        ProbeTask { probe: Arc::clone(self), task }
    }

    /// Takes the worst lateness since the last call, counting an overdue wakeup; `None` if the probe is not running.
    fn take_lateness(&self, now: Instant) -> Option<Duration> {
        let due = self.due.load(Ordering::Relaxed);
        let late = self.late.swap(0, Ordering::Relaxed);
        if due == NEVER {
            return None;
        }
        Some(Duration::from_micros(late.max(self.micros(now).saturating_sub(due))))
    }

    fn micros(&self, at: Instant) -> u64 {
        micros(at.saturating_duration_since(self.made))
    }
}

impl Drop for ProbeTask {
    fn drop(&mut self) {
        self.task.abort();
        self.probe.due.store(NEVER, Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NEVER - 1)
}

/// The worst lateness of the last minute.
#[derive(Debug)]
pub(crate) struct Lateness {
    probe: Arc<RuntimeProbe>,
    worst: WorstLateness,
}

impl Lateness {
    pub(crate) fn new(probe: Arc<RuntimeProbe>) -> Self {
        Lateness { probe, worst: WorstLateness::default() }
    }

    /// Returns the worst lateness of the minute before `age`; `None` if the probe is not running.
    pub(crate) fn read(&mut self, age: Duration) -> Option<Duration> {
        let late = self.probe.take_lateness(Instant::now())?;
        Some(self.worst.push(age, late))
    }
}

/// A sliding maximum: a descending queue whose first value is the maximum.
#[derive(Debug, Default)]
struct WorstLateness(VecDeque<(Duration, Duration)>);

impl WorstLateness {
    fn push(&mut self, age: Duration, late: Duration) -> Duration {
        while self.0.front().is_some_and(|(at, _)| *at + WINDOW < age) {
            self.0.pop_front();
        }
        while self.0.back().is_some_and(|(_, lesser)| *lesser <= late) {
            self.0.pop_back();
        }
        self.0.push_back((age, late));
        self.0.front().map_or(late, |(_, worst)| *worst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_lateness_counts_for_a_minute() {
        let mut worst = WorstLateness::default();
        let mut push = |second: u64, millis: u64| {
            worst.push(Duration::from_secs(second), Duration::from_millis(millis)).as_millis()
        };
        let lateness = [(0, 3), (1, 900), (2, 5), (30, 40), (61, 1), (62, 1), (90, 2), (91, 2)];
        let worsts: Vec<u128> = lateness.iter().map(|(second, millis)| push(*second, *millis)).collect();
        assert_eq!(worsts, [3, 900, 900, 900, 900, 40, 40, 2]);
    }

    /// Uses a runtime with one thread, which a blocking task occupies.
    #[test]
    fn a_blocked_runtime_is_late_and_an_idle_one_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let probe = Arc::new(RuntimeProbe::default());
        assert_eq!(probe.take_lateness(Instant::now()), None, "the probe is not running yet");
        let probe_task = runtime.block_on(async { probe.start() });
        runtime.block_on(async { tokio::time::sleep(PROBE_INTERVAL * 2).await });
        // The runtime is not driven from here on, as if it were blocked.
        let asked = Instant::now() + Duration::from_secs(5);
        assert!(
            probe.take_lateness(asked).is_some_and(
                |late| late + PROBE_INTERVAL + Duration::from_millis(100) >= Duration::from_secs(5)
            ),
            "an overdue wakeup counts"
        );
        std::thread::park_timeout(PROBE_INTERVAL * 4);
        runtime.block_on(async { tokio::time::sleep(PROBE_INTERVAL).await });
        let late = probe.take_lateness(Instant::now()).unwrap();
        assert!(late >= PROBE_INTERVAL * 2, "the wakeup was late: {late:?}");
        drop(probe_task);
        assert_eq!(probe.take_lateness(Instant::now()), None);
    }
}
