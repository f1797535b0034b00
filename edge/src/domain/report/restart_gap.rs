//! The time between the end of one instance and the start of the next, if both probes found everything in order.
//!
//! Only what is proven is recorded as `down`: from the end that the successor reports (its flight recorder or its supervisor saw
//! it) to the successor's start. If nobody saw the end, nothing is known of the time since the last sample, so it is `unobserved`.
//! A successor that started before the other ended (an overlapping deploy, a replacement worker) leaves no gap.

use heapbeat_shared::{InstanceId, UnixMillis};

use crate::domain::State;
use crate::domain::history::ledger::StateSegment;

/// The previous instance, as its successor reports it. All instants are of the tick's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreviousInstance {
    /// The instance, if it is known.
    pub instance: Option<InstanceId>,
    /// When it started, if that is known.
    pub started: Option<UnixMillis>,
    /// When it ended, or its last sign of life if nobody saw it end.
    pub ended: UnixMillis,
}

/// Returns the segments to be recorded afterwards, oldest first.
///
/// `last` is the instance before the restart, whose last known sample is of `last_alive`. `previous` is what the present instance,
/// which started at `next_started`, reports of its predecessor. `crashed`: nobody asked `last` to stop.
pub fn find_gaps(
    last: InstanceId,
    last_alive: UnixMillis,
    previous: Option<PreviousInstance>,
    next_started: UnixMillis,
    crashed: bool,
) -> Vec<StateSegment> {
    let mut gaps = Vec::new();
    match previous {
        Some(previous) => {
            // Other instances may have come and gone since the last report; nothing is known of the time before `previous`.
            let other = previous.instance.is_some_and(|instance| instance != last);
            if let (true, Some(started)) = (other, previous.started) {
                gaps.push(StateSegment { from: last_alive, to: started, state: State::Unobserved });
            }
            gaps.push(StateSegment {
                from: previous.ended.max(last_alive),
                to: next_started,
                state: State::Down,
            });
        }
        None if crashed => {
            gaps.push(StateSegment { from: last_alive, to: next_started, state: State::Unobserved });
        }
        None => {}
    }
    gaps.retain(|gap| gap.from < gap.to);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a str, Option<PreviousInstance>, i64, bool, &'a [(i64, i64, State)]);

    #[test]
    fn only_what_a_report_proves_is_recorded() {
        use State::{Down, Unobserved};
        let life = |instance: u64, started: i64, ended: i64| {
            Some(PreviousInstance {
                instance: Some(InstanceId(instance)),
                started: Some(UnixMillis(started * 1000)),
                ended: UnixMillis(ended * 1000),
            })
        };
        // The last sample of instance 1 that the edge has is of second 600; the next instance started at second `started`.
        let cases: [Case<'_>; 8] = [
            ("killed, and back 20 s later", life(1, 0, 615), 635, true, &[(615, 635, Down)]),
            ("a replacement took over", life(1, 0, 630), 625, false, &[]),
            ("asked to stop, and back later", life(1, 0, 610), 640, false, &[(610, 640, Down)]),
            ("the machine is gone: the end is unknown", None, 640, true, &[(600, 640, Unobserved)]),
            ("a deploy elsewhere: nothing is known of a gap", None, 640, false, &[]),
            ("its recorder is older than the last sample", life(1, 0, 590), 640, true, &[(600, 640, Down)]),
            (
                "two crashes since the last probe",
                life(5, 620, 630),
                650,
                true,
                &[(600, 620, Unobserved), (630, 650, Down)],
            ),
            ("it had started before the other was last seen", life(1, 0, 650), 590, true, &[]),
        ];
        for (name, previous, started, crashed, expected) in cases {
            let (alive, next) = (UnixMillis(600_000), UnixMillis(started * 1000));
            let gaps = find_gaps(InstanceId(1), alive, previous, next, crashed);
            let seconds: Vec<_> = gaps.iter().map(|s| (s.from.0 / 1000, s.to.0 / 1000, s.state)).collect();
            assert_eq!(seconds, expected, "{name}");
        }
    }
}
