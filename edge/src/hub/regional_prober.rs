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
use crate::fleet;
use crate::hub_api::{HubRequest, HubResponse};
use crate::monitor_config::{MAX_REGIONS, Monitor, MonitorId, REGIONS};
use crate::platform::concurrency::for_each_concurrent;
use crate::probe::RequestBudget;

/// Requests probes from other regions.
pub(super) struct RegionalProber {
    pub(super) env: Env,
    pub(super) config: Rc<ConfigState>,
    pub(super) quota: Rc<QuotaMeter>,
}

impl RegionalProber {
    /// Returns the verdicts of all regions about those of `due` that have some. A region that does not reply has no verdict.
    pub(super) async fn probe_regions(
        &self,
        due: &[&Monitor],
        budget: &RequestBudget,
    ) -> HubResult<Vec<(MonitorId, Vec<RegionVerdict>)>> {
        let is_needed = |region: &&str| due.iter().any(|it| it.regions.contains(region));
        let regions: Vec<&str> = REGIONS.into_iter().filter(is_needed).take(MAX_REGIONS).collect();
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let applied = self.config.applied()?;
        let collected = RefCell::new(Vec::new());
        let results = &collected;
        for_each_concurrent(regions, |region| {
            let request = request_for(region, due, &applied);
            async move {
                if budget.spend().is_ok() {
                    let found = self.probe_region(region, request).await;
                    results.borrow_mut().extend(found.into_iter().map(|result| (region, result)));
                }
            }
        })
        .await;
        let results = collected.into_inner();
        let verdict_of = |monitor: &Monitor, region| {
            let result = results.iter().find(|(from, it)| *from == region && it.monitor == monitor.id);
            let result = result.map(|(_, result)| result);
            RegionVerdict {
                region,
                verdict: result.map(|result| result.verdict),
                latency_ms: result.and_then(|result| result.latency_ms),
            }
        };
        let verdicts = |it: &&Monitor| it.regions.iter().map(|region| verdict_of(it, *region)).collect();
        let with_regions = due.iter().filter(|monitor| !monitor.regions.is_empty());
        Ok(with_regions.map(|it| (it.id.clone(), verdicts(it))).collect())
    }

    /// Returns the results from one region; none if it does not reply.
    async fn probe_region(&self, region: &str, request: HubRequest) -> Vec<RegionResult> {
        self.quota.count_request();
        match fleet::request_region(&self.env, region, request).await {
            Ok(HubResponse::RegionResults(results)) => return results,
            Ok(_) => console_warn!("region {region}: unexpected response"),
            Err(error) => console_warn!("region {region}: {error}"),
        }
        Vec::new()
    }
}

/// The request to probe those of `due` that have this region. The prober reads `wrangler.toml` itself, so only `applied` entries are
/// sent.
fn request_for(region: &str, due: &[&Monitor], applied: &[Value]) -> HubRequest {
    let monitors: Vec<MonitorId> =
        due.iter().filter(|it| it.regions.contains(&region)).map(|it| it.id.clone()).collect();
    let is_probed = |entry: &&Value| monitors.iter().any(|id| entry["id"] == *id.as_str());
    let entries = applied.iter().filter(is_probed).cloned().collect();
    HubRequest::ProbeFromRegion { monitors, entries }
}
