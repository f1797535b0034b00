//! Time between the end of one instance and the start of the next, when the probes on both sides found all well.
//!
//! Only what is proven is booked as `down`: from the end that the successor's report tells (its flight recorder, or its
//! supervisor, saw it) to its own start. Where nobody saw the end, the time from the last sample that we hold is not known
//! to have been served, so it is `unobserved`: neither up nor down. A successor that began before the other ended (a deploy
//! that overlaps, a fresh worker) leaves nothing between them.

use heapbeat_shared::{InstanceId, UnixMillis};

use crate::domain::State;
use crate::domain::history::ledger::StateSegment;

/// The instance before the one that answers, as that one tells it; times are the tick's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceLifetime {
    /// Which, where that is known.
    pub instance: Option<InstanceId>,
    /// When it began, where that is known.
    pub started: Option<UnixMillis>,
    /// When it ended: its last sign of life, if nobody saw it end.
    pub ended: UnixMillis,
}

/// What is to be booked afterwards, oldest first. `last`: the instance before the restart, whose last sample that we hold is
/// of `alive`; `previous`: what the one that answers now, which began at `next`, tells of its predecessor; `died`: nobody
/// asked `last` to end.
pub fn away(
    last: InstanceId,
    alive: UnixMillis,
    previous: Option<InstanceLifetime>,
    next: UnixMillis,
    died: bool,
) -> Vec<StateSegment> {
    let mut stretches = Vec::new();
    match previous {
        Some(life) => {
            // Others may have lived and died since the one that we know; of those before `life` only the end is unknown.
            let other = life.instance.is_some_and(|instance| instance != last);
            if let (true, Some(started)) = (other, life.started) {
                stretches.push(StateSegment { from: alive, to: started, state: State::Unobserved });
            }
            stretches.push(StateSegment { from: life.ended.max(alive), to: next, state: State::Down });
        }
        None if died => {
            stretches.push(StateSegment { from: alive, to: next, state: State::Unobserved });
        }
        None => {}
    }
    stretches.retain(|stretch| stretch.from < stretch.to);
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a str, Option<InstanceLifetime>, i64, bool, &'a [(i64, i64, State)]);

    #[test]
    fn only_what_both_sides_prove() {
        use State::{Down, Unobserved};
        let life = |instance: u64, started: i64, ended: i64| {
            Some(InstanceLifetime {
                instance: Some(InstanceId(instance)),
                started: Some(UnixMillis(started * 1000)),
                ended: UnixMillis(ended * 1000),
            })
        };
        // The last sample of instance 1 that we hold is of second 600; instance 9 began at second `started`.
        let cases: [Case<'_>; 8] = [
            ("killed, and back 20 s later", life(1, 0, 615), 635, true, &[(615, 635, Down)]),
            ("a fresh worker took over", life(1, 0, 630), 625, false, &[]),
            ("asked to stop, and back later", life(1, 0, 610), 640, false, &[(610, 640, Down)]),
            ("the machine is gone: nobody saw the end", None, 640, true, &[(600, 640, Unobserved)]),
            ("a deploy elsewhere: nothing is known of a gap", None, 640, false, &[]),
            ("its recorder is older than what we hold", life(1, 0, 590), 640, true, &[(600, 640, Down)]),
            (
                "two deaths since the last probe",
                life(5, 620, 630),
                650,
                true,
                &[(600, 620, Unobserved), (630, 650, Down)],
            ),
            ("it had begun before we heard the other for the last time", life(1, 0, 650), 590, true, &[]),
        ];
        for (name, previous, started, died, expected) in cases {
            let (alive, next) = (UnixMillis(600_000), UnixMillis(started * 1000));
            let stretches = away(InstanceId(1), alive, previous, next, died);
            let seconds: Vec<_> =
                stretches.iter().map(|s| (s.from.0 / 1000, s.to.0 / 1000, s.state)).collect();
            assert_eq!(seconds, expected, "{name}");
        }
    }
}
