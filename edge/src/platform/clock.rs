//! The only clock of the edge.

use heapbeat_shared::UnixMillis;

/// Returns the platform's time, which stands still between two I/O operations.
pub(crate) fn wall_clock() -> UnixMillis {
    // Whole milliseconds, far below 2^53.
    #[allow(clippy::cast_possible_truncation)]
    UnixMillis(js_sys::Date::now() as i64)
}
