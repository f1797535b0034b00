//! RFC 3339 timestamps, as whole seconds in UTC.
//!
//! The conversion is written out here because server and edge need it for one format, and a crate for dates would be two more crates
//! in every application that embeds the library.

use crate::units::UnixMillis;

const DAY_SECONDS: i64 = 86_400;

/// Milliseconds of the first instant after the year 9999, the last year that the format has.
const END: i64 = 253_402_300_800_000;

impl UnixMillis {
    /// Returns the instant as `2026-01-31T14:03:00Z`, rounded down to whole seconds. Instants before 1970 or after the year 9999
    /// are returned as the beginning of 1970.
    pub fn to_rfc3339(self) -> String {
        let seconds = if (0..END).contains(&self.0) { self.0 / 1000 } else { 0 };
        let (year, month, day) = date(seconds / DAY_SECONDS);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Returns year, month and day of a day counted from 1970-01-01, by `civil_from_days` of Howard Hinnant's
/// [chrono-compatible algorithms](https://howardhinnant.github.io/date_algorithms.html). Years begin in March there, so that a leap
/// day is the last day of its year.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_follow_the_gregorian_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (END - 1, "9999-12-31T23:59:59Z"),
        ];
        for (millis, expected) in cases {
            assert_eq!(UnixMillis(millis).to_rfc3339(), expected);
        }
    }

    #[test]
    fn each_day_follows_the_day_before() {
        let mut previous = date(-1);
        assert_eq!(previous, (1969, 12, 31));
        for day in 0..200_000 {
            let next = date(day);
            let (year, month, day_of_month) = previous;
            let follows = next == (year, month, day_of_month + 1)
                || next == (year, month + 1, 1)
                || (month == 12 && next == (year + 1, 1, 1));
            assert!(follows && next.2 <= 31, "{previous:?} {next:?}");
            previous = next;
        }
    }

    #[test]
    fn instants_outside_the_format_are_the_beginning_of_1970() {
        for millis in [-1, i64::MIN, END, i64::MAX] {
            assert_eq!(UnixMillis(millis).to_rfc3339(), "1970-01-01T00:00:00Z");
        }
    }
}
