//! What the answers of a server and an edge say about a deployment, and what to do about it.

use std::time::Duration;

use heapbeat_shared::report::Limit;
use heapbeat_shared::signing::CLOCK_TOLERANCE_S;
use heapbeat_shared::text::{list_names, printable};
use heapbeat_shared::{Bytes, UnixMillis};
use serde_json::Value;

/// Difference between the clocks from which signatures are refused, in seconds.
const REFUSED_SKEW: i64 = CLOCK_TOLERANCE_S as i64;

/// Difference between the clocks that is worth a warning, in seconds.
const NOTABLE_SKEW: i64 = 10;

/// Age of the edge's last tick from which its cron does not run: ten intervals.
const STALE: Duration = Duration::from_secs(600);

/// Most monitors of one state that are named.
const MAX_NAMES: usize = 8;

/// Most pairs of state and reason that are told apart.
const MAX_GROUPS: usize = 24;

/// Size limit of a text of a server in a finding, in characters.
const MAX_TEXT: usize = 600;

/// The answers of a deployment.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// Whether the owner's secret is known here.
    pub(super) has_secret: bool,
    /// Seconds by which the server's clock is ahead; `None` if the server states no time.
    pub(super) skew_seconds: Option<i64>,
    /// `None` if no server was given.
    pub(super) server: Option<Result<ServerAnswer, ServerFailure>>,
    /// `None` if no edge was given.
    pub(super) edge: Option<Result<EdgeAnswer, String>>,
    pub(super) now: UnixMillis,
}

/// The answer of a server.
#[derive(Clone, Debug)]
pub(super) struct ServerAnswer {
    pub(super) target: String,
    /// Whether the answer was signed with the secret.
    pub(super) is_signed: bool,
    /// The reason if it was not.
    pub(super) note: Option<String>,
    pub(super) rss: Bytes,
    pub(super) limit: Option<Limit>,
    pub(super) version: Option<String>,
    pub(super) unavailable_sources: Vec<String>,
}

/// The reason why a server gave no figures.
#[derive(Clone, Debug)]
pub(super) struct ServerFailure {
    pub(super) text: String,
    /// The status of its response; `None` if there was no response that can be read.
    pub(super) status: Option<u16>,
}

/// The answer of an edge.
#[derive(Clone, Debug)]
pub(super) struct EdgeAnswer {
    url: String,
    /// The time of the last tick; `None` if there was none.
    updated: Option<String>,
    monitors: Vec<WatchedMonitor>,
    /// Mistakes in the configuration.
    config_problems: u64,
    /// Its version; `None` if its description of the API could not be read.
    pub(super) version: Option<String>,
}

/// A monitor in the status.
#[derive(Clone, Debug)]
struct WatchedMonitor {
    id: String,
    state: String,
    reason: Option<String>,
}

impl EdgeAnswer {
    /// Reads the status of an edge.
    pub(super) fn parse(url: String, status: &Value) -> Result<Self, String> {
        let monitors =
            status["monitors"].as_array().ok_or_else(|| format!("{url} is not the status of an edge"))?;
        let text = |value: &Value| value.as_str().map(excerpt);
        Ok(EdgeAnswer {
            updated: text(&status["updated"]),
            monitors: monitors
                .iter()
                .map(|monitor| WatchedMonitor {
                    id: text(&monitor["id"]).unwrap_or_default(),
                    state: text(&monitor["state"]).unwrap_or_default(),
                    reason: text(&monitor["reason"]),
                })
                .collect(),
            config_problems: status["edge"]["config_problems"].as_u64().unwrap_or(0),
            version: None,
            url,
        })
    }
}

/// Returns the version of an edge from its description of the API.
pub(super) fn version_of(openapi: &Value) -> Option<String> {
    openapi["info"]["version"].as_str().map(excerpt)
}

/// Shortens a text that another machine sent, and leaves out what a terminal would obey.
fn excerpt(text: &str) -> String {
    printable(text, MAX_TEXT)
}

/// A state, its reason, and the monitors that are in it.
type Group<'e> = (&'e str, Option<&'e str>, Vec<&'e str>);

/// How bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Fine,
    /// Nothing could be found out.
    Skipped,
    Warning,
    Problem,
}

impl Level {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Level::Fine => "ok",
            Level::Skipped => "skipped",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

/// A finding, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) text: String,
    pub(super) advice: Option<&'static str>,
}

fn fine(text: impl Into<String>) -> Finding {
    Finding { level: Level::Fine, text: text.into(), advice: None }
}

fn finding(level: Level, text: impl Into<String>, advice: &'static str) -> Finding {
    Finding { level, text: text.into(), advice: Some(advice) }
}

/// Judges the answers of a deployment.
pub(super) fn find(answers: &Answers) -> Vec<Finding> {
    let mut found = Vec::new();
    match &answers.server {
        None => {
            found.push(finding(Level::Skipped, "the server was not checked", "name its address with --url"));
        }
        Some(Err(ServerFailure { text, status })) => {
            let advice = match status {
                Some(500..) => "the address answers: the server's log has the reason why it does not serve",
                Some(_) => "check the address: it has to be that of heapbeat's /health",
                None => "check the address, and in the log of the program that heapbeat listens on that port",
            };
            found.push(finding(Level::Problem, excerpt(text), advice));
        }
        Some(Ok(server)) => {
            found.push(fine(format!("{} answers: {} resident", server.target, server.rss)));
            found.extend(judge_clock(answers.skew_seconds));
            found.push(judge_signature(answers.has_secret, server));
            if server.is_signed {
                found.extend(judge_report(server));
            }
        }
    }
    match &answers.edge {
        None => {
            found.push(finding(Level::Skipped, "the edge was not checked", "name its address with --edge"));
        }
        Some(Err(error)) => found.push(finding(
            Level::Problem,
            excerpt(error),
            "deploy the edge, or correct the address: it is the last line of `heapbeat-edge deploy`",
        )),
        Some(Ok(edge)) => found.extend(judge_edge(edge, answers.now)),
    }
    found
}

fn judge_clock(skew: Option<i64>) -> Option<Finding> {
    let skew = skew?;
    let advice = "set the clocks of both machines by NTP: a signature is valid for a minute";
    Some(match skew.abs() {
        REFUSED_SKEW.. => finding(Level::Problem, format!("the clocks are {} s apart", skew.abs()), advice),
        NOTABLE_SKEW.. => finding(Level::Warning, format!("the clocks are {} s apart", skew.abs()), advice),
        _ => fine("the clocks agree"),
    })
}

fn judge_signature(has_secret: bool, server: &ServerAnswer) -> Finding {
    if server.is_signed {
        return fine("the server and this machine have the same secret");
    }
    match &server.note {
        Some(note) => finding(
            Level::Problem,
            excerpt(note),
            "give HEAPBEAT_SECRET the same value in the server's environment, here, and in the Worker's secrets; if it has, set \
             HEAPBEAT_HOSTS of the server to the host in this address: off Render, Fly, Railway, Koyeb, Heroku, Azure and Cloud Run a \
             server does not know its own name",
        ),
        None if has_secret => fine("the answer needs no signature"),
        None => finding(
            Level::Skipped,
            "the secret, the limit and the version were not checked",
            "set HEAPBEAT_SECRET to the server's secret",
        ),
    }
}

fn judge_report(server: &ServerAnswer) -> Vec<Finding> {
    let mut found = Vec::new();
    match &server.limit {
        None => found.push(finding(
            Level::Warning,
            "the server knows no memory limit",
            "set HEAPBEAT_MEMORY_LIMIT to the memory of the instance",
        )),
        Some(limit) => {
            let text = format!("the memory limit is {} ({})", limit.bytes, excerpt(&limit.origin));
            let is_guess = limit.origin.starts_with("default cap") || limit.origin.starts_with("physical");
            found.push(if is_guess {
                let advice = "set HEAPBEAT_MEMORY_LIMIT if the instance has another limit: none is enforced that can be read";
                finding(Level::Warning, text, advice)
            } else {
                fine(text)
            });
        }
    }
    found.push(match server.version.as_deref() {
        // A program whose version nobody has set states `unknown`.
        None | Some("unknown") => finding(
            Level::Skipped,
            "the server does not state its version",
            "set RENDER_GIT_COMMIT there to the commit that runs, as Render does: exits and reports then name it",
        ),
        // The version of an application that embeds heapbeat is its own.
        Some(version) => judge_version("server", version)
            .unwrap_or_else(|| fine(format!("the server runs {}", excerpt(version)))),
    });
    if !server.unavailable_sources.is_empty() {
        let sources = excerpt(&server.unavailable_sources.join(", "));
        found.push(finding(
            Level::Warning,
            format!("the server cannot read {sources}"),
            "the guard works without; docs/troubleshooting.md names what each is for",
        ));
    }
    found
}

/// Compares the version of the server or the edge with that of this program; `None` if it is no version.
fn judge_version(of: &str, version: &str) -> Option<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let text = format!("the {of} is version {}, and this program {own}", excerpt(version));
    Some(if same_series(version, own)? {
        fine(text)
    } else {
        finding(Level::Warning, text, "update the older one: report and commands belong together")
    })
}

/// Returns whether two versions have the same major and minor number, or `None` if the first is no version.
fn same_series(version: &str, own: &str) -> Option<bool> {
    let series = |text: &str| -> Option<(u64, u64)> {
        let mut parts = text.split([' ', '-', '+']).next()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    Some(series(version)? == series(own)?)
}

fn judge_edge(edge: &EdgeAnswer, now: UnixMillis) -> Vec<Finding> {
    let mut found = Vec::new();
    let oldest = now.minus(STALE).to_rfc3339();
    let cron = "the cron trigger does not run: wrangler triggers deploy, and see Workers > Logs in Cloudflare's dashboard";
    found.push(match &edge.updated {
        // Times of this form are ordered as texts.
        Some(updated) if *updated >= oldest => fine(format!("{} answers, last tick {updated}", edge.url)),
        Some(updated) => finding(Level::Problem, format!("the edge's last tick was {updated}"), cron),
        None => finding(
            Level::Problem,
            "the edge has had no tick yet",
            "wait a minute; after that, the cron trigger is missing",
        ),
    });
    found.extend(edge.version.as_ref().and_then(|version| judge_version("edge", version)));
    if edge.monitors.is_empty() {
        let advice = "add a block [[vars.MONITORS]] to wrangler.toml and deploy";
        found.push(finding(Level::Warning, "the edge watches nothing", advice));
    }
    let (groups, left_out) = group_by_state(&edge.monitors);
    found.extend(groups.into_iter().map(|(state, reason, ids)| {
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let verb = if ids.len() == 1 { "is" } else { "are" };
        let text = format!("the edge says that {} {verb} {state}{reason}", list_names(&ids, MAX_NAMES));
        match state {
            "up" | "maintenance" => fine(text),
            "down" => finding(
                Level::Problem,
                text,
                "the incident on the status page has the evidence; if the server answers here, compare the monitor's url with its address",
            ),
            _ => finding(Level::Warning, text, "the pages of the monitors have the reason"),
        }
    }));
    if !left_out.is_empty() {
        let is_down = left_out.iter().any(|monitor| monitor.state == "down");
        let text = format!("the edge gives {} more monitors other states or reasons", left_out.len());
        let level = if is_down { Level::Problem } else { Level::Warning };
        found.push(finding(level, text, "the status page lists them"));
    }
    if edge.config_problems > 0 {
        let problems = if edge.config_problems == 1 { "problem" } else { "problems" };
        let text = format!("the edge's configuration has {} {problems}", edge.config_problems);
        let advice = "/owner of the status page, GET /api/v1/admin/status and the Worker's log name them";
        found.push(finding(Level::Warning, text, advice));
    }
    found
}

/// Groups the monitors by state and reason, in the order of the status, those that are up and well first. Returns the first groups, and the
/// monitors that are in none of them: what an edge says is up to the edge.
fn group_by_state(monitors: &[WatchedMonitor]) -> (Vec<Group<'_>>, Vec<&WatchedMonitor>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut left_out = Vec::new();
    for monitor @ WatchedMonitor { id, state, reason } in monitors {
        let key = (state.as_str(), reason.as_deref());
        let is_full = groups.len() == MAX_GROUPS;
        match groups.iter_mut().find(|(state, reason, _)| (*state, *reason) == key) {
            Some((_, _, ids)) => ids.push(id),
            None if is_full => left_out.push(monitor),
            None => groups.push((key.0, key.1, vec![id])),
        }
    }
    groups.sort_by_key(|(state, reason, _)| (*state != "up", reason.is_some()));
    (groups, left_out)
}
