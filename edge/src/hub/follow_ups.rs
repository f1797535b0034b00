//! Additional rounds of probes, for what one tick could not probe.
//!
//! A tick may send as many requests as the platform allows, and start probes for a limited time. If monitors are left, an alarm brings
//! another round at once, as an invocation of its own with requests of its own. There are at most [`MAX_FOLLOW_UPS`] of them between two
//! ticks of the cron, which bounds what they cost.

use std::cell::Cell;
use std::time::Duration;

use crate::domain::check::request_plan::MAX_FOLLOW_UPS;

/// The pause before a round. The instants of ticks are whole seconds, so two rounds are at least one apart.
const PAUSE: Duration = Duration::from_secs(2);

/// Whether another round is needed, and how many there were since the last tick of the cron.
#[derive(Debug, Default)]
pub(super) struct FollowUps {
    is_needed: Cell<bool>,
    rounds: Cell<u32>,
}

impl FollowUps {
    /// Begins to count anew with a tick of the cron.
    pub(super) fn reset(&self) {
        self.rounds.set(0);
    }

    /// Requires another round.
    pub(super) fn require(&self) {
        self.is_needed.set(true);
    }

    /// Returns the pause before the next round, once for each time that it is required; `None` if there were too many.
    pub(super) fn take_pause(&self) -> Option<Duration> {
        let is_due = self.is_needed.take() && self.rounds.get() < MAX_FOLLOW_UPS;
        is_due.then(|| {
            self.rounds.set(self.rounds.get() + 1);
            PAUSE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_rounds_as_required_up_to_a_limit() {
        let rounds = FollowUps::default();
        assert_eq!(rounds.take_pause(), None);
        for minute in 0..3 {
            rounds.reset();
            let taken = (0..20).take_while(|_| {
                rounds.require();
                rounds.take_pause().is_some()
            });
            assert_eq!(taken.count(), 8, "minute {minute}");
            assert_eq!(rounds.take_pause(), None);
        }
    }
}
