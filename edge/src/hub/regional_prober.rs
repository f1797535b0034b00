//! Probes from other regions.
//!
//! A regional prober is an object of this class that Cloudflare runs in another region. It stores nothing: each request contains the
//! monitors, and the response contains the results.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use worker::{Env, console_warn};

use super::config_state::ConfigState;
use super::error::HubResult;
use super::quota_meter::QuotaMeter;
use crate::domain::check::quorum::{RegionResult, RegionVerdict};
use crate::domain::check::request_plan::{RequestPool, RequestPurpose};
use crate::domain::engine::{PlannedProbe, ProbeRound};
use crate::fleet;
use crate::hub_api::{HubRequest, HubResponse, RegionProbe};
use crate::monitor_config::{Monitor, MonitorId};
use crate::platform::clock::wall_clock;
use crate::platform::concurrency::for_each_concurrent;

/// Requests probes from other regions.
pub(super) struct RegionalProber {
    pub(super) env: Env,
    pub(super) config: Rc<ConfigState>,
    pub(super) quota: Rc<QuotaMeter>,
}

impl RegionalProber {
    /// Asks the regions of a round, and returns all results. A region that does not reply has none.
    pub(super) async fn probe_regions(
        &self,
        round: &ProbeRound<'_>,
        pool: &RequestPool,
    ) -> HubResult<Vec<(&'static str, RegionResult)>> {
        if round.regions.is_empty() {
            return Ok(Vec::new());
        }
        let applied = self.config.applied()?;
        let collected = RefCell::new(Vec::new());
        let results = &collected;
        for_each_concurrent(round.regions.clone(), |region| {
            let request = request_for(region, &round.probes, &applied);
            async move {
                // The plan keeps one request for each region.
                if pool.allow(1).spend(RequestPurpose::Probe) {
                    let found = self.probe_region(region, request).await;
                    results.borrow_mut().extend(found.into_iter().map(|result| (region, result)));
                }
            }
        })
        .await;
        Ok(collected.into_inner())
    }

    /// Returns the results from one region; none if it does not reply.
    async fn probe_region(&self, region: &str, request: HubRequest) -> Vec<RegionResult> {
        self.quota.count_request();
        let began = wall_clock();
        let reply = fleet::request_region(&self.env, region, request).await;
        self.quota.count_active(wall_clock().since(began));
        match reply {
            Ok(HubResponse::RegionResults(results)) => return results,
            Ok(_) => console_warn!("region {region}: unexpected response"),
            Err(error) => console_warn!("region {region}: {error}"),
        }
        Vec::new()
    }
}

/// Returns the verdicts of all regions about those of `probes` that have some.
pub(super) fn region_verdicts(
    probes: &[PlannedProbe<'_>],
    results: &[(&'static str, RegionResult)],
) -> Vec<(MonitorId, Vec<RegionVerdict>)> {
    let verdict_of = |monitor: &Monitor, region| {
        let result = results.iter().find(|(from, it)| *from == region && it.monitor == monitor.id);
        let result = result.map(|(_, result)| result);
        RegionVerdict {
            region,
            verdict: result.map(|result| result.verdict),
            latency_ms: result.and_then(|result| result.latency_ms),
        }
    };
    let verdicts = |it: &Monitor| it.regions.iter().map(|region| verdict_of(it, *region)).collect();
    let monitors = probes.iter().map(|probe| probe.monitor).filter(|monitor| !monitor.regions.is_empty());
    monitors.map(|it| (it.id.clone(), verdicts(it))).collect()
}

/// The request to probe those of `probes` that have this region. The prober reads `wrangler.toml` itself, so only `applied` entries
/// are sent.
fn request_for(region: &str, probes: &[PlannedProbe<'_>], applied: &[Value]) -> HubRequest {
    let has_region = |probe: &&PlannedProbe<'_>| probe.monitor.regions.contains(&region);
    let probes: Vec<RegionProbe> = probes
        .iter()
        .filter(has_region)
        .map(|probe| RegionProbe { monitor: probe.monitor.id.clone(), requests: probe.requests })
        .collect();
    let is_probed = |entry: &&Value| probes.iter().any(|probe| entry["id"] == *probe.monitor.as_str());
    let entries = applied.iter().filter(is_probed).cloned().collect();
    HubRequest::ProbeFromRegion { probes, entries }
}
