//! Quiet hours: the hours in which a channel is notified of outages only. What else is so when they are over is notified then.

use heapbeat_monitors::schedule::{Schedule, ScheduleError};
use heapbeat_shared::UnixMillis;

use heapbeat_shared::text::shorten;

/// The minutes of a day.
const MINUTES_PER_DAY: i64 = 24 * 60;

/// The time from one time of day to another, by the clock of a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// The first minute after midnight.
    from: i64,
    /// The first minute after the quiet hours; less than `from` if midnight lies between.
    to: i64,
    /// The time zone.
    pub zone: String,
}

/// The quiet hours are not valid.
#[derive(Debug, thiserror::Error)]
pub enum QuietHoursError {
    /// The text is not two different times of day.
    #[error("quiet: `{0}` should be two times of day, such as 22:00-07:00")]
    Times(String),
    /// The name of the time zone is not valid.
    #[error("time-zone: {0}")]
    Zone(#[from] ScheduleError),
}

impl QuietHours {
    /// Reads `22:00-07:00` and the name of a time zone, which is `UTC` by default.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<QuietHours, QuietHoursError> {
        let zone = zone.unwrap_or("UTC");
        // A schedule checks the name of its zone.
        Schedule::new("* * * * *", zone)?;
        let clock = |text: &str| -> Option<i64> {
            let (hour, minute) = text.trim().split_once(':')?;
            let number = |text: &str, most: i64| -> Option<i64> {
                let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                text.parse().ok().filter(|number| digits && *number <= most)
            };
            Some(number(hour, 23)? * 60 + number(minute, 59)?)
        };
        let times = text.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
        match times.filter(|(from, to)| from != to) {
            Some((from, to)) => Ok(QuietHours { from, to, zone: zone.to_owned() }),
            None => Err(QuietHoursError::Times(shorten(text, 60))),
        }
    }

    /// Whether `now` is within the quiet hours. `utc_offset` is that of the time zone at `now`, in seconds.
    pub fn is_quiet_at(&self, now: UnixMillis, utc_offset: i32) -> bool {
        let minute =
            (now.0.div_euclid(1000) + i64::from(utc_offset)).div_euclid(60).rem_euclid(MINUTES_PER_DAY);
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_by_the_clock_of_their_zone() {
        let quiet = |text| QuietHours::parse(text, None).unwrap();
        let at = |hour: i64, minute: i64| UnixMillis(1_767_225_600_000 + (hour * 60 + minute) * 60_000);
        let (night, lunch) = (quiet("22:00-07:00"), quiet("12:00 - 13:30"));
        let cases = [
            (&night, (21, 59), 0, false),
            (&night, (22, 0), 0, true),
            (&night, (0, 0), 0, true),
            (&night, (6, 59), 0, true),
            (&night, (7, 0), 0, false),
            (&night, (5, 0), 7200, false),
            (&night, (5, 0), -18_000, true),
            (&lunch, (12, 0), 0, true),
            (&lunch, (13, 30), 0, false),
        ];
        for (quiet, (hour, minute), ahead, expected) in cases {
            assert_eq!(
                quiet.is_quiet_at(at(hour, minute), ahead),
                expected,
                "{quiet:?} {hour}:{minute} {ahead}"
            );
        }
        for text in
            ["", "22:00", "22:00-22:00", "22-7", "24:00-07:00", "22:60-07:00", "9:00-10:00", "+1:00-07:00"]
        {
            assert!(QuietHours::parse(text, None).is_err(), "{text}");
        }
        assert!(QuietHours::parse("22:00-07:00", Some("no zone")).is_err());
        assert_eq!(QuietHours::parse("22:00-07:00", Some("Europe/Berlin")).unwrap().zone, "Europe/Berlin");
    }
}
