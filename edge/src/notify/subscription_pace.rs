//! How often strangers may change the list of subscriptions. Pure.
//!
//! Each change writes rows, and what strangers cost must not lower what is watched. The owner's changes are not counted.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

/// The time in which changes are counted.
const WINDOW: Duration = Duration::from_secs(3600);

/// The most changes within [`WINDOW`] in a deployment with one hub; each writes two rows.
const MAX_CHANGES: usize = 120;

/// The fewest changes within [`WINDOW`] in a deployment with many hubs, whose first one has a small share of the quota.
const MIN_CHANGES: usize = 6;

/// The share of the changes that one network may make.
const CLIENT_SHARE: usize = 6;

/// The changes of the last hour.
#[derive(Debug, Default)]
pub struct SubscriptionPace(VecDeque<(UnixMillis, u16)>);

impl SubscriptionPace {
    /// Counts a change by `client` (a [hash](super::subscriber::hash_client); 0 is not limited by itself) at `now`, in a deployment of
    /// `hub_count` hubs. If it is one too many, it is not counted, and the error is the time until the next one is accepted.
    pub fn count_change(&mut self, client: u16, now: UnixMillis, hub_count: usize) -> Result<(), Duration> {
        self.0.retain(|(at, _)| now.since(*at) < WINDOW && *at <= now);
        let limit = (MAX_CHANGES / hub_count.max(1)).max(MIN_CHANGES);
        let own = self.0.iter().filter(|(_, other)| client != 0 && *other == client);
        let first = if self.0.len() >= limit {
            self.0.front()
        } else if own.clone().count() >= (limit / CLIENT_SHARE).max(3) {
            own.clone().next()
        } else {
            None
        };
        if let Some((at, _)) = first {
            return Err(WINDOW.saturating_sub(now.since(*at)));
        }
        self.0.push_back((now, client));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes as fast as they are accepted, one attempt a second for a day, by `clients` networks in turns.
    fn changes_of_a_day(clients: u16, hub_count: usize) -> usize {
        let mut pace = SubscriptionPace::default();
        let attempts = (0..86_400i64).filter(|second| {
            let client = 1 + u16::try_from(second % i64::from(clients)).unwrap();
            pace.count_change(client, UnixMillis(second * 1000), hub_count).is_ok()
        });
        attempts.count()
    }

    #[test]
    fn strangers_change_the_list_at_a_bounded_pace() {
        // (networks, hubs, the most changes in a day)
        for (clients, hubs, most) in [(1, 1, 20 * 24), (50, 1, 120 * 24), (1, 45, 3 * 24), (50, 45, 6 * 24)] {
            let changes = changes_of_a_day(clients, hubs);
            assert!(changes <= most && changes > most * 9 / 10, "{clients} {hubs}: {changes} of {most}");
            let share = 100_000 / hubs;
            assert!(2 * changes * 100 <= share * 15, "{changes} changes are more than 15 % of {share} rows");
        }
    }

    #[test]
    fn one_network_leaves_room_for_others_and_learns_when_to_come_back() {
        let mut pace = SubscriptionPace::default();
        let at = |second: i64| UnixMillis(second * 1000);
        for second in 0..20 {
            assert_eq!(pace.count_change(7, at(second), 1), Ok(()));
        }
        assert_eq!(pace.count_change(7, at(60), 1), Err(Duration::from_secs(3540)));
        assert_eq!(pace.count_change(8, at(60), 1), Ok(()));
        assert_eq!(pace.count_change(0, at(60), 1), Ok(()), "a network that is not known");
        assert_eq!(pace.count_change(7, at(3600), 1), Ok(()));
        assert_eq!(pace.count_change(7, at(5), 1), Ok(()), "after the clock was set back");
    }
}
