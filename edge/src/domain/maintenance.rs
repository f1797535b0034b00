//! Announced work: whom it concerns now, and what the public reads of it.
//!
//! While work is under way a monitor is `maintenance` whatever its probes find: they go on, for the memory history, and
//! what they find is no ground for an incident. What held before is no evidence afterwards, as after time in which nobody
//! looked.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::config::maintenance::Maintenance;
use crate::config::{Config, MonitorId};

/// How long before it begins the public is told.
pub const ANNOUNCED: Duration = Duration::from_secs(7 * 86_400);

/// A stretch of work that is under way or will be soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// Its id.
    pub id: MonitorId,
    /// What the public reads.
    pub title: String,
    /// Whom it concerns; `None` is everybody.
    pub monitors: Option<Vec<MonitorId>>,
    /// From when.
    pub from: UnixMillis,
    /// Until when.
    pub to: UnixMillis,
}

/// What of `list` is under way at `now` or begins soon, soonest first. `offset` is the clock of a zone.
pub fn announced(
    list: &[Maintenance],
    now: UnixMillis,
    offset: impl Fn(&str, UnixMillis) -> i32,
) -> Vec<MaintenanceWindow> {
    let work = |it: &Maintenance| {
        let (from, to) = it.stretch(now, |at| offset(it.zone(), at))?;
        let soon = from <= now.plus(ANNOUNCED);
        soon.then(|| MaintenanceWindow {
            id: it.id.clone(),
            title: it.title.clone(),
            monitors: it.monitors.clone(),
            from,
            to,
        })
    };
    let mut all: Vec<MaintenanceWindow> = Vec::new();
    for work in list.iter().filter_map(work) {
        let place = all.partition_point(|other| other.from <= work.from);
        all.insert(place, work);
    }
    all
}

/// The monitors that are worked on at `now`.
pub fn concerned(all: &[MaintenanceWindow], config: &Config, now: UnixMillis) -> Vec<MonitorId> {
    let under = |id: &MonitorId| {
        let concerns = |work: &&MaintenanceWindow| work.monitors.as_ref().is_none_or(|ids| ids.contains(id));
        all.iter().filter(|work| work.from <= now && now < work.to).any(|work| concerns(&work))
    };
    config.monitors.iter().map(|monitor| monitor.id.clone()).filter(under).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::maintenance;
    use crate::domain::Failure;
    use crate::domain::State;
    use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
    use crate::domain::engine::{Engine, Tick};
    use crate::domain::incident::Occasion;
    use crate::notify::Channels;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + minute * MINUTE)
    }

    #[test]
    fn what_is_announced_and_whom_it_concerns() {
        let list = [
            json!({"id":"later","from":"2026-01-20T00:00Z","to":"2026-01-20T01:00Z"}),
            json!({"id":"soon","from":"2026-01-02T00:01Z","to":"2026-01-02T01:00Z"}),
            json!({"id":"now","schedule":"0 0 * * *","duration":"10m","monitors":["api"]}),
        ];
        let (list, problems) = maintenance::read("MAINTENANCE", &list);
        assert_eq!(problems, []);
        let config = config();
        let ids = |minute| {
            let all = announced(&list, at(minute), |_, _| 0);
            let named: Vec<String> = all.iter().map(|work| work.id.as_str().to_owned()).collect();
            let concerned: Vec<String> =
                concerned(&all, &config, at(minute)).iter().map(|id| id.as_str().to_owned()).collect();
            (named.join(" "), concerned.join(" "))
        };
        assert_eq!(ids(0), ("now soon".into(), "api".into()));
        assert_eq!(ids(10), ("now soon".into(), String::new()), "tomorrow's");
        assert_eq!(ids(1441), ("now soon".into(), "api db".into()));
        assert_eq!(ids(19 * 1440 + 20), ("later now".into(), "api db".into()));
    }

    fn config() -> Config {
        let entry = |id: &str| format!(r#"{{"id":"{id}","kind":"http","url":"https://a.example"}}"#);
        let config = Config::parse(Some(&format!("[{},{}]", entry("api"), entry("db"))), false);
        assert_eq!(config.problems, []);
        config
    }

    /// One letter a minute: `u`p, `d`own; a capital where work is under way. Gives the states and the alerts.
    fn run(minutes: &str) -> (String, Vec<Occasion>, Option<f64>) {
        let config = config();
        let channels = Channels::parse(Some(r#"[{"id":"ops","kind":"slack","secret":"S"}]"#), false);
        let (mut board, mut states, mut told) = (Engine::default(), String::new(), Vec::new());
        for (minute, letter) in (0..).zip(minutes.chars()) {
            let answer = ProbeResponse {
                status: 200,
                latency: Duration::ZERO,
                body: ResponseBody::Unread,
                report: None,
            };
            let up = letter.eq_ignore_ascii_case(&'u');
            let result = if up { Ok(answer) } else { Err(Failure::Refused.into()) };
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), heard: at(minute), result }];
            let tick = Tick { at: at(minute), came: at(minute) };
            let work = letter.is_uppercase().then(|| "api".parse().unwrap());
            board.announce(work.into_iter().collect());
            let mut commit = board.take(&config, tick, &probes);
            board.tell(&config, (&channels, &[]), None, &mut commit);
            told.extend(commit.alerts.iter().map(|(_, message)| message.occasion));
            states.push(match board.view(&config, at(minute)).monitors[0].state {
                State::Up => 'u',
                State::Down => 'd',
                State::Maintenance => 'm',
                _ => '?',
            });
        }
        let minutes = u64::try_from(minutes.len()).unwrap();
        let window = Duration::from_secs(60 * minutes);
        let past = board.uptime(&"api".parse().unwrap(), window, at(minutes.cast_signed()));
        (states, told, past.uptime.percent)
    }

    #[test]
    fn timelines() {
        use Occasion::{Opened, Recovered};
        let cases = [
            ("down as announced", "uuDDDuu", "uummmuu", vec![], Some(100.0)),
            ("down afterwards as well", "uuDDDdd", "uummmdd", vec![Opened], Some(50.0)),
            (
                "down before: those on call know who has it",
                "udDDUuu",
                "udmmmuu",
                vec![Opened, Recovered],
                Some(75.0),
            ),
            ("all of it", "UDU", "mmm", vec![], None),
        ];
        for (name, minutes, states, told, percent) in cases {
            assert_eq!(run(minutes), (states.to_owned(), told, percent), "{name}");
        }
    }
}
