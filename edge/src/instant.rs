//! Instants as machines and people read them, in UTC.
//!
//! Written from the parts of a date rather than by a pattern: a reader of patterns would be a fiftieth of the Worker.

use chrono::{DateTime, Datelike, Timelike, Utc};
use heapbeat_shared::UnixMillis;

const DAY: u64 = 86_400;

/// The months as they are shown, in English.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn utc(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

/// `2026-01-31T14:03:00Z`: RFC 3339, whole seconds.
pub fn rfc3339(at: UnixMillis) -> String {
    let at = utc(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `14:03 UTC` within a day, else `31 Jan, 14:03 UTC`, with the year within no year.
pub fn short(at: UnixMillis, now: UnixMillis) -> String {
    let clock = clock(at);
    match now.since(at).as_secs() {
        age if age < DAY && same_day(at, now) => format!("{clock} UTC"),
        age if age < 300 * DAY => format!("{}, {clock} UTC", day(at)),
        _ => format!("{} {}, {clock} UTC", day(at), utc(at).year()),
    }
}

/// `14:03`, with the day before it where that is another than that of `now`: `31 Jan 14:03`.
pub fn clock_by(at: UnixMillis, now: UnixMillis) -> String {
    if same_day(at, now) { clock(at) } else { format!("{} {}", day(at), clock(at)) }
}

/// `14:03`.
pub fn clock(at: UnixMillis) -> String {
    let at = utc(at);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// `31 Jan`.
fn day(at: UnixMillis) -> String {
    let at = utc(at);
    format!("{} {}", at.day(), MONTHS[at.month0() as usize])
}

fn same_day(a: UnixMillis, b: UnixMillis) -> bool {
    utc(a).num_days_from_ce() == utc(b).num_days_from_ce()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

    #[test]
    fn instants_are_as_short_as_they_can_be() {
        let ago = |seconds: i64| UnixMillis(NOON.0 - seconds * 1000);
        let cases = [
            (0, "12:00 UTC", "12:00"),
            (3600, "11:00 UTC", "11:00"),
            (13 * 3600, "30 Jan, 23:00 UTC", "30 Jan 23:00"),
            (40 * 86_400, "22 Dec, 12:00 UTC", "22 Dec 12:00"),
            (400 * 86_400, "27 Dec 2024, 12:00 UTC", "27 Dec 12:00"),
        ];
        for (seconds, shown, by) in cases {
            assert_eq!(short(ago(seconds), NOON), shown);
            assert_eq!(clock_by(ago(seconds), NOON), by);
        }
        assert_eq!(clock(NOON), "12:00");
    }

    #[test]
    fn what_machines_read_is_what_chrono_writes() {
        for at in (0..2000).map(|n| UnixMillis(NOON.0 + n * 86_399_999)) {
            let theirs = utc(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            assert_eq!(rfc3339(at), theirs);
        }
        assert_eq!(rfc3339(UnixMillis(i64::MAX)), "1970-01-01T00:00:00Z", "what is no date is none");
    }
}
