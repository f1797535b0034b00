//! The monitors, read once into types that cannot be wrong; the same for the edge and for `heapbeat apply`.
//!
//! Every entry of `MONITORS` is looked at alone: one that is wrong becomes a [`Problem`] with its position and
//! what would be right, and the others run. A setting that is planned but not built is refused with just that
//! reason; accepting it silently would be a promise.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod field;
mod id;
mod secret;
mod url;

pub use id::{MonitorId, MonitorIdError};
pub use secret::{SecretName, SecretNameError};
pub use url::{HttpUrl, UrlError, is_private_host};

use self::field::Fields;
use crate::condition::{Condition, Placeholder};

/// Most monitors of one hub: what one tick can probe within the platform's 50 requests.
pub const MOST_MONITORS: usize = 40;

/// Longest body that a condition may be asked of, in bytes. Reading it as JSON is what costs most of a probe.
pub const LONGEST_BODY: usize = 256 * 1024;

/// Longest `MONITORS` that is parsed, in bytes. A Worker's variable holds 5 kB.
const LONGEST_CONFIG: usize = 64 * 1024;

/// The variable's name, and the beginning of every position.
const VARIABLE: &str = "MONITORS";

/// One thing to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Its id, unique.
    pub id: MonitorId,
    /// Its name for people; the id where none is given.
    pub name: String,
    /// What its answer is.
    pub kind: Kind,
    /// Where to ask.
    pub url: HttpUrl,
    /// How often.
    pub interval: Duration,
    /// How long one probe may take, redirects and body included.
    pub timeout: Duration,
    /// What has to hold for it to be up.
    pub conditions: Vec<Condition>,
    /// What has to hold, besides, for it not to be degraded.
    pub degraded: Vec<Condition>,
    /// Verdicts in a row before the state changes.
    pub thresholds: Thresholds,
    /// The heading it stands under.
    pub group: Option<String>,
    /// The Worker secret that a heapbeat server shares with us; [`DEFAULT_SECRET`] where none is named.
    pub secret: Option<SecretName>,
    /// Monitors without which it cannot work: while one of them has trouble, nobody is told of this one's.
    pub depends_on: Vec<MonitorId>,
    /// The channels that are told; `None` is every one.
    pub alerts: Option<Vec<MonitorId>>,
}

/// The Worker secret that signs the probes of heapbeat monitors that name none, where it exists.
pub const DEFAULT_SECRET: &str = "HEAPBEAT_SECRET";

impl Monitor {
    /// Whether anybody wants to see the body of its answers.
    pub fn reads_body(&self) -> bool {
        let mut conditions = self.conditions.iter().chain(&self.degraded);
        self.kind == Kind::Heapbeat || conditions.any(|condition| condition.asks_about(Placeholder::Body))
    }
}

/// What a monitor's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The body of `GET /health`.
    Heapbeat,
    /// Anything.
    Http,
}

/// Verdicts in a row that it takes to change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures in a row before `down`.
    pub failure: NonZeroU16,
    /// Successes in a row before `down` is over.
    pub success: NonZeroU16,
}

/// A refused entry of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where it stands: `MONITORS[3].interval`.
    pub position: String,
    /// What is wrong and what would be right. Never repeats a secret.
    pub reason: String,
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
        let mut config = Config::default();
        let entries = match entries(text) {
            Ok(entries) => entries,
            Err(reason) => {
                config.problems.push(problem(VARIABLE, reason));
                return config;
            }
        };
        let mut ids = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let position = format!("{VARIABLE}[{index}]");
            if config.monitors.len() == MOST_MONITORS {
                let left = entries.len() - index;
                let reason = format!(
                    "a hub watches at most {MOST_MONITORS} monitors; this entry and those after it ({left} in all) are left out"
                );
                config.problems.push(problem(&position, reason));
                break;
            }
            let mut fields = Fields::new(&position, entry);
            let monitor = monitor(&mut fields, allow_private, &mut ids);
            match (monitor, fields.into_problems()) {
                (Some(monitor), problems) if problems.is_empty() => config.monitors.push(monitor),
                (_, problems) => config.problems.extend(problems),
            }
        }
        config.check_dependencies();
        config
    }

    /// A dependency on what is not watched suppresses nothing; whoever wrote it wants to know.
    fn check_dependencies(&mut self) {
        let ids: BTreeSet<_> = self.monitors.iter().map(|monitor| monitor.id.clone()).collect();
        for monitor in &mut self.monitors {
            for missing in monitor.depends_on.extract_if(.., |on| !ids.contains(on)) {
                let reason = format!("monitor `{}` depends on `{missing}`, which is not watched", monitor.id);
                self.problems.push(problem(VARIABLE, reason));
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
    match serde_json::from_str(text) {
        Ok(Value::Array(entries)) if entries.is_empty() => {
            Err(format!("there is no monitor; add one, {example}"))
        }
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err(format!("should be a list of tables, {example}")),
        Err(error) => Err(format!("is not JSON: {error}")),
    }
}

/// Reads one entry; every field is looked at, so that all that is wrong is said at once.
fn monitor(fields: &mut Fields<'_>, allow_private: bool, ids: &mut BTreeSet<MonitorId>) -> Option<Monitor> {
    let id = fields.required("id", |text| text.parse::<MonitorId>().map_err(|e| e.to_string()));
    if let Some(id) = &id
        && !ids.insert(id.clone())
    {
        fields.refuse("id", format!("`{id}` is taken by an entry above; every monitor has an id of its own"));
    }
    let name = fields.optional("name", |text| short("name", text));
    let kind = fields.required("kind", kind);
    let url = fields.required("url", |text| {
        let url = text.parse::<HttpUrl>().map_err(|e| e.to_string())?;
        if !allow_private && is_private_host(url.host()) {
            return Err(format!(
                r#"`{}` is a private address, which a monitor could be abused to look into; set ALLOW_PRIVATE_TARGETS = "true" to allow it"#,
                url.host()
            ));
        }
        Ok(url)
    });
    let interval = fields.duration("interval", Duration::from_secs(60), "5s", "24h");
    let timeout = fields.duration("timeout", Duration::from_secs(10), "100ms", "30s");
    let conditions = fields.list("conditions", &["[STATUS] == 200"], condition);
    if conditions.as_ref().is_some_and(Vec::is_empty) {
        fields.refuse("conditions", "is empty; leave it out for [\"[STATUS] == 200\"]".to_owned());
    }
    let degraded = fields.list("degraded", &[], condition);
    let failure = fields.count("failure-threshold", 1);
    let success = fields.count("success-threshold", 1);
    let group = fields.optional("group", |text| short("group", text));
    let secret = fields.optional("secret", |text| text.parse::<SecretName>().map_err(|e| e.to_string()));
    if secret.is_some() && kind == Some(Kind::Http) {
        fields
            .refuse("secret", "only a heapbeat server can be asked with one; take the field out".to_owned());
    }
    let named = |text: &str| text.parse::<MonitorId>().map_err(|e| e.to_string());
    let depends_on = fields.list("depends-on", &[], named);
    if depends_on.iter().flatten().any(|on| Some(on) == id.as_ref()) {
        fields.refuse("depends-on", "names the monitor itself".to_owned());
    }
    if !fields.is_empty_list("regions") {
        fields.refuse(
            "regions",
            "probing from several regions is not supported yet; take the field out".to_owned(),
        );
    }
    let alerts = if fields.has("alerts") { fields.list("alerts", &[], named).map(Some) } else { Some(None) };
    fields.refuse_unknown();
    let id = id?;
    Some(Monitor {
        name: name.unwrap_or_else(|| id.as_str().to_owned()),
        id,
        kind: kind?,
        url: url?,
        interval: interval?,
        timeout: timeout?,
        conditions: conditions?,
        degraded: degraded?,
        thresholds: Thresholds { failure: failure?, success: success? },
        group,
        secret,
        depends_on: depends_on?,
        alerts: alerts?,
    })
}

fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "heapbeat" => Ok(Kind::Heapbeat),
        "http" => Ok(Kind::Http),
        "tcp" | "heartbeat" => Err(format!("`{text}` is not supported yet; use heapbeat or http")),
        other => Err(format!("`{}` is no kind of monitor; use heapbeat or http", field::shown(other))),
    }
}

/// A text for people: not empty, one line, not endless.
fn short(what: &str, text: &str) -> Result<String, String> {
    const LONGEST: usize = 80;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!("a {what} is one line of 1 to {LONGEST} characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
