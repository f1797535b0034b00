//! Decides what follows when an instance behind the front was not ready in time. Pure.
//!
//! A probe that fails does not prove that the program is broken: it may answer 500 at `/`, or never take requests. So the only instance is
//! not killed for it, as killing it could not help anybody. An instance that is to replace a running one has to be ready.

use super::gateway::Readiness;

/// What is known of the program from its earlier instances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProgramHabits {
    /// Whether an instance was ever ready, or accepted connections.
    pub(super) listens: bool,
    /// Whether an instance was accepted that did not answer as it should.
    pub(super) accepted_unready: bool,
    /// Whether the program takes no requests, as far as it was seen.
    pub(super) never_listens: bool,
}

/// What follows for an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is still asked.
    Wait,
    /// It is ready.
    Ready,
    /// It gets requests although it did not answer as it should: this is why.
    ReadyAnyway(String),
    /// It takes no requests, so it is ready.
    TakesNoRequests(String),
    /// It is not ready, and will be killed.
    NotReady(String),
}

impl ProgramHabits {
    /// Decides about one instance; `alone` if no other one serves.
    pub(super) fn judge(&mut self, readiness: Readiness, alone: bool) -> Verdict {
        match readiness {
            Readiness::Pending => Verdict::Wait,
            Readiness::Ready(_) => {
                self.listens = true;
                Verdict::Ready
            }
            Readiness::NotAnswering(why) if alone || self.accepted_unready => {
                (self.listens, self.accepted_unready) = (true, true);
                Verdict::ReadyAnyway(why)
            }
            Readiness::NotListening(why) if !self.listens => {
                self.never_listens = true;
                Verdict::TakesNoRequests(why)
            }
            Readiness::NotAnswering(why) | Readiness::NotListening(why) => Verdict::NotReady(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_only_instance_is_not_killed_for_its_answer_and_a_program_may_take_no_requests() {
        let ready = || Readiness::Ready(Duration::ZERO);
        let failing = || Readiness::NotAnswering("500".to_owned());
        let silent = || Readiness::NotListening("port".to_owned());
        let anyway = || Verdict::ReadyAnyway("500".to_owned());
        let none = || Verdict::TakesNoRequests("port".to_owned());
        let not_ready = |why: &str| Verdict::NotReady(why.to_owned());
        // Instances one after the other: what the probe found, whether no other one serves, verdict.
        let cases = [
            vec![(Readiness::Pending, true, Verdict::Wait), (ready(), true, Verdict::Ready)],
            vec![(failing(), true, anyway()), (failing(), false, anyway())],
            vec![(ready(), true, Verdict::Ready), (failing(), false, not_ready("500"))],
            vec![(ready(), true, Verdict::Ready), (failing(), true, anyway())],
            vec![(silent(), true, none())],
            vec![(ready(), true, Verdict::Ready), (silent(), true, not_ready("port"))],
            vec![(failing(), true, anyway()), (silent(), false, not_ready("port"))],
        ];
        for case in cases {
            let mut habits = ProgramHabits::default();
            for (readiness, alone, verdict) in case.clone() {
                assert_eq!(habits.judge(readiness, alone), verdict, "{case:?}");
            }
        }
    }
}
