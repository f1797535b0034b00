//! Which monitors are due in a tick, and for how long the result of a probe is valid.
//!
//! The cron comes once a minute, sometimes late or not at all, and an interval need not be a multiple of a minute. Everything here
//! follows from two constants; time is an argument.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::fnv::fnv1a;

use crate::monitor_config::{MonitorConfig, MonitorKind};

/// The cron's period, the finest that Cloudflare has.
pub const TICK: Duration = Duration::from_secs(60);

/// How late the next probe may be before time counts as unobserved.
pub const TOLERANCE: Duration = Duration::from_secs(30);

/// How much earlier than its interval a monitor may be probed, so that a tick that comes a moment early does not delay the probe
/// by a whole tick: a tenth of the interval, at most 5 s.
pub fn jitter_tolerance(interval: Duration) -> Duration {
    (interval / 10).min(Duration::from_secs(5))
}

/// Whether the monitor with this id, last probed at `last`, is due in the tick of `now`.
///
/// An interval that is longer than a tick divides time into slots, which begin at another instant for each id, so that many
/// monitors with the same interval are spread over the ticks. A missed tick does not move the slots.
pub fn is_due(id: &str, last: Option<UnixMillis>, interval: Duration, now: UnixMillis) -> bool {
    let Some(last) = last else { return true };
    if !has_slots(interval) {
        return now > last && now.plus(jitter_tolerance(interval)) >= last.plus(interval);
    }
    now > last && slot(id, interval, now) > slot(id, interval, last)
}

/// Whether an interval is longer than a tick and therefore divides time into slots.
fn has_slots(interval: Duration) -> bool {
    interval.saturating_sub(jitter_tolerance(interval)) > TICK
}

/// The number of the slot that contains a tick.
fn slot(id: &str, interval: Duration, at: UnixMillis) -> i64 {
    let length = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
    // In whole seconds, so that slots begin where ticks can be.
    let phase = i64::try_from(hash(id) % interval.as_secs().max(1)).unwrap_or(0) * 1000;
    at.plus(jitter_tolerance(interval)).0.saturating_add(phase).div_euclid(length)
}

/// FNV-1a in 64 bits with its halves mixed, so that ids that differ in their last letter differ in all bits.
fn hash(id: &str) -> u64 {
    let mixed = fnv1a(id.as_bytes());
    (mixed ^ (mixed >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// The time between alarms, if a monitor has an interval below a minute. `floor` is the shortest interval at which any monitor is
/// probed.
pub fn alarm_interval(config: &MonitorConfig, floor: Duration) -> Option<Duration> {
    let probed = config.monitors.iter().filter(|monitor| monitor.kind() != MonitorKind::Heartbeat);
    probed.map(|monitor| monitor.interval.max(floor)).min().filter(|shortest| *shortest < TICK)
}

/// For how long the result of a probe is valid: until the first tick in which the monitor is due again, plus [`TOLERANCE`].
pub fn validity(interval: Duration) -> Duration {
    if interval < TICK {
        // Alarms tick between the cron's ticks.
        return interval.saturating_add(TOLERANCE);
    }
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let wait = millis(if has_slots(interval) { interval } else { TICK });
    let ticks = wait.div_ceil(millis(TICK)).max(1);
    TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)).saturating_add(TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_monitor_is_due_once_its_interval_has_passed() {
        // (interval, seconds since the last probe, due)
        let cases = [
            (60, 60, true),
            (60, 59, true),
            (60, 55, true),
            (60, 54, false),
            (60, 0, false),
            (5, 5, true),
            (5, 4, false),
            (63, 60, true),
        ];
        for (interval, elapsed, due) in cases {
            let (last, now) = (UnixMillis(1_000_000), UnixMillis(1_000_000 + elapsed * 1000));
            assert_eq!(
                is_due("m", Some(last), s(interval), now),
                due,
                "every {interval} s, after {elapsed} s"
            );
        }
        assert!(is_due("m", None, s(3600), UnixMillis(0)), "never probed");
        assert!(!is_due("m", Some(UnixMillis(1000)), s(5), UnixMillis(0)), "an older clock probes nothing");
        assert!(!is_due("m", Some(UnixMillis(1000)), s(90), UnixMillis(0)), "an older clock probes nothing");
    }

    #[test]
    fn a_result_is_valid_until_the_next_probe_is_overdue() {
        for (interval, seconds) in
            [(5, 35), (59, 89), (60, 90), (63, 90), (90, 150), (120, 150), (3600, 3630), (3661, 3750)]
        {
            assert_eq!(validity(s(interval)), s(seconds), "every {interval} s");
        }
    }

    #[test]
    fn minute_ticks_leave_no_gap_at_any_interval() {
        for interval in 60..=7200 {
            let (id, mut last) = (format!("m{interval}"), 0);
            let until = i64::try_from(interval).unwrap() * 3 / 60 + 3;
            for tick in 1..=until {
                let at = |tick: i64| UnixMillis(tick * 60_000);
                if is_due(&id, Some(at(last)), s(interval), at(tick)) {
                    let waited = at(tick).since(at(last));
                    assert!(waited + TOLERANCE <= validity(s(interval)), "every {interval} s: {waited:?}");
                    last = tick;
                }
            }
            assert!(last > until / 3, "every {interval} s, and not once within three times that");
        }
    }

    #[test]
    fn alarms_come_at_the_shortest_interval() {
        let config = |intervals: &[&str]| {
            let entries: Vec<_> = intervals
                .iter()
                .zip(0..)
                .map(|(interval, id)| {
                    format!(
                        r#"{{"id":"m{id}","kind":"http","url":"https://a.example","interval":"{interval}"}}"#
                    )
                })
                .collect();
            MonitorConfig::parse(Some(&format!("[{}]", entries.join(","))), false)
        };
        let cases: [(&[&str], u64, Option<u64>); 5] = [
            (&["60s", "5m"], 0, None),
            (&["30s", "5s", "60s"], 0, Some(5)),
            (&["59s"], 0, Some(59)),
            (&["5s", "60s"], 60, None),
            (&["5s"], 10, Some(10)),
        ];
        for (intervals, floor, expected) in cases {
            assert_eq!(
                alarm_interval(&config(intervals), s(floor)),
                expected.map(s),
                "{intervals:?} {floor}"
            );
        }
    }

    #[test]
    fn an_interval_is_kept_on_average() {
        for interval in [90, 120, 150, 300, 3600, 3661] {
            let (mut last, mut probes, days) = (0, 0, 10);
            for tick in 1..=days * 1440 {
                if is_due("api", Some(UnixMillis(last * 60_000)), s(interval), UnixMillis(tick * 60_000)) {
                    (last, probes) = (tick, probes + 1);
                }
            }
            let expected = days * 86_400 / i64::try_from(interval).unwrap();
            assert!((probes - expected).abs() <= 1, "every {interval} s: {probes} instead of {expected}");
        }
    }

    #[test]
    fn a_thousand_monitors_are_spread_evenly() {
        for interval in [300_u64, 600, 3600] {
            let ticks = interval / 60;
            let mut loads = vec![0_u64; usize::try_from(ticks).unwrap()];
            for monitor in 0..1000 {
                let id = format!("service-{monitor}");
                for (load, tick) in loads.iter_mut().zip(1_000_000..) {
                    let at = |tick: i64| UnixMillis(tick * 60_000);
                    *load += u64::from(is_due(&id, Some(at(tick - 1)), s(interval), at(tick)));
                }
            }
            let mean = 1000.0 / ticks as f64;
            // Four standard deviations of a fair spread.
            let most = mean + 4.0 * mean.sqrt();
            assert_eq!(loads.iter().sum::<u64>(), 1000, "each once");
            assert!(loads.iter().all(|load| (*load as f64) <= most), "every {interval} s: {loads:?}");
        }
    }
}
