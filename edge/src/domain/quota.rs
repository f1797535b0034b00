//! What a day has cost, and how closely to look so that it stays within what the plan gives.
//!
//! Truth is never lowered, resolution is: where the day's quota would not last, monitors are probed less often, each probe
//! vouches for longer, and the status says so. Once lowered it stays so until the day ends (at midnight UTC, as the quotas
//! do): a pace that changes with every tick would be hard to read. It also keeps the edge's own cadence: ticks that did not
//! come, and how late they were.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::check::schedule::TICK;

const DAY: Duration = Duration::from_secs(86_400);

/// A tick that is later than this has another clock than we do: a test's.
const CLOCKS_APART: Duration = Duration::from_secs(15 * 60);

/// What a day gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Requests to Durable Objects, alarms included.
    pub requests: u64,
    /// Rows that SQLite reads.
    pub rows_read: u64,
    /// Rows that it writes.
    pub rows_written: u64,
}

impl Quotas {
    /// What each of so many hubs may spend.
    #[must_use]
    pub fn among(self, hubs: usize) -> Quotas {
        let hubs = u64::try_from(hubs).unwrap_or(u64::MAX).max(1);
        let Quotas { requests, rows_read, rows_written } = self;
        Quotas { requests: requests / hubs, rows_read: rows_read / hubs, rows_written: rows_written / hubs }
    }
}

/// Cloudflare's free plan, November 2026.
pub const FREE: Quotas = Quotas { requests: 100_000, rows_read: 5_000_000, rows_written: 100_000 };

/// What a day has cost up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct QuotaUsage {
    /// Days since 1970.
    #[n(0)]
    pub day: i64,
    /// Requests to the hub: ticks, alarms, and what the public and the owner asked.
    #[n(1)]
    pub requests: u64,
    /// Rows read.
    #[n(2)]
    pub rows_read: u64,
    /// Rows written.
    #[n(3)]
    pub rows_written: u64,
    /// Requests that the hub made.
    #[n(4)]
    pub subrequests: u64,
    /// The most that one tick made.
    #[n(5)]
    pub busiest: u64,
    /// Ticks.
    #[n(6)]
    pub ticks: u64,
    /// Minutes whose tick did not come.
    #[n(7)]
    pub missed: u64,
    /// How late the latest tick was, in milliseconds.
    #[n(8)]
    pub latest_ms: u64,
    /// How much the resolution was lowered: a place in [`FLOORS`].
    #[n(9)]
    pub lowered: u64,
}

/// What came since the last count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuotaCost {
    /// Requests to the hub.
    pub requests: u64,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written.
    pub rows_written: u64,
    /// Requests that the hub made.
    pub subrequests: u64,
}

/// No monitor is probed more often than this, by how much the resolution is lowered.
pub const FLOORS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(900)];

impl QuotaUsage {
    /// Counts a tick meant for `at` that came at `came`, and what was spent since the one before, at `last`.
    pub fn count(&mut self, at: UnixMillis, came: UnixMillis, last: Option<UnixMillis>, spent: QuotaCost) {
        let day = at.0.div_euclid(i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX));
        if day != self.day {
            *self = QuotaUsage { day, ..QuotaUsage::default() };
        }
        self.requests += spent.requests;
        self.rows_read += spent.rows_read;
        self.rows_written += spent.rows_written;
        self.subrequests += spent.subrequests;
        self.busiest = self.busiest.max(spent.subrequests);
        self.ticks += 1;
        // A tick that comes up to half a minute late is the next one, and nothing was missed.
        let gap = last.map_or(Duration::ZERO, |last| at.since(last));
        self.missed += ((gap + TICK / 2).as_secs() / TICK.as_secs()).saturating_sub(1);
        let late = came.since(at);
        if late < CLOCKS_APART {
            self.latest_ms = self.latest_ms.max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// The largest share of a quota that is used, in thousandths.
    pub fn share(&self, quotas: Quotas) -> u64 {
        let shares = [
            (self.requests, quotas.requests),
            (self.rows_read, quotas.rows_read),
            (self.rows_written, quotas.rows_written),
        ];
        shares.into_iter().map(|(used, of)| used.saturating_mul(1000) / of.max(1)).max().unwrap_or_default()
    }

    /// Lowers the resolution where the day would not end within `quotas` at this pace: to a minute once half is used and
    /// all of it would be; to five minutes at nine tenths, to a quarter of an hour when nearly nothing is left.
    pub fn govern(&mut self, at: UnixMillis, quotas: Quotas) {
        let share = self.share(quotas);
        let length = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let gone = u64::try_from(at.0.rem_euclid(length)).unwrap_or_default().max(1);
        let at_the_end = share.saturating_mul(length.unsigned_abs()) / gone;
        let level = match share {
            970.. => 3,
            900.. => 2,
            500.. if at_the_end > 1000 => 1,
            _ => 0,
        };
        self.lowered = self.lowered.max(level);
    }

    /// No monitor is probed more often than this.
    pub fn floor(&self) -> Duration {
        usize::try_from(self.lowered).ok().and_then(|level| FLOORS.get(level)).copied().unwrap_or_default()
    }

    /// The notice for the public while probes are throttled; `None` otherwise.
    pub fn notice(&self) -> Option<Statement> {
        let minutes = self.floor().as_secs() / 60;
        (minutes > 0).then(|| Statement::interval_raised(minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const NOON: i64 = 12 * 60 * MINUTE;

    fn spent(rows_written: u64) -> QuotaCost {
        QuotaCost { requests: 1, rows_read: 2, rows_written, subrequests: 3 }
    }

    #[test]
    fn a_day_is_counted_and_the_next_begins_at_nothing() {
        let mut usage = QuotaUsage::default();
        let mut last = None;
        for minute in 0..1440 + 10 {
            let at = UnixMillis(minute * MINUTE);
            if minute == 1439 {
                assert_eq!((usage.requests, usage.rows_written, usage.ticks), (1439, 2 * 1439, 1439));
            }
            usage.count(at, at, last, spent(2));
            last = Some(at);
        }
        assert_eq!((usage.day, usage.requests, usage.subrequests, usage.busiest), (1, 10, 30, 3));
        assert_eq!((usage.missed, usage.latest_ms), (0, 0));
    }

    #[test]
    fn the_edges_own_cadence() {
        // (seconds since the last tick, missed)
        for (gap, missed) in [(60, 0), (5, 0), (89, 0), (90, 1), (120, 1), (600, 9)] {
            let mut usage = QuotaUsage::default();
            let at = UnixMillis(10_000_000);
            usage.count(
                at,
                UnixMillis(at.0 + 1500),
                Some(UnixMillis(at.0 - gap * 1000)),
                QuotaCost::default(),
            );
            assert_eq!((usage.missed, usage.latest_ms), (missed, 1500), "{gap}");
        }
        let mut usage = QuotaUsage::default();
        usage.count(UnixMillis(0), UnixMillis(i64::MAX / 2), None, QuotaCost::default());
        assert_eq!(usage.latest_ms, 0, "a test's clock");
    }

    #[test]
    fn when_to_look_less_closely() {
        // (rows written, at, lowered to)
        let cases = [
            ("a quiet day", 1440, NOON, 0),
            ("half at noon is just the pace", 50_000, NOON, 0),
            ("more than half at noon", 50_200, NOON, 60),
            ("much, and the day is nearly over", 80_000, 2 * NOON - 120 * MINUTE, 0),
            ("much early, but not yet half", 49_000, 60 * MINUTE, 0),
            ("nine tenths", 90_000, 2 * NOON - MINUTE, 300),
            ("nearly all", 97_000, 2 * NOON - MINUTE, 900),
            ("more than all", 1_000_000, NOON, 900),
        ];
        for (name, rows, at, floor) in cases {
            let mut usage = QuotaUsage { rows_written: rows, ..QuotaUsage::default() };
            usage.govern(UnixMillis(at), FREE);
            assert_eq!(usage.floor().as_secs(), floor, "{name}");
            assert_eq!(usage.notice().is_some(), floor > 0, "{name}");
        }
    }

    /// Every quota, at any pace: the day ends within it, with what a pace of a quarter of an hour costs to spare.
    #[test]
    fn no_pace_spends_more_than_the_day_has() {
        for rows in [1, 7, 40, 400] {
            let (mut usage, mut last, mut probed) = (QuotaUsage::default(), None, i64::MIN / 2);
            for second in (0..86_400).step_by(5) {
                let at = UnixMillis(second * 1000);
                let floor = i64::try_from(usage.floor().as_millis()).unwrap();
                if at.0 - probed < floor {
                    continue;
                }
                probed = at.0;
                usage.count(at, at, last, spent(rows));
                usage.govern(at, FREE);
                last = Some(at);
            }
            let most = FREE.rows_written + rows * 96;
            assert!(usage.rows_written <= most, "{rows} rows a tick: {usage:?}");
        }
    }

    #[test]
    fn many_hubs_stay_within_it_together() {
        for hubs in [1, 25, 45] {
            let each = FREE.among(usize::try_from(hubs).unwrap());
            assert!(each.requests * hubs <= FREE.requests && each.rows_written * hubs <= FREE.rows_written);
            assert!(each.requests > 1440, "a tick a minute");
        }
        assert_eq!(FREE.among(0), FREE);
    }

    #[test]
    fn lowered_stays_lowered_for_the_day() {
        let mut usage = QuotaUsage { rows_written: 60_000, ..QuotaUsage::default() };
        usage.govern(UnixMillis(NOON), FREE);
        usage.govern(UnixMillis(2 * NOON - 1), FREE);
        assert_eq!(usage.floor(), Duration::from_secs(60));
        usage.count(UnixMillis(2 * NOON), UnixMillis(2 * NOON), None, QuotaCost::default());
        assert_eq!(usage.floor(), Duration::ZERO);
    }
}
