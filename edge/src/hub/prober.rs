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
use crate::domain::ProbeSkipped;
use crate::domain::check::outcome::{ProbeError, ProbeResult};
use crate::domain::check::probe_schedule::{AttemptOutcome, ProbeSchedule};
use crate::domain::check::quorum::RegionResult;
use crate::domain::check::request_plan::RequestPool;
use crate::domain::check::self_check;
use crate::domain::check::verdict::evaluate;
use crate::domain::engine::{PlannedProbe, ProbeAttempt};
use crate::hub_api::RegionProbe;
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
    /// Returns what the probes of a round share: the requests that are left for all, and the secrets of all monitors of `config`.
    pub(super) fn prepare_context(&self, config: &MonitorConfig, spare: u32) -> HubResult<ProbeContext> {
        let engine = self.engine.loaded()?;
        let unsigned: Vec<_> = config.servers_without_secret().map(|monitor| &monitor.id).collect();
        let key = |monitor: &Monitor| {
            if unsigned.contains(&&monitor.id) {
                return None;
            }
            let key = read_signing_key(&self.env, monitor, engine.last_report(&monitor.id))?;
            Some((monitor.id.clone(), key))
        };
        let keys = config.monitors.iter().filter_map(key).collect();
        let domains = config.monitors.iter().filter_map(Monitor::observed_domain);
        let known = domains.filter_map(|domain| engine.domain_record(&domain).cloned()).collect();
        let context =
            ProbeContext::new(self.pool(spare), self.allows_private(), keys, self.headers_of(config));
        Ok(context.with_domains(&self.config.settings().rdap, known))
    }

    /// Probes monitors. If all probes fail at once, requests to the reference addresses decide whether the edge itself has no
    /// connection. A failure whose retry is owed has no result yet.
    pub(super) async fn probe_all(
        &self,
        config: &MonitorConfig,
        planned: Vec<PlannedProbe<'_>>,
        context: &ProbeContext,
        at: UnixMillis,
    ) -> HubResult<(Vec<ProbeAttempt>, Vec<ProbeResult>)> {
        let mut attempts = probe_all(planned, context).await;
        let mut results: Vec<ProbeResult> = attempts.iter_mut().filter_map(|it| it.result.take()).collect();
        let references = &self.config.settings().references;
        if self_check::is_suspect(&*self.engine.loaded()?, config, &results, !references.is_empty()) {
            let check = check_references(references, &context.pool).await;
            self_check::mark_unobserved(&*self.engine.loaded()?, &mut results, check, at);
        }
        let is_owed = |probe: &ProbeResult| {
            let attempt = attempts.iter().find(|attempt| attempt.monitor == probe.monitor);
            attempt.is_some_and(|attempt| attempt.outcome == AttemptOutcome::RetryOwed)
        };
        results.retain(|probe| matches!(probe.result, Err(ProbeError::Skipped(_))) || !is_owed(probe));
        Ok((attempts, results))
    }

    /// Probes monitors for a hub in another region. `entries` are the applied ones, which are not in `wrangler.toml`. The requests
    /// are not signed, as a server sends each sample only once.
    pub(super) async fn probe_for_hub(
        &self,
        probes: &[RegionProbe],
        entries: &[Value],
    ) -> HubResult<Vec<RegionResult>> {
        let settings = self.config.settings();
        let mut config = settings.config.clone();
        let room = MONITORS_PER_HUB + config.monitors.len();
        let applied = read_applied(entries, settings.allow_private, &config, room, &settings.applied_secrets);
        config.monitors.extend(applied.monitors);
        config.monitors.retain(|monitor| probes.iter().any(|probe| probe.monitor == monitor.id));
        let kept_for = |id: &MonitorId| {
            probes.iter().find(|probe| probe.monitor == *id).map_or(1, |probe| probe.requests)
        };
        let mut planned = Vec::new();
        for monitor in &config.monitors {
            planned.push(PlannedProbe { monitor, requests: kept_for(&monitor.id), may_owe_retry: false });
        }
        let kept = planned.iter().map(|probe| probe.requests).sum();
        let spare = REQUESTS_PER_TICK.saturating_sub(kept);
        let headers = self.headers_of(&config);
        let context = ProbeContext::new(self.pool(spare), self.allows_private(), SigningKeys::new(), headers);
        let (attempts, results) = self.probe_all(&config, planned, &context, wall_clock()).await?;
        let demand_of = |id: &MonitorId| {
            let outcome = attempts.iter().find(|it| it.monitor == *id).map(|attempt| attempt.outcome);
            let mut schedule = ProbeSchedule { requests: kept_for(id), ..ProbeSchedule::default() };
            schedule.record_attempt(wall_clock(), outcome.unwrap_or(AttemptOutcome::NoTime));
            schedule.demand()
        };
        let result = |monitor: &Monitor| {
            let found = results.iter().find(|it| it.monitor == monitor.id).map(|it| &it.result);
            let skipped = Err(ProbeSkipped::Budget.into());
            let evaluation = evaluate(monitor, found.unwrap_or(&skipped));
            RegionResult {
                monitor: monitor.id.clone(),
                verdict: evaluation.verdict,
                latency_ms: evaluation.latency_ms,
                requests: demand_of(&monitor.id),
            }
        };
        Ok(config.monitors.iter().map(result).collect())
    }

    fn pool(&self, spare: u32) -> RequestPool {
        let references = self.config.settings().references.len();
        RequestPool::new(spare, u32::try_from(references).unwrap_or(u32::MAX))
    }

    fn allows_private(&self) -> bool {
        self.config.settings().allow_private
    }

    fn headers_of(&self, config: &MonitorConfig) -> MonitorHeaders {
        let headers = |monitor: &Monitor| Some((monitor.id.clone(), read_headers(&self.env, monitor)?));
        config.monitors.iter().filter_map(headers).collect()
    }
}
