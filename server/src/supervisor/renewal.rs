//! Whether a program that can renew itself (gunicorn on SIGHUP, puma on SIGUSR1) is asked for that before it is replaced. Pure.

use std::time::Duration;

use heapbeat_shared::Pressure;

/// Time that a renewal has until memory must be below the recycle threshold.
const TIME: Duration = Duration::from_secs(30);

/// Time after a renewal in which another one would not help either.
const INTERVAL: Duration = Duration::from_secs(60);

/// The renewals of one instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Renewal {
    /// When the instance was asked last, as its age.
    asked_at: Option<Duration>,
}

/// What follows when the ladder requests a replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RenewalStep {
    /// The program is asked to renew itself.
    Ask,
    /// It was asked, and has time left.
    Wait,
    /// It is replaced: the renewal did not help, or takes too long for the memory that is left.
    Replace,
}

impl Renewal {
    /// Decides about a request for a replacement of an instance of this age.
    pub(super) fn step(&mut self, age: Duration, pressure: Pressure) -> RenewalStep {
        let since = self.asked_at.map(|at| age.saturating_sub(at));
        match since {
            Some(since) if since < TIME && pressure < Pressure::Shed => RenewalStep::Wait,
            Some(since) if since < INTERVAL => RenewalStep::Replace,
            _ => {
                self.asked_at = Some(age);
                RenewalStep::Ask
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_asked_once_and_replaced_if_that_does_not_help() {
        use RenewalStep::{Ask, Replace, Wait};
        let (recycle, shed) = (Pressure::Recycle, Pressure::Shed);
        // Ages in seconds at which a replacement is requested, pressure, what follows.
        let cases = [
            vec![(10, recycle, Ask), (11, recycle, Wait), (39, recycle, Wait), (40, recycle, Replace)],
            vec![(10, recycle, Ask), (12, shed, Replace)],
            vec![(10, recycle, Ask), (69, recycle, Replace)],
            vec![(10, recycle, Ask), (70, recycle, Ask), (71, recycle, Wait)],
            vec![(10, shed, Ask)],
        ];
        for case in cases {
            let mut renewal = Renewal::default();
            for (age, pressure, expected) in case.clone() {
                assert_eq!(renewal.step(Duration::from_secs(age), pressure), expected, "{case:?}");
            }
        }
    }
}
