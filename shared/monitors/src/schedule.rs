//! The schedule of a job: a cron expression in a time zone.
//!
//! `croner` parses the expression, and finds the next time on the local clock of the zone as if that were UTC. The caller supplies the
//! offset of the clock, as the platform of the edge knows every zone, so that no table of zones is compiled in. The rules of daylight
//! saving time are therefore in this module. They are those of vixie-cron: a time within the hour that is skipped in spring is moved to
//! the end of that hour, and a time within the hour that is repeated in autumn runs only the first time.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, TimeDelta};
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use heapbeat_shared::UnixMillis;

/// A cron expression and the name of its time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Boxed, as it takes some hundred bytes and most monitors have none.
    cron: Box<Cron>,
    text: String,
    zone: String,
}

/// The reason why a schedule is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression is invalid.
    #[error("is not a cron expression: {0}; write five fields, such as \"0 3 * * *\" for 03:00 every night")]
    Expression(String),
    /// The expression names a day that does not exist.
    #[error("names a day that does not exist, so it would never run")]
    Never,
    /// The name of the zone is invalid.
    #[error("is not a time zone; use a name such as Europe/Berlin, America/New_York or UTC")]
    Zone,
}

/// Length limit of an expression, in bytes.
const MAX_LENGTH: usize = 100;

impl Schedule {
    /// Parses an expression of five fields and the form of an IANA zone name. Only the platform knows whether the zone exists.
    pub fn new(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
        let begins = zone.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if zone.len() > 40 || !begins || !zone.bytes().all(known) {
            return Err(ScheduleError::Zone);
        }
        if text.len() > MAX_LENGTH {
            return Err(ScheduleError::Expression(format!(
                "it has {} bytes, and at most {MAX_LENGTH} are allowed",
                text.len()
            )));
        }
        let fields = text.split_whitespace().count();
        if fields != 5 {
            let plural = if fields == 1 { "" } else { "s" };
            return Err(ScheduleError::Expression(format!("it has {fields} field{plural}")));
        }
        // `croner` ignores an empty item of a list, which is more likely a mistake than intended.
        if text.split_whitespace().flat_map(|field| field.split(',')).any(str::is_empty) {
            return Err(ScheduleError::Expression("a list has an empty item".to_owned()));
        }
        let cron = parse_cron(text).map_err(|_| ScheduleError::Expression(explain_invalid_field(text)))?;
        if !ever_runs(&cron) {
            return Err(ScheduleError::Never);
        }
        Ok(Schedule { cron: Box::new(cron), text: text.to_owned(), zone: zone.to_owned() })
    }

    /// Returns the name of the zone.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Returns the first time after `after`. `offset` is the offset of the zone's clock from UTC at an instant, in seconds.
    pub fn next_after(&self, after: UnixMillis, offset: impl Fn(UnixMillis) -> i32) -> Option<UnixMillis> {
        let ahead = |at: UnixMillis| TimeDelta::seconds(offset(at).into());
        let mut local = DateTime::from_timestamp_millis(after.0)?.naive_utc() + ahead(after);
        // In the hour that is repeated, a local time that occurs again does not count. The loop passes at most every minute of two
        // hours.
        for _ in 0..=120 {
            local = self.next_local_after(local)?;
            let instant = local_to_instant(local, &ahead);
            if instant > after {
                return Some(instant);
            }
        }
        None
    }

    /// Returns the first time after `after` on the local clock.
    fn next_local_after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        self.cron.find_next_occurrence(&after.and_utc(), false).ok().map(|next| next.naive_utc())
    }
}

/// Returns whether the expression names a day that exists. `croner` searches up to the year 5000, so that a list of expressions that never
/// run would use up the CPU time of a request.
fn ever_runs(cron: &Cron) -> bool {
    // Within 28 years each date has had each day of the week.
    let mut day = NaiveDate::from_ymd_opt(1972, 1, 1);
    while let Some(date) = day.filter(|date| date.year() < 2000) {
        if !cron.pattern.month_match(date.month()).unwrap_or(false) {
            day = date.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
            continue;
        }
        let weekday = Weekday::from_days_from_sunday(date.weekday().num_days_from_sunday());
        if cron.pattern.day_match(date.year(), date.month(), date.day(), weekday).unwrap_or(false) {
            return true;
        }
        day = date.succ_opt();
    }
    false
}

/// Parses an expression of five fields.
fn parse_cron(text: &str) -> Result<Cron, CronError> {
    // `sloppy_ranges` accepts `5/15`, which begins at 5.
    let parser =
        CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true);
    parser.build().parse(text)
}

/// The fields of an expression, with their bounds.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT, with Sunday as 0 or 7"),
];

/// Names the first field of an invalid expression that is invalid by itself, and its bounds. The parser's own error names no field.
fn explain_invalid_field(text: &str) -> String {
    for (index, (field, (name, bounds))) in text.split_whitespace().zip(FIELDS).enumerate() {
        let mut alone = ["*"; 5];
        alone[index] = field;
        if parse_cron(&alone.join(" ")).is_err() {
            let step = if field.ends_with("/0") { ", and a step is at least 1" } else { "" };
            return format!("the {name} `{field}` is invalid, it must be from {bounds}{step}");
        }
    }
    "the fields do not work together".to_owned()
}

/// Converts a local time to an instant.
fn local_to_instant(local: NaiveDateTime, ahead: &impl Fn(UnixMillis) -> TimeDelta) -> UnixMillis {
    const DAY: Duration = Duration::from_secs(86_400);
    let as_utc = UnixMillis(local.and_utc().timestamp_millis());
    // The offset is that of a day before or of a day after, as no zone changes twice within two days.
    let (before, later) = (ahead(as_utc.minus(DAY)), ahead(as_utc.plus(DAY)));
    let instant = |offset: TimeDelta| UnixMillis(as_utc.0 - offset.num_milliseconds());
    for offset in [before, later] {
        if ahead(instant(offset)) == offset {
            return instant(offset);
        }
    }
    // The clock skips this time. The instant is as far behind the change as the time is behind the last one before it.
    instant(before)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

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
            ("an hour that is left out", "30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
            ("an hour that comes twice", "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("and does not count twice", "30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
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
}
