//! Schedules in zones whose clocks change, against a reference that looks at the clock of every minute.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use heapbeat_shared::UnixMillis;
use proptest::prelude::*;

use super::at;
use crate::schedule::Schedule;

/// The clock of a zone: its offset from UTC in seconds before the first change, and after each.
struct Zone {
    name: &'static str,
    before: i32,
    changes: &'static [(&'static str, i32)],
}

/// Changes of the IANA database (2026b): an hour and half an hour, at midnight, two hours, a whole day, and for ever.
static ZONES: [Zone; 15] = [
    Zone {
        name: "Europe/Berlin",
        before: 3600,
        changes: &[
            ("2026-03-29T01:00:00Z", 7200),
            ("2026-10-25T01:00:00Z", 3600),
            ("2027-03-28T01:00:00Z", 7200),
        ],
    },
    Zone {
        name: "Europe/London",
        before: 0,
        changes: &[("2026-03-29T01:00:00Z", 3600), ("2026-10-25T01:00:00Z", 0)],
    },
    Zone {
        name: "America/New_York",
        before: -18_000,
        changes: &[("2026-03-08T07:00:00Z", -14_400), ("2026-11-01T06:00:00Z", -18_000)],
    },
    Zone {
        name: "America/St_Johns",
        before: -12_600,
        changes: &[("2026-03-08T05:30:00Z", -9000), ("2026-11-01T04:30:00Z", -12_600)],
    },
    Zone {
        name: "Australia/Lord_Howe",
        before: 39_600,
        changes: &[("2026-04-04T15:00:00Z", 37_800), ("2026-10-03T15:30:00Z", 39_600)],
    },
    Zone {
        name: "Pacific/Chatham",
        before: 49_500,
        changes: &[("2026-04-04T14:00:00Z", 45_900), ("2026-09-26T14:00:00Z", 49_500)],
    },
    Zone { name: "Asia/Kathmandu", before: 20_700, changes: &[] },
    Zone {
        name: "Africa/Casablanca",
        before: 3600,
        changes: &[("2026-02-15T02:00:00Z", 0), ("2026-03-22T02:00:00Z", 3600)],
    },
    Zone {
        name: "Africa/Cairo",
        before: 7200,
        changes: &[("2026-04-23T22:00:00Z", 10_800), ("2026-10-29T21:00:00Z", 7200)],
    },
    Zone {
        name: "America/Santiago",
        before: -10_800,
        changes: &[("2026-04-05T03:00:00Z", -14_400), ("2026-09-06T04:00:00Z", -10_800)],
    },
    Zone {
        name: "America/Havana",
        before: -18_000,
        changes: &[("2026-03-08T05:00:00Z", -14_400), ("2026-11-01T05:00:00Z", -18_000)],
    },
    Zone {
        name: "Antarctica/Troll",
        before: 0,
        changes: &[("2026-03-29T01:00:00Z", 7200), ("2026-10-25T01:00:00Z", 0)],
    },
    Zone { name: "Pacific/Apia", before: -36_000, changes: &[("2011-12-30T10:00:00Z", 50_400)] },
    Zone { name: "America/Caracas", before: -16_200, changes: &[("2016-05-01T07:00:00Z", -14_400)] },
    Zone { name: "Asia/Pyongyang", before: 30_600, changes: &[("2018-05-04T15:00:00Z", 32_400)] },
];

/// A field of an expression: whether it is `*`, and the numbers that it accepts.
type Field = (bool, fn(u32) -> bool);

/// Expressions, each with what it means: minute, hour, day of the month, month, and day of the week from Sunday.
const EXPRESSIONS: [(&str, [Field; 5]); 12] = {
    const ANY: Field = (true, |_| true);
    [
        ("*/15 * * * *", [(false, |m| m % 15 == 0), ANY, ANY, ANY, ANY]),
        ("* * * * *", [ANY, ANY, ANY, ANY, ANY]),
        ("30 2 * * *", [(false, |m| m == 30), (false, |h| h == 2), ANY, ANY, ANY]),
        ("0 2 * * *", [(false, |m| m == 0), (false, |h| h == 2), ANY, ANY, ANY]),
        ("0 3 * * *", [(false, |m| m == 0), (false, |h| h == 3), ANY, ANY, ANY]),
        ("59 1 * * *", [(false, |m| m == 59), (false, |h| h == 1), ANY, ANY, ANY]),
        ("5,35 0-3 * * *", [(false, |m| m == 5 || m == 35), (false, |h| h <= 3), ANY, ANY, ANY]),
        ("45 */2 * * *", [(false, |m| m == 45), (false, |h| h % 2 == 0), ANY, ANY, ANY]),
        ("0 0 * * *", [(false, |m| m == 0), (false, |h| h == 0), ANY, ANY, ANY]),
        ("15 2 * * SUN", [(false, |m| m == 15), (false, |h| h == 2), ANY, ANY, (false, |d| d == 0)]),
        (
            "10 1,2 29,30 * *",
            [(false, |m| m == 10), (false, |h| h == 1 || h == 2), (false, |d| d == 29 || d == 30), ANY, ANY],
        ),
        (
            "20 23 1 * SAT",
            [(false, |m| m == 20), (false, |h| h == 23), (false, |d| d == 1), ANY, (false, |d| d == 6)],
        ),
    ]
};

/// The clock of a zone, with its changes as instants.
struct Clock {
    zone: &'static Zone,
    changes: Vec<(UnixMillis, i32)>,
}

impl Clock {
    fn of(zone: &'static Zone) -> Clock {
        Clock { zone, changes: zone.changes.iter().map(|(change, ahead)| (at(change), *ahead)).collect() }
    }

    fn offset(&self, instant: UnixMillis) -> i32 {
        let passed = self.changes.iter().rev().find(|(change, _)| *change <= instant);
        passed.map_or(self.zone.before, |(_, ahead)| *ahead)
    }

    /// What the clock shows.
    fn local(&self, instant: UnixMillis) -> NaiveDateTime {
        let shown = instant.0 + i64::from(self.offset(instant)) * 1000;
        DateTime::from_timestamp_millis(shown).unwrap().naive_utc()
    }
}

/// The reference: every minute after `from` at which the clock shows a time of the expression.
fn due(clock: &Clock, fields: &[Field; 5], from: UnixMillis) -> impl Iterator<Item = UnixMillis> {
    let [minute, hour, day, month, weekday] = *fields;
    let minutes = std::iter::successors(Some(from), |last| Some(last.plus(Duration::from_secs(60)))).skip(1);
    minutes.filter(move |instant| {
        let shown = clock.local(*instant);
        let in_month = day.1(shown.day());
        let in_week = weekday.1(shown.weekday().num_days_from_sunday());
        // Cron's rule: if both days are restricted, one of them is enough.
        let on_day = if day.0 || weekday.0 { in_month && in_week } else { in_month || in_week };
        minute.1(shown.minute()) && hour.1(shown.hour()) && month.1(shown.month()) && on_day
    })
}

fn scheduled(clock: &Clock, schedule: &Schedule, from: UnixMillis, to: UnixMillis) -> Vec<UnixMillis> {
    let next = |after: &UnixMillis| schedule.next_after(*after, |instant| clock.offset(instant));
    std::iter::successors(next(&from), next).take_while(|instant| *instant <= to).collect()
}

#[test]
fn a_time_is_due_whenever_the_clock_shows_it() {
    const AROUND: Duration = Duration::from_secs(2 * 86_400);
    for clock in ZONES.iter().map(Clock::of) {
        let days = clock.changes.iter().map(|(change, _)| *change).chain([at("2026-07-01T00:00:00Z")]);
        for change in days {
            let (from, to) = (change.minus(AROUND), change.plus(AROUND));
            for (text, fields) in &EXPRESSIONS {
                let zone = clock.zone.name;
                let found = scheduled(&clock, &Schedule::new(text, zone).unwrap(), from, to);
                let expected: Vec<_> =
                    due(&clock, fields, from).take_while(|instant| *instant <= to).collect();
                assert_eq!(found, expected, "{text} in {zone} around {change:?}");
            }
        }
    }
}

#[test]
fn a_repeated_hour_counts_twice_and_a_skipped_one_not_at_all() {
    let (berlin, quarter) = (Clock::of(&ZONES[0]), Schedule::new("*/15 * * * *", "Europe/Berlin").unwrap());
    let fixed = Schedule::new("30 2 * * *", "Europe/Berlin").unwrap();
    let night = |from, to| (at(from).minus(Duration::from_millis(1)), at(to));
    let (from, to) = night("2026-10-24T23:00:00Z", "2026-10-25T02:59:00Z");
    assert_eq!(scheduled(&berlin, &quarter, from, to).len(), 16, "four hours from 01:00 to 04:00");
    assert_eq!(
        scheduled(&berlin, &fixed, from, to),
        [at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")]
    );
    let (from, to) = night("2026-03-29T00:00:00Z", "2026-03-29T01:59:00Z");
    assert_eq!(scheduled(&berlin, &quarter, from, to).len(), 8, "two hours from 01:00 to 04:00");
    assert_eq!(scheduled(&berlin, &fixed, from, to), []);
}

#[test]
fn a_time_that_is_always_skipped_is_never_due() {
    // The second Sunday of March at half past two in New York, whose clock then goes from 2 to 3.
    let schedule = Schedule::new("30 2 8-14 3 +SUN", "America/New_York").unwrap();
    let ahead = |instant: UnixMillis| {
        let year = DateTime::from_timestamp_millis(instant.0).unwrap().year();
        let first = chrono::NaiveDate::from_ymd_opt(year, 3, 8).unwrap();
        let sunday = first + chrono::Days::new(u64::from((7 - first.weekday().num_days_from_sunday()) % 7));
        let spring = sunday.and_hms_opt(7, 0, 0).unwrap().and_utc().timestamp_millis();
        let autumn = spring + 238 * 86_400_000 - 3_600_000;
        if (spring..autumn).contains(&instant.0) { -14_400 } else { -18_000 }
    };
    assert_eq!(schedule.next_after(at("2026-01-01T00:00:00Z"), ahead), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_next_time_is_the_first_that_the_clock_shows(
        zone in 0..ZONES.len(),
        expression in 0..EXPRESSIONS.len(),
        day in 0..400_i64,
        millis in 0..86_400_000_i64,
    ) {
        let (clock, (text, fields)) = (Clock::of(&ZONES[zone]), &EXPRESSIONS[expression]);
        let first = clock.changes.first().map_or(at("2026-01-01T00:00:00Z"), |(change, _)| *change);
        let after = UnixMillis(first.0 + (day - 5) * 86_400_000 + millis);
        let minute = UnixMillis(after.0.div_euclid(60_000) * 60_000);
        let expected = due(&clock, fields, minute).next();
        let schedule = Schedule::new(text, clock.zone.name).unwrap();
        let found = schedule.next_after(after, |instant| clock.offset(instant));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn two_instants_show_one_time_or_one_does(zone in 0..ZONES.len(), change in 0..3_usize, minutes in -300..300_i64) {
        let clock = Clock::of(&ZONES[zone]);
        prop_assume!(change < clock.changes.len());
        let instant = UnixMillis(clock.changes[change].0.0 + minutes * 60_000);
        let shown = clock.local(instant);
        let same = |other: &i64| *other != 0 && clock.local(UnixMillis(instant.0 + other * 60_000)) == shown;
        let expected = (-200..=200_i64).find(same).map(|other| UnixMillis(instant.0 + other * 60_000));
        let schedule = Schedule::new("* * * * *", clock.zone.name).unwrap();
        prop_assert_eq!(schedule.other_occurrence(instant, |at| clock.offset(at)), expected);
    }
}
