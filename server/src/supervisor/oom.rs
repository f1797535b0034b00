//! OOM kills that the kernel counts, and to which exits they belong.
//!
//! The kernel counts a kill before it sends SIGKILL, but the process may need seconds to be gone: on a busy machine, freeing its
//! memory takes time. So the counter is read every second, each rise is kept for a while, and an exit uses up one kill.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, Instant};

use heapbeat_shared::exit::OomCount;

use crate::sampling::Cgroup;

/// How long after a kill was counted an exit may still be attributed to it.
const ATTRIBUTED_FOR: Duration = Duration::from_secs(10);

/// How long after a kill was counted it is not that of a whole instance, whose exit would have been seen.
const SETTLED_AFTER: Duration = Duration::from_millis(1500);

/// Reads the kernel's counter of OOM kills and attributes kills to exits.
#[derive(Debug)]
pub(super) struct OomWatch {
    cgroup: Option<Cgroup>,
    kills: UnattributedKills,
}

/// The kernel's counter of OOM kills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum KillCounter {
    /// No counter can be read.
    #[default]
    Unreadable,
    /// Kills in the control group of this process.
    Group(u64),
    /// Kills on the whole machine.
    Machine(u64),
}

impl OomWatch {
    /// Reads the counter for the first time: earlier kills belong to nobody.
    pub(super) fn new() -> Self {
        let mut watch = OomWatch { cgroup: Cgroup::of_this_process(), kills: UnattributedKills::default() };
        watch.kills.last = watch.read_counter();
        watch
    }

    /// Reads the counter; to be called every second.
    pub(super) fn poll(&mut self, now: Instant) {
        let counter = self.read_counter();
        self.kills.update(counter, now);
    }

    /// Returns the kills that were counted of late and belong to no exit yet, and attributes one of them to the exit that the
    /// caller investigates.
    pub(super) fn attribute_kill(&mut self, now: Instant) -> OomCount {
        self.poll(now);
        let kills = self.kills.attribute();
        match self.kills.last {
            KillCounter::Unreadable => OomCount::Unreadable,
            KillCounter::Group(_) => OomCount::Group(kills),
            KillCounter::Machine(_) => OomCount::Machine(kills),
        }
    }

    /// Whether the kernel has counted a kill of late, whoever it belongs to.
    pub(super) fn counted_lately(&self, now: Instant) -> bool {
        self.kills.last_rise.is_some_and(|at| now.saturating_duration_since(at) <= ATTRIBUTED_FOR)
    }

    /// Returns how long ago the oldest kill was counted that belongs to no exit, if that is at least [`SETTLED_AFTER`].
    pub(super) fn age_of_settled_kill(&self, now: Instant) -> Option<Duration> {
        let (at, _) = self.kills.recent.front()?;
        Some(now.saturating_duration_since(*at)).filter(|age| *age >= SETTLED_AFTER)
    }

    fn read_counter(&mut self) -> KillCounter {
        if let Some(killed) = self.cgroup.as_mut().and_then(Cgroup::own_oom_kills) {
            return KillCounter::Group(killed);
        }
        let vmstat = fs::read_to_string("/proc/vmstat").unwrap_or_default();
        let killed = vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        killed.map_or(KillCounter::Unreadable, KillCounter::Machine)
    }
}

/// Kills that were counted and belong to no exit yet.
#[derive(Debug, Default)]
struct UnattributedKills {
    last: KillCounter,
    /// When a rise of the counter was read, and how many kills of it are left; oldest first.
    recent: VecDeque<(Instant, u64)>,
    /// When the counter rose last.
    last_rise: Option<Instant>,
}

impl UnattributedKills {
    fn update(&mut self, counter: KillCounter, now: Instant) {
        let rise = match (self.last, counter) {
            (KillCounter::Group(before), KillCounter::Group(after))
            | (KillCounter::Machine(before), KillCounter::Machine(after)) => after.saturating_sub(before),
            _ => 0,
        };
        self.last = counter;
        self.recent.retain(|(at, _)| now.saturating_duration_since(*at) <= ATTRIBUTED_FOR);
        if rise > 0 {
            self.last_rise = Some(now);
            self.recent.push_back((now, rise));
        }
    }

    /// Returns how many kills there are, and removes the oldest.
    fn attribute(&mut self) -> u64 {
        let kills = self.recent.iter().map(|(_, kills)| kills).sum();
        if let Some((_, kills)) = self.recent.front_mut() {
            *kills -= 1;
            if *kills == 0 {
                self.recent.pop_front();
            }
        }
        kills
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, readings as second, counter, and whether a worker exits then; the kills that each exit finds.
    type Case<'a> = (&'a str, &'a [(u64, u64, bool)], &'a [u64]);

    /// Plays counter readings at their seconds. Returns the kills that each exit found.
    fn attributed(readings: &[(u64, u64, bool)]) -> Vec<u64> {
        let start = Instant::now();
        let mut kills = UnattributedKills { last: KillCounter::Group(7), ..UnattributedKills::default() };
        let mut found = Vec::new();
        for (second, counter, exit) in readings {
            kills.update(KillCounter::Group(*counter), start + Duration::from_secs(*second));
            if *exit {
                found.push(kills.attribute());
            }
        }
        found
    }

    #[test]
    fn each_kill_belongs_to_one_exit() {
        let cases: [Case<'_>; 7] = [
            ("counted at the exit", &[(1, 7, false), (2, 8, true)], &[1]),
            ("read seconds before a slow exit", &[(1, 8, false), (2, 8, false), (5, 8, true)], &[1]),
            ("an exit without a kill", &[(1, 7, true)], &[0]),
            ("a second kill a moment later", &[(1, 8, true), (2, 8, false), (2, 9, true)], &[1, 1]),
            ("an exit without a kill, after one with it", &[(1, 8, true), (2, 8, true)], &[1, 0]),
            ("two kills at once", &[(1, 9, true), (1, 9, true), (2, 9, true)], &[2, 1, 0]),
            ("a kill of long ago", &[(1, 8, false), (12, 8, true)], &[0]),
        ];
        for (name, readings, expected) in cases {
            assert_eq!(attributed(readings), expected, "{name}");
        }
    }

    #[test]
    fn another_counter_starts_anew() {
        let now = Instant::now();
        let mut kills = UnattributedKills { last: KillCounter::Group(7), ..UnattributedKills::default() };
        kills.update(KillCounter::Machine(90), now);
        kills.update(KillCounter::Unreadable, now);
        kills.update(KillCounter::Machine(95), now);
        assert_eq!(kills.attribute(), 0);
        kills.update(KillCounter::Machine(96), now);
        assert_eq!(kills.attribute(), 1);
    }

    #[test]
    fn a_kill_that_an_exit_has_used_up_was_counted_all_the_same() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let kills = UnattributedKills { last: KillCounter::Group(7), ..UnattributedKills::default() };
        let mut watch = OomWatch { cgroup: None, kills };
        assert!(!watch.counted_lately(start));
        watch.kills.update(KillCounter::Group(8), start);
        assert_eq!(watch.kills.attribute(), 1);
        assert!(watch.counted_lately(start + 10 * second) && !watch.counted_lately(start + 11 * second));
    }
}
