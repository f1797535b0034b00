//! Maintenance windows: `[[vars.MAINTENANCE]]`, single or recurring, for some monitors or for all.

use std::time::Duration;

use chrono::NaiveDate;
use heapbeat_shared::UnixMillis;
use serde_json::Value;

use super::entry::short;
use super::field::{Fields, shown};
use super::{MonitorId, Problem, problem};
use crate::schedule::Schedule;

/// The variable's name, and the beginning of every position in it.
pub const MAINTENANCE: &str = "MAINTENANCE";

/// Most announcements.
const MOST: usize = 20;

/// Longest work; what takes longer is no window but another state of things.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// One announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// Its id, unique among them.
    pub id: MonitorId,
    /// What the public reads; the id where none is given.
    pub title: String,
    /// The monitors that it applies to; `None` is all of them.
    pub monitors: Option<Vec<MonitorId>>,
    /// When.
    pub when: When,
}

/// When work is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// From here to there.
    Once(UnixMillis, UnixMillis),
    /// Each time the schedule says so, for so long.
    Every(Schedule, Duration),
}

impl Maintenance {
    /// The stretch that is under way at `at`, or the next one: from, to. `offset` is the clock of the schedule's zone.
    pub fn stretch(
        &self,
        at: UnixMillis,
        offset: impl Fn(UnixMillis) -> i32,
    ) -> Option<(UnixMillis, UnixMillis)> {
        match &self.when {
            When::Once(from, to) => (at < *to).then_some((*from, *to)),
            When::Every(schedule, length) => {
                let from = schedule.next(at.minus(*length), offset)?;
                Some((from, from.plus(*length)))
            }
        }
    }

    /// Whether it concerns this monitor.
    pub fn concerns(&self, monitor: &MonitorId) -> bool {
        self.monitors.as_ref().is_none_or(|ids| ids.contains(monitor))
    }

    /// The zone of its schedule; `UTC` where it has none.
    pub fn zone(&self) -> &str {
        match &self.when {
            When::Once(..) => "UTC",
            When::Every(schedule, _) => schedule.zone(),
        }
    }
}

/// Reads the entries of a list called `list`: those that are right, and what is wrong with the others.
pub fn read(list: &str, entries: &[Value]) -> (Vec<Maintenance>, Vec<Problem>) {
    let (mut right, mut problems): (Vec<Maintenance>, _) = (Vec::new(), Vec::new());
    if entries.len() > MOST {
        let reason = format!("has {} entries; at most {MOST} are read", entries.len());
        problems.push(problem(list, reason));
    }
    for (index, entry) in entries.iter().take(MOST).enumerate() {
        let mut fields = Fields::new(&format!("{list}[{index}]"), entry);
        let read = one(&mut fields);
        if let Some(read) = &read
            && right.iter().any(|other| other.id == read.id)
        {
            fields.refuse("id", format!("`{}` is taken by an entry above", read.id));
        }
        match (read, fields.into_problems()) {
            (Some(read), wrong) if wrong.is_empty() => right.push(read),
            (_, wrong) => problems.extend(wrong),
        }
    }
    (right, problems)
}

fn one(fields: &mut Fields<'_>) -> Option<Maintenance> {
    let id = |text: &str| text.parse::<MonitorId>().map_err(|error| error.to_string());
    let named = fields.required("id", id);
    let title = fields.optional("title", |text| short("title", text));
    let given = fields.has("monitors");
    let monitors = fields.list("monitors", &[], id).map(|ids| given.then_some(ids));
    let when = if fields.has("schedule") { every(fields) } else { once(fields) };
    fields.refuse_unknown_of("maintenance");
    let named = named?;
    Some(Maintenance {
        title: title.unwrap_or_else(|| named.as_str().to_owned()),
        id: named,
        monitors: monitors?,
        when: when?,
    })
}

fn once(fields: &mut Fields<'_>) -> Option<When> {
    let (from, to) = (fields.required("from", instant)?, fields.required("to", instant)?);
    if from >= to || to.since(from) > LONGEST {
        fields.refuse("to", "should be later than `from`, by 31 days at most".to_owned());
        return None;
    }
    Some(When::Once(from, to))
}

fn every(fields: &mut Fields<'_>) -> Option<When> {
    let zone = fields.optional("time-zone", |text| {
        let zone = Schedule::new("* * * * *", text).map_err(|error| format!("`{}` {error}", shown(text)));
        zone.map(|_| text.to_owned())
    });
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let schedule = fields.required("schedule", |text| {
        Schedule::new(text, &zone).map_err(|error| format!("`{}` {error}", shown(text)))
    });
    if !fields.has("duration") {
        fields.refuse("duration", "is missing: how long it takes, such as \"30m\"".to_owned());
    }
    let length = fields.duration("duration", Duration::from_secs(60), "1m", "7d");
    Some(When::Every(schedule?, length?))
}

/// Reads `2026-01-31T22:00:00Z`, `2026-01-31T22:00+01:00`.
fn instant(text: &str) -> Result<UnixMillis, String> {
    read_instant(text).ok_or_else(|| {
        format!("`{}` is no instant; one is 2026-01-31T22:00:00Z or 2026-01-31T22:00+01:00", shown(text))
    })
}

/// An instant as RFC 3339 has it, in whole seconds: a fraction is cut. The seconds may be left out.
pub fn read_instant(text: &str) -> Option<UnixMillis> {
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|byte| wanted.contains(byte));
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
    fn instants() {
        let right = [
            ("2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z"),
            ("2026-01-31T22:00Z", "2026-01-31T22:00:00Z"),
            ("2026-01-31 22:00:07+01:00", "2026-01-31T21:00:07Z"),
            ("2026-01-31T22:00:07.999Z", "2026-01-31T22:00:07Z"),
            ("2026-01-31T22:00:07.5+01:00", "2026-01-31T21:00:07Z"),
            ("2024-02-29T23:30-05:30", "2024-03-01T05:00:00Z"),
        ];
        for (text, same) in right {
            assert_eq!(read_instant(text), Some(at(same)), "{text}");
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
        ] {
            assert_eq!(read_instant(text), None, "{text}");
        }
    }

    #[test]
    fn stretches() {
        let list = [
            json!({"id":"move","title":"We move","from":"2026-01-31T22:00Z","to":"2026-02-01T02:00Z","monitors":["api"]}),
            json!({"id":"weekly","schedule":"0 3 * * sun","duration":"90m","time-zone":"Europe/Berlin"}),
        ];
        let (read, problems) = read(MAINTENANCE, &list);
        assert_eq!(problems, []);
        let (once, weekly) = (&read[0], &read[1]);
        assert!(once.concerns(&"api".parse().unwrap()) && !once.concerns(&"db".parse().unwrap()));
        assert!(weekly.concerns(&"db".parse().unwrap()));
        let cases = [
            (once, "2026-01-01T00:00:00Z", Some(("2026-01-31T22:00:00Z", "2026-02-01T02:00:00Z"))),
            (once, "2026-02-01T01:59:59Z", Some(("2026-01-31T22:00:00Z", "2026-02-01T02:00:00Z"))),
            (once, "2026-02-01T02:00:00Z", None),
            // Sundays, three o'clock an hour ahead of UTC.
            (weekly, "2026-01-10T00:00:00Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T02:00:00Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T03:29:59Z", Some(("2026-01-11T02:00:00Z", "2026-01-11T03:30:00Z"))),
            (weekly, "2026-01-11T03:30:00Z", Some(("2026-01-18T02:00:00Z", "2026-01-18T03:30:00Z"))),
        ];
        for (work, now, expected) in cases {
            let expected = expected.map(|(from, to)| (at(from), at(to)));
            assert_eq!(work.stretch(at(now), |_| 3600), expected, "{} at {now}", work.id);
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
            (json!("tonight"), "MAINTENANCE[1]"),
        ];
        for (entry, position) in cases {
            let fine = json!({"id":"ok","schedule":"0 3 * * *","duration":"1h"});
            let (right, problems) = read(MAINTENANCE, &[fine, entry.clone()]);
            assert_eq!(right.len(), 1, "{entry}");
            assert!(problems.iter().any(|it| it.position == position), "{entry}: {problems:?}");
        }
        let many = vec![json!({"id":"ok","schedule":"0 3 * * *","duration":"1h"}); 21];
        assert!(read(MAINTENANCE, &many).1[0].reason.contains("at most 20"));
    }
}
