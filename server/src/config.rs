//! Every setting, read once at start, parsed once, typed from then on.
//!
//! A setting is an environment variable and a flag of the same name; both go through the same parser, so that a bad
//! value gets the same sentence wherever it was given. The table in [`SETTINGS`] is the only list there is: the
//! defaults, `--help` and `docs/configuration.md` all come from it.

mod error;
mod parse;
mod settings;
mod webhook;

use std::net::IpAddr;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;

use crate::overload::thresholds::Thresholds;

pub use error::{ConfigError, Origin, Problem};
pub use parse::{FlightPlace, LogFilter, LogFormat, Patience};
pub use settings::{SETTINGS, Setting};
pub use webhook::Webhook;

/// What the guard and its server are told. [`Config::default`] is what every setting says when nobody sets it.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Config {
    /// TCP port; 0 takes a free one, which the log names.
    pub port: u16,
    /// Address to listen on; `None` is all of them, IPv4 and IPv6.
    pub host: Option<IpAddr>,
    /// Memory that the process may take; `None` finds out.
    pub memory_limit: Option<Bytes>,
    /// A worker that gives no sign of life for so long is hung.
    pub hang_timeout: Duration,
    /// Where the flight recorder is.
    pub flight: FlightPlace,
    /// No supervisor and no ladder: the backend and its `/health`, and nothing that could get in its way.
    pub unguarded: bool,
    /// Where the rungs of the ladder begin.
    pub marks: Thresholds,
    /// The guard only says what it would do.
    pub observe_only: bool,
    /// Memory is booked to routes.
    pub attribution: bool,
    /// What one request may allocate; `None` is any amount.
    pub request_budget: Option<Bytes>,
    /// Who may read the report.
    pub secrets: Secrets,
    /// Who may read the metrics.
    pub metrics: Metrics,
    /// How long the edge may not come before that is told.
    pub watcher_silence: Patience,
    /// Where this process tells what nobody else can.
    pub alert_webhook: Option<Webhook>,
    /// Call stacks are taken from the start, so that `/debug/heap` can show all that is held.
    pub heap_profile: bool,
    /// Time between two samples while memory is calm.
    pub sample_interval: Duration,
    /// Time between two lines of memory figures in the log.
    pub log_interval: Duration,
    /// Which events are logged.
    pub log: LogFilter,
    /// How they are written.
    pub log_format: LogFormat,
    /// What clients may do.
    pub http: HttpLimits,
    /// After SIGTERM, how long new connections are still taken, so that a balancer can notice `/health/ready`; never
    /// longer than the whole drain.
    pub drain_window: Duration,
    /// From the signal to the end, the window included; what is still in flight then is cut.
    pub drain_timeout: Duration,
}

/// Secrets that requests for the report may be signed with; nobody gets it when there is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secrets {
    /// The one in use.
    pub current: Option<Secret>,
    /// The one before, while it is being replaced.
    pub previous: Option<Secret>,
}

/// Who may read `/metrics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// In general.
    pub readers: Readers,
    /// What `Authorization: Bearer` may say instead of a signature.
    pub token: Option<Secret>,
}

/// A kind of reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// The path is the application's.
    Nobody,
    /// Who signs the request, or has the token.
    #[default]
    Owner,
    /// Whoever can reach it.
    Everybody,
}

/// Bounds for what a client may cost. A timeout of `None` is switched off.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpLimits {
    /// Largest request body; a larger one is answered with 413.
    pub max_body: Bytes,
    /// Largest request head (request line and headers); a larger one is answered with 431.
    pub max_header: Bytes,
    /// Time for a complete request head, from the connection's start or the head's first byte.
    pub header_timeout: Duration,
    /// Longest wait for the next piece of a request body; answered with 408.
    pub body_timeout: Duration,
    /// Longest time to the beginning of an answer; then 503, and the handler is dropped.
    pub request_timeout: Option<Duration>,
    /// How long a connection may wait for its next request.
    pub idle_timeout: Duration,
    /// How long a client may take none of an answer that is ready for it.
    pub write_timeout: Duration,
    /// Connections at the same time; some more are taken for `/health` alone.
    pub max_connections: usize,
}

impl Config {
    /// The process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(environment)
    }

    /// Variables as `lookup` has them. An empty value counts as none.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::from_layers(|_| None, lookup)
    }

    /// Flags (by their name without dashes) laid over variables. Reports every bad value, not only the first.
    pub fn from_layers(
        flags: impl Fn(&str) -> Option<String>,
        variables: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        let mut problems = Vec::new();
        for setting in SETTINGS {
            let flag = Some(setting.flag).filter(|_| !setting.secret).and_then(&flags);
            let flag = flag.map(|text| (Origin::Flag, text));
            let given = flag.or_else(|| {
                let text = variables(setting.variable).filter(|text| !text.is_empty())?;
                Some((Origin::Variable, text))
            });
            let Some((origin, text)) = given else { continue };
            if let Err(right) = setting.apply(&mut config, &text) {
                let value = (!setting.secret).then_some(text);
                problems.push(Problem { setting, origin, value, right });
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut config = settings::blank();
        for setting in SETTINGS {
            setting.apply(&mut config, setting.default).expect("a test reads every default of the table");
        }
        config
    }
}

/// A variable of the process's environment. Bytes that are not UTF-8 become U+FFFD, which no parser takes.
pub fn environment(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// Every `HEAPBEAT_*` among `names` that is no setting, with the setting that was probably meant: a misspelt limit is
/// a limit that is silently not there.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<(String, Option<&'static str>)> {
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| name.starts_with("HEAPBEAT_") && SETTINGS.iter().all(|s| s.variable != name))
        .map(|name| {
            let nearest = nearest(&name);
            (name, nearest)
        })
        .collect();
    unknown.sort_unstable();
    unknown
}

/// The setting whose name is so like `name` that it was probably meant.
fn nearest(name: &str) -> Option<&'static str> {
    const ALIKE: f64 = 0.9;
    let likeness = |variable: &str| strsim::jaro_winkler(name, variable);
    let best = SETTINGS.iter().max_by(|a, b| likeness(a.variable).total_cmp(&likeness(b.variable)))?;
    (likeness(best.variable) >= ALIKE).then_some(best.variable)
}

#[cfg(test)]
mod tests;
