//! Quiet hours: the hours in which a channel is notified of outages only. Other messages wait until they are over.
//!
//! The beginning and the end of an outage are notified at any hour, and with them whatever waits of the same monitor, so that its
//! messages stay in order.

use heapbeat_monitors::schedule::{Schedule, ScheduleError};
use heapbeat_shared::UnixMillis;

use super::channel::ChannelId;
use super::message::cut;
use super::outbox::OutboxRow;
use crate::domain::incident::Severity;

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
            None => Err(QuietHoursError::Times(cut(text, 60))),
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

/// Returns the rows that need not wait for the end of quiet hours. `is_quiet` says whether a channel has quiet hours now.
pub fn outside_quiet_hours(rows: &[OutboxRow], is_quiet: impl Fn(&ChannelId) -> bool) -> Vec<OutboxRow> {
    let same_monitor =
        |a: &OutboxRow, b: &OutboxRow| a.channel == b.channel && a.message.monitor == b.message.monitor;
    let is_urgent = |row: &OutboxRow| {
        rows.iter().any(|other| same_monitor(row, other) && other.message.severity == Severity::Down)
    };
    rows.iter().filter(|row| !is_quiet(&row.channel) || is_urgent(row)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::notification::NotificationReason;
    use crate::notify::Message;

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

    #[test]
    fn an_outage_is_notified_at_any_hour_with_what_waits_of_its_monitor() {
        let row = |id: i64, channel: &str, monitor: &str, severity| OutboxRow {
            id,
            channel: channel.parse().unwrap(),
            message: Message {
                key: format!("k{id}"),
                incident: "i".into(),
                monitor: monitor.into(),
                name: "n".into(),
                reason: NotificationReason::Opened,
                severity,
                title: "t".into(),
                text: "x".into(),
                link: None,
                since: String::new(),
                at: UnixMillis(0),
            },
            due: UnixMillis(0),
            attempts: 0,
        };
        let rows = [
            row(1, "ops", "a", Severity::Warning),
            row(2, "ops", "b", Severity::Degraded),
            row(3, "ops", "a", Severity::Down),
            row(4, "day", "b", Severity::Crashed),
        ];
        let ids = |quiet: &str| -> Vec<i64> {
            outside_quiet_hours(&rows, |channel| channel.as_str() == quiet).iter().map(|row| row.id).collect()
        };
        assert_eq!(ids("nobody"), [1, 2, 3, 4]);
        assert_eq!(ids("ops"), [1, 3, 4]);
        assert_eq!(ids("day"), [1, 2, 3]);
    }
}
