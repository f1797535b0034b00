//! Maintenance windows: `[[vars.MAINTENANCE]]`, single or recurring, for some monitors or for all.

use std::time::Duration;

use chrono::NaiveDate;
use heapbeat_shared::UnixMillis;
use serde_json::Value;

use super::entry::parse_label;
use super::field::{FieldReader, excerpt};
use super::{ConfigProblem, MonitorId, problem};
use crate::schedule::Schedule;

/// The name of the variable, with which every position in it begins.
pub const MAINTENANCE: &str = "MAINTENANCE";

/// Most windows in the list.
const MAX_WINDOWS: usize = 20;

/// Longest window.
const MAX_DURATION: Duration = Duration::from_secs(31 * 86_400);

/// One maintenance window, single or recurring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// The id, unique among the windows.
    pub id: MonitorId,
    /// The public title; the id if none is given.
    pub title: String,
    /// The monitors that it applies to; `None` means all.
    pub monitors: Option<Vec<MonitorId>>,
    /// The time of the window.
    pub schedule: MaintenanceSchedule,
}

/// The time of a maintenance window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaintenanceSchedule {
    /// One window: its start and its end.
    Once(UnixMillis, UnixMillis),
    /// A window at each time of the schedule, with this duration.
    Recurring(Schedule, Duration),
}

impl Maintenance {
    /// Returns start and end of the window that is open at `at`, or else of the next one. `offset` is the offset of the schedule's zone
    /// from UTC at an instant, in seconds.
    pub fn window_at(
        &self,
        at: UnixMillis,
        offset: impl Fn(UnixMillis) -> i32,
    ) -> Option<(UnixMillis, UnixMillis)> {
        match &self.schedule {
            MaintenanceSchedule::Once(from, to) => (at < *to).then_some((*from, *to)),
            MaintenanceSchedule::Recurring(schedule, length) => {
                let from = schedule.next_after(at.minus(*length), offset)?;
                Some((from, from.plus(*length)))
            }
        }
    }

    /// Returns whether a single window is over at `now`; one that recurs never is.
    pub fn is_over(&self, now: UnixMillis) -> bool {
        matches!(self.schedule, MaintenanceSchedule::Once(_, to) if to <= now)
    }

    /// Returns whether the window applies to this monitor.
    pub fn applies_to(&self, monitor: &MonitorId) -> bool {
        self.monitors.as_ref().is_none_or(|ids| ids.contains(monitor))
    }

    /// Returns the time zone of the schedule; `UTC` if it has none.
    pub fn zone(&self) -> &str {
        match &self.schedule {
            MaintenanceSchedule::Once(..) => "UTC",
            MaintenanceSchedule::Recurring(schedule, _) => schedule.zone(),
        }
    }
}

/// Parses the entries of a list called `list`. Returns the valid windows, and the problems of the others.
pub fn parse_windows(list: &str, entries: &[Value]) -> (Vec<Maintenance>, Vec<ConfigProblem>) {
    let (mut valid, mut problems): (Vec<Maintenance>, _) = (Vec::new(), Vec::new());
    if entries.len() > MAX_WINDOWS {
        let reason = format!("has {} entries; at most {MAX_WINDOWS} are allowed", entries.len());
        problems.push(problem(list, reason));
    }
    for (index, entry) in entries.iter().take(MAX_WINDOWS).enumerate() {
        let mut fields = FieldReader::new(&format!("{list}[{index}]"), entry);
        let window = parse_window(&mut fields);
        if let Some(window) = &window
            && valid.iter().any(|other| other.id == window.id)
        {
            fields.report(
                "id",
                format!("`{}` is already the id of an earlier entry; ids must be unique", window.id),
            );
        }
        match (window, fields.into_problems()) {
            (Some(window), new) if new.is_empty() => valid.push(window),
            (_, new) => problems.extend(new),
        }
    }
    (valid, problems)
}

fn parse_window(fields: &mut FieldReader<'_>) -> Option<Maintenance> {
    let id = |text: &str| text.parse::<MonitorId>().map_err(|error| error.to_string());
    let parsed_id = fields.required_text("id", id);
    let title = fields.optional_text("title", parse_label);
    let given = fields.contains("monitors");
    let monitors = fields.list("monitors", &[], id).map(|ids| given.then_some(ids));
    if monitors.as_ref().is_some_and(|ids| ids.as_ref().is_some_and(Vec::is_empty)) {
        fields
            .report("monitors", "names no monitor; leave it out if the window is for all of them".to_owned());
    }
    let schedule = if fields.contains("schedule") { parse_recurring(fields) } else { parse_once(fields) };
    fields.report_unknown_of("a maintenance window");
    let parsed_id = parsed_id?;
    Some(Maintenance {
        title: title.unwrap_or_else(|| parsed_id.as_str().to_owned()),
        id: parsed_id,
        monitors: monitors?,
        schedule: schedule?,
    })
}

fn parse_once(fields: &mut FieldReader<'_>) -> Option<MaintenanceSchedule> {
    // Both are parsed before the first error returns, as a setting that was not parsed would be called unknown.
    let from = fields.required_text("from", parse_setting_instant);
    let to = fields.required_text("to", parse_setting_instant);
    fields.refuse(
        &["time-zone", "duration"],
        "belongs to a recurring window, which has a `schedule`; this one has `from` and `to`",
    );
    let (from, to) = (from?, to?);
    if from >= to || to.since(from) > MAX_DURATION {
        fields.report("to", "must be later than `from`, by at most 31 days".to_owned());
        return None;
    }
    Some(MaintenanceSchedule::Once(from, to))
}

fn parse_recurring(fields: &mut FieldReader<'_>) -> Option<MaintenanceSchedule> {
    let zone = fields.optional_text("time-zone", |text| {
        let zone = Schedule::new("* * * * *", text).map_err(|error| format!("`{}` {error}", excerpt(text)));
        zone.map(|_| text.to_owned())
    });
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let schedule = fields.required_text("schedule", |text| {
        Schedule::new(text, &zone).map_err(|error| format!("`{}` {error}", excerpt(text)))
    });
    fields.refuse(&["from", "to"], "belongs to a single window; this one recurs, as it has a `schedule`");
    if !fields.contains("duration") {
        fields.report(
            "duration",
            "this setting is required: how long the maintenance takes, such as \"30m\"".to_owned(),
        );
    }
    let length = fields.duration("duration", Duration::from_secs(60), "1m", "7d");
    Some(MaintenanceSchedule::Recurring(schedule?, length?))
}

/// Parses an instant, or returns a message with the accepted forms.
fn parse_setting_instant(text: &str) -> Result<UnixMillis, String> {
    parse_instant(text).ok_or_else(|| {
        format!(
            "`{}` is not a valid time; write 2026-01-31T22:00:00Z or 2026-01-31T22:00+01:00",
            excerpt(text)
        )
    })
}

/// Parses an instant of RFC 3339, such as `2026-01-31T22:00:00Z`. Fractions of a second are cut, and the seconds may be omitted.
pub fn parse_instant(text: &str) -> Option<UnixMillis> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is = |at: usize, accepted: &[u8]| text.as_bytes().get(at).is_some_and(|byte| accepted.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":")) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let digit = |c: char| c.is_ascii_digit();
    let (second, rest) = match text.get(19..).filter(|_| is(16, b":")) {
        Some(rest) => match rest.strip_prefix('.').filter(|fraction| fraction.starts_with(digit)) {
            Some(fraction) => (number(17, 19)?, fraction.trim_start_matches(digit)),
            None => (number(17, 19)?, rest),
        },
        None => (0, text.get(16..)?),
    };
    let local = date.and_hms_opt(number(11, 13)?, number(14, 16)?, second)?.and_utc().timestamp();
    let ahead = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
            let hours = digit(h1)? * 10 + digit(h2)?;
            let minutes = digit(m1)? * 10 + digit(m2)?;
            // The clocks of the world are from 12 hours behind UTC to 14 hours ahead; RFC 3339 allows up to 23:59.
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if *sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    Some(UnixMillis((local - ahead) * 1000))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> UnixMillis {
        UnixMillis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    #[test]
    fn instants_are_parsed_or_refused() {
        let valid = [
            ("2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z"),
            ("2026-01-31T22:00Z", "2026-01-31T22:00:00Z"),
            ("2026-01-31 22:00:07+01:00", "2026-01-31T21:00:07Z"),
            ("2026-01-31T22:00:07.999Z", "2026-01-31T22:00:07Z"),
            ("2026-01-31T22:00:07.5+01:00", "2026-01-31T21:00:07Z"),
            ("2024-02-29T23:30-05:30", "2024-03-01T05:00:00Z"),
        ];
        for (text, same) in valid {
            assert_eq!(parse_instant(text), Some(at(same)), "{text}");
        }
        for text in [
            "",
            "2026-01-31",
            "2026-13-01T00:00Z",
            "2026-01-31T22:00",
            "2026-02-30T00:00Z",
            "é26-01-31T22:00Z",
            "2026-01-31T22:00+1:00",
            "2026-01-31T22:00:07.Z",
            "2026-01-31T22:00:07.5",
            "2026-01-31T22:00.5Z",
            "2026-01-31T22:00:7Z",
            "2026-01-31T22:00+99:99",
            "2026-01-31T22:00-24:00",
            "2026-01-31T22:00+01:60",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn a_window_is_open_now_or_the_next_one() {
        let list = [
            json!({"id":"move","title":"We move","from":"2026-01-31T22:00Z","to":"2026-02-01T02:00Z","monitors":["api"]}),
            json!({"id":"weekly","schedule":"0 3 * * sun","duration":"90m","time-zone":"Europe/Berlin"}),
        ];
        let (windows, problems) = parse_windows(MAINTENANCE, &list);
        assert_eq!(problems, []);
        let (once, weekly) = (&windows[0], &windows[1]);
        assert!(once.applies_to(&"api".parse().unwrap()) && !once.applies_to(&"db".parse().unwrap()));
        assert!(weekly.applies_to(&"db".parse().unwrap()));
        let cases = [
            (once, "2026-01-01T00:00:00Z", Some(("2026-01-31T22:00:00Z", "2026-02-01T02:00:00Z"))),
            (once, "2026-02-01T01:59:59Z", Some(("2026-01-31T22:00:00Z", "2026-02-01T02:00:00Z"))),
            (once, "2026-02-01T02:00:00Z", None),
            // Sundays at three o'clock, one hour ahead of UTC.
            (weekly, "2026-01-10T00:00:00Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T02:00:00Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T03:29:59Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T03:30:00Z", Some(("2026-01-18T02:00:00Z", "2026-01-18T03:30:00Z"))),
        ];
        for (window, now, expected) in cases {
            let expected = expected.map(|(from, to)| (at(from), at(to)));
            assert_eq!(window.window_at(at(now), |_| 3600), expected, "{} at {now}", window.id);
        }
    }

    #[test]
    fn a_window_begins_whenever_the_clock_shows_its_time() {
        let entry = json!({"id":"night","schedule":"30 2 * * *","duration":"1h","time-zone":"Europe/Berlin"});
        let night = &parse_windows(MAINTENANCE, &[entry]).0[0];
        let summer = at("2026-03-29T01:00:00Z")..at("2026-10-25T01:00:00Z");
        let berlin = |instant| if summer.contains(&instant) { 7200 } else { 3600 };
        let cases = [
            // The hour from 2 to 3 is skipped on 29 March.
            ("2026-03-28T01:30:00Z", "2026-03-28T01:30:00Z"),
            ("2026-03-28T02:29:59Z", "2026-03-28T01:30:00Z"),
            ("2026-03-28T02:30:00Z", "2026-03-30T00:30:00Z"),
            ("2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
            ("2026-03-30T00:30:00Z", "2026-03-30T00:30:00Z"),
            // And comes twice on 25 October: two windows, one after the other.
            ("2026-10-25T00:29:59Z", "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:29:59Z", "2026-10-25T00:30:00Z"),
            ("2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"),
            ("2026-10-25T02:29:59Z", "2026-10-25T01:30:00Z"),
            ("2026-10-25T02:30:00Z", "2026-10-26T01:30:00Z"),
        ];
        for (now, from) in cases {
            let expected = (at(from), at(from).plus(Duration::from_secs(3600)));
            assert_eq!(night.window_at(at(now), berlin), Some(expected), "at {now}");
        }
    }

    #[test]
    fn an_invalid_window_is_refused_with_the_reason() {
        let cases = [
            (json!({"from":"2026-01-31T22:00Z","to":"2026-02-01T02:00Z"}), "MAINTENANCE[1].id"),
            (json!({"id":"a","from":"soon","to":"2026-02-01T02:00Z"}), "MAINTENANCE[1].from"),
            (json!({"id":"a","from":"2026-02-01T02:00Z","to":"2026-02-01T02:00Z"}), "MAINTENANCE[1].to"),
            (json!({"id":"a","from":"2026-02-01T02:00Z","to":"2026-06-01T02:00Z"}), "MAINTENANCE[1].to"),
            (json!({"id":"a","schedule":"0 3 * *","duration":"1h"}), "MAINTENANCE[1].schedule"),
            (json!({"id":"a","schedule":"0 3 * * *"}), "MAINTENANCE[1].duration"),
            (json!({"id":"a","schedule":"0 3 * * *","duration":"8d"}), "MAINTENANCE[1].duration"),
            (json!({"id":"a","schedule":"0 3 * * *","duration":"1h","from":"x"}), "MAINTENANCE[1].from"),
            (json!({"id":"ok","schedule":"0 3 * * *","duration":"1h"}), "MAINTENANCE[1].id"),
            (
                json!({"id":"a","from":"2026-01-31T22:00+99:99","to":"2026-02-01T02:00Z"}),
                "MAINTENANCE[1].from",
            ),
            (
                json!({"id":"a","from":"2026-01-31T22:00Z","to":"2026-02-01T02:00Z","duration":"1h"}),
                "MAINTENANCE[1].duration",
            ),
            (
                json!({"id":"a","schedule":"0 3 * * *","duration":"1h","monitors":[]}),
                "MAINTENANCE[1].monitors",
            ),
            (json!("tonight"), "MAINTENANCE[1]"),
        ];
        for (entry, position) in cases {
            let valid = json!({"id":"ok","schedule":"0 3 * * *","duration":"1h"});
            let (windows, problems) = parse_windows(MAINTENANCE, &[valid, entry.clone()]);
            assert_eq!(windows.len(), 1, "{entry}");
            assert!(problems.iter().any(|it| it.position == position), "{entry}: {problems:?}");
        }
        let entry = json!({"id":"a","from":"soon","to":"2026-02-01T02:00Z"});
        let problems = parse_windows(MAINTENANCE, &[entry]).1;
        assert_eq!(problems.len(), 1, "no other setting is blamed: {problems:?}");
        let many = vec![json!({"id":"ok","schedule":"0 3 * * *","duration":"1h"}); 21];
        assert!(parse_windows(MAINTENANCE, &many).1[0].reason.contains("at most 20"));
    }
}
