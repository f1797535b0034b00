//! Which alert is to be sent now, and what its answer means.
//!
//! At least once, in order, and never twice at a time: a row stays until the service has said that it has it, the
//! rows of one monitor and channel go out one after the other, and whoever sends holds the hub's only turn. A service
//! that is down is asked again for a day; what is older than that is news to nobody.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::channel::ChannelId;
use super::message::Message;
use super::subscriber::is_theirs;

/// How long an alert is tried for.
pub const TRIED_FOR: Duration = Duration::from_secs(86_400);

/// How long it is tried for with who asked to be told. Who takes nothing for that long is told no more.
pub const THEIRS_TRIED_FOR: Duration = Duration::from_secs(3 * 86_400);

/// The wait after the first failure; it doubles with each.
pub const FIRST_WAIT: Duration = Duration::from_secs(20);

/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// Longest wait that a service may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Most rows that wait; what comes beyond that is dropped and said. A channel that was dead for a day has no more.
pub const MOST_WAITING: usize = 1000;

/// Most rows that wait for one of those who asked to be told.
pub const THEIRS_MOST_WAITING: usize = 20;

/// A row of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number, in the order in which rows were written; 0 before it has one.
    pub id: i64,
    /// Where it goes.
    pub channel: ChannelId,
    /// What it says.
    pub message: Message,
    /// When it is to be tried next.
    pub due: UnixMillis,
    /// How often it was tried.
    pub attempts: u32,
}

impl OutboxRow {
    /// Whether it goes to who asked to be told, and not to a channel of the owner's.
    pub fn is_theirs(&self) -> bool {
        is_theirs(&self.channel)
    }
}

/// What a service made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    /// It has it.
    Taken,
    /// It wants to be asked later.
    Busy(Option<Duration>),
    /// It failed, or was not reached.
    Failed,
    /// It will not take this from us: the secret is wrong, or the message is.
    Refused(u16),
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is done with.
    Delivered,
    /// It is tried again at this instant.
    Again(UnixMillis),
    /// It is given up.
    Dropped,
}

/// The rows that may be sent at `now`, oldest first, at most `most`: of each channel and monitor only the oldest, and only one for
/// who asked to be told. `rows` are in the order of their numbers.
pub fn sendable(rows: &[OutboxRow], now: UnixMillis, most: usize) -> Vec<&OutboxRow> {
    let mut heads: Vec<&OutboxRow> = Vec::new();
    for row in rows {
        let same = |head: &&OutboxRow| {
            head.channel == row.channel && (row.is_theirs() || head.message.monitor == row.message.monitor)
        };
        if !heads.iter().any(same) {
            heads.push(row);
        }
    }
    heads.retain(|row| row.due <= now);
    heads.truncate(most);
    heads
}

/// What becomes of `row` after a try at `now`.
pub fn after(row: &OutboxRow, answered: DeliveryResult, now: UnixMillis) -> Next {
    let doubled = FIRST_WAIT.saturating_mul(1 << row.attempts.min(16)).min(LONGEST_WAIT);
    let wait = match answered {
        DeliveryResult::Taken => return Next::Delivered,
        DeliveryResult::Busy(Some(asked)) => asked.min(LONGEST_ASKED).max(Duration::from_secs(1)),
        DeliveryResult::Busy(None) | DeliveryResult::Failed => doubled,
        // They want no more of it.
        DeliveryResult::Refused(410) if row.is_theirs() => return Next::Dropped,
        // Somebody may put it right; there is no hurry.
        DeliveryResult::Refused(_) => LONGEST_WAIT,
    };
    let next = now.plus(wait);
    let tried_for = if row.is_theirs() { THEIRS_TRIED_FOR } else { TRIED_FOR };
    if next > row.message.at.plus(tried_for) { Next::Dropped } else { Next::Again(next) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::incident::Severity;
    use crate::domain::incident::notification::Occasion;

    fn at(second: i64) -> UnixMillis {
        UnixMillis(second * 1000)
    }

    pub(crate) fn row(id: i64, channel: &str, monitor: &str, due: i64, attempts: u32) -> OutboxRow {
        let message = Message {
            key: format!("k{id}"),
            incident: "i".into(),
            monitor: monitor.into(),
            name: monitor.into(),
            occasion: Occasion::Opened,
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
    fn one_after_the_other_for_each_monitor_and_channel() {
        let rows = [
            row(1, "ops", "api", 100, 2), // failed, and waits
            row(2, "ops", "api", 0, 0),   // has to wait for it
            row(3, "ops", "web", 0, 0),
            row(4, "dev", "api", 0, 0),
            row(5, "dev", "api", 0, 0),
        ];
        let ids = |now, most| sendable(&rows, at(now), most).iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(10, 9), [3, 4]);
        assert_eq!(ids(10, 1), [3]);
        assert_eq!(ids(100, 9), [1, 3, 4]);
    }

    #[test]
    fn what_an_answer_means() {
        let secs = Duration::from_secs;
        // (attempts so far, now, answer, what becomes of it)
        let cases = [
            ("taken", 0, 10, DeliveryResult::Taken, Next::Delivered),
            ("the first failure", 0, 10, DeliveryResult::Failed, Next::Again(at(30))),
            ("the third", 2, 10, DeliveryResult::Failed, Next::Again(at(90))),
            ("the tenth", 9, 10, DeliveryResult::Failed, Next::Again(at(910))),
            ("the hundredth", 99, 10, DeliveryResult::Failed, Next::Again(at(910))),
            ("asked for patience", 0, 10, DeliveryResult::Busy(Some(secs(33))), Next::Again(at(43))),
            ("for none at all", 0, 10, DeliveryResult::Busy(Some(secs(0))), Next::Again(at(11))),
            ("for too much", 0, 10, DeliveryResult::Busy(Some(secs(99_999))), Next::Again(at(3610))),
            ("busy without a word", 1, 10, DeliveryResult::Busy(None), Next::Again(at(50))),
            ("a wrong secret", 0, 10, DeliveryResult::Refused(403), Next::Again(at(910))),
            ("a day later", 9, 86_000, DeliveryResult::Failed, Next::Dropped),
        ];
        for (name, attempts, now, answered, next) in cases {
            assert_eq!(after(&row(1, "ops", "api", 0, attempts), answered, at(now)), next, "{name}");
        }
    }

    const THEIRS: &str = "sub-0123456789abcdef0123456789abcdef";

    #[test]
    fn one_at_a_time_for_who_asked_to_be_told() {
        let rows = [
            row(1, THEIRS, "api", 100, 2), // failed, and waits
            row(2, THEIRS, "web", 0, 0),   // has to wait for it
            row(3, "sub-team", "api", 0, 0),
        ];
        let ids = |now| sendable(&rows, at(now), 9).iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(10), [3]);
        assert_eq!(ids(100), [1, 3]);
        assert_eq!(rows.each_ref().map(OutboxRow::is_theirs), [true, true, false]);
    }

    #[test]
    fn what_an_answer_of_theirs_means() {
        let days = |days: i64| days * 86_400;
        let cases = [
            ("gone", 10, DeliveryResult::Refused(410), Next::Dropped),
            ("not there", 10, DeliveryResult::Refused(404), Next::Again(at(910))),
            ("two days later", days(2), DeliveryResult::Failed, Next::Again(at(days(2) + 900))),
            ("three days later", days(3), DeliveryResult::Failed, Next::Dropped),
        ];
        for (name, now, answered, next) in cases {
            assert_eq!(after(&row(1, THEIRS, "api", 0, 9), answered, at(now)), next, "{name}");
        }
        assert_eq!(
            after(&row(1, "ops", "api", 0, 9), DeliveryResult::Refused(410), at(10)),
            Next::Again(at(910)),
            "a channel of the owner's is not taken out by who answers there"
        );
    }

    #[test]
    fn a_service_that_is_down_for_two_hours_gets_it_soon_after() {
        let (mut now, mut attempts) = (0, 0);
        while now < 7200 {
            let Next::Again(next) =
                after(&row(1, "ops", "api", 0, attempts), DeliveryResult::Failed, at(now))
            else {
                panic!("given up after {now} s");
            };
            (now, attempts) = (next.0 / 1000, attempts + 1);
        }
        assert!(now < 7200 + 900, "tried {attempts} times, the last at {now} s");
        assert!(attempts < 20, "{attempts}");
    }
}
