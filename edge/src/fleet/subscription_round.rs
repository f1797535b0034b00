//! The rounds in which the first hub sends changed subscriptions to the others, one hub with each tick. Pure.
//!
//! Strangers change subscriptions as often as they like, and a request to a hub is one less for a probe. So a round takes one request of a
//! tick, and the next one begins no sooner than `PAUSE` after it, with all changes until then.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

/// The time from the beginning of a round to that of the next.
const PAUSE: Duration = Duration::from_secs(1800);

/// The hubs that do not have the present subscriptions.
#[derive(Debug, Default)]
pub struct SubscriptionRound {
    /// The hubs that are left in this round.
    left: VecDeque<usize>,
    /// When the last round began.
    began: Option<UnixMillis>,
    /// Whether the subscriptions changed after the beginning of the last round.
    has_changed: bool,
}

impl SubscriptionRound {
    /// Records that the subscriptions changed.
    pub fn record_change(&mut self) {
        self.has_changed = true;
    }

    /// Returns the hub that gets the subscriptions with the tick at `now`. `hub_count` includes the first hub.
    pub fn next_hub(&mut self, hub_count: usize, now: UnixMillis) -> Option<usize> {
        let may_begin = self.began.is_none_or(|began| now.since(began) >= PAUSE || now < began);
        if self.left.is_empty() && self.has_changed && may_begin {
            self.left = (1..hub_count).collect();
            self.began = Some(now);
            self.has_changed = false;
        }
        self.left.front().copied()
    }

    /// Records the result of sending to the hub of [`SubscriptionRound::next_hub`]. A hub that did not store it comes last in the round.
    pub fn record_result(&mut self, is_stored: bool) {
        if let Some(hub) = self.left.pop_front()
            && !is_stored
        {
            self.left.push_back(hub);
        }
    }

    /// Whether every hub has the present subscriptions.
    pub fn is_settled(&self) -> bool {
        self.left.is_empty() && !self.has_changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> UnixMillis {
        UnixMillis(minute * 60_000)
    }

    /// Runs a tick, and returns the hub that was sent to.
    fn tick(round: &mut SubscriptionRound, hubs: usize, at: i64) -> Option<usize> {
        let hub = round.next_hub(hubs, minute(at));
        if hub.is_some() {
            round.record_result(true);
        }
        hub
    }

    #[test]
    fn a_change_reaches_each_hub_once_and_the_next_round_waits() {
        let mut round = SubscriptionRound::default();
        assert_eq!(tick(&mut round, 4, 0), None);
        round.record_change();
        assert!(!round.is_settled());
        let sent: Vec<_> = (1..=3).map(|at| tick(&mut round, 4, at)).collect();
        assert_eq!(sent, [Some(1), Some(2), Some(3)]);
        assert!(round.is_settled());
        round.record_change();
        let sent: Vec<_> = (4..34).filter_map(|at| tick(&mut round, 4, at).map(|hub| (at, hub))).collect();
        assert_eq!(sent, [(31, 1), (32, 2), (33, 3)]);
        round.record_change();
        assert_eq!(tick(&mut round, 1, 101), None, "there is no other hub");
        assert!(round.is_settled());
    }

    #[test]
    fn a_hub_that_does_not_respond_comes_last() {
        let mut round = SubscriptionRound::default();
        round.record_change();
        let mut sent = Vec::new();
        for at in 0..5 {
            let Some(hub) = round.next_hub(3, minute(at)) else { break };
            sent.push(hub);
            round.record_result(hub != 1 || at > 2);
        }
        assert_eq!(sent, [1, 2, 1, 1]);
        assert!(round.is_settled());
    }

    /// A stranger changes subscriptions without pause: the first hub of forty-five has 45 requests for each tick.
    #[test]
    fn changes_without_pause_take_one_request_of_each_tick() {
        let mut round = SubscriptionRound::default();
        let (mut sent, mut last) = (0, [0; 45]);
        for at in 0..1440 {
            round.record_change();
            if let Some(hub) = tick(&mut round, 45, at) {
                assert!(at - last[hub] <= 89, "hub {hub} waited from {} to {at}", last[hub]);
                last[hub] = at;
                sent += 1;
            }
        }
        assert!(sent <= 1440, "{sent}");
        let mut small = SubscriptionRound::default();
        let sent = (0..1440).filter(|at| {
            small.record_change();
            tick(&mut small, 3, *at).is_some()
        });
        assert_eq!(sent.count(), 2 * 48, "two other hubs, 48 rounds");
    }
}
