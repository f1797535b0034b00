//! The packed probes of the present hour's ticks, in memory, so that a question about the present hour reads few rows.

use std::collections::VecDeque;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;

/// The most bytes that are kept: an hour of forty servers that report a sample a second. Servers that send noise fill it sooner; the rest
/// is read from the store.
const MAX_BYTES: usize = 4 * 1024 * 1024;

const HOUR_MS: i64 = 3_600_000;

/// The last ticks of the present hour.
#[derive(Debug, Default)]
pub(super) struct RecentTicks {
    /// The instants and the probes, oldest first.
    ticks: VecDeque<(UnixMillis, Rc<[u8]>)>,
    bytes: usize,
}

impl RecentTicks {
    /// Adds the newest tick. Those of an earlier hour, and the oldest beyond [`MAX_BYTES`], are left out.
    pub(super) fn push(&mut self, at: UnixMillis, probes: Rc<[u8]>) {
        let hour = at.0.div_euclid(HOUR_MS);
        self.bytes += probes.len();
        self.ticks.push_back((at, probes));
        while let Some((first, oldest)) = self.ticks.front()
            && (first.0.div_euclid(HOUR_MS) != hour || self.bytes > MAX_BYTES)
        {
            self.bytes -= oldest.len();
            self.ticks.pop_front();
        }
    }

    /// Discards all ticks.
    pub(super) fn clear(&mut self) {
        *self = RecentTicks::default();
    }

    /// Returns the ticks, oldest first.
    pub(super) fn list(&self) -> Vec<(UnixMillis, Rc<[u8]>)> {
        self.ticks.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_of_the_present_hour_are_kept_within_a_bound() {
        let mut recent = RecentTicks::default();
        let push = |recent: &mut RecentTicks, minute: i64, bytes: usize| {
            recent.push(UnixMillis(minute * 60_000), vec![0; bytes].into());
        };
        let minutes = |recent: &RecentTicks| -> Vec<i64> {
            recent.list().iter().map(|(at, _)| at.0 / 60_000).collect()
        };
        for minute in 57..62 {
            push(&mut recent, minute, 1000);
        }
        assert_eq!((minutes(&recent), recent.bytes), (vec![60, 61], 2000));
        push(&mut recent, 62, MAX_BYTES - 1500);
        assert_eq!(minutes(&recent), [61, 62]);
        push(&mut recent, 63, MAX_BYTES + 1);
        assert_eq!((minutes(&recent), recent.bytes), (vec![], 0), "it is read from the store");
        recent.clear();
        assert_eq!(minutes(&recent), [0; 0]);
    }
}
