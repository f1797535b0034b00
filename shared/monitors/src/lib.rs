//! The configuration of monitors, parsed into types that hold only valid values; shared by the edge and `heapbeat apply`.
//!
//! Every entry is parsed on its own: an invalid one becomes a [`Problem`] with its position and the expected form, and the
//! others run. A setting that does not exist yet is refused rather than ignored.

#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod applied;
pub mod condition;
mod entry;
mod field;
mod id;
pub mod maintenance;
mod monitor;
mod region;
mod request;
pub mod schedule;
mod secret;
mod tcp;
mod url;

pub use id::{MonitorId, MonitorIdError};
pub use monitor::{Header, HeaderValue, Heartbeat, HttpCheck, Kind, Monitor, Rhythm, Target, Thresholds};
pub use region::{MOST_REGIONS, REGIONS};
pub use secret::{SecretName, SecretNameError};
pub use tcp::{TcpAddress, TcpAddressError};
pub use url::{HttpUrl, UrlError, is_private_host};

use self::field::Fields;

/// Most monitors of one hub: what one tick can probe within the platform's 50 requests.
pub const A_HUB: usize = 40;

/// Most hubs: what one invocation can ask within the platform's 50 requests, and some for what it asks besides. A tick a minute
/// takes 65 % of the free plan's daily requests and rows then.
pub const MOST_HUBS: usize = 45;

/// Most monitors.
pub const MOST_MONITORS: usize = A_HUB * MOST_HUBS;

/// Longest body that a condition may be asked of, in bytes. Reading it as JSON is what costs most of a probe.
pub const LONGEST_BODY: usize = 256 * 1024;

/// The Worker secret that signs the probes of heapbeat monitors that name none, where it exists.
pub const DEFAULT_SECRET: &str = "HEAPBEAT_SECRET";

/// Longest list that is parsed, in bytes. A Worker's variable holds 5 kB; an applied list may be longer.
const LONGEST_CONFIG: usize = 256 * 1024;

/// The variable's name, and the beginning of every position in it.
pub const VARIABLE: &str = "MONITORS";

/// A refused entry of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema), schemars(rename = "ConfigurationProblem"))]
pub struct Problem {
    /// The position: `MONITORS[3].interval`.
    pub position: String,
    /// What is wrong and what is expected. It never repeats a secret.
    pub reason: String,
}

impl Problem {
    /// The public form: the entry and the setting, without its value and without names from the configuration.
    #[must_use]
    pub fn shown(&self) -> Problem {
        let (entry, field) = self.position.split_once('.').unwrap_or((&self.position, ""));
        let place = |c: char| c.is_ascii_digit() || c == '[' || c == ']';
        // A position that does not begin with a list begins with an id.
        let list = entry.trim_end_matches(place);
        let ours = ["monitors", "maintenance"].contains(&list)
            || list.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        let entry = if ours { entry } else { VARIABLE };
        let chosen = !ours || self.reason.starts_with("is no setting of");
        let field =
            if chosen { "" } else { field.split('.').next().unwrap_or_default().trim_end_matches(place) };
        let dot = if field.is_empty() { "" } else { "." };
        Problem {
            position: format!("{entry}{dot}{field}"),
            reason: "is not right; the Worker's log and GET /api/v1/admin/status say why".to_owned(),
        }
    }
}

/// The configuration: what runs, and what was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The valid monitors, in the order of the file.
    pub monitors: Vec<Monitor>,
    /// What was refused.
    pub problems: Vec<Problem>,
}

impl Config {
    /// Reads the JSON of `MONITORS`; `None` when the variable is not there. `allow_private`: whether targets
    /// on private addresses may be probed.
    pub fn parse(text: Option<&str>, allow_private: bool) -> Config {
        match entries(text) {
            Ok(entries) => Config::read(VARIABLE, &entries, allow_private, &[], A_HUB),
            Err(reason) => Config { problems: vec![problem(VARIABLE, reason)], ..Config::default() },
        }
    }

    /// Reads entries that stand in a list called `list`, as far as there is `room`; none may have an id of `taken`.
    pub fn read(
        list: &str,
        entries: &[Value],
        allow_private: bool,
        taken: &[MonitorId],
        room: usize,
    ) -> Config {
        let mut config = Config::default();
        let mut ids = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let position = format!("{list}[{index}]");
            if config.monitors.len() == room {
                let left = entries.len() - index;
                let reason = format!(
                    "there is room for {room} monitors here; this entry and those after it ({left} in all) are left out"
                );
                config.problems.push(problem(&position, reason));
                break;
            }
            let mut fields = Fields::new(&position, entry);
            let monitor = entry::read(&mut fields, allow_private, &mut ids);
            if let Some(id) = monitor.as_ref().map(|monitor| &monitor.id).filter(|id| taken.contains(id)) {
                fields.refuse(
                    "id",
                    format!("`{id}` is a monitor of wrangler.toml already; an id stands in one place"),
                );
            }
            match (monitor, fields.into_problems()) {
                (Some(monitor), problems) if problems.is_empty() => config.monitors.push(monitor),
                (_, problems) => config.problems.extend(problems),
            }
        }
        config.check_dependencies(list, taken);
        config
    }

    /// Reports dependencies on monitors that do not exist, and removes them.
    fn check_dependencies(&mut self, list: &str, taken: &[MonitorId]) {
        let mut ids: Vec<_> = self.monitors.iter().map(|monitor| monitor.id.clone()).collect();
        ids.extend(taken.iter().cloned());
        for monitor in &mut self.monitors {
            for missing in monitor.depends_on.extract_if(.., |on| !ids.contains(on)) {
                let reason = format!("monitor `{}` depends on `{missing}`, which is not watched", monitor.id);
                self.problems.push(problem(list, reason));
            }
        }
    }
}

fn problem(position: &str, reason: impl Into<String>) -> Problem {
    Problem { position: position.to_owned(), reason: reason.into() }
}

/// The entries of the variable.
fn entries(text: Option<&str>) -> Result<Vec<Value>, String> {
    let example = r#"such as [[vars.MONITORS]] in wrangler.toml with id = "api", kind = "heapbeat" and url = "https://api.example.com/health""#;
    let Some(text) = text else {
        return Err(format!("there is no monitor; add one, {example}"));
    };
    if text.len() > LONGEST_CONFIG {
        return Err(format!("has {} bytes, more than {LONGEST_CONFIG}", text.len()));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(entries)) if entries.is_empty() => {
            Err(format!("there is no monitor; add one, {example}"))
        }
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err(format!("should be a list of tables, {example}")),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
