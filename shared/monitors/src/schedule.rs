//! When a job should run: a cron expression in a time zone.
//!
//! The expression is stepped on the zone's own clock. What that clock says when is asked of the caller: the platform of
//! the edge knows every zone, and a table of them would be a third of the Worker. The expression is read here and not
//! by `croner`, which is a good crate and a tenth of the Worker.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

use heapbeat_shared::UnixMillis;

/// A cron expression and the name of its time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    zone: String,
    /// A bit for each minute, hour, day of the month, month and day of the week (0 is Sunday) on which it runs.
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day has to be one of `days` and of `weekdays`, since one of them was `*`; else one of them will do.
    both: bool,
}

/// Why there is no such schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is none.
    #[error("is no cron expression ({0}); one has five fields, such as \"0 3 * * *\" for three every night")]
    Expression(&'static str),
    /// It names a day that never comes.
    #[error("never comes: there is no such day")]
    Never,
    /// The zone's name is none.
    #[error("is no time zone; one looks like Europe/Berlin, America/New_York or UTC")]
    Zone,
}

/// Longest expression, in bytes.
const LONGEST: usize = 100;

/// Days in which every day that there is comes: the rarest is 29 February, eight years apart around 2100.
const SEARCHED: usize = 9 * 366;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// Reads a five-field expression and the name of a zone as IANA has it. Whether there is such a zone only the
    /// platform knows.
    pub fn new(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'+');
        let begins = zone.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        if zone.len() > 40 || !begins || !zone.bytes().all(known) {
            return Err(ScheduleError::Zone);
        }
        if text.len() > LONGEST {
            return Err(ScheduleError::Expression("too long"));
        }
        let mut fields = text.split_whitespace();
        let mut next = || fields.next().ok_or(ScheduleError::Expression("too few fields"));
        let (minute, hour, day, month, weekday) = (next()?, next()?, next()?, next()?, next()?);
        if fields.next().is_some() {
            return Err(ScheduleError::Expression("too many fields"));
        }
        let read = |field, from, to, names, wrong| {
            read_field(field, from, to, names).ok_or(ScheduleError::Expression(wrong))
        };
        let weekdays = read(weekday, 0, 7, &WEEKDAYS[..], "its days of the week")?;
        let schedule = Schedule {
            text: text.to_owned(),
            zone: zone.to_owned(),
            minutes: read(minute, 0, 59, &[], "its minutes")?,
            hours: read(hour, 0, 23, &[], "its hours")?,
            days: read(day, 1, 31, &[], "its days of the month")?,
            months: read(month, 1, 12, &MONTHS[..], "its months")?,
            // Sunday is 7 as well.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            both: day.starts_with('*') || weekday.starts_with('*'),
        };
        schedule.next_local(NaiveDateTime::default()).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// The zone's name.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The first time after `after`. `offset` says how far the zone's clock is ahead of UTC at an instant, in seconds.
    ///
    /// An hour that is left out in spring counts as its end; of one that comes twice in autumn, the first counts.
    pub fn next(&self, after: UnixMillis, offset: impl Fn(UnixMillis) -> i32) -> Option<UnixMillis> {
        let ahead = |at: UnixMillis| TimeDelta::seconds(offset(at).into());
        let mut local = DateTime::from_timestamp_millis(after.0)?.naive_utc() + ahead(after);
        // In the hour that comes twice, the zone's clock goes back: a time it shows again is not another one. At most
        // every minute of two hours.
        for _ in 0..=120 {
            local = self.next_local(local)?;
            let instant = instant_of(local, &ahead);
            if instant > after {
                return Some(instant);
            }
        }
        None
    }

    /// The first time after `after` by the zone's clock.
    fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        let mut date = after.date();
        // The first minute of that day that is later.
        let mut from = after.hour() * 60 + after.minute() + 1;
        for _ in 0..SEARCHED {
            if self.runs_on(date)
                && let Some(minute) = (from..24 * 60).find(|minute| self.runs_at(*minute))
            {
                return date.and_hms_opt(minute / 60, minute % 60, 0);
            }
            date = date.succ_opt()?;
            from = 0;
        }
        None
    }

    fn runs_on(&self, date: NaiveDate) -> bool {
        let has = |bits: u64, bit: u32| bits >> bit & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().num_days_from_sunday());
        has(self.months, date.month()) && if self.both { day && weekday } else { day || weekday }
    }

    fn runs_at(&self, minute: u32) -> bool {
        self.hours >> (minute / 60) & 1 == 1 && self.minutes >> (minute % 60) & 1 == 1
    }
}

/// Reads `*`, `5`, `1-5`, `*/15`, `1-5/2`, `mon,wed` and lists of those into bits.
fn read_field(field: &str, from: u32, to: u32, names: &[&str]) -> Option<u64> {
    let number = |text: &str| -> Option<u32> {
        let by_name = names.iter().zip(from..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let number = match by_name {
            Some((_, number)) => number,
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (from..=to).contains(&number).then_some(number)
    };
    let mut bits = 0_u64;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (from, to),
            Some((first, last)) => (number(first)?, number(last)?),
            // `5/15` is from 5 on.
            None => (number(range)?, if part.contains('/') { to } else { number(range)? }),
        };
        if first > last {
            return None;
        }
        for bit in (first..=last).step_by(step) {
            bits |= 1 << bit;
        }
    }
    Some(bits)
}

/// The instant at which the zone's clock shows `local`.
fn instant_of(local: NaiveDateTime, ahead: &impl Fn(UnixMillis) -> TimeDelta) -> UnixMillis {
    const DAY: Duration = Duration::from_secs(86_400);
    let shown = UnixMillis(local.and_utc().timestamp_millis());
    // The offset is one of those a day before and a day after: no zone changes twice within two days.
    let (before, later) = (ahead(shown.minus(DAY)), ahead(shown.plus(DAY)));
    let instant = |offset: TimeDelta| UnixMillis(shown.0 - offset.num_milliseconds());
    for offset in [before, later] {
        if ahead(instant(offset)) == offset {
            return instant(offset);
        }
    }
    // The clock jumped over it: as far after the jump as it would have been before.
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

    /// Central Europe in 2026: an hour ahead, two from 29 March to 25 October, both at 01:00 UTC.
    fn berlin(instant: UnixMillis) -> i32 {
        let summer = at("2026-03-29T01:00:00Z")..at("2026-10-25T01:00:00Z");
        if summer.contains(&instant) { 7200 } else { 3600 }
    }

    #[test]
    fn the_next_time_by_the_clock_of_the_zone() {
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
            assert_eq!(schedule.next(at(after), berlin), Some(at(next)), "{name}");
        }
    }

    #[test]
    fn what_is_none() {
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
