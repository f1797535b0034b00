use super::*;

const MINUTE: i64 = 60_000;
const NOON: i64 = 12 * 60 * MINUTE;

fn cost(rows_written: u64) -> QuotaCost {
    let readers = ReaderCost::default();
    QuotaCost { requests: 1, rows_read: 2, rows_written, subrequests: 3, active_ms: 0, readers }
}

#[test]
fn a_day_is_counted_and_the_next_begins_at_zero() {
    let mut usage = QuotaUsage::default();
    let mut last = None;
    for minute in 0..1440 + 10 {
        let at = UnixMillis(minute * MINUTE);
        if minute == 1439 {
            assert_eq!((usage.requests, usage.rows_written, usage.ticks), (1439, 2 * 1439, 1439));
        }
        usage.record_tick(at, at, last, cost(2));
        last = Some(at);
    }
    assert_eq!((usage.day, usage.requests, usage.subrequests, usage.busiest), (1, 10, 30, 3));
    assert_eq!((usage.missed, usage.max_delay_ms), (0, 0));
}

/// A hub waits for its targets, and the platform counts the time. (hubs, seconds of each tick at full rate; whether it is throttled, and
/// whether the day's GB-s last). Ten seconds are one to six targets that never answer, twenty are up to twelve.
#[test]
fn slow_targets_do_not_use_up_the_time_that_hubs_may_be_active() {
    for (hubs, seconds, is_throttled, lasts) in [
        (1, 60, false, true),
        (2, 10, false, true),
        (2, 60, true, true),
        (25, 1, false, true),
        (25, 20, true, true),
        (45, 10, true, true),
        (45, 20, true, false),
        (45, 55, true, false),
    ] {
        let quotas = FREE_PLAN.divided_by(hubs);
        let (mut usage, mut last) = (QuotaUsage::default(), None);
        for minute in 0..1440 {
            let at = UnixMillis(minute * MINUTE);
            // A tick that probes nothing takes no time.
            let interval = usage.min_interval().as_secs().max(60) / 60;
            let active_ms = if minute.unsigned_abs() % interval == 0 { seconds * 1000 } else { 0 };
            let cost = QuotaCost { active_ms, ..QuotaCost::default() };
            usage.record_tick(at, at, last, cost);
            usage.throttle(at, quotas);
            last = Some(at);
        }
        let gb_seconds = usage.active_ms * hubs as u64 * 128 / 1_000_000;
        assert_eq!(usage.throttle_level > 0, is_throttled, "{hubs} hubs, {seconds} s: {gb_seconds} GB-s");
        assert_eq!(gb_seconds <= 13_000, lasts, "{hubs} hubs, {seconds} s: {gb_seconds} GB-s");
        // Beyond the last level a hub may still use a fifteenth.
        assert!(gb_seconds <= 13_000 + hubs as u64 * seconds * 96 * 128 / 1000, "{hubs}: {gb_seconds} GB-s");
    }
}

#[test]
fn missed_and_late_ticks_are_counted() {
    // (seconds since the last tick, missed)
    for (gap, missed) in [(60, 0), (5, 0), (89, 0), (90, 1), (120, 1), (600, 9)] {
        let mut usage = QuotaUsage::default();
        let at = UnixMillis(10_000_000);
        usage.record_tick(
            at,
            UnixMillis(at.0 + 1500),
            Some(UnixMillis(at.0 - gap * 1000)),
            QuotaCost::default(),
        );
        assert_eq!((usage.missed, usage.max_delay_ms), (missed, 1500), "{gap}");
    }
    let mut usage = QuotaUsage::default();
    usage.record_tick(UnixMillis(0), UnixMillis(i64::MAX / 2), None, QuotaCost::default());
    assert_eq!(usage.max_delay_ms, 0, "a test's clock");
}

#[test]
fn the_edge_is_throttled_if_the_quota_would_not_last() {
    // (rows written, at, lowered to)
    let cases = [
        ("a quiet day", 1440, NOON, 0),
        ("half at noon is just the pace", 50_000, NOON, 0),
        ("more than half at noon", 50_200, NOON, 60),
        ("much, and the day is nearly over", 80_000, 2 * NOON - 120 * MINUTE, 0),
        ("much early, but not yet half", 49_000, 60 * MINUTE, 0),
        ("nine tenths", 90_000, 2 * NOON - MINUTE, 300),
        ("nearly all", 97_000, 2 * NOON - MINUTE, 900),
        ("more than all", 1_000_000, NOON, 900),
    ];
    for (name, rows, at, floor) in cases {
        let mut usage = QuotaUsage { rows_written: rows, ..QuotaUsage::default() };
        usage.throttle(UnixMillis(at), FREE_PLAN);
        assert_eq!(usage.min_interval().as_secs(), floor, "{name}");
        assert_eq!(usage.throttle_notice().is_some(), floor > 0, "{name}");
    }
}

/// Every quota, at any pace: the day ends within it, with what a pace of a quarter of an hour costs to spare.
#[test]
fn no_pace_spends_more_than_the_day_has() {
    for rows in [1, 7, 40, 400] {
        let (mut usage, mut last, mut probed) = (QuotaUsage::default(), None, i64::MIN / 2);
        for second in (0..86_400).step_by(5) {
            let at = UnixMillis(second * 1000);
            let floor = i64::try_from(usage.min_interval().as_millis()).unwrap();
            if at.0 - probed < floor {
                continue;
            }
            probed = at.0;
            usage.record_tick(at, at, last, cost(rows));
            usage.throttle(at, FREE_PLAN);
            last = Some(at);
        }
        let most = FREE_PLAN.rows_written + rows * 96;
        assert!(usage.rows_written <= most, "{rows} rows a tick: {usage:?}");
    }
}

/// A day of 300 requests a minute from each of 50 addresses, of which one in a hundred reaches the hub and reads a ring of ticks: the
/// readers are refused once their part is used, and no monitor is probed later for that.
#[test]
fn readers_never_lower_what_is_watched() {
    for rows_of_a_question in [1, 100, 5000] {
        let (mut usage, mut answered) = (QuotaUsage::default(), 0);
        for minute in 0..1440 {
            let at = UnixMillis(minute * MINUTE);
            let mut readers = ReaderCost::default();
            for _ in 0..150 {
                if usage.is_closed_for_readers(readers, at, FREE_PLAN) {
                    // Each of fifty isolates of the Worker asks the hub, and then not for five minutes.
                    readers.requests += if minute % 5 == 0 { 50 } else { 0 };
                    break;
                }
                readers.requests += 1;
                readers.rows_read += rows_of_a_question;
                answered += 1;
            }
            let (requests, rows_read) = (1 + readers.requests, 20 + readers.rows_read);
            let cost = QuotaCost {
                requests,
                rows_read,
                rows_written: 1,
                subrequests: 40,
                active_ms: 9_000,
                readers,
            };
            let last = Some(at.minus(TICK)).filter(|_| minute > 0);
            usage.record_tick(at, at, last, cost);
            usage.throttle(at, FREE_PLAN);
            assert_eq!(usage.min_interval(), Duration::ZERO, "minute {minute}: {usage:?}");
        }
        assert!(answered >= 249, "{answered} questions of {rows_of_a_question} rows");
        assert!(usage.requests < FREE_PLAN.requests && usage.rows_read < FREE_PLAN.rows_read, "{usage:?}");
    }
}

#[test]
fn readers_that_asked_too_much_are_answered_again_soon() {
    let used = |requests| QuotaUsage { day: 3, reader_requests: requests, ..QuotaUsage::default() };
    let at = |hours: i64| UnixMillis((3 * 24 + hours) * 60 * MINUTE);
    let none = ReaderCost::default();
    // (requests of readers, hours since midnight, whether they are refused)
    let cases = [
        (6249, 0, false),
        (6250, 0, true),
        (6250, 1, false),
        (15_624, 12, false),
        (15_625, 12, true),
        (24_999, 23, true),
        (24_999, 24, false),
    ];
    for (requests, hours, closed) in cases {
        let found = used(requests).is_closed_for_readers(none, at(hours), FREE_PLAN);
        assert_eq!(found, closed, "{requests} after {hours} h");
    }
    let since = ReaderCost { requests: 6250, rows_read: 0 };
    assert!(used(24_999).is_closed_for_readers(since, at(24), FREE_PLAN), "before the first tick of a day");
}

#[test]
fn the_parts_of_readers_and_of_monitoring_are_the_whole() {
    let (readers, monitoring) = (FREE_PLAN.for_readers(), FREE_PLAN.for_monitoring());
    assert_eq!((readers.requests, readers.rows_read, readers.rows_written), (25_000, 1_250_000, 0));
    assert_eq!(readers.requests + monitoring.requests, FREE_PLAN.requests);
    assert_eq!(readers.rows_read + monitoring.rows_read, FREE_PLAN.rows_read);
    assert_eq!(monitoring.rows_written, FREE_PLAN.rows_written);
}

#[test]
fn many_hubs_together_stay_within_the_quotas() {
    for hubs in [1, 25, 45] {
        let each = FREE_PLAN.divided_by(usize::try_from(hubs).unwrap());
        assert!(
            each.requests * hubs <= FREE_PLAN.requests && each.rows_written * hubs <= FREE_PLAN.rows_written
        );
        assert!(each.for_monitoring().requests > 1440, "a tick a minute");
    }
    assert_eq!(FREE_PLAN.divided_by(0), FREE_PLAN);
}

#[test]
fn the_edge_stays_throttled_for_the_day() {
    let mut usage = QuotaUsage { rows_written: 60_000, ..QuotaUsage::default() };
    usage.throttle(UnixMillis(NOON), FREE_PLAN);
    usage.throttle(UnixMillis(2 * NOON - 1), FREE_PLAN);
    assert_eq!(usage.min_interval(), Duration::from_secs(60));
    usage.record_tick(UnixMillis(2 * NOON), UnixMillis(2 * NOON), None, QuotaCost::default());
    assert_eq!(usage.min_interval(), Duration::ZERO);
}
