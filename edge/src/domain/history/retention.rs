//! How long the history is kept. The store needs no deletion for most of it: rows are slots of a ring of this length.

use std::time::Duration;

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// The ledger of states. The longest window that is shown is 90 days.
pub const LEDGER: Duration = days(91);

/// Every memory sample.
pub const SAMPLES: Duration = days(7);

/// The peak of memory of each minute.
pub const MINUTE_PEAKS: Duration = days(90);

/// The peak of memory of each hour.
pub const HOUR_PEAKS: Duration = days(730);

/// The summaries of latency by hour.
pub const LATENCY: Duration = days(730);

/// Incidents that are closed.
pub const INCIDENTS: Duration = days(730);

/// The most incidents of one monitor: a target that fails and recovers all the time has no more.
pub const MAX_INCIDENTS: i64 = 500;
