//! The configuration of monitors, parsed into types that hold only valid values. The edge and `heapbeat apply` use it.
//!
//! Every entry is parsed on its own. An invalid one becomes a [`ConfigProblem`] with its position and the expected value, and does not
//! affect the others. An unknown setting is refused rather than ignored.

#![forbid(unsafe_code)]

use heapbeat_shared::signing::RequestOrigin;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub mod applied;
mod capacity;
mod cloudflare;
pub mod condition;
pub mod credential;
mod dependencies;
mod dns;
mod domain_name;
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

pub use capacity::{MAX_HUBS, MAX_MONITORS, MONITORS_PER_HUB};
pub use cloudflare::is_cloudflare_address;
pub use dns::{DEFAULT_RESOLVER, DnsQuery, RecordType};
pub use domain_name::registered_domain;
pub use id::{MonitorId, MonitorIdError};
pub use monitor::{
    CheckThresholds, Header, HeaderValue, Heartbeat, HeartbeatSchedule, HttpCheck, Monitor, MonitorKind,
    Target,
};
pub use region::{MAX_REGIONS, REGIONS};
pub use secret::{APPLIED_PREFIX, OwnSecretError, SecretName, SecretNameError};
pub use tcp::{TcpAddress, TcpAddressError};
pub use url::{HttpUrl, UrlError, is_private_host};

use self::dependencies::check_dependencies;
use self::field::FieldReader;

/// Largest body that conditions are evaluated on, in bytes. Parsing it as JSON is the most expensive part of a probe.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The Worker secret that signs the probes of heapbeat monitors without a `secret` of their own.
pub const DEFAULT_SECRET: &str = "HEAPBEAT_SECRET";

/// Largest list that is parsed, in bytes. A Worker's variable holds 5 kB; an applied list may be larger.
const MAX_LIST_BYTES: usize = 256 * 1024;

/// The name of the variable, with which every position in it begins.
pub const VARIABLE: &str = "MONITORS";

/// A refused entry of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema), schemars(rename = "ConfigurationProblem"))]
pub struct ConfigProblem {
    /// The position, such as `MONITORS[3].interval`.
    pub position: String,
    /// The reason, and the expected value. It never contains a secret.
    pub reason: String,
}

/// The valid monitors, and the problems of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MonitorConfig {
    /// The valid monitors, in the order of the file.
    pub monitors: Vec<Monitor>,
    /// The problems of the refused entries.
    pub problems: Vec<ConfigProblem>,
}

impl MonitorConfig {
    /// Returns the heapbeat monitors of further servers that name no secret. The default secret ([`DEFAULT_SECRET`]) belongs to one
    /// server, the first one: to sign for several servers with one secret, the owner has to say so.
    pub fn servers_without_secret(&self) -> impl Iterator<Item = &Monitor> {
        let origin = |monitor: &Monitor| match &monitor.target {
            Target::Heapbeat { url, secret: None, .. } => url.as_str().parse::<RequestOrigin>().ok(),
            _ => None,
        };
        let first = self.monitors.iter().find_map(origin);
        self.monitors.iter().filter(move |monitor| origin(monitor).is_some_and(|it| Some(it) != first))
    }

    /// Parses the JSON of the variable `MONITORS`; `None` is a variable that is not set. `allow_private` allows targets with private
    /// addresses.
    pub fn parse(text: Option<&str>, allow_private: bool) -> MonitorConfig {
        match parse_list(text) {
            Ok(entries) => {
                MonitorConfig::parse_entries(VARIABLE, &entries, allow_private, &[], MONITORS_PER_HUB)
            }
            Err(reason) => {
                MonitorConfig { problems: vec![problem(VARIABLE, reason)], ..MonitorConfig::default() }
            }
        }
    }

    /// Parses the entries of a list called `list`, at most `max` of them. Ids in `taken` are refused.
    pub fn parse_entries(
        list: &str,
        entries: &[Value],
        allow_private: bool,
        taken: &[MonitorId],
        max: usize,
    ) -> MonitorConfig {
        let mut config = MonitorConfig::default();
        let (mut ids, mut positions) = (Vec::new(), Vec::new());
        for (index, entry) in entries.iter().enumerate() {
            let position = format!("{list}[{index}]");
            if config.monitors.len() == max {
                let ignored = entries.len() - index;
                let reason = format!(
                    "the limit of {max} monitors is reached; this entry and the following ones ({ignored} in total) are ignored"
                );
                config.problems.push(problem(&position, reason));
                break;
            }
            let mut fields = FieldReader::new(&position, entry);
            let monitor = entry::parse_entry(&mut fields, allow_private, &mut ids);
            if let Some(id) = monitor.as_ref().map(|monitor| &monitor.id).filter(|id| taken.contains(id)) {
                fields.report(
                    "id",
                    format!("`{id}` is already the id of a monitor in wrangler.toml; ids must be unique"),
                );
            }
            match (monitor, fields.into_problems()) {
                (Some(monitor), problems) if problems.is_empty() => {
                    config.monitors.push(monitor);
                    positions.push(position);
                }
                (_, problems) => config.problems.extend(problems),
            }
        }
        // An entry that has another problem exists, and its problem is reported already.
        ids.extend(taken.iter().cloned());
        config.problems.extend(check_dependencies(&mut config.monitors, &positions, &ids));
        config
    }
}

/// Makes a problem.
fn problem(position: &str, reason: impl Into<String>) -> ConfigProblem {
    ConfigProblem { position: position.to_owned(), reason: reason.into() }
}

/// Parses the variable as a list of entries.
fn parse_list(text: Option<&str>) -> Result<Vec<Value>, String> {
    let example = r#"such as [[vars.MONITORS]] in wrangler.toml with id = "api", kind = "heapbeat" and url = "https://api.example.com/health""#;
    let Some(text) = text else {
        return Err(format!("there are no monitors; add one, {example}"));
    };
    if text.len() > MAX_LIST_BYTES {
        return Err(format!("has {} bytes; at most {MAX_LIST_BYTES} are allowed", text.len()));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(entries)) if entries.is_empty() => {
            Err(format!("there are no monitors; add one, {example}"))
        }
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err(format!("must be a list of tables, {example}")),
        Err(error) => Err(format!("is not valid JSON: {error}")),
    }
}

#[cfg(test)]
mod tests;
