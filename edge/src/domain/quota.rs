//! What a day has cost of the plan's quotas, and throttling so that it stays within them.
//!
//! Throttling probes less often; results stay accurate. If the day's quota would not last, monitors are probed less often, each
//! result is valid for longer, and the status says so. The edge stays throttled until the day ends at midnight UTC, as the quotas
//! do: an interval that changes with every tick would be hard to read. The number of missed ticks, and how late ticks came, are
//! recorded as well.
//!
//! What strangers ask never lowers what is watched: readers of pages and of the public API have a share of the requests and of the rows
//! read ([`READER_PERCENT`]) and are refused beyond it, and throttling considers only the rest.

use std::time::Duration;

use heapbeat_shared::{Statement, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::check::schedule::TICK;

const DAY: Duration = Duration::from_secs(86_400);

/// A tick that is later than this has the clock of a test.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(15 * 60);

/// The share of the requests and of the rows read that readers may use, in percent.
pub const READER_PERCENT: u64 = 25;

/// The daily quotas of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Requests to Durable Objects, alarms included.
    pub requests: u64,
    /// Rows that SQLite may read.
    pub rows_read: u64,
    /// Rows that SQLite may write.
    pub rows_written: u64,
}

impl Quotas {
    /// Returns the share of each of `hub_count` hubs.
    #[must_use]
    pub fn divided_by(self, hub_count: usize) -> Quotas {
        let hubs = u64::try_from(hub_count).unwrap_or(u64::MAX).max(1);
        let Quotas { requests, rows_read, rows_written } = self;
        Quotas { requests: requests / hubs, rows_read: rows_read / hubs, rows_written: rows_written / hubs }
    }
}

impl Quotas {
    /// Returns the part that readers may use. They write no rows.
    #[must_use]
    pub fn for_readers(self) -> Quotas {
        let part = |whole: u64| whole * READER_PERCENT / 100;
        Quotas { requests: part(self.requests), rows_read: part(self.rows_read), rows_written: 0 }
    }

    /// Returns the part that is left for ticks, jobs and the owner.
    #[must_use]
    pub fn for_monitoring(self) -> Quotas {
        let readers = self.for_readers();
        Quotas {
            requests: self.requests - readers.requests,
            rows_read: self.rows_read - readers.rows_read,
            rows_written: self.rows_written,
        }
    }
}

/// The quotas of Cloudflare's free plan, November 2026.
pub const FREE_PLAN: Quotas = Quotas { requests: 100_000, rows_read: 5_000_000, rows_written: 100_000 };

/// What a day has cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct QuotaUsage {
    /// The day, as days since 1970.
    #[n(0)]
    pub day: i64,
    /// Requests to the hub: ticks, alarms, and requests of the public and the owner.
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
    /// The most requests that one tick made.
    #[n(5)]
    pub busiest: u64,
    /// Ticks.
    #[n(6)]
    pub ticks: u64,
    /// Minutes whose tick did not come.
    #[n(7)]
    pub missed: u64,
    /// The greatest delay of a tick, in milliseconds.
    #[n(8)]
    pub max_delay_ms: u64,
    /// The throttle level: an index of [`INTERVAL_FLOORS`].
    #[n(9)]
    pub throttle_level: u64,
    /// Those of the requests that came from readers, refused ones included.
    #[n(10)]
    #[cbor(default)]
    pub reader_requests: u64,
    /// Those of the rows that were read for readers.
    #[n(11)]
    #[cbor(default)]
    pub reader_rows_read: u64,
}

/// What was spent since the last tick.
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
    /// What of it readers caused.
    pub readers: ReaderCost,
}

/// What readers cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderCost {
    /// Requests to the hub.
    pub requests: u64,
    /// Rows read.
    pub rows_read: u64,
}

/// The shortest interval of any monitor at each throttle level.
pub const INTERVAL_FLOORS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(900)];

impl QuotaUsage {
    /// Records a tick that was scheduled for `at` and received at `received`, and the cost since the tick before it, at `last`.
    pub fn record_tick(
        &mut self,
        at: UnixMillis,
        received: UnixMillis,
        last: Option<UnixMillis>,
        cost: QuotaCost,
    ) {
        let day = at.0.div_euclid(i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX));
        if day != self.day {
            *self = QuotaUsage { day, ..QuotaUsage::default() };
        }
        self.requests += cost.requests;
        self.rows_read += cost.rows_read;
        self.rows_written += cost.rows_written;
        self.subrequests += cost.subrequests;
        self.reader_requests += cost.readers.requests;
        self.reader_rows_read += cost.readers.rows_read;
        self.busiest = self.busiest.max(cost.subrequests);
        self.ticks += 1;
        // A tick that comes up to half a minute late is the next one, so none was missed.
        let gap = last.map_or(Duration::ZERO, |last| at.since(last));
        self.missed += ((gap + TICK / 2).as_secs() / TICK.as_secs()).saturating_sub(1);
        let late = received.since(at);
        if late < MAX_CLOCK_DIFFERENCE {
            self.max_delay_ms = self.max_delay_ms.max(u64::try_from(late.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Returns the largest share of any quota that monitoring has used of its part, in thousandths.
    pub fn used_share(&self, quotas: Quotas) -> u64 {
        let quotas = quotas.for_monitoring();
        let shares = [
            (self.requests.saturating_sub(self.reader_requests), quotas.requests),
            (self.rows_read.saturating_sub(self.reader_rows_read), quotas.rows_read),
            (self.rows_written, quotas.rows_written),
        ];
        shares.into_iter().map(|(used, of)| used.saturating_mul(1000) / of.max(1)).max().unwrap_or_default()
    }

    /// Raises the throttle level if the day would exceed `quotas` at this pace: to a minute once half is used and all of it would
    /// be, to five minutes at nine tenths, to a quarter of an hour at 97 %.
    pub fn throttle(&mut self, at: UnixMillis, quotas: Quotas) {
        let share = self.used_share(quotas);
        let length = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let elapsed = u64::try_from(at.0.rem_euclid(length)).unwrap_or_default().max(1);
        let at_the_end = share.saturating_mul(length.unsigned_abs()) / elapsed;
        let level = match share {
            970.. => 3,
            900.. => 2,
            500.. if at_the_end > 1000 => 1,
            _ => 0,
        };
        self.throttle_level = self.throttle_level.max(level);
    }

    /// Whether readers have used their part of `quotas`, with what they cost since the last tick.
    pub fn is_closed_for_readers(&self, since: ReaderCost, quotas: Quotas) -> bool {
        let quotas = quotas.for_readers();
        self.reader_requests + since.requests >= quotas.requests
            || self.reader_rows_read + since.rows_read >= quotas.rows_read
    }

    /// The shortest interval at which any monitor is probed.
    pub fn min_interval(&self) -> Duration {
        usize::try_from(self.throttle_level)
            .ok()
            .and_then(|level| INTERVAL_FLOORS.get(level))
            .copied()
            .unwrap_or_default()
    }

    /// The public notice while the edge is throttled; `None` otherwise.
    pub fn throttle_notice(&self) -> Option<Statement> {
        let minutes = self.min_interval().as_secs() / 60;
        (minutes > 0).then(|| Statement::interval_raised(minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const NOON: i64 = 12 * 60 * MINUTE;

    fn cost(rows_written: u64) -> QuotaCost {
        let readers = ReaderCost::default();
        QuotaCost { requests: 1, rows_read: 2, rows_written, subrequests: 3, readers }
    }

    #[test]
    fn a_day_is_counted_and_the_next_begins_at_zero() {
        let mut usage = QuotaUsage::default();
        let mut last = None;
        for minute in 0..1440 + 10 {
            let at = UnixMillis(minute * MINUTE);
            if minute == 1439 {
                assert_eq!((usage.requests, usage.rows_written, usage.ticks), (1439, 2 * 1439, 1439));
            }
            usage.record_tick(at, at, last, cost(2));
            last = Some(at);
        }
        assert_eq!((usage.day, usage.requests, usage.subrequests, usage.busiest), (1, 10, 30, 3));
        assert_eq!((usage.missed, usage.max_delay_ms), (0, 0));
    }

    #[test]
    fn missed_and_late_ticks_are_counted() {
        // (seconds since the last tick, missed)
        for (gap, missed) in [(60, 0), (5, 0), (89, 0), (90, 1), (120, 1), (600, 9)] {
            let mut usage = QuotaUsage::default();
            let at = UnixMillis(10_000_000);
            usage.record_tick(
                at,
                UnixMillis(at.0 + 1500),
                Some(UnixMillis(at.0 - gap * 1000)),
                QuotaCost::default(),
            );
            assert_eq!((usage.missed, usage.max_delay_ms), (missed, 1500), "{gap}");
        }
        let mut usage = QuotaUsage::default();
        usage.record_tick(UnixMillis(0), UnixMillis(i64::MAX / 2), None, QuotaCost::default());
        assert_eq!(usage.max_delay_ms, 0, "a test's clock");
    }

    #[test]
    fn the_edge_is_throttled_if_the_quota_would_not_last() {
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
            usage.throttle(UnixMillis(at), FREE_PLAN);
            assert_eq!(usage.min_interval().as_secs(), floor, "{name}");
            assert_eq!(usage.throttle_notice().is_some(), floor > 0, "{name}");
        }
    }

    /// Every quota, at any pace: the day ends within it, with what a pace of a quarter of an hour costs to spare.
    #[test]
    fn no_pace_spends_more_than_the_day_has() {
        for rows in [1, 7, 40, 400] {
            let (mut usage, mut last, mut probed) = (QuotaUsage::default(), None, i64::MIN / 2);
            for second in (0..86_400).step_by(5) {
                let at = UnixMillis(second * 1000);
                let floor = i64::try_from(usage.min_interval().as_millis()).unwrap();
                if at.0 - probed < floor {
                    continue;
                }
                probed = at.0;
                usage.record_tick(at, at, last, cost(rows));
                usage.throttle(at, FREE_PLAN);
                last = Some(at);
            }
            let most = FREE_PLAN.rows_written + rows * 96;
            assert!(usage.rows_written <= most, "{rows} rows a tick: {usage:?}");
        }
    }

    /// A day of 300 requests a minute from each of 50 addresses, of which one in a hundred reaches the hub and reads a ring of ticks: the
    /// readers are refused once their part is used, and no monitor is probed later for that.
    #[test]
    fn readers_never_lower_what_is_watched() {
        for rows_of_a_question in [1, 100, 5000] {
            let (mut usage, mut answered) = (QuotaUsage::default(), 0);
            for minute in 0..1440 {
                let at = UnixMillis(minute * MINUTE);
                let mut readers = ReaderCost::default();
                for _ in 0..150 {
                    if usage.is_closed_for_readers(readers, FREE_PLAN) {
                        // Each of fifty isolates of the Worker asks the hub, and then not for five minutes.
                        readers.requests += if minute % 5 == 0 { 50 } else { 0 };
                        break;
                    }
                    readers.requests += 1;
                    readers.rows_read += rows_of_a_question;
                    answered += 1;
                }
                let (requests, rows_read) = (1 + readers.requests, 20 + readers.rows_read);
                let cost = QuotaCost { requests, rows_read, rows_written: 1, subrequests: 40, readers };
                let last = Some(at.minus(TICK)).filter(|_| minute > 0);
                usage.record_tick(at, at, last, cost);
                usage.throttle(at, FREE_PLAN);
                assert_eq!(usage.min_interval(), Duration::ZERO, "minute {minute}: {usage:?}");
            }
            assert!(answered >= 250, "{answered} questions of {rows_of_a_question} rows");
            assert!(
                usage.requests < FREE_PLAN.requests && usage.rows_read < FREE_PLAN.rows_read,
                "{usage:?}"
            );
        }
    }

    #[test]
    fn the_parts_of_readers_and_of_monitoring_are_the_whole() {
        let (readers, monitoring) = (FREE_PLAN.for_readers(), FREE_PLAN.for_monitoring());
        assert_eq!((readers.requests, readers.rows_read, readers.rows_written), (25_000, 1_250_000, 0));
        assert_eq!(readers.requests + monitoring.requests, FREE_PLAN.requests);
        assert_eq!(readers.rows_read + monitoring.rows_read, FREE_PLAN.rows_read);
        assert_eq!(monitoring.rows_written, FREE_PLAN.rows_written);
    }

    #[test]
    fn many_hubs_together_stay_within_the_quotas() {
        for hubs in [1, 25, 45] {
            let each = FREE_PLAN.divided_by(usize::try_from(hubs).unwrap());
            assert!(
                each.requests * hubs <= FREE_PLAN.requests
                    && each.rows_written * hubs <= FREE_PLAN.rows_written
            );
            assert!(each.for_monitoring().requests > 1440, "a tick a minute");
        }
        assert_eq!(FREE_PLAN.divided_by(0), FREE_PLAN);
    }

    #[test]
    fn the_edge_stays_throttled_for_the_day() {
        let mut usage = QuotaUsage { rows_written: 60_000, ..QuotaUsage::default() };
        usage.throttle(UnixMillis(NOON), FREE_PLAN);
        usage.throttle(UnixMillis(2 * NOON - 1), FREE_PLAN);
        assert_eq!(usage.min_interval(), Duration::from_secs(60));
        usage.record_tick(UnixMillis(2 * NOON), UnixMillis(2 * NOON), None, QuotaCost::default());
        assert_eq!(usage.min_interval(), Duration::ZERO);
    }
}
