//! What the hub costs: counted while it works, and summed up with every tick.

use std::cell::Cell;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::store_handle::StoreHandle;
use crate::domain::quota::{QuotaCost, QuotaUsage, Quotas};
use crate::store::Store;

/// What was spent since the last tick, and the day's sum up to it.
#[derive(Debug)]
pub(super) struct QuotaMeter {
    store: StoreHandle,
    quotas: Option<Quotas>,
    requests: Cell<u64>,
    subrequests: Cell<u64>,
    alarms: Cell<u64>,
    usage: Cell<QuotaUsage>,
}

impl QuotaMeter {
    /// Starts with nothing spent; without `quotas` nothing runs out.
    pub(super) fn new(store: StoreHandle, quotas: Option<Quotas>) -> Self {
        QuotaMeter {
            store,
            quotas,
            requests: Cell::default(),
            subrequests: Cell::default(),
            alarms: Cell::default(),
            usage: Cell::default(),
        }
    }

    /// Counts a request, or an alarm, that came in.
    pub(super) fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// Counts requests that the hub made.
    pub(super) fn count_subrequests(&self, requests: u64) {
        self.subrequests.set(self.subrequests.get() + requests);
    }

    /// Counts an alarm that was set, which writes a row.
    pub(super) fn count_alarm(&self) {
        self.alarms.set(self.alarms.get() + 1);
    }

    /// What the day has cost up to the last tick.
    pub(super) fn usage(&self) -> QuotaUsage {
        self.usage.get()
    }

    /// No monitor is probed more often than this at present.
    pub(super) fn interval_floor(&self) -> Duration {
        self.usage().interval_floor()
    }

    /// Takes over the sum of a tick that is stored.
    pub(super) fn set_usage(&self, usage: QuotaUsage) {
        self.usage.set(usage);
    }

    /// The day's sum with the tick of `at` in it, and the resolution that the day's quota allows; each of `hub_count` hubs has
    /// its share of the quota. `last` is the tick before.
    pub(super) fn add_tick(
        &self,
        at: UnixMillis,
        came: UnixMillis,
        last: Option<UnixMillis>,
        hub_count: usize,
    ) -> QuotaUsage {
        let mut usage = self.usage();
        usage.record_tick(at, came, last, self.take_spent());
        if let Some(quotas) = self.quotas {
            usage.throttle(at, quotas.divided_by(hub_count));
        }
        usage
    }

    fn take_spent(&self) -> QuotaCost {
        let (rows_read, rows_written) = self.store.get().map(Store::take_row_counts).unwrap_or_default();
        QuotaCost {
            requests: self.requests.take(),
            rows_read,
            rows_written: rows_written + self.alarms.take(),
            subrequests: self.subrequests.take(),
        }
    }
}
