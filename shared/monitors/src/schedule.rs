//! The schedule of a job: a cron expression in a time zone.
//!
//! `croner` parses the expression, and finds the next time on the local clock of the zone as if that were UTC. The caller supplies the
//! offset of the clock, as the platform of the edge knows every zone, so that no table of zones is compiled in. The rule for daylight
//! saving time is therefore in this module, see `local_time`.

mod local_time;

use std::fmt;

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime};
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

    /// Returns the first instant after `after` that is due: the clock of the zone shows a time of the expression. `offset` is the offset
    /// of that clock from UTC at an instant, in seconds.
    pub fn next_after(&self, after: UnixMillis, offset: impl Fn(UnixMillis) -> i32) -> Option<UnixMillis> {
        local_time::next_instant(after, offset, |local| self.next_local_after(local))
    }

    /// Returns the other instant at which the clock of the zone shows the same time as at `at`, if it shows that time twice.
    pub fn other_occurrence(&self, at: UnixMillis, offset: impl Fn(UnixMillis) -> i32) -> Option<UnixMillis> {
        local_time::other_occurrence(at, offset)
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

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone)
    }
}

#[cfg(test)]
mod tests;
