//! Announced maintenance: which windows the public sees, and which monitors they affect now.
//!
//! During maintenance a monitor's state is `maintenance` whatever its probes find. Probes continue for the memory history, and open
//! no incidents. State from before the maintenance window is discarded, as after unobserved time.

use heapbeat_shared::UnixMillis;

use crate::monitor_config::maintenance::Maintenance;
use crate::monitor_config::{MonitorConfig, MonitorId};

/// A maintenance window that is in progress, or the next one of its entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// The id of the maintenance entry.
    pub id: MonitorId,
    /// The public title.
    pub title: String,
    /// The monitors that it affects; `None` means all.
    pub monitors: Option<Vec<MonitorId>>,
    /// When it begins.
    pub from: UnixMillis,
    /// When it ends.
    pub to: UnixMillis,
}

/// Returns the window of each entry of `list` that is in progress at `now`, or else its next one, however far ahead; soonest first.
/// `offset` gives the offset of a time zone from UTC in seconds.
pub fn announced_windows(
    list: &[Maintenance],
    now: UnixMillis,
    offset: impl Fn(&str, UnixMillis) -> i32,
) -> Vec<MaintenanceWindow> {
    let window = |it: &Maintenance| {
        let (from, to) = it.window_at(now, |at| offset(it.zone(), at))?;
        Some(MaintenanceWindow {
            id: it.id.clone(),
            title: it.title.clone(),
            monitors: it.monitors.clone(),
            from,
            to,
        })
    };
    let mut all: Vec<MaintenanceWindow> = Vec::new();
    for window in list.iter().filter_map(window) {
        let place = all.partition_point(|other| other.from <= window.from);
        all.insert(place, window);
    }
    all
}

/// Returns the monitors that are under maintenance at `now`.
pub fn affected_monitors(
    windows: &[MaintenanceWindow],
    config: &MonitorConfig,
    now: UnixMillis,
) -> Vec<MonitorId> {
    let is_affected = |id: &MonitorId| {
        let affects =
            |window: &&MaintenanceWindow| window.monitors.as_ref().is_none_or(|ids| ids.contains(id));
        windows.iter().filter(|window| window.from <= now && now < window.to).any(|window| affects(&window))
    };
    config.monitors.iter().map(|monitor| monitor.id.clone()).filter(is_affected).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::domain::Failure;
    use crate::domain::State;
    use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
    use crate::domain::engine::tests::notified_reasons;
    use crate::domain::engine::{Engine, Tick};
    use crate::domain::incident::notification::tests::PromptRecipient;
    use crate::domain::incident::notification::{EndReason, NotificationReason};
    use crate::monitor_config::maintenance;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + minute * MINUTE)
    }

    #[test]
    fn windows_are_announced_before_they_affect_monitors() {
        let list = [
            json!({"id":"later","from":"2026-01-20T00:00Z","to":"2026-01-20T01:00Z"}),
            json!({"id":"soon","from":"2026-01-02T00:01Z","to":"2026-01-02T01:00Z"}),
            json!({"id":"now","schedule":"0 0 * * *","duration":"10m","monitors":["api"]}),
        ];
        let (list, problems) = maintenance::parse_windows("MAINTENANCE", &list);
        assert_eq!(problems, []);
        let config = config();
        let ids = |minute| {
            let all = announced_windows(&list, at(minute), |_, _| 0);
            let named: Vec<String> = all.iter().map(|window| window.id.as_str().to_owned()).collect();
            let affected: Vec<String> = affected_monitors(&all, &config, at(minute))
                .iter()
                .map(|id| id.as_str().to_owned())
                .collect();
            (named.join(" "), affected.join(" "))
        };
        assert_eq!(ids(0), ("now soon later".into(), "api".into()));
        assert_eq!(ids(10), ("now soon later".into(), String::new()), "tomorrow's");
        assert_eq!(ids(1441), ("now soon later".into(), "api db".into()));
        assert_eq!(ids(19 * 1440 + 20), ("later now".into(), "api db".into()));
    }

    fn config() -> MonitorConfig {
        let entry = |id: &str| format!(r#"{{"id":"{id}","kind":"http","url":"https://a.example"}}"#);
        let config = MonitorConfig::parse(Some(&format!("[{},{}]", entry("api"), entry("db"))), false);
        assert_eq!(config.problems, []);
        config
    }

    /// Runs a timeline, one letter a minute: `u`p, `d`own; a capital during maintenance. Returns the states, what is notified, and
    /// the uptime.
    fn run(minutes: &str) -> (String, Vec<NotificationReason>, Option<f64>) {
        let config = config();
        let (mut engine, mut states, mut notified) = (Engine::default(), String::new(), Vec::new());
        let mut recipient = PromptRecipient::default();
        for (minute, letter) in (0..).zip(minutes.chars()) {
            let answer = ProbeResponse::new(200, Duration::ZERO, ResponseBody::Unread);
            let up = letter.eq_ignore_ascii_case(&'u');
            let result = if up { Ok(answer) } else { Err(Failure::ConnectionRefused.into()) };
            let probes = [ProbeResult { monitor: "api".parse().unwrap(), received: at(minute), result }];
            let tick = Tick { at: at(minute), received: at(minute) };
            let maintenance = letter.is_uppercase().then(|| "api".parse().unwrap());
            engine.set_maintenance(maintenance.into_iter().collect());
            engine.apply_tick(&config, tick, &probes);
            notified.extend(notified_reasons(&engine, &mut recipient, at(minute)));
            states.push(match engine.snapshot(&config, at(minute)).monitors[0].state {
                State::Up => 'u',
                State::Down => 'd',
                State::Maintenance => 'm',
                _ => '?',
            });
        }
        let minutes = u64::try_from(minutes.len()).unwrap();
        let window = Duration::from_secs(60 * minutes);
        let statistics = engine.window_statistics(&"api".parse().unwrap(), window, at(minutes.cast_signed()));
        (states, notified, statistics.uptime.percent)
    }

    #[test]
    fn maintenance_is_no_downtime_and_opens_no_incident() {
        use NotificationReason::Opened;
        let ended = NotificationReason::Ended(EndReason::Maintenance);
        let cases = [
            ("down as announced", "uuDDDuu", "uummmuu", vec![], Some(100.0)),
            ("down afterwards as well", "uuDDDdd", "uummmdd", vec![Opened], Some(50.0)),
            ("down before: the incident closes", "udDDUuu", "udmmmuu", vec![Opened, ended], Some(75.0)),
            ("maintenance throughout", "UDU", "mmm", vec![], None),
        ];
        for (name, minutes, states, notified, percent) in cases {
            assert_eq!(run(minutes), (states.to_owned(), notified, percent), "{name}");
        }
    }
}
