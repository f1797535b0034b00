//! The time in which nobody watched a monitor.

use heapbeat_shared::UnixMillis;

use crate::domain::State;
use crate::domain::check::schedule::{TICK, TOLERANCE};
use crate::domain::history::ledger::StateSegment;

/// A span of time in which nobody watched a monitor: announced maintenance, or the edge was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnwatchedSpan {
    /// The first instant.
    pub from: UnixMillis,
    /// The first instant after the span.
    pub to: UnixMillis,
    /// Whether maintenance was announced. Reports came then, but say nothing afterwards.
    pub is_maintenance: bool,
}

impl UnwatchedSpan {
    /// Whether the span contains an instant.
    pub fn contains(&self, at: UnixMillis) -> bool {
        self.from <= at && at < self.to
    }
}

/// Returns the unwatched spans among the segments of a monitor's ledger, oldest first.
pub fn unwatched_spans(segments: impl Iterator<Item = StateSegment>) -> Vec<UnwatchedSpan> {
    let span = |segment: StateSegment| match segment.state {
        State::Maintenance => {
            Some(UnwatchedSpan { from: segment.from, to: segment.to, is_maintenance: true })
        }
        // The last tick before the time that counts as unobserved was that much earlier.
        State::Unobserved => Some(UnwatchedSpan {
            from: segment.from.minus(TICK.saturating_add(TOLERANCE)),
            to: segment.to,
            is_maintenance: false,
        }),
        _ => None,
    };
    segments.filter_map(span).collect()
}
