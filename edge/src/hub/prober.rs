//! Probing monitors, here and for other hubs.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use serde_json::Value;
use worker::Env;

use super::applied::read_applied;
use super::config_state::ConfigState;
use super::engine_state::EngineState;
use super::error::HubResult;
use crate::config::{Config, MONITORS_PER_HUB, Monitor, MonitorId};
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::quorum::RegionResult;
use crate::domain::check::self_check;
use crate::domain::check::verdict::evaluate;
use crate::domain::report::verification::SigningKey;
use crate::platform::env;
use crate::probe;
use crate::probe::{Keys, RequestBudget, Sent, probe_all, wall_clock};

/// Requests that the probes of one tick may make: the free plan's 50, less what alerts may need.
pub(super) const REQUESTS_A_TICK: u32 = 45;

/// Probes monitors.
#[derive(Clone)]
pub(super) struct Prober {
    pub(super) env: Env,
    pub(super) config: Rc<ConfigState>,
    pub(super) engine: Rc<EngineState>,
}

impl Prober {
    /// Probes `due`. Where all probes fail at once, reference addresses decide whether it is the edge that cannot see.
    pub(super) async fn probe_due(
        &self,
        config: &Config,
        due: Vec<&Monitor>,
        allowance: &RequestBudget,
        at: UnixMillis,
    ) -> HubResult<Vec<ProbeResult>> {
        let mut probes = probe_all(due, allowance).await;
        let references = &self.config.setup().references;
        let suspect = self_check::is_suspect(&*self.engine.get()?, config, &probes, !references.is_empty());
        if suspect {
            let sight = probe::sight(references, allowance).await;
            self_check::mark_unobserved(&*self.engine.get()?, &mut probes, sight, at);
        }
        Ok(probes)
    }

    /// The keys with which probes of monitors that have a secret are signed.
    pub(super) fn keys(&self, config: &Config) -> HubResult<Keys> {
        let engine = self.engine.get()?;
        let key = |monitor: &Monitor| {
            let (secret, named) = env::secret_of(&self.env, monitor)?;
            let told = engine.last_report(&monitor.id);
            let key = secret.map(|secret| SigningKey {
                secret,
                after: told.and_then(|told| told.cursor),
                required: named || told.is_some(),
            });
            Some((monitor.id.clone(), key))
        };
        Ok(config.monitors.iter().filter_map(key).collect())
    }

    /// The headers that probes send.
    pub(super) fn headers(&self, config: &Config) -> Sent {
        let mut sent = Sent::new();
        for monitor in &config.monitors {
            if let Some(headers) = env::headers_of(&self.env, monitor) {
                sent.insert(monitor.id.clone(), headers);
            }
        }
        sent
    }

    /// Probes monitors for another hub. `entries` are those that do not stand in `wrangler.toml`.
    pub(super) async fn probe_for_hub(
        &self,
        monitors: &[MonitorId],
        entries: &[Value],
    ) -> HubResult<Vec<RegionResult>> {
        let setup = self.config.setup();
        let mut config = setup.config.clone();
        let room = MONITORS_PER_HUB + config.monitors.len();
        let applied = read_applied(entries, setup.allow_private, &config, room);
        config.monitors.extend(applied.monitors);
        config.monitors.retain(|monitor| monitors.contains(&monitor.id));
        let due: Vec<&Monitor> = config.monitors.iter().collect();
        let headers = self.headers(&config);
        let allowance = RequestBudget::new(REQUESTS_A_TICK, setup.allow_private, Keys::new(), headers);
        let mut results = Vec::new();
        for probed in self.probe_due(&config, due, &allowance, wall_clock()).await? {
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
}
