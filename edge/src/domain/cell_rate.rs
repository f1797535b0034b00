//! A rate with a burst, by the generic cell rate algorithm: one instant is all that is kept.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

/// One event in each `pause` on the average, and `burst` of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellRate {
    /// The time from one event to the next at which all are admitted.
    pub pause: Duration,
    /// The events that are admitted at once.
    pub burst: u32,
}

impl CellRate {
    /// Admits an event at `now`. `reached` is what the last admitted event returned: the instant at which as many events are due as were
    /// admitted. The error is the time until the next one is admitted.
    pub fn admit(self, reached: Option<UnixMillis>, now: UnixMillis) -> Result<UnixMillis, Duration> {
        let longest = self.pause.saturating_mul(self.burst);
        // A clock that was set back must not refuse everything until then.
        let reached = reached.filter(|reached| reached.since(now) <= longest).unwrap_or(now);
        let next = reached.max(now).plus(self.pause);
        match next.since(now).checked_sub(longest) {
            Some(ahead) if !ahead.is_zero() => Err(ahead),
            _ => Ok(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_then_one_event_in_each_pause() {
        let rate = CellRate { pause: Duration::from_secs(60), burst: 3 };
        let (mut reached, mut admitted) = (None, Vec::new());
        for second in (0..300).step_by(10) {
            match rate.admit(reached, UnixMillis(second * 1000)) {
                Ok(next) => {
                    reached = Some(next);
                    admitted.push(second);
                }
                Err(wait) => assert!(wait <= rate.pause && !wait.is_zero(), "{wait:?}"),
            }
        }
        assert_eq!(admitted, [0, 10, 20, 60, 120, 180, 240]);
        assert!(rate.admit(reached, UnixMillis(-9_999_999)).is_ok(), "after the clock was set back");
    }
}
