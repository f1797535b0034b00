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
    /// How long objects may be active, in milliseconds.
    pub active_ms: u64,
}

impl Quotas {
    /// Returns the share of each of `hub_count` hubs.
    #[must_use]
    pub fn divided_by(self, hub_count: usize) -> Quotas {
        let hubs = u64::try_from(hub_count).unwrap_or(u64::MAX).max(1);
        let Quotas { requests, rows_read, rows_written, active_ms } = self;
        Quotas {
            requests: requests / hubs,
            rows_read: rows_read / hubs,
            rows_written: rows_written / hubs,
            active_ms: active_ms / hubs,
        }
    }
}

impl Quotas {
    /// Returns the part that readers may use. They write no rows, and the hub waits for nothing while it answers them.
    #[must_use]
    pub fn for_readers(self) -> Quotas {
        let part = |whole: u64| whole * READER_PERCENT / 100;
        Quotas {
            requests: part(self.requests),
            rows_read: part(self.rows_read),
            rows_written: 0,
            active_ms: 0,
        }
    }

    /// Returns the part that is left for ticks, jobs and the owner.
    #[must_use]
    pub fn for_monitoring(self) -> Quotas {
        let readers = self.for_readers();
        Quotas {
            requests: self.requests - readers.requests,
            rows_read: self.rows_read - readers.rows_read,
            rows_written: self.rows_written,
            active_ms: self.active_ms,
        }
    }
}

/// The quotas of Cloudflare's free plan, November 2026. An object counts as 128 MB while it is active, so 13,000 GB-s are 101,562 s.
pub const FREE_PLAN: Quotas = Quotas {
    requests: 100_000,
    rows_read: 5_000_000,
    rows_written: 100_000,
    active_ms: 13_000_000_000 / 128,
};

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
    /// How long the hub was active, with what it had active in regions, in milliseconds: nearly all of it waiting for targets.
    #[n(12)]
    #[cbor(default)]
    pub active_ms: u64,
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
    /// How long the hub was active, in milliseconds.
    pub active_ms: u64,
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
        self.active_ms += cost.active_ms;
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
            (self.active_ms, quotas.active_ms),
        ];
        shares.into_iter().map(|(used, of)| used.saturating_mul(1000) / of.max(1)).max().unwrap_or_default()
    }

    /// Raises the throttle level if the day would exceed `quotas` at this pace: to a minute once half is used and all of it would
    /// be, to five minutes at nine tenths, to a quarter of an hour at 97 %, or as soon as the hub could not wait for its targets any more at
    /// the end of the day otherwise.
    pub fn throttle(&mut self, at: UnixMillis, quotas: Quotas) {
        let share = self.used_share(quotas);
        let length = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let elapsed = u64::try_from(at.0.rem_euclid(length)).unwrap_or_default().max(1);
        let at_the_end = share.saturating_mul(length.unsigned_abs()) / elapsed;
        let level = match share {
            970.. => 3,
            500.. if self.has_time_for_few_probes(length.unsigned_abs() - elapsed, quotas) => 3,
            900.. => 2,
            500.. if at_the_end > 1000 => 1,
            _ => 0,
        };
        self.throttle_level = self.throttle_level.max(level);
    }

    /// Whether the time that the hub may still be active only just suffices for a probe of all targets every quarter of an hour during the
    /// rest of the day, in milliseconds, if each takes as long as the ticks so far did.
    fn has_time_for_few_probes(&self, rest: u64, quotas: Quotas) -> bool {
        let [.., longest] = INTERVAL_FLOORS;
        let probes = rest / u64::try_from(longest.as_millis()).unwrap_or(u64::MAX) + 1;
        let of_a_tick = self.active_ms.checked_div(self.ticks).unwrap_or_default();
        of_a_tick > 0 && quotas.active_ms.saturating_sub(self.active_ms) <= of_a_tick.saturating_mul(probes)
    }

    /// Whether readers have used what they may use of `quotas` up to `now`, with what they cost since the last tick. A quarter of their
    /// part is theirs at midnight, and the rest comes evenly over the day: who asks too much closes the hub for minutes and not for the
    /// day.
    pub fn is_closed_for_readers(&self, since: ReaderCost, now: UnixMillis, quotas: Quotas) -> bool {
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let elapsed = u64::try_from(now.0.rem_euclid(day)).unwrap_or_default();
        let allowed = |part: u64| part / 4 + (part - part / 4) * elapsed / day.unsigned_abs();
        let (mut requests, mut rows_read) = (since.requests, since.rows_read);
        if now.0.div_euclid(day) <= self.day {
            requests += self.reader_requests;
            rows_read += self.reader_rows_read;
        }
        let quotas = quotas.for_readers();
        requests >= allowed(quotas.requests) || rows_read >= allowed(quotas.rows_read)
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
mod tests;
