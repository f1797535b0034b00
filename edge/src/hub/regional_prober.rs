//! Probing from other regions: a hub asks the probers in other regions, and is one itself to other hubs.
//!
//! A prober is an object of this class in another part of the world. It stores nothing: each request brings the monitors, and
//! the answer has the results. It probes without a signature, so that what a server tells once is told to the hub.

use std::cell::RefCell;

use serde_json::Value;
use worker::console_warn;

use super::Hub;
use super::applied::read_applied;
use super::error::HubResult;
use super::tick::REQUESTS_A_TICK;
use crate::config::{A_HUB, MOST_REGIONS, Monitor, MonitorId, REGIONS};
use crate::domain::check::quorum::{RegionResult, RegionVerdict};
use crate::domain::check::verdict::judge;
use crate::fleet;
use crate::hub_api::{HubRequest, HubResponse};
use crate::probe::{Keys, RequestBudget, six_at_once, wall_clock};

impl Hub {
    /// The results from the regions of those of `due` that have some.
    pub(super) async fn probe_from_regions(
        &self,
        due: &[&Monitor],
        allowance: &RequestBudget,
    ) -> HubResult<Vec<(MonitorId, Vec<RegionVerdict>)>> {
        let wanted = |region: &&str| due.iter().any(|it| it.regions.contains(region));
        let regions: Vec<&str> = REGIONS.into_iter().filter(wanted).take(MOST_REGIONS).collect();
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.applied()?;
        let heard = RefCell::new(Vec::new());
        let results = &heard;
        six_at_once(regions, |region| {
            let monitors: Vec<MonitorId> =
                due.iter().filter(|it| it.regions.contains(&region)).map(|it| it.id.clone()).collect();
            // The prober has what stands in wrangler.toml itself.
            let named = |entry: &&Value| monitors.iter().any(|id| entry["id"] == *id.as_str());
            let entries = list.iter().filter(named).cloned().collect();
            let request = HubRequest::ProbeFromRegion { monitors, entries };
            async move {
                if allowance.take().is_err() {
                    return false;
                }
                self.counts.asked();
                match fleet::ask_region(&self.env, region, request).await {
                    Ok(HubResponse::RegionResults(found)) => {
                        results.borrow_mut().extend(found.into_iter().map(|result| (region, result)));
                    }
                    Ok(_) => console_warn!("region {region}: unexpected response"),
                    Err(error) => console_warn!("region {region}: {error}"),
                }
                true
            }
        })
        .await;
        let results = heard.into_inner();
        let voice = |monitor: &Monitor, region| {
            let result = results.iter().find(|(from, it)| *from == region && it.monitor == monitor.id);
            let result = result.map(|(_, result)| result);
            RegionVerdict {
                region,
                verdict: result.map(|result| result.verdict),
                latency_ms: result.and_then(|result| result.latency_ms),
            }
        };
        let with_regions = due.iter().filter(|monitor| !monitor.regions.is_empty());
        let voices = |it: &&Monitor| it.regions.iter().map(|region| voice(it, *region)).collect();
        Ok(with_regions.map(|it| (it.id.clone(), voices(it))).collect())
    }

    /// Probes monitors for another hub. `entries` are those that do not stand in `wrangler.toml`.
    pub(super) async fn probe_for_hub(
        &self,
        monitors: &[MonitorId],
        entries: &[Value],
    ) -> HubResult<Vec<RegionResult>> {
        let mut config = self.setup.config.clone();
        let room = A_HUB + config.monitors.len();
        let applied = read_applied(entries, self.setup.allow_private, &config, room);
        config.monitors.extend(applied.monitors);
        config.monitors.retain(|monitor| monitors.contains(&monitor.id));
        let due: Vec<&Monitor> = config.monitors.iter().collect();
        let headers = self.headers(&config);
        let allowance = RequestBudget::new(REQUESTS_A_TICK, self.setup.allow_private, Keys::new(), headers);
        let mut results = Vec::new();
        for probed in self.see(&config, due, &allowance, wall_clock()).await? {
            if let Some(monitor) = config.monitors.iter().find(|it| it.id == probed.monitor) {
                let judged = judge(monitor, &probed.result);
                results.push(RegionResult {
                    monitor: probed.monitor,
                    verdict: judged.verdict,
                    latency_ms: judged.latency_ms,
                });
            }
        }
        Ok(results)
    }
}
