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
    /// Whether a job was unwatched in it after its first report. Before that report there was nothing to be watched, and the next tick
    /// may follow a tick and its tolerance later.
    pub(super) fn is_after(&self, first_report: UnixMillis) -> bool {
        self.is_maintenance
            || self.from >= first_report
            || self.to.since(first_report) > TICK.saturating_add(TOLERANCE)
    }

    /// Whether the span contains an instant.
    pub fn contains(&self, at: UnixMillis) -> bool {
        self.from <= at && at < self.to
    }
}

/// Returns the unwatched spans up to `now`, oldest first: the time before the ledger of a monitor, and those among its segments.
pub fn unwatched_spans(segments: impl Iterator<Item = StateSegment>, now: UnixMillis) -> Vec<UnwatchedSpan> {
    let mut segments = segments.peekable();
    let begin = segments.peek().map_or(now, |first| first.from);
    let before = UnwatchedSpan { from: UnixMillis(0), to: begin, is_maintenance: false };
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
    std::iter::once(before).chain(segments.filter_map(span)).collect()
}
