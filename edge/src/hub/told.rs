//! What the public is told: the status, incidents, a monitor's past.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::{Hub, Told};
use crate::probe::wall_clock;
use crate::view::StatusView;
use crate::web::api;

/// Memory is shown for three hours where nobody says otherwise.
const MEMORY_SHOWN_MS: i64 = 3 * 3_600_000;

/// And latency for a day.
const LATENCY_SHOWN_MS: i64 = 24 * 3_600_000;

impl Hub {
    pub(super) fn view(&self) -> Told<StatusView> {
        self.view_of(&self.shown()?)
    }

    /// What is known of one monitor's past, as the API tells it; `None` where it is not watched.
    pub(super) fn history(&self, path: &str, query: &str) -> Told<Option<String>> {
        let mut parts = path.trim_start_matches("/monitors/").split('/');
        let id = parts.next().and_then(|id| id.parse().ok());
        let config = self.shown()?;
        let monitor = config.monitors.iter().find(|monitor| Some(&monitor.id) == id.as_ref());
        let (Some(monitor), Some(what)) = (monitor, parts.next()) else { return Ok(None) };
        let board = self.board()?;
        let now = board.last().map_or_else(wall_clock, |last| last.clock(wall_clock()));
        let mut numbers = query.split('-').map(|text| text.parse().ok());
        let mut number = || numbers.next().flatten();
        match what {
            "memory" => {
                let to = number_or(number(), now.0);
                let from = number_or(number(), to.0.saturating_sub(MEMORY_SHOWN_MS));
                let last = board.last().map_or(now, |last| last.at);
                let found = self.store()?.memory(&monitor.id, (from, to), last);
                let (tier, line) = found.map_err(|error| error.to_string())?;
                Ok(Some(api::memory_json(monitor.id.as_str(), tier, (from, to), &line)))
            }
            "now" => self.monitor_now(monitor, &config).map(Some),
            "latency" => {
                let to = number_or(number(), now.0);
                let from = number_or(number(), to.0.saturating_sub(LATENCY_SHOWN_MS));
                self.latency(monitor, (from, to), board.last().map_or(now, |last| last.at), false).map(Some)
            }
            "days" => Ok(Some(api::days_json(&board.days(&monitor.id, now)))),
            "versions" => Ok(Some(api::versions_json(monitor.id.as_str(), board.growth(&monitor.id)))),
            "uptime" => {
                let window = u64::try_from(number().unwrap_or(86_400_000)).unwrap_or(86_400_000);
                let past = board.uptime(&monitor.id, Duration::from_millis(window), now);
                Ok(Some(api::uptime_json(monitor.id.as_str(), &past)))
            }
            _ => Ok(None),
        }
    }
}

fn number_or(number: Option<i64>, other: i64) -> UnixMillis {
    UnixMillis(number.unwrap_or(other))
}
