//! Probing from other regions: a hub asks the probers there.
//!
//! A prober is an object of this class in another part of the world. It stores nothing: each request brings the monitors, and
//! the answer has the results. It probes without a signature, so that what a server tells once is told to the hub.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;
use worker::{Env, console_warn};

use super::config_state::ConfigState;
use super::error::HubResult;
use super::quota_meter::QuotaMeter;
use crate::config::{MAX_REGIONS, Monitor, MonitorId, REGIONS};
use crate::domain::check::quorum::RegionVerdict;
use crate::fleet;
use crate::hub_api::{HubRequest, HubResponse};
use crate::probe::{RequestBudget, six_at_once};

/// Asks the probers in other regions.
pub(super) struct RegionalProber {
    pub(super) env: Env,
    pub(super) config: Rc<ConfigState>,
    pub(super) quota: Rc<QuotaMeter>,
}

impl RegionalProber {
    /// The results from the regions of those of `due` that have some.
    pub(super) async fn probe(
        &self,
        due: &[&Monitor],
        allowance: &RequestBudget,
    ) -> HubResult<Vec<(MonitorId, Vec<RegionVerdict>)>> {
        let wanted = |region: &&str| due.iter().any(|it| it.regions.contains(region));
        let regions: Vec<&str> = REGIONS.into_iter().filter(wanted).take(MAX_REGIONS).collect();
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.config.applied()?;
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
                self.quota.count_request();
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
}
