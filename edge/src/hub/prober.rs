//! Probing monitors, for this hub and for hubs in other regions.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;
use worker::Env;

use super::applied::read_applied;
use super::config_state::ConfigState;
use super::engine_state::EngineState;
use super::error::HubResult;
use super::probe_secrets::{read_headers, read_signing_key};
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::quorum::RegionResult;
use crate::domain::check::self_check;
use crate::domain::check::verdict::evaluate;
use crate::monitor_config::{MONITORS_PER_HUB, Monitor, MonitorConfig, MonitorId};
use crate::platform::clock::wall_clock;
use crate::probe::{MonitorHeaders, ProbeContext, SigningKeys, check_references, probe_all};

/// The most requests of a tick's probes: the free plan's 50, less those that alerts may need.
pub(super) const REQUESTS_PER_TICK: u32 = 45;

/// Probes monitors.
#[derive(Clone)]
pub(super) struct Prober {
    pub(super) env: Env,
    pub(super) config: Rc<ConfigState>,
    pub(super) engine: Rc<EngineState>,
}

impl Prober {
    /// Returns what the probes of a tick share: their budget of requests, and the secrets of all monitors of `config`.
    pub(super) fn prepare_context(&self, config: &MonitorConfig, requests: u32) -> HubResult<ProbeContext> {
        let engine = self.engine.loaded()?;
        let key = |monitor: &Monitor| {
            let key = read_signing_key(&self.env, monitor, engine.last_report(&monitor.id))?;
            Some((monitor.id.clone(), key))
        };
        let keys = config.monitors.iter().filter_map(key).collect();
        let allow_private = self.config.settings().allow_private;
        Ok(ProbeContext::new(requests, allow_private, keys, self.headers_of(config)))
    }

    /// Probes `due`. If all probes fail at once, requests to the reference addresses decide whether the edge itself has no
    /// connection.
    pub(super) async fn probe_due(
        &self,
        config: &MonitorConfig,
        due: Vec<&Monitor>,
        context: &ProbeContext,
        at: UnixMillis,
    ) -> HubResult<Vec<ProbeResult>> {
        let mut probes = probe_all(due, context).await;
        let references = &self.config.settings().references;
        if self_check::is_suspect(&*self.engine.loaded()?, config, &probes, !references.is_empty()) {
            let check = check_references(references, &context.budget).await;
            self_check::mark_unobserved(&*self.engine.loaded()?, &mut probes, check, at);
        }
        Ok(probes)
    }

    /// Probes monitors for a hub in another region. `entries` are the applied ones, which are not in `wrangler.toml`. The requests
    /// are not signed, as a server sends each sample only once.
    pub(super) async fn probe_for_hub(
        &self,
        monitors: &[MonitorId],
        entries: &[Value],
    ) -> HubResult<Vec<RegionResult>> {
        let settings = self.config.settings();
        let mut config = settings.config.clone();
        let room = MONITORS_PER_HUB + config.monitors.len();
        let applied = read_applied(entries, settings.allow_private, &config, room);
        config.monitors.extend(applied.monitors);
        config.monitors.retain(|monitor| monitors.contains(&monitor.id));
        let due: Vec<&Monitor> = config.monitors.iter().collect();
        let headers = self.headers_of(&config);
        let context =
            ProbeContext::new(REQUESTS_PER_TICK, settings.allow_private, SigningKeys::new(), headers);
        let mut results = Vec::new();
        for probed in self.probe_due(&config, due, &context, wall_clock()).await? {
            if let Some(monitor) = config.monitors.iter().find(|it| it.id == probed.monitor) {
                let evaluation = evaluate(monitor, &probed.result);
                results.push(RegionResult {
                    monitor: probed.monitor,
                    verdict: evaluation.verdict,
                    latency_ms: evaluation.latency_ms,
                });
            }
        }
        Ok(results)
    }

    fn headers_of(&self, config: &MonitorConfig) -> MonitorHeaders {
        let headers = |monitor: &Monitor| Some((monitor.id.clone(), read_headers(&self.env, monitor)?));
        config.monitors.iter().filter_map(headers).collect()
    }
}
