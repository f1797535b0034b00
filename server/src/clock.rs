//! The only module that reads a clock; all others get the time as an argument.
//!
//! There are two clocks: wall time, which can jump, tells when something happened; the age of the process, which cannot jump, tells how
//! long something has lasted.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heapbeat_shared::UnixMillis;
use rustix::time::{ClockId, clock_gettime};

/// Wall time and the age of the process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

/// One reading of a [`Clock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall time.
    pub wall: UnixMillis,
    /// Time since the process started.
    pub age: Duration,
}

impl Clock {
    /// Creates the clock of this process. Its start time comes from the kernel, or is now if the kernel does not tell.
    pub fn of_this_process() -> Self {
        let now = Instant::now();
        Clock { started: age_by_the_kernel().and_then(|age| now.checked_sub(age)).unwrap_or(now) }
    }

    /// Creates the clock of a process that started at this instant.
    pub(crate) fn since(started: Instant) -> Self {
        Clock { started }
    }

    /// Returns the current time.
    pub fn now(&self) -> Now {
        Now { wall: wall(), age: self.started.elapsed() }
    }
}

/// Returns wall time; a clock before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the rim where the clock is read")]
fn wall() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns the CPU time of this process, all threads together.
pub fn process_cpu() -> Duration {
    duration(ClockId::ProcessCPUTime)
}

/// Returns the CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    duration(ClockId::ThreadCPUTime)
}

fn duration(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// Returns the age of this process: boot time now minus boot time at start, which is in `/proc/self/stat` in clock ticks (proc(5),
/// field 22).
#[cfg(target_os = "linux")]
fn age_by_the_kernel() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = start_ticks(&stat)?;
    let per_second = rustix::param::clock_ticks_per_second();
    let started = Duration::from_secs(ticks / per_second)
        + Duration::from_nanos(ticks % per_second * 1_000_000_000 / per_second);
    duration(ClockId::Boottime).checked_sub(started)
}

#[cfg(not(target_os = "linux"))]
fn age_by_the_kernel() -> Option<Duration> {
    None
}

/// Returns field 22 of `/proc/<pid>/stat`. The second field is the program's name in parentheses and may contain any text.
#[cfg(any(test, target_os = "linux"))]
fn start_ticks(stat: &str) -> Option<u64> {
    const FIELD: usize = 22;
    const FIRST_AFTER_NAME: usize = 3;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(FIELD - FIRST_AFTER_NAME)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        for name in ["heapbeat", "a b", "a) (b", ""] {
            assert_eq!(start_ticks(&format!("77 ({name}) {rest}")), Some(4242), "{name:?}");
        }
        assert_eq!(start_ticks("77 (x) S 1 2"), None);
        assert_eq!(start_ticks(""), None);
    }

    #[test]
    fn the_process_began_before_its_clock_was_made() {
        let clock = Clock::of_this_process();
        let now = clock.now();
        assert!(now.age < Duration::from_secs(3600), "a test does not run for an hour: {:?}", now.age);
        assert!(now.wall > UnixMillis(1_700_000_000_000), "{:?}", now.wall);
        assert!(clock.now().age >= now.age);
    }
}
