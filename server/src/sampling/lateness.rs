//! How late a task of the async runtime runs.
//!
//! A handler that blocks its thread delays everybody who waits for it, and no figure of the kernel shows it. So a task
//! asks to be woken four times a second and notes how late that was. A runtime that is wedged does not get to note
//! anything; then the sampler, which has a thread of its own, sees that the note is overdue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two beats: a longer block cannot be missed. A wakeup of an idle runtime costs about 0.017 % of a core for each
/// time a second (measured on two virtual cores, more than the look at memory itself), so it is not more often.
const BEAT: Duration = Duration::from_millis(250);

/// How long the worst is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// No beat is expected.
const NEVER: u64 = u64::MAX;

/// What the beating task and the sampler share. Times are microseconds since it was made.
#[derive(Debug)]
pub(crate) struct RuntimeProbe {
    made: Instant,
    /// When the next beat is due.
    due: AtomicU64,
    /// The latest beat since the sampler last asked.
    late: AtomicU64,
}

/// Stops the beats when dropped.
#[derive(Debug)]
pub(crate) struct ProbeTask {
    pulse: Arc<RuntimeProbe>,
    task: tokio::task::JoinHandle<()>,
}

impl Default for RuntimeProbe {
    fn default() -> Self {
        RuntimeProbe { made: Instant::now(), due: AtomicU64::new(NEVER), late: AtomicU64::new(0) }
    }
}

impl RuntimeProbe {
    /// Beats in the runtime that this is called in, from now on.
    pub(crate) fn start(self: &Arc<Self>) -> ProbeTask {
        let pulse = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                let due = Instant::now() + BEAT;
                pulse.due.store(pulse.micros(due), Ordering::Relaxed);
                tokio::time::sleep_until(due.into()).await;
                let late = Instant::now().saturating_duration_since(due);
                pulse.late.fetch_max(micros(late), Ordering::Relaxed);
            }
        });
        ProbeTask { pulse: Arc::clone(self), task }
    }

    /// How late the latest beat since the last question was, or is by now; `None` where nothing beats.
    fn ask(&self, now: Instant) -> Option<Duration> {
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
        self.pulse.due.store(NEVER, Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(NEVER - 1)
}

/// The worst of the last minute, as the sampler sees it.
#[derive(Debug)]
pub(crate) struct Lateness {
    pulse: Arc<RuntimeProbe>,
    worst: WorstLateness,
}

impl Lateness {
    pub(crate) fn new(pulse: Arc<RuntimeProbe>) -> Self {
        Lateness { pulse, worst: WorstLateness::default() }
    }

    /// The worst of the last minute before `age`; `None` where nothing beats.
    pub(crate) fn read(&mut self, age: Duration) -> Option<Duration> {
        let late = self.pulse.ask(Instant::now())?;
        Some(self.worst.push(age, late))
    }
}

/// A sliding maximum: times that fall, so that the first is the answer.
#[derive(Debug, Default)]
struct WorstLateness(VecDeque<(Duration, Duration)>);

impl WorstLateness {
    fn push(&mut self, age: Duration, late: Duration) -> Duration {
        while self.0.front().is_some_and(|(at, _)| *at + REMEMBERED < age) {
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
    fn the_worst_is_remembered_for_a_minute() {
        let mut worst = WorstLateness::default();
        let mut told = |second: u64, millis: u64| {
            worst.push(Duration::from_secs(second), Duration::from_millis(millis)).as_millis()
        };
        let beats = [(0, 3), (1, 900), (2, 5), (30, 40), (61, 1), (62, 1), (90, 2), (91, 2)];
        let worsts: Vec<u128> = beats.iter().map(|(second, millis)| told(*second, *millis)).collect();
        assert_eq!(worsts, [3, 900, 900, 900, 900, 40, 40, 2]);
    }

    /// On a runtime of one thread, which a blocking task has to itself.
    #[test]
    fn a_blocked_runtime_is_late_and_an_idle_one_is_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let pulse = Arc::new(RuntimeProbe::default());
        assert_eq!(pulse.ask(Instant::now()), None, "nothing beats yet");
        let beating = runtime.block_on(async { pulse.start() });
        runtime.block_on(async { tokio::time::sleep(BEAT * 2).await });
        // Nobody drives the runtime from here on, as nobody would if it were blocked.
        let asked = Instant::now() + Duration::from_secs(5);
        assert!(
            pulse
                .ask(asked)
                .is_some_and(|late| late + BEAT + Duration::from_millis(100) >= Duration::from_secs(5)),
            "overdue without a beat"
        );
        std::thread::park_timeout(BEAT * 4);
        runtime.block_on(async { tokio::time::sleep(BEAT).await });
        let late = pulse.ask(Instant::now()).unwrap();
        assert!(late >= BEAT * 2, "the beat itself came late: {late:?}");
        drop(beating);
        assert_eq!(pulse.ask(Instant::now()), None);
    }
}
