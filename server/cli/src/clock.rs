//! The only module of the commands that reads a clock; all others get the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use heapbeat_shared::UnixMillis;

/// Returns wall time; a clock before 1970 counts as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the rim where the clock is read")]
pub(crate) fn wall_time() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
