//! Which message of the outbox is sent next, and what the result of an attempt means.
//!
//! Messages are delivered at least once and in order: a row stays until the service has accepted it, and the rows of one monitor and
//! channel are sent one after the other. A service that is down is retried for a day; older messages are of no use.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::channel::ChannelId;
use super::message::Message;
use super::subscriber::is_subscriber_id;

/// How long a message to a channel is retried.
pub const RETRY_PERIOD: Duration = Duration::from_secs(86_400);

/// How long a message to a subscriber is retried. A subscriber that accepts nothing for that long is removed.
pub const SUBSCRIBER_RETRY_PERIOD: Duration = Duration::from_secs(3 * 86_400);

/// The delay after the first failure; it doubles with each.
pub const FIRST_RETRY_DELAY: Duration = Duration::from_secs(20);

/// The longest delay between two attempts.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(15 * 60);

/// The longest delay that a service may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The maximum number of rows for channels; a row beyond it is dropped with an error in the log. A day of a dead channel fits.
pub const MAX_ROWS: usize = 1000;

/// The maximum number of rows for one subscriber.
pub const MAX_SUBSCRIBER_ROWS: usize = 20;

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// The row's number, in the order of writing; 0 before it has one.
    pub id: i64,
    /// The recipient.
    pub channel: ChannelId,
    /// The message.
    pub message: Message,
    /// The instant of the next attempt.
    pub due: UnixMillis,
    /// The number of attempts.
    pub attempts: u32,
}

impl OutboxRow {
    /// Whether the recipient is a subscriber and not a channel of the owner.
    pub fn is_for_subscriber(&self) -> bool {
        is_subscriber_id(&self.channel)
    }
}

/// The result of an attempt to deliver a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The service has accepted the message.
    Accepted,
    /// The service asks for a later attempt, after this time if it gives one.
    RateLimited(Option<Duration>),
    /// The service failed, or was not reached.
    Failed,
    /// The service rejects the message with this status: the secret or the message is wrong. 0 means that the secret is not set.
    Rejected(u16),
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The message is delivered.
    Delivered,
    /// The next attempt is at this instant.
    RetryAt(UnixMillis),
    /// The message is given up.
    Dropped,
}

/// Returns the rows that may be sent at `now`, oldest first, at most `limit`: of each channel and monitor only the oldest, and only
/// one for each subscriber. `rows` are in the order of their numbers.
pub fn due_rows(rows: &[OutboxRow], now: UnixMillis, limit: usize) -> Vec<&OutboxRow> {
    let mut oldest_per_queue: Vec<&OutboxRow> = Vec::new();
    for row in rows {
        let is_same_queue = |head: &&OutboxRow| {
            head.channel == row.channel
                && (row.is_for_subscriber() || head.message.monitor == row.message.monitor)
        };
        if !oldest_per_queue.iter().any(is_same_queue) {
            oldest_per_queue.push(row);
        }
    }
    oldest_per_queue.retain(|row| row.due <= now);
    oldest_per_queue.truncate(limit);
    oldest_per_queue
}

/// Returns what follows an attempt at `now` to deliver `row`.
pub fn schedule_next_attempt(row: &OutboxRow, result: DeliveryResult, now: UnixMillis) -> AttemptOutcome {
    let backoff = FIRST_RETRY_DELAY.saturating_mul(1 << row.attempts.min(16)).min(MAX_RETRY_DELAY);
    let delay = match result {
        DeliveryResult::Accepted => return AttemptOutcome::Delivered,
        DeliveryResult::RateLimited(Some(retry_after)) => {
            retry_after.min(MAX_RETRY_AFTER).max(Duration::from_secs(1))
        }
        DeliveryResult::RateLimited(None) | DeliveryResult::Failed => backoff,
        // The subscriber is gone.
        DeliveryResult::Rejected(410) if row.is_for_subscriber() => return AttemptOutcome::Dropped,
        // Somebody may correct the secret; there is no hurry.
        DeliveryResult::Rejected(_) => MAX_RETRY_DELAY,
    };
    let next = now.plus(delay);
    let period = if row.is_for_subscriber() { SUBSCRIBER_RETRY_PERIOD } else { RETRY_PERIOD };
    if next > row.message.at.plus(period) { AttemptOutcome::Dropped } else { AttemptOutcome::RetryAt(next) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::incident::Severity;
    use crate::domain::incident::notification::NotificationReason;

    fn at(second: i64) -> UnixMillis {
        UnixMillis(second * 1000)
    }

    pub(crate) fn row(id: i64, channel: &str, monitor: &str, due: i64, attempts: u32) -> OutboxRow {
        let message = Message {
            key: format!("k{id}"),
            incident: "i".into(),
            monitor: monitor.into(),
            name: monitor.into(),
            reason: NotificationReason::Opened,
            severity: Severity::Down,
            title: String::new(),
            text: String::new(),
            link: None,
            since: String::new(),
            at: at(0),
        };
        OutboxRow { id, channel: channel.parse().unwrap(), message, due: at(due), attempts }
    }

    #[test]
    fn messages_of_a_monitor_to_a_channel_are_sent_in_order() {
        let rows = [
            row(1, "ops", "api", 100, 2), // failed, and waits
            row(2, "ops", "api", 0, 0),   // has to wait for it
            row(3, "ops", "web", 0, 0),
            row(4, "dev", "api", 0, 0),
            row(5, "dev", "api", 0, 0),
        ];
        let ids = |now, most| due_rows(&rows, at(now), most).iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(10, 9), [3, 4]);
        assert_eq!(ids(10, 1), [3]);
        assert_eq!(ids(100, 9), [1, 3, 4]);
    }

    #[test]
    fn the_result_of_an_attempt_decides_what_follows() {
        let secs = Duration::from_secs;
        // (attempts so far, now, result, what follows)
        let cases = [
            ("accepted", 0, 10, DeliveryResult::Accepted, AttemptOutcome::Delivered),
            ("the first failure", 0, 10, DeliveryResult::Failed, AttemptOutcome::RetryAt(at(30))),
            ("the third", 2, 10, DeliveryResult::Failed, AttemptOutcome::RetryAt(at(90))),
            ("the tenth", 9, 10, DeliveryResult::Failed, AttemptOutcome::RetryAt(at(910))),
            ("the hundredth", 99, 10, DeliveryResult::Failed, AttemptOutcome::RetryAt(at(910))),
            (
                "asked for a delay",
                0,
                10,
                DeliveryResult::RateLimited(Some(secs(33))),
                AttemptOutcome::RetryAt(at(43)),
            ),
            (
                "for no delay",
                0,
                10,
                DeliveryResult::RateLimited(Some(secs(0))),
                AttemptOutcome::RetryAt(at(11)),
            ),
            (
                "for too long a delay",
                0,
                10,
                DeliveryResult::RateLimited(Some(secs(99_999))),
                AttemptOutcome::RetryAt(at(3610)),
            ),
            (
                "rate limited without a delay",
                1,
                10,
                DeliveryResult::RateLimited(None),
                AttemptOutcome::RetryAt(at(50)),
            ),
            ("a wrong secret", 0, 10, DeliveryResult::Rejected(403), AttemptOutcome::RetryAt(at(910))),
            ("a day later", 9, 86_000, DeliveryResult::Failed, AttemptOutcome::Dropped),
        ];
        for (name, attempts, now, result, next) in cases {
            assert_eq!(
                schedule_next_attempt(&row(1, "ops", "api", 0, attempts), result, at(now)),
                next,
                "{name}"
            );
        }
    }

    const SUBSCRIBER: &str = "sub-0123456789abcdef0123456789abcdef";

    #[test]
    fn a_subscriber_gets_one_message_at_a_time() {
        let rows = [
            row(1, SUBSCRIBER, "api", 100, 2), // failed, and waits
            row(2, SUBSCRIBER, "web", 0, 0),   // has to wait for it
            row(3, "sub-team", "api", 0, 0),
        ];
        let ids = |now| due_rows(&rows, at(now), 9).iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(10), [3]);
        assert_eq!(ids(100), [1, 3]);
        assert_eq!(rows.each_ref().map(OutboxRow::is_for_subscriber), [true, true, false]);
    }

    #[test]
    fn a_subscriber_is_retried_for_longer_and_dropped_when_it_is_gone() {
        let days = |days: i64| days * 86_400;
        let cases = [
            ("gone", 10, DeliveryResult::Rejected(410), AttemptOutcome::Dropped),
            ("not there", 10, DeliveryResult::Rejected(404), AttemptOutcome::RetryAt(at(910))),
            ("two days later", days(2), DeliveryResult::Failed, AttemptOutcome::RetryAt(at(days(2) + 900))),
            ("three days later", days(3), DeliveryResult::Failed, AttemptOutcome::Dropped),
        ];
        for (name, now, result, next) in cases {
            assert_eq!(
                schedule_next_attempt(&row(1, SUBSCRIBER, "api", 0, 9), result, at(now)),
                next,
                "{name}"
            );
        }
        assert_eq!(
            schedule_next_attempt(&row(1, "ops", "api", 0, 9), DeliveryResult::Rejected(410), at(10)),
            AttemptOutcome::RetryAt(at(910)),
            "a channel of the owner is never removed"
        );
    }

    #[test]
    fn a_service_that_was_down_for_two_hours_gets_the_message_soon_after() {
        let (mut now, mut attempts) = (0, 0);
        while now < 7200 {
            let AttemptOutcome::RetryAt(next) =
                schedule_next_attempt(&row(1, "ops", "api", 0, attempts), DeliveryResult::Failed, at(now))
            else {
                panic!("given up after {now} s");
            };
            (now, attempts) = (next.0 / 1000, attempts + 1);
        }
        assert!(now < 7200 + 900, "tried {attempts} times, the last at {now} s");
        assert!(attempts < 20, "{attempts}");
    }
}
