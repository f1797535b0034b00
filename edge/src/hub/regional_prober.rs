//! Looking from elsewhere: a hub asks the eyes in other regions, and is one of them to others.
//!
//! An eye is an object of this class in another part of the world. It keeps nothing: with each look it is handed the monitors,
//! and it answers what it found, a line each. It asks without a signature, so that what a server tells once is told to the hub.

use std::cell::RefCell;

use worker::console_warn;

use super::dispatch::Finished;
use super::maintenance::written;
use super::tick::REQUESTS_A_TICK;
use super::{Hub, Told};
use crate::config::applied::LIST;
use crate::config::{A_HUB, MOST_REGIONS, Monitor, MonitorId, REGIONS};
use crate::domain::check::quorum::{Line, Voice};
use crate::domain::check::verdict::judge;
use crate::fleet;
use crate::probe::{Allowance, Keys, six_at_once, wall_clock};
use crate::web::admin;
use crate::web::admin::read_applied;

impl Hub {
    /// What is heard from the regions of those of `due` that have some: a voice for each region.
    pub(super) async fn ask_eyes(
        &self,
        due: &[&Monitor],
        allowance: &Allowance,
    ) -> Told<Vec<(MonitorId, Vec<Voice>)>> {
        let wanted = |region: &&str| due.iter().any(|it| it.regions.contains(region));
        let regions: Vec<&str> = REGIONS.into_iter().filter(wanted).take(MOST_REGIONS).collect();
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let list = self.applied()?;
        let heard = RefCell::new(Vec::new());
        let lines = &heard;
        six_at_once(regions, |region| {
            let mut asked = (String::new(), Vec::new());
            for monitor in due.iter().filter(|it| it.regions.contains(&region)) {
                asked.0.push_str(monitor.id.as_str());
                asked.0.push(' ');
                // What stands in wrangler.toml the eye has, too.
                let entry = list.iter().find(|entry| entry["id"] == *monitor.id.as_str());
                asked.1.extend(entry.cloned());
            }
            let body = asked.0 + "\n" + &written(LIST, asked.1);
            async move {
                if allowance.take().is_err() {
                    return false;
                }
                self.counts.asked();
                match fleet::look(&self.env, region, &body).await {
                    Ok((200, text)) => {
                        let found = text.split('\n').filter_map(Line::read);
                        lines.borrow_mut().extend(found.map(|line| (region, line)));
                    }
                    Ok((status, _)) => console_warn!("eye-{region}: status {status}"),
                    Err(error) => console_warn!("eye-{region}: {error}"),
                }
                true
            }
        })
        .await;
        let lines = heard.into_inner();
        let voice = |monitor: &Monitor, region| {
            let line = lines.iter().find(|(from, line)| *from == region && line.monitor == monitor.id);
            let line = line.map(|(_, line)| line);
            Voice {
                region,
                verdict: line.map(|line| line.verdict),
                latency_ms: line.and_then(|line| line.latency_ms),
            }
        };
        let with_regions = due.iter().filter(|monitor| !monitor.regions.is_empty());
        let voices = |it: &&Monitor| it.regions.iter().map(|region| voice(it, *region)).collect();
        Ok(with_regions.map(|it| (it.id.clone(), voices(it))).collect())
    }

    /// Looks at the monitors of the first line, of which those that do not stand in `wrangler.toml` are in the list that follows.
    pub(super) async fn look(&self, asked: &str) -> Told<Finished> {
        let (ids, list) = asked.split_once('\n').unwrap_or_default();
        let list = match admin::read_list(list) {
            Ok(list) => list,
            Err(reason) => return Ok(Finished::refused(400, &reason)),
        };
        let mut config = self.setup.config.clone();
        let room = A_HUB + config.monitors.len();
        let applied = read_applied(&list, self.setup.allow_private, &config, room);
        config.monitors.extend(applied.monitors);
        config.monitors.retain(|monitor| ids.split(' ').any(|id| id == monitor.id.as_str()));
        let due: Vec<&Monitor> = config.monitors.iter().collect();
        let headers = self.headers(&config);
        let allowance = Allowance::new(REQUESTS_A_TICK, self.setup.allow_private, Keys::new(), headers);
        let probes = self.see(&config, due, &allowance, wall_clock()).await?;
        let mut found = String::new();
        for probed in probes {
            if let Some(monitor) = config.monitors.iter().find(|it| it.id == probed.monitor) {
                let judged = judge(monitor, &probed.result);
                found.push_str(
                    &Line { monitor: probed.monitor, verdict: judged.verdict, latency_ms: judged.latency_ms }
                        .write(),
                );
            }
        }
        Ok(Finished::ok(found))
    }
}
