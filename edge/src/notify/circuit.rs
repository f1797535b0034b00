//! The circuit of a recipient: whether its service accepts messages, and when the next attempt is due.
//!
//! A delay belongs to the recipient and not to a message. A service that is down gets one attempt at a time, which carries what is so
//! then, and delays nobody else.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

/// The delay after the first failure; it doubles with each.
pub const FIRST_RETRY_DELAY: Duration = Duration::from_secs(20);

/// The longest delay between two attempts, unless the service asks for a longer one.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(15 * 60);

/// The longest delay that a service may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The result of an attempt to deliver a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The service has accepted the message.
    Accepted,
    /// The service asks for a later attempt by this status, after this time if it gives one.
    Deferred(u16, Option<Duration>),
    /// The service failed with this status, or did not answer. It may have accepted the message.
    Failed(Option<u16>),
    /// The service rejects the message with this status: the secret or the message is wrong.
    Rejected(u16),
}

impl DeliveryResult {
    /// Describes the result: `status 404`.
    pub fn describe(self) -> String {
        match self {
            DeliveryResult::Accepted => "accepted".to_owned(),
            DeliveryResult::Deferred(status, _) => {
                format!("the service asks for a later attempt: status {status}")
            }
            DeliveryResult::Failed(Some(status)) => format!("the service failed: status {status}"),
            DeliveryResult::Failed(None) => "the service did not answer in time".to_owned(),
            DeliveryResult::Rejected(status) => format!("the service refused the message: status {status}"),
        }
    }
}

/// What keeps a recipient from accepting messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Obstacle {
    /// The service asks for later attempts.
    #[n(0)]
    Busy(#[n(0)] u16),
    /// The service fails with this status.
    #[n(1)]
    Failing(#[n(0)] u16),
    /// The service does not answer.
    #[n(2)]
    Silent,
    /// The service rejects messages.
    #[n(3)]
    Rejecting(#[n(0)] u16),
    /// The Worker does not have the secret.
    #[n(4)]
    NoSecret,
    /// The secret should be an address, and is not.
    #[n(5)]
    NotAnAddress,
}

impl Obstacle {
    /// Describes the obstacle: `status 404`.
    pub fn describe(self) -> String {
        match self {
            Obstacle::Busy(status) | Obstacle::Failing(status) | Obstacle::Rejecting(status) => {
                format!("status {status}")
            }
            Obstacle::Silent => "no answer".to_owned(),
            Obstacle::NoSecret => "the Worker does not have its secret".to_owned(),
            Obstacle::NotAnAddress => "its secret is not an address".to_owned(),
        }
    }

    /// Whether the owner can do something about it, so that it is a problem from the first attempt.
    pub const fn is_rejection(self) -> bool {
        matches!(self, Obstacle::Rejecting(_))
    }

    /// Whether it is in the settings, so that no attempt is made.
    pub const fn is_setup(self) -> bool {
        matches!(self, Obstacle::NoSecret | Obstacle::NotAnAddress)
    }
}

/// A recipient that does not accept messages. One that does has no circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Circuit {
    /// The instant of the first failure since the last message that was accepted.
    #[n(0)]
    pub failing_since: UnixMillis,
    /// The number of failures since then.
    #[n(1)]
    pub failures: u32,
    /// The instant of the next attempt.
    #[n(2)]
    pub next_attempt: UnixMillis,
    /// What went wrong last.
    #[n(3)]
    pub obstacle: Obstacle,
}

impl Circuit {
    /// The circuit of a recipient that cannot be used as it is configured. The first attempt after that is corrected is due at once.
    pub fn unusable(obstacle: Obstacle, now: UnixMillis) -> Circuit {
        Circuit { failing_since: now, failures: 0, next_attempt: now, obstacle }
    }

    /// The circuit after an attempt at `now`; `None` if the message was accepted.
    pub fn after(before: Option<Circuit>, result: DeliveryResult, now: UnixMillis) -> Option<Circuit> {
        let failures = before.map_or(0, |circuit| circuit.failures);
        let backoff = FIRST_RETRY_DELAY.saturating_mul(1 << failures.min(16)).min(MAX_RETRY_DELAY);
        let (delay, obstacle) = match result {
            DeliveryResult::Accepted => return None,
            DeliveryResult::Deferred(status, delay) => {
                let delay = delay.map(|delay| delay.clamp(Duration::from_secs(1), MAX_RETRY_AFTER));
                (delay.unwrap_or(backoff), Obstacle::Busy(status))
            }
            DeliveryResult::Failed(Some(status)) => (backoff, Obstacle::Failing(status)),
            DeliveryResult::Failed(None) => (backoff, Obstacle::Silent),
            // Somebody may correct the secret; there is no hurry.
            DeliveryResult::Rejected(status) => (MAX_RETRY_DELAY, Obstacle::Rejecting(status)),
        };
        Some(Circuit {
            failing_since: before.map_or(now, |circuit| circuit.failing_since),
            failures: failures.saturating_add(1),
            next_attempt: now.plus(delay),
            obstacle,
        })
    }

    /// Whether an attempt may be made at `now`. A clock that was set back delays none for longer than a service may ask for.
    pub fn allows_attempt(&self, now: UnixMillis) -> bool {
        now >= self.next_attempt || self.next_attempt.since(now) > MAX_RETRY_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> UnixMillis {
        UnixMillis(second * 1000)
    }

    #[test]
    fn the_result_of_an_attempt_decides_when_the_next_one_is() {
        let secs = Duration::from_secs;
        // (failures so far, result, seconds until the next attempt)
        let cases = [
            ("the first failure", 0, DeliveryResult::Failed(Some(500)), 20),
            ("the third", 2, DeliveryResult::Failed(None), 80),
            ("the tenth", 9, DeliveryResult::Failed(Some(503)), 900),
            ("the hundredth", 99, DeliveryResult::Failed(None), 900),
            ("asked for a delay", 0, DeliveryResult::Deferred(429, Some(secs(33))), 33),
            ("asked for no delay", 0, DeliveryResult::Deferred(503, Some(secs(0))), 1),
            ("asked for too long a delay", 0, DeliveryResult::Deferred(429, Some(secs(99_999))), 3600),
            ("busy without a delay", 1, DeliveryResult::Deferred(429, None), 40),
            ("a wrong secret", 0, DeliveryResult::Rejected(403), 900),
        ];
        for (name, failures, result, seconds) in cases {
            let before =
                Circuit { failing_since: at(0), failures, next_attempt: at(10), obstacle: Obstacle::Silent };
            let circuit = Circuit::after((failures > 0).then_some(before), result, at(10)).unwrap();
            assert_eq!(circuit.next_attempt, at(10 + seconds), "{name}");
            assert_eq!(circuit.failures, failures + 1, "{name}");
            assert!(!circuit.allows_attempt(at(9 + seconds)) && circuit.allows_attempt(at(10 + seconds)));
        }
        let failing = Circuit::after(None, DeliveryResult::Failed(None), at(10));
        assert_eq!(Circuit::after(failing, DeliveryResult::Accepted, at(30)), None);
    }

    #[test]
    fn a_service_that_was_down_for_two_hours_gets_the_message_soon_after() {
        let (mut now, mut attempts, mut circuit) = (at(0), 0, None);
        while now < at(7200) {
            circuit = Circuit::after(circuit, DeliveryResult::Failed(None), now);
            (now, attempts) = (circuit.unwrap().next_attempt, attempts + 1);
        }
        assert!(now < at(7200 + 900), "tried {attempts} times, the last at {now:?}");
        assert!(attempts < 20, "{attempts}");
        assert_eq!(circuit.unwrap().failing_since, at(0));
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_attempt_for_days() {
        let circuit = Circuit::after(None, DeliveryResult::Failed(None), at(1_000_000)).unwrap();
        assert!(circuit.allows_attempt(at(0)));
    }
}
