//! Which monitors a tick probes, and how long a probe speaks for.
//!
//! The cron comes once a minute, sometimes late or not at all, and an interval need not be a multiple of it.
//! Everything here follows from two constants; nothing here knows what time it is.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

/// The cron's period, the finest that Cloudflare has.
pub const TICK: Duration = Duration::from_secs(60);

/// How late the next probe may be before the time from then on counts as not observed.
pub const TOLERANCE: Duration = Duration::from_secs(30);

/// How much earlier than its interval a monitor may be probed, so that a tick that comes a moment early does
/// not put it off by a whole tick: a tenth of the interval, at most 5 s.
pub fn slack(interval: Duration) -> Duration {
    (interval / 10).min(Duration::from_secs(5))
}

/// Whether a monitor last probed at `last` is to be probed by the tick of `now`.
pub fn is_due(last: Option<UnixMillis>, interval: Duration, now: UnixMillis) -> bool {
    last.is_none_or(|last| now > last && now.plus(slack(interval)) >= last.plus(interval))
}

/// How long a probe vouches for what it found: until the first tick at which the monitor is due again, and
/// [`TOLERANCE`].
pub fn vouching(interval: Duration) -> Duration {
    let wait = interval.saturating_sub(slack(interval)).as_millis();
    let ticks = wait.div_ceil(TICK.as_millis()).max(1);
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)).saturating_add(TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn due() {
        // (interval, seconds since the last probe, due)
        let cases = [
            (60, 60, true),
            (60, 59, true),
            (60, 55, true),
            (60, 54, false),
            (60, 0, false),
            (5, 5, true),
            (5, 4, false),
            (90, 60, false),
            (90, 120, true),
            (63, 60, true),
            (3600, 3594, false),
            (3600, 3595, true),
        ];
        for (interval, elapsed, due) in cases {
            let (last, now) = (UnixMillis(1_000_000), UnixMillis(1_000_000 + elapsed * 1000));
            assert_eq!(is_due(Some(last), s(interval), now), due, "every {interval} s, after {elapsed} s");
        }
        assert!(is_due(None, s(60), UnixMillis(0)), "never probed");
        assert!(!is_due(Some(UnixMillis(1000)), s(5), UnixMillis(0)), "an older clock probes nothing");
    }

    #[test]
    fn a_probe_speaks_until_the_next_one_is_overdue() {
        for (interval, seconds) in
            [(5, 90), (60, 90), (63, 90), (90, 150), (120, 150), (3600, 3630), (3661, 3690)]
        {
            assert_eq!(vouching(s(interval)), s(seconds), "every {interval} s");
        }
    }

    #[test]
    fn minute_ticks_leave_no_gap_at_any_interval() {
        for interval in 5..=7200 {
            let due =
                (1..1000).find(|tick| is_due(Some(UnixMillis(0)), s(interval), UnixMillis(tick * 60_000)));
            let next = Duration::from_millis(u64::try_from(due.unwrap()).unwrap() * 60_000);
            assert_eq!(vouching(s(interval)), next + TOLERANCE, "every {interval} s");
        }
    }
}
