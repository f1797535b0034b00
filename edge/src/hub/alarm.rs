//! Ticks between the cron's, by alarms, and what everything costs.
//!
//! The cron knows nothing finer than a minute. Where a monitor has a shorter interval an alarm ticks: it re-arms first and
//! works after, so that a failure in the work does not end the row of alarms; where one is lost nevertheless the next cron
//! tick arms it again. That a cron tick falls between alarms, or onto one, is harmless: the later one finds the
//! turn taken, or its instant booked.

use std::cell::Cell;

use heapbeat_shared::UnixMillis;
use worker::console_error;

use super::Hub;
use crate::domain::check::schedule;
use crate::domain::quota::{QuotaUsage, Spent};
use crate::probe::wall_clock;
use crate::store::Store;

/// What is counted while the hub works, and the day's sum.
#[derive(Debug, Default)]
pub(super) struct Counts {
    requests: Cell<u64>,
    subrequests: Cell<u64>,
    alarms: Cell<u64>,
    /// The day up to the last tick.
    pub(super) usage: Cell<QuotaUsage>,
}

impl Counts {
    /// A request, or an alarm, came in.
    pub(super) fn asked(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// Requests went out.
    pub(super) fn sent(&self, requests: u64) {
        self.subrequests.set(self.subrequests.get() + requests);
    }
}

impl Hub {
    /// What was spent since this was asked last.
    fn spent(&self) -> Spent {
        let (rows_read, rows_written) = self.store.as_ref().map(Store::take_spent).unwrap_or_default();
        Spent {
            requests: self.counts.requests.take(),
            rows_read,
            rows_written: rows_written + self.counts.alarms.take(),
            subrequests: self.counts.subrequests.take(),
        }
    }

    /// The day's sum with this tick in it.
    pub(super) fn count(&self, at: UnixMillis, came: UnixMillis, last: Option<UnixMillis>) -> QuotaUsage {
        let mut usage = self.counts.usage.get();
        usage.count(at, came, last, self.spent());
        if let Some(quotas) = self.setup.quotas {
            // A share of what the account has.
            usage.govern(at, quotas.among(self.membership().map_or(1, |membership| membership.hub_count)));
        }
        usage
    }

    /// Sets the next alarm where some monitor wants ticks between the cron's. `again`: whatever was set before.
    pub(super) async fn arm(&self, again: bool) {
        let floor = self.counts.usage.get().floor();
        let pause = self.config().ok().and_then(|config| schedule::pause(&config, floor));
        let Some(pause) = pause else { return };
        let storage = self.state.storage();
        if !again && matches!(storage.get_alarm().await, Ok(Some(_))) {
            return;
        }
        match storage.set_alarm(pause).await {
            Ok(()) => self.counts.alarms.set(self.counts.alarms.get() + 1),
            Err(error) => console_error!("alarm: {error}"),
        }
    }

    /// A tick between two of the cron's, by the clock that the last one set.
    pub(super) async fn wake(&self) {
        self.counts.asked();
        self.arm(true).await;
        let at = match self.board() {
            Ok(board) => board.last().map(|last| last.clock(wall_clock())),
            Err(error) => return console_error!("alarm: {error}"),
        };
        // Before the first tick of the cron there is no clock to go by.
        let Some(at) = at else { return };
        if let Err(error) = self.tick(at).await {
            console_error!("alarm {}: {error}", at.0);
        }
    }
}
