//! Formats instants for machines and people, in UTC.
//!
//! The texts are written from the parts of a date, as chrono's pattern formatter would be a fiftieth of the Worker.

use chrono::{DateTime, Datelike, Timelike, Utc};
use heapbeat_shared::UnixMillis;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The months as they are shown, in English.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn utc(at: UnixMillis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default()
}

/// `2026-01-31T14:03:00Z`: RFC 3339, whole seconds.
pub fn rfc3339(at: UnixMillis) -> String {
    at.to_rfc3339()
}

/// `Sat, 31 Jan 2026 14:03:00 GMT`: RFC 822 with the four digits of RFC 1123.
pub fn rfc822(at: UnixMillis) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let weekday = DAYS[utc(at).weekday().num_days_from_monday() as usize];
    let (clock, at) = (rfc3339(at), utc(at));
    let month = MONTHS[at.month0() as usize];
    format!(
        "{weekday}, {:02} {month} {:04} {} GMT",
        at.day(),
        at.year(),
        clock.get(11..19).unwrap_or_default()
    )
}

/// `14:03 UTC` on the same day, else `31 Jan, 14:03 UTC`, with the year after 300 days.
pub fn short(at: UnixMillis, now: UnixMillis) -> String {
    let clock = clock(at);
    match now.since(at).as_secs() {
        age if age < DAY && same_day(at, now) => format!("{clock} UTC"),
        age if age < 300 * DAY => format!("{}, {clock} UTC", day(at)),
        _ => format!("{} {}, {clock} UTC", day(at), utc(at).year()),
    }
}

/// `14:03` on the day of `now`, else `31 Jan 14:03`.
pub fn clock_on_day(at: UnixMillis, now: UnixMillis) -> String {
    if same_day(at, now) { clock(at) } else { format!("{} {}", day(at), clock(at)) }
}

/// `14:03`.
pub fn clock(at: UnixMillis) -> String {
    let at = utc(at);
    format!("{:02}:{:02}", at.hour(), at.minute())
}

/// A duration in its largest one or two units: `40 s`, `12 min`, `3 h 5 min`, `4 d 2 h`. `unit` translates `s`, `min`, `h` and `d`;
/// `space` is between a number and its unit.
pub fn format_duration<'u>(seconds: u64, unit: impl Fn(&'static str) -> &'u str, space: char) -> String {
    let units: &[(u64, &str)] = match seconds {
        s if s < MINUTE => &[(1, "s")],
        s if s < HOUR => &[(MINUTE, "min")],
        s if s < DAY => &[(HOUR, "h"), (MINUTE, "min")],
        _ => &[(DAY, "d"), (HOUR, "h")],
    };
    let (mut out, mut rest) = (String::new(), seconds);
    for (length, name) in units {
        let count = rest / length;
        rest %= length;
        if out.is_empty() || count > 0 {
            if !out.is_empty() {
                out.push(space);
            }
            out.push_str(&count.to_string());
            out.push(space);
            out.push_str(unit(name));
        }
    }
    out
}

/// A duration in English: `3 h 5 min`.
pub fn format_duration_english(seconds: u64) -> String {
    format_duration(seconds, |unit| unit, ' ')
}

/// `31 Jan`.
pub(crate) fn day(at: UnixMillis) -> String {
    let at = utc(at);
    format!("{} {}", at.day(), MONTHS[at.month0() as usize])
}

fn same_day(a: UnixMillis, b: UnixMillis) -> bool {
    utc(a).num_days_from_ce() == utc(b).num_days_from_ce()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor_config::maintenance::parse_instant;

    const NOON: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

    #[test]
    fn instants_are_as_short_as_possible() {
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
            assert_eq!(clock_on_day(ago(seconds), NOON), by);
        }
        assert_eq!(clock(NOON), "12:00");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (11_100, "3 h 5 min"),
            (352_800, "4 d 2 h"),
        ];
        for (seconds, shown) in cases {
            assert_eq!(format_duration_english(seconds), shown);
        }
    }

    #[test]
    fn machine_formats_equal_those_of_chrono() {
        for at in (0..2000).map(|n| UnixMillis(NOON.0 + n * 86_399_999)) {
            let theirs = utc(at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            assert_eq!(rfc3339(at), theirs);
            assert_eq!(parse_instant(&theirs), Some(UnixMillis(at.0.div_euclid(1000) * 1000)));
            // chrono writes no 0 before the day.
            let (weekday, rest) =
                rfc822(at).split_once(", ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            let ours = format!("{weekday}, {}", rest.trim_start_matches('0')).replace("GMT", "+0000");
            assert_eq!(ours, utc(at).to_rfc2822());
            assert_eq!(rest.find(' '), Some(2));
        }
        assert_eq!(rfc3339(UnixMillis(i64::MAX)), "1970-01-01T00:00:00Z", "an instant out of range");
    }
}
