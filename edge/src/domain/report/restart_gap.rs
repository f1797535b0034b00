//! The time between the end of one instance and the start of the next.
//!
//! Only what is proven is recorded as `down`: from the end that a successor reports (its flight recorder or its supervisor saw
//! it) to the start of the next instance. If no process observed the end, nothing is known of the time since the last sample, so it is
//! `unobserved`. An instance that started before the other ended (an overlapping deploy, a replacement worker) leaves no gap.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::State;
use crate::domain::cell_rate::CellRate;
use crate::domain::history::ledger::StateSegment;

/// How often the gaps of one monitor are recorded. Each writes rows, and a server may claim nine of them in every report: beyond this rate it
/// can name instances that were never there, but not use up what the probes of other monitors need.
pub const GAP_RATE: CellRate = CellRate { pause: Duration::from_secs(300), burst: 20 };

/// The end of an instance, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceEnd {
    /// It ended at this instant.
    At(UnixMillis),
    /// It still runs: it drains beside its successor.
    Running,
    /// No process observed its end.
    Unknown,
}

/// Returns the time without an instance before the next one started. `last_alive` is the last known sample of the one before.
pub fn find_gap(last_alive: UnixMillis, end: InstanceEnd, next_started: UnixMillis) -> Option<StateSegment> {
    let (from, state) = match end {
        InstanceEnd::At(end) => (end.max(last_alive), State::Down),
        InstanceEnd::Running => return None,
        InstanceEnd::Unknown => (last_alive, State::Unobserved),
    };
    (from < next_started).then_some(StateSegment { from, to: next_started, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_report_proves_is_recorded() {
        use InstanceEnd::{At, Running, Unknown};
        let at = |second: i64| At(UnixMillis(second * 1000));
        // The last sample of the instance that the edge has is of second 600; the next instance started at second `started`.
        let cases = [
            ("killed, and back 20 s later", at(615), 635, Some((615, 635, State::Down))),
            ("a replacement took over", at(630), 625, None),
            ("it still drains", Running, 625, None),
            ("the machine is gone: the end is unknown", Unknown, 640, Some((600, 640, State::Unobserved))),
            ("its recorder is older than the last sample", at(590), 640, Some((600, 640, State::Down))),
            ("the other had started before it was last seen", Unknown, 590, None),
        ];
        for (name, end, started, expected) in cases {
            let gap = find_gap(UnixMillis(600_000), end, UnixMillis(started * 1000));
            let seconds = gap.map(|it| (it.from.0 / 1000, it.to.0 / 1000, it.state));
            assert_eq!(seconds, expected, "{name}");
        }
    }
}
