//! Tests of schedules.

use chrono::{DateTime, Utc};

use super::*;

mod zones;

fn at(text: &str) -> UnixMillis {
    UnixMillis(text.parse::<DateTime<Utc>>().unwrap().timestamp_millis())
}

/// Returns the offset of Central Europe in 2026: one hour, and two from 29 March to 25 October; both change at 01:00 UTC.
fn berlin(instant: UnixMillis) -> i32 {
    let summer = at("2026-03-29T01:00:00Z")..at("2026-10-25T01:00:00Z");
    if summer.contains(&instant) { 7200 } else { 3600 }
}

#[test]
fn a_day_that_never_comes_is_refused_and_a_rare_one_is_not() {
    assert_eq!(Schedule::new("0 0 29 2 +MON", "UTC").err(), None);
    for text in ["0 0 31 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30 2 +L", "0 0 1 * +MON#5"] {
        assert_eq!(Schedule::new(text, "UTC").err(), Some(ScheduleError::Never), "{text}");
    }
}

#[test]
fn the_next_time_follows_the_local_clock() {
    let cases = [
        ("every minute", "* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
        ("not the present one", "* * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"),
        ("three at night, winter", "0 3 * * *", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"),
        ("three at night, summer", "0 3 * * *", "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z"),
        ("tomorrow", "0 3 * * *", "2026-07-01T01:00:00Z", "2026-07-02T01:00:00Z"),
        ("over the change", "0 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        ("a skipped hour: not on that day", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"),
        ("a repeated hour", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("a repeated hour: twice", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("a repeated hour: not thrice", "30 2 * * *", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
        ("weekdays", "0 9 * * MON-FRI", "2026-01-02T12:00:00Z", "2026-01-05T08:00:00Z"),
        ("every quarter of an hour", "*/15 * * * *", "2026-01-01T00:16:00Z", "2026-01-01T00:30:00Z"),
        ("a list and a step", "5,50-59/3 0 * * *", "2026-01-01T00:00:00Z", "2026-01-01T23:05:00Z"),
        ("from a minute on", "40/10 1 * * *", "2026-01-01T00:41:00Z", "2026-01-01T00:50:00Z"),
        ("Sunday is 0 and 7", "0 12 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T11:00:00Z"),
        (
            "a day of the month or of the week",
            "0 12 13 * FRI",
            "2026-01-03T00:00:00Z",
            "2026-01-09T11:00:00Z",
        ),
        ("the same, the other", "0 12 13 * FRI", "2026-01-10T00:00:00Z", "2026-01-13T11:00:00Z"),
        ("a month", "0 0 1 jul *", "2026-01-01T00:00:00Z", "2026-06-30T22:00:00Z"),
        ("a leap day", "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-28T23:00:00Z"),
    ];
    for (name, cron, after, next) in cases {
        let schedule = Schedule::new(cron, "Europe/Berlin").unwrap();
        assert_eq!(schedule.next_after(at(after), berlin), Some(at(next)), "{name}");
    }
}

#[test]
fn an_invalid_field_is_named_with_its_bounds() {
    let cases = [
        ("0 25 * * *", "the hour `25` is invalid, it must be from 0 to 23"),
        ("60 3 * * *", "the minute `60` is invalid, it must be from 0 to 59"),
        ("0 3 32 * *", "the day of the month `32` is invalid, it must be from 1 to 31"),
        ("0 3 * 13 *", "the month `13` is invalid, it must be from 1 to 12 or JAN to DEC"),
        ("0 3 * * 8", "the day of the week `8` is invalid, it must be from 0 to 7"),
        ("0 3 * * FUNDAY", "the day of the week `FUNDAY` is invalid"),
        ("*/0 * * * *", "the minute `*/0` is invalid, it must be from 0 to 59, and a step is at least 1"),
        ("@daily", "it has 1 field; write five fields"),
    ];
    for (text, reason) in cases {
        let error = Schedule::new(text, "UTC").unwrap_err().to_string();
        assert!(error.starts_with(&format!("is not a cron expression: {reason}")), "{error}");
    }
}

#[test]
fn an_invalid_expression_or_zone_is_refused() {
    for text in [
        "",
        "* * * *",
        "* * * * * *",
        "61 * * * *",
        "0 24 * * *",
        "0 3 0 * *",
        "0 3 * * nonday",
        "what",
        "*/0 * * * *",
        "5-1 * * * *",
        "-5 * * * *",
        "+5 * * * *",
        "1,,2 * * * *",
        "1- * * * *",
        "@daily",
        "0 3 * * 8",
    ] {
        assert!(matches!(Schedule::new(text, "UTC"), Err(ScheduleError::Expression(_))), "{text}");
    }
    assert_eq!(Schedule::new("0 0 31 2 *", "UTC"), Err(ScheduleError::Never));
    for zone in ["", "Europe Berlin", "+01:00", "<script>", "/etc/passwd"] {
        assert_eq!(Schedule::new("* * * * *", zone), Err(ScheduleError::Zone), "{zone}");
    }
}
