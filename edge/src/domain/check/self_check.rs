//! Whether it is us who cannot see: everything failing at once is more likely one edge than many targets.
//!
//! Suspected when, in one tick, no probe reached anything and a monitor was silent. Only failures that a broken way can
//! cause count: a refusal or a status comes from a machine that was reached. Where reference targets are configured they
//! are asked then, and only then, and what they say decides. Without them it takes two monitors on different hosts that stop
//! answering together, neither of which depends on the other, and the edge gives itself [`HELD`] at most: a real outage of
//! everything must be told.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::config::{Config, HttpUrl, Monitor, Target};
use crate::domain::check::outcome::{ProbeError, ProbeResult};
use crate::domain::check::verdict::Verdict;
use crate::domain::engine::Engine;
use crate::domain::{Failure, ProbeSkipped};

/// How long everything may fail at once, with nobody to ask, before it is believed.
pub const HELD: Duration = Duration::from_secs(300);

/// Most reference targets: what a tick of 45 probes and 5 alerts leaves.
pub const MOST_REFERENCES: usize = 4;

/// The targets that `REFERENCES = "default"` stands for: made to be asked whether there is a way out, by two companies.
pub const DEFAULT_REFERENCES: [&str; 2] =
    ["https://www.gstatic.com/generate_204", "https://captive.apple.com/hotspot-detect.html"];

/// What the reference targets say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfCheck {
    /// There is none, or none could be asked.
    Unasked,
    /// One answers, so the way out is there.
    Clear,
    /// None answers.
    Blocked,
}

/// Whether a failure may be that of the way rather than of the target.
fn may_be_the_way(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Dns
            | Failure::Unreachable
            | Failure::ConnectTimeout
            | Failure::Timeout
            | Failure::Lost
            | Failure::Connection
    )
}

fn is_silent(probed: &ProbeResult) -> bool {
    matches!(probed.result, Err(ProbeError::Failed(failure)) if may_be_the_way(failure))
}

/// Whom a monitor asks; a job asks us.
fn host(monitor: &Monitor) -> Option<&str> {
    match &monitor.target {
        Target::Heapbeat { url, .. } => Some(url.host()),
        Target::Http(check) => Some(check.url.host()),
        Target::Tcp(address) => Some(address.host()),
        Target::Heartbeat(_) => None,
    }
}

/// Whether the probes of a tick look as if it were us. `asks`: there is a reference target that can be asked.
pub fn is_suspect(board: &Engine, config: &Config, probes: &[ProbeResult], asks: bool) -> bool {
    let asked = |probed: &ProbeResult| {
        config.monitors.iter().find(|monitor| monitor.id == probed.monitor && host(monitor).is_some())
    };
    let reached =
        |probed: &&ProbeResult| !is_silent(probed) && !matches!(probed.result, Err(ProbeError::Skipped(_)));
    if probes.iter().filter(|probed| asked(probed).is_some()).any(|probed| reached(&probed)) {
        return false;
    }
    let silent: Vec<&Monitor> = probes.iter().filter(|probed| is_silent(probed)).filter_map(asked).collect();
    if asks {
        return !silent.is_empty();
    }
    let answered_before = |monitor: &Monitor| {
        let verdict = board.verdict(&monitor.id);
        matches!(
            verdict,
            Some(Verdict::Up | Verdict::Degraded(_) | Verdict::Skipped(ProbeSkipped::EdgeOffline))
        )
    };
    let alone = |monitor: &Monitor| !silent.iter().any(|other| monitor.depends_on.contains(&other.id));
    let mut hosts = silent.iter().filter(|it| answered_before(it) && alone(it)).filter_map(|it| host(it));
    let first = hosts.next();
    first.is_some() && hosts.any(|host| Some(host) != first)
}

/// What to make of a tick that is suspect: where it was us, nothing of what was not seen is a finding. Says whether.
pub fn cover(board: &Engine, probes: &mut [ProbeResult], sight: SelfCheck, at: UnixMillis) -> bool {
    let since = probes.iter().filter_map(|probed| board.blind_since(&probed.monitor)).min();
    let blind = match sight {
        SelfCheck::Clear => false,
        SelfCheck::Blocked => true,
        SelfCheck::Unasked => since.is_none_or(|since| at.since(since) < HELD),
    };
    if blind {
        for probed in probes.iter_mut().filter(|probed| is_silent(probed)) {
            probed.result = Err(ProbeError::Skipped(ProbeSkipped::EdgeOffline));
        }
    }
    blind
}

/// Reads `REFERENCES`: `default`, or addresses with spaces or commas between them. An error says what would be right.
pub fn references(text: &str) -> Result<Vec<HttpUrl>, String> {
    let text = text.trim();
    let named = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    let list: Vec<&str> = if text == "default" { DEFAULT_REFERENCES.to_vec() } else { named.collect() };
    if list.len() > MOST_REFERENCES {
        return Err(format!("has {} addresses; {MOST_REFERENCES} are enough", list.len()));
    }
    let read = |word: &str| word.parse::<HttpUrl>().map_err(|error| error.to_string());
    list.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests;
