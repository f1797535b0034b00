//! The quota that the hub uses: counted while it works, and added to the day's sum with every tick.

use std::cell::Cell;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use worker::console_error;

use super::store_handle::StoreHandle;
use crate::domain::quota::{QuotaCost, QuotaUsage, Quotas, ReaderCost};
use crate::hub_api::MAX_QUESTION_ROWS;
use crate::store::Store;

/// What was used since the last tick, and the day's sum up to it.
#[derive(Debug)]
pub(super) struct QuotaMeter {
    store: StoreHandle,
    quotas: Option<Quotas>,
    hub_count: Cell<usize>,
    requests: Cell<u64>,
    readers: Cell<ReaderCost>,
    subrequests: Cell<u64>,
    alarms: Cell<u64>,
    active: Cell<Duration>,
    usage: Cell<QuotaUsage>,
}

impl QuotaMeter {
    /// Creates a meter at zero. Without `quotas` there is no limit.
    pub(super) fn new(store: StoreHandle, quotas: Option<Quotas>) -> Self {
        QuotaMeter {
            store,
            quotas,
            hub_count: Cell::new(1),
            requests: Cell::default(),
            readers: Cell::default(),
            subrequests: Cell::default(),
            alarms: Cell::default(),
            active: Cell::default(),
            usage: Cell::default(),
        }
    }

    /// Counts an incoming request or alarm.
    pub(super) fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// Answers a reader's question by `answer` at `now`, and counts what it costs. `None`: readers have used their part of the quota.
    pub(super) fn answer_reader<T>(&self, now: UnixMillis, answer: impl FnOnce() -> T) -> Option<T> {
        let mut readers = self.readers.get();
        readers.requests += 1;
        self.readers.set(readers);
        let share = self.quotas.map(|quotas| quotas.divided_by(self.hub_count.get()));
        if share.is_some_and(|share| self.usage().is_closed_for_readers(readers, now, share)) {
            return None;
        }
        let before = self.rows_read();
        let answered = answer();
        let rows_read = self.rows_read().saturating_sub(before);
        if rows_read > MAX_QUESTION_ROWS {
            console_error!("a question read {rows_read} rows, more than {MAX_QUESTION_ROWS}");
        }
        readers.rows_read += rows_read;
        self.readers.set(readers);
        Some(answered)
    }

    fn rows_read(&self) -> u64 {
        self.store.opened().map(Store::rows_read).unwrap_or_default()
    }

    /// Counts outgoing requests.
    pub(super) fn count_subrequests(&self, requests: u64) {
        self.subrequests.set(self.subrequests.get() + requests);
    }

    /// Counts time in which this object, or one in a region that works for it, was active.
    pub(super) fn count_active(&self, time: Duration) {
        self.active.set(self.active.get() + time);
    }

    /// Counts an alarm that was scheduled, which writes a row.
    pub(super) fn count_alarm(&self) {
        self.alarms.set(self.alarms.get() + 1);
    }

    /// Returns the day's sum up to the last tick.
    pub(super) fn usage(&self) -> QuotaUsage {
        self.usage.get()
    }

    /// Returns the shortest interval of probes that the quota allows at present.
    pub(super) fn min_interval(&self) -> Duration {
        self.usage().min_interval()
    }

    /// Sets the day's sum after a tick is stored.
    pub(super) fn set_usage(&self, usage: QuotaUsage) {
        self.usage.set(usage);
    }

    /// Returns the day's sum including the tick of `at`, and the interval that the quota allows. Each of `hub_count` hubs has an
    /// equal share of the quota. `last` is the tick before.
    pub(super) fn add_tick(
        &self,
        at: UnixMillis,
        received: UnixMillis,
        last: Option<UnixMillis>,
        hub_count: usize,
    ) -> QuotaUsage {
        self.hub_count.set(hub_count);
        let mut usage = self.usage();
        usage.record_tick(at, received, last, self.take_spent());
        if let Some(quotas) = self.quotas {
            usage.throttle(at, quotas.divided_by(hub_count));
        }
        usage
    }

    fn take_spent(&self) -> QuotaCost {
        let (rows_read, rows_written) = self.store.opened().map(Store::take_row_counts).unwrap_or_default();
        QuotaCost {
            requests: self.requests.take(),
            readers: self.readers.take(),
            rows_read,
            rows_written: rows_written + self.alarms.take(),
            subrequests: self.subrequests.take(),
            active_ms: u64::try_from(self.active.take().as_millis()).unwrap_or(u64::MAX),
        }
    }
}
