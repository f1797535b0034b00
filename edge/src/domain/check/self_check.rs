//! The self-check: if everything fails at once, the edge is more likely offline than all targets.
//!
//! The edge is suspected if, in one tick, no probe reached anything and a monitor was silent. Only failures that a broken network
//! can cause count: a refusal or a status comes from a machine that was reached. Reference targets, if any are configured, are
//! probed only then, and decide. Without them the suspicion takes two monitors on different hosts that stop responding together,
//! neither of which depends on the other, and it lasts for [`MAX_SUSPICION`] at most: a real outage of everything must be
//! notified.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::check::outcome::{ProbeError, ProbeResult};
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::engine::Engine;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::{HttpUrl, Monitor, MonitorConfig, Target, UrlError};

/// How long the edge is suspected, without reference targets, before the failures count.
pub const MAX_SUSPICION: Duration = Duration::from_secs(300);

/// The maximum number of reference targets.
pub const MAX_REFERENCES: usize = 4;

/// The targets that `REFERENCES = "default"` stands for: pages of two companies that are made for checks of connectivity.
pub const DEFAULT_REFERENCES: [&str; 2] =
    ["https://www.gstatic.com/generate_204", "https://captive.apple.com/hotspot-detect.html"];

/// The result of probing the reference targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfCheck {
    /// There is no reference target, or none could be probed.
    NotRun,
    /// A reference target responds, so the edge is online.
    Online,
    /// No reference target responds.
    Offline,
}

/// Whether a failure may be one of the network rather than of the target.
fn may_be_network(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Dns
            | Failure::Unreachable
            | Failure::ConnectTimeout
            | Failure::Timeout
            | Failure::ConnectionLost
            | Failure::Connection
    )
}

/// Whether nothing came back, not even a refusal.
fn is_silent(probe: &ProbeResult) -> bool {
    matches!(probe.result, Err(ProbeError::Failed(failure)) if may_be_network(failure))
}

/// The host that a monitor probes; `None` for jobs, which report themselves.
fn host(monitor: &Monitor) -> Option<&str> {
    match &monitor.target {
        Target::Heapbeat { url, .. } => Some(url.host()),
        Target::Http(check) => Some(check.url.host()),
        Target::Tcp(address) => Some(address.host()),
        Target::Dns(query) => Some(query.resolver.host()),
        Target::Heartbeat(_) => None,
    }
}

/// Whether the probes of a tick suggest that the edge is offline. `has_references`: a reference target can be probed.
pub fn is_suspect(
    engine: &Engine,
    config: &MonitorConfig,
    probes: &[ProbeResult],
    has_references: bool,
) -> bool {
    let monitor_of = |probe: &ProbeResult| {
        config.monitors.iter().find(|monitor| monitor.id == probe.monitor && host(monitor).is_some())
    };
    let reached =
        |probe: &&ProbeResult| !is_silent(probe) && !matches!(probe.result, Err(ProbeError::Skipped(_)));
    if probes.iter().filter(|probe| monitor_of(probe).is_some()).any(|probe| reached(&probe)) {
        return false;
    }
    let silent: Vec<&Monitor> =
        probes.iter().filter(|probe| is_silent(probe)).filter_map(monitor_of).collect();
    if has_references {
        return !silent.is_empty();
    }
    let responded_before = |monitor: &Monitor| {
        let verdict = engine.last_verdict(&monitor.id);
        matches!(
            verdict,
            Some(
                CheckVerdict::Up
                    | CheckVerdict::Degraded(_)
                    | CheckVerdict::Skipped(ProbeSkipped::EdgeOffline)
            )
        )
    };
    let is_independent =
        |monitor: &Monitor| !silent.iter().any(|other| monitor.depends_on.contains(&other.id));
    let mut hosts =
        silent.iter().filter(|it| responded_before(it) && is_independent(it)).filter_map(|it| host(it));
    let first = hosts.next();
    first.is_some() && hosts.any(|host| Some(host) != first)
}

/// Marks the silent probes of a suspect tick as skipped if the edge is taken to be offline. Returns whether it is.
pub fn mark_unobserved(
    engine: &Engine,
    probes: &mut [ProbeResult],
    check: SelfCheck,
    at: UnixMillis,
) -> bool {
    let since = probes.iter().filter_map(|probe| engine.offline_since(&probe.monitor)).min();
    let is_offline = match check {
        SelfCheck::Online => false,
        SelfCheck::Offline => true,
        SelfCheck::NotRun => since.is_none_or(|since| at.since(since) < MAX_SUSPICION),
    };
    if is_offline {
        for probe in probes.iter_mut().filter(|probe| is_silent(probe)) {
            probe.result = Err(ProbeError::Skipped(ProbeSkipped::EdgeOffline));
        }
    }
    is_offline
}

/// The setting `REFERENCES` is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferencesError {
    /// There are more addresses than [`MAX_REFERENCES`].
    #[error("at most {MAX_REFERENCES} addresses are allowed; found {0}")]
    TooMany(usize),
    /// An address is not valid.
    #[error("{0}")]
    Address(#[from] UrlError),
}

/// Reads `REFERENCES`: `default`, or addresses that are separated by spaces or commas.
pub fn parse_references(text: &str) -> Result<Vec<HttpUrl>, ReferencesError> {
    let text = text.trim();
    let named = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    let list: Vec<&str> = if text == "default" { DEFAULT_REFERENCES.to_vec() } else { named.collect() };
    if list.len() > MAX_REFERENCES {
        return Err(ReferencesError::TooMany(list.len()));
    }
    list.into_iter().map(|word| Ok(word.parse::<HttpUrl>()?)).collect()
}

#[cfg(test)]
mod tests;
