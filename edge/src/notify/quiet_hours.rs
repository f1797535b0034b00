//! Hours in which a channel is told of outages only; the rest waits until they are over.
//!
//! An outage is a monitor that is down: it, and its end, are told at any hour, and with them whatever waits of the same
//! monitor, so that its messages stay in order.

use heapbeat_monitors::schedule::Schedule;
use heapbeat_shared::UnixMillis;

use super::channel::ChannelId;
use super::outbox::OutboxRow;
use crate::domain::incident::Severity;

const DAY: i64 = 24 * 60;

/// From one time of day to another, by the clock of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes after midnight.
    from: i64,
    /// Minutes after midnight; before `from` where midnight lies between.
    to: i64,
    /// The zone.
    pub zone: String,
}

impl QuietHours {
    /// Reads `22:00-07:00` and the name of a zone; `UTC` where there is none.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<QuietHours, String> {
        let zone = zone.unwrap_or("UTC");
        Schedule::new("* * * * *", zone).map_err(|error| format!("time-zone: {error}"))?;
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
            None => Err("quiet: should be two times of day, such as 22:00-07:00".to_owned()),
        }
    }

    /// Whether it is quiet at `now`, where the zone's clock is `ahead` seconds ahead of UTC.
    pub fn holds(&self, now: UnixMillis, ahead: i32) -> bool {
        let minute = (now.0.div_euclid(1000) + i64::from(ahead)).div_euclid(60).rem_euclid(DAY);
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

/// The rows that need not wait for the morning. `quiet`: whether it is quiet for a channel.
pub fn awake(rows: &[OutboxRow], quiet: impl Fn(&ChannelId) -> bool) -> Vec<OutboxRow> {
    let same =
        |a: &OutboxRow, b: &OutboxRow| a.channel == b.channel && a.message.monitor == b.message.monitor;
    let urgent = |row: &OutboxRow| {
        rows.iter().any(|other| same(row, other) && other.message.severity == Severity::Down)
    };
    rows.iter().filter(|row| !quiet(&row.channel) || urgent(row)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::notification::Occasion;
    use crate::notify::Message;

    #[test]
    fn hours() {
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
            assert_eq!(quiet.holds(at(hour, minute), ahead), expected, "{quiet:?} {hour}:{minute} {ahead}");
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
    fn an_outage_is_told_at_any_hour_and_takes_along_what_waits_of_its_monitor() {
        let row = |id: i64, channel: &str, monitor: &str, severity| OutboxRow {
            id,
            channel: channel.parse().unwrap(),
            message: Message {
                key: format!("k{id}"),
                incident: "i".into(),
                monitor: monitor.into(),
                name: "n".into(),
                occasion: Occasion::Opened,
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
            awake(&rows, |channel| channel.as_str() == quiet).iter().map(|row| row.id).collect()
        };
        assert_eq!(ids("nobody"), [1, 2, 3, 4]);
        assert_eq!(ids("ops"), [1, 3, 4]);
        assert_eq!(ids("day"), [1, 2, 3]);
    }
}
