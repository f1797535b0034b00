//! The only clock of the edge.

use heapbeat_shared::UnixMillis;

/// The platform's time. It stands still between two I/O operations.
pub fn wall_clock() -> UnixMillis {
    UnixMillis(i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX))
}
