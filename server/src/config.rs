//! The configuration: every setting of the library, read once at start and typed from then on.
//!
//! [`SETTINGS`] is the one table of settings: the reader below, the flags and `--help` of the command line and
//! `docs/configuration.md` follow from it. A setting is an environment variable; the command line lays flags of the same names
//! over them.
//!
//! The reader is our own, because those that are well kept stop at the first value that is wrong, while an operator who has three
//! wrong wants to hear of all three, and because their errors repeat the value, which may be a secret. `figment` would add eight
//! crates to an application, `envy` one that has had no release since 2021. What is left of the reader is [`Config::read`].

mod error;
mod host_names;
mod parse;
mod settings;
pub mod thresholds;
mod webhook;

use std::net::IpAddr;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;

use self::thresholds::Thresholds;

pub use error::{ConfigError, Origin, SettingProblem};
pub use host_names::{HostName, HostNames};
pub use parse::{EdgeTimeout, FlightDirectory, LogFilter, LogFormat};
pub use settings::{SETTINGS, Setting};
pub use webhook::Webhook;

/// The configuration of the guard and its server. [`Config::default`] has the default of every setting.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Config {
    /// TCP port; with 0 the system chooses one, which the log names.
    pub port: u16,
    /// Address to listen on; `None` for all addresses, IPv4 and IPv6.
    pub host: Option<IpAddr>,
    /// Memory limit of the process; `None` to detect it.
    pub memory_limit: Option<Bytes>,
    /// Time without a heartbeat after which a worker counts as hung.
    pub hang_timeout: Duration,
    /// Maximum number of restarts in any minute.
    pub restarts_per_minute: u32,
    /// Directory of the flight recorder.
    pub flight: FlightDirectory,
    /// Runs the application without supervisor and guard; serves only `/health`.
    pub unguarded: bool,
    /// Thresholds of the levels of the ladder.
    pub thresholds: Thresholds,
    /// The guard logs what it would do and does nothing.
    pub observe_only: bool,
    /// Memory is attributed to routes.
    pub attribution: bool,
    /// Memory that one request may allocate; `None` for any amount.
    pub request_budget: Option<Bytes>,
    /// Secrets that requests for the report are signed with.
    pub secrets: Secrets,
    /// Names by which the server is known; a signed request has to name one of them.
    pub hosts: HostNames,
    /// Access to the metrics.
    pub metrics: MetricsConfig,
    /// Time without a visit of the edge after which the server warns.
    pub edge_timeout: EdgeTimeout,
    /// Webhook that this process itself alerts.
    pub alert_webhook: Option<Webhook>,
    /// Call stacks are recorded from the start, so that `/debug/heap` can show all live memory.
    pub heap_profile: bool,
    /// Time between two samples while pressure is calm.
    pub sample_interval: Duration,
    /// Time between two log lines with memory metrics.
    pub log_interval: Duration,
    /// Events that are logged.
    pub log: LogFilter,
    /// Format of the log.
    pub log_format: LogFormat,
    /// Limits for clients.
    pub http: HttpLimits,
    /// Time after SIGTERM during which new connections are still accepted, so that a load balancer can notice `/health/ready`;
    /// never longer than the whole drain.
    pub drain_window: Duration,
    /// Time from the signal to the exit, the window included; requests that are still in flight then are cut off.
    pub drain_timeout: Duration,
}

/// Secrets that a request for the report may be signed with. Without any, the report is not served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Secrets {
    /// The secret in use.
    pub current: Option<Secret>,
    /// The secret before it, while it is being replaced.
    pub previous: Option<Secret>,
}

/// Access to `/metrics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsConfig {
    /// Who may read them.
    pub access: MetricsAccess,
    /// Token that `Authorization: Bearer` may carry instead of a signature.
    pub token: Option<Secret>,
}

/// Who may read `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// The metrics are off: the path belongs to the application.
    Off,
    /// Requests with a signature or the token.
    #[default]
    Owner,
    /// All requests.
    Public,
}

/// Limits for clients. A timeout of `None` is off.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpLimits {
    /// Largest request body; a larger one gets 413.
    pub max_body: Bytes,
    /// Largest request head (request line and headers); a larger one gets 431.
    pub max_header: Bytes,
    /// Time for a complete request head, from the start of the connection or from the first byte of the head.
    pub header_timeout: Duration,
    /// Longest wait for the next part of a request body; then 408.
    pub body_timeout: Duration,
    /// Longest time until the response begins; then 503, and the handler is cancelled.
    pub request_timeout: Option<Duration>,
    /// Longest time that a connection waits for its next request.
    pub idle_timeout: Duration,
    /// Longest time that a client may accept no part of a response.
    pub write_timeout: Duration,
    /// Connections at the same time; a few more are accepted for `/health` alone.
    pub max_connections: usize,
}

impl Config {
    /// Reads the environment of the process.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|_| None, environment_variable)
    }

    /// Reads the flags of a command line, by setting, and the environment for settings without a flag.
    pub fn from_flags_and_env(flag: impl Fn(&Setting) -> Option<String>) -> Result<Self, ConfigError> {
        Self::read(flag, environment_variable)
    }

    /// Reads flags, by setting, and variables, by name. A flag takes precedence over its variable, an empty variable counts as not set, and
    /// secrets are never read from flags. The error has every value that cannot be used.
    pub fn read(
        flag: impl Fn(&Setting) -> Option<String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut config = Config::default();
        let mut problems = Vec::new();
        let mut window = None;
        for setting in SETTINGS {
            let given = Some(setting).filter(|setting| !setting.secret).and_then(&flag);
            let given = given.map(|text| (Origin::Flag, text)).or_else(|| {
                let text = variable(setting.variable).filter(|text| !text.is_empty())?;
                Some((Origin::Variable, text))
            });
            let Some((origin, text)) = given else { continue };
            let applied = setting.apply(&mut config, &text);
            let value = (!setting.secret).then_some(text);
            let problem = |expected| SettingProblem {
                setting,
                flag: setting.flag,
                origin,
                value: value.clone(),
                expected,
            };
            match applied {
                Err(expected) => problems.push(problem(expected)),
                Ok(()) if setting.variable == "HEAPBEAT_DRAIN_WINDOW" => {
                    window = Some(problem(String::new()));
                }
                Ok(()) => {}
            }
        }
        // The default window is cut to a short drain.
        if let Some(mut problem) = window.filter(|_| config.drain_window > config.drain_timeout) {
            problem.expected = format!(
                "the window is part of the drain, so it must not be longer than HEAPBEAT_DRAIN_TIMEOUT ({:?})",
                config.drain_timeout
            );
            problems.push(problem);
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

impl Default for Config {
    fn default() -> Self {
        let mut config = settings::unset();
        for setting in SETTINGS {
            setting.apply(&mut config, setting.default).expect("a test reads every default of the table");
        }
        config
    }
}

/// A variable of the process's environment. Bytes that are not UTF-8 become U+FFFD, which no parser accepts.
pub(crate) fn environment_variable(name: &str) -> Option<String> {
    Some(std::env::var_os(name)?.to_string_lossy().into_owned())
}

/// Every `HEAPBEAT_*` among `names` that is neither a setting nor one of `others`, with the setting that was probably meant: a misspelled limit would
/// otherwise be a limit that is silently not in force.
pub fn unknown_variables(
    names: impl IntoIterator<Item = String>,
    others: &[&str],
) -> Vec<(String, Option<&'static str>)> {
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| name.starts_with("HEAPBEAT_") && SETTINGS.iter().all(|s| s.variable != name))
        .filter(|name| !others.contains(&name.as_str()))
        .map(|name| {
            let meant = most_similar(&name);
            (name, meant)
        })
        .collect();
    unknown.sort_unstable();
    unknown
}

/// The setting whose name is so similar to `name` that it was probably meant.
fn most_similar(name: &str) -> Option<&'static str> {
    const SIMILAR: f64 = 0.9;
    let similarity = |variable: &str| strsim::jaro_winkler(name, variable);
    let best = SETTINGS.iter().max_by(|a, b| similarity(a.variable).total_cmp(&similarity(b.variable)))?;
    (similarity(best.variable) >= SIMILAR).then_some(best.variable)
}

#[cfg(test)]
mod tests;
