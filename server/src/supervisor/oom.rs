//! The kernel's counts of kills for want of memory, looked at every second, so that a kill that is found after a death
//! happened within the two seconds before it.

use std::fs;

use heapbeat_shared::exit::OomCount;

use crate::sampling::Cgroup;

/// The counters, and what they were of late.
#[derive(Debug)]
pub(super) struct OomWatch {
    cgroup: Option<Cgroup>,
    /// One to two looks ago. Not the last look: it may have come between a kill and the news of the death.
    before: Count,
    last: Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    None,
    Group(u64),
    Machine(u64),
}

impl OomWatch {
    pub(super) fn new() -> Self {
        let mut watch =
            OomWatch { cgroup: Cgroup::of_this_process(), before: Count::None, last: Count::None };
        watch.look();
        watch.look();
        watch
    }

    /// Remembers the count, every second.
    pub(super) fn look(&mut self) {
        self.before = self.last;
        self.last = self.count();
    }

    /// How much the count has risen of late; one kill of it is taken to be of whoever is asked for, and not counted again.
    pub(super) fn take(&mut self) -> OomCount {
        let now = self.count();
        match (&mut self.before, now) {
            (Count::Group(before), Count::Group(now)) => OomCount::Group(take_one(before, now)),
            (Count::Machine(before), Count::Machine(now)) => OomCount::Machine(take_one(before, now)),
            _ => OomCount::Unreadable,
        }
    }

    fn count(&mut self) -> Count {
        if let Some(killed) = self.cgroup.as_mut().and_then(Cgroup::own_oom_kills) {
            return Count::Group(killed);
        }
        let vmstat = fs::read_to_string("/proc/vmstat").unwrap_or_default();
        let killed = vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
        killed.map_or(Count::None, Count::Machine)
    }
}

fn take_one(before: &mut u64, now: u64) -> u64 {
    let rise = now.saturating_sub(*before);
    *before += rise.min(1);
    rise
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kill_is_told_of_once() {
        let mut before = 7;
        let taken = [9, 9, 9].map(|now| take_one(&mut before, now));
        assert_eq!((taken, before), ([2, 1, 0], 9));
    }
}
