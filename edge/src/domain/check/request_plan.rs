//! The plan of a round's requests: which of the monitors that are due are probed, and how many requests are kept for each.
//!
//! A tick may send a limited number of requests. Each monitor of a round has the requests that its probe took the last time kept for
//! it, so that a retry or a redirect of another monitor never takes them. A monitor for which there is no room waits for another round
//! ([`MAX_FOLLOW_UPS`]), in which it comes first. What is left of the budget is shared: by redirects that are new, then by the requests
//! to the reference addresses, then by retries.

use std::cell::Cell;

/// The most redirects that a probe follows.
pub const MAX_REDIRECTS: u32 = 5;

/// The most requests of one probe without retries: the first, and [`MAX_REDIRECTS`].
pub const MAX_PROBE_REQUESTS: u32 = 1 + MAX_REDIRECTS;

/// The most additional rounds between two ticks of the cron. With the requests of nine rounds, forty monitors that follow five redirects
/// each are all probed every minute.
pub const MAX_FOLLOW_UPS: u32 = 8;

/// The requests that the probe of a monitor needs.
#[derive(Clone, Copy, Debug)]
pub struct ProbeDemand<'m> {
    /// How many requests the probe sends, as far as is known: 1 to [`MAX_PROBE_REQUESTS`].
    pub requests: u32,
    /// The regions from which the monitor is probed as well, each with as many requests of its own.
    pub regions: &'m [&'static str],
}

/// The requests that a round may send.
#[derive(Clone, Copy, Debug)]
pub struct RoundBudget {
    /// The requests of the hub itself.
    pub local: u32,
    /// The requests of each region's prober.
    pub regional: u32,
}

/// The plan of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestPlan {
    /// The demands that are met, as their indices, each with the requests that are kept for it.
    pub granted: Vec<(usize, u32)>,
    /// The demands for which there is no room, as their indices.
    pub left_out: Vec<usize>,
    /// The regions that are asked, each by one request of the hub.
    pub regions: Vec<&'static str>,
    /// The requests of the hub that are left for all.
    pub spare: u32,
}

/// Plans a round. `demands` are in the order of their precedence. One that does not fit is left out, and smaller ones after it may still
/// fit; as it precedes them in the next round, and the first demand of a round always fits, it is not overtaken for ever.
pub fn plan_requests(demands: &[ProbeDemand<'_>], budget: RoundBudget) -> RequestPlan {
    let mut plan = RequestPlan { spare: budget.local, ..RequestPlan::default() };
    let mut regional: Vec<(&'static str, u32)> = Vec::new();
    let load = |regional: &[(&'static str, u32)], region: &str| {
        regional.iter().find(|(name, _)| *name == region).map(|(_, requests)| *requests)
    };
    for (index, demand) in demands.iter().enumerate() {
        let requests = demand.requests.clamp(1, MAX_PROBE_REQUESTS);
        let new_regions = demand.regions.iter().filter(|region| load(&regional, region).is_none()).count();
        let cost = u32::try_from(new_regions).unwrap_or(u32::MAX).saturating_add(requests);
        let has_room = |region: &&str| load(&regional, region).unwrap_or(0) + requests <= budget.regional;
        if cost > plan.spare || !demand.regions.iter().all(has_room) {
            plan.left_out.push(index);
            continue;
        }
        plan.spare -= cost;
        plan.granted.push((index, requests));
        for region in demand.regions {
            match regional.iter_mut().find(|(name, _)| name == region) {
                Some((_, load)) => *load += requests,
                None => regional.push((region, requests)),
            }
        }
    }
    plan.regions = regional.into_iter().map(|(region, _)| region).collect();
    plan
}

/// What a request is for, which decides whether it may use what is left for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestPurpose {
    /// A part of a probe: its first request, or one after a redirect.
    Probe,
    /// A retry, or a connection that explains a failure. The requests to the reference addresses come before it.
    Extra,
}

/// The requests of a round that are not kept for a monitor, and the number of those that were sent.
#[derive(Debug)]
pub struct RequestPool {
    spare: Cell<u32>,
    sent: Cell<u32>,
    /// The requests that only the reference addresses may use in the place of retries.
    references: u32,
}

impl RequestPool {
    /// Creates the pool of a round with `spare` requests, of which retries leave `references`.
    pub fn new(spare: u32, references: u32) -> Self {
        RequestPool { spare: Cell::new(spare), sent: Cell::new(0), references }
    }

    /// Returns how many requests are left.
    pub fn spare(&self) -> u32 {
        self.spare.get()
    }

    /// Returns how many requests were sent.
    pub fn sent(&self) -> u32 {
        self.sent.get()
    }

    /// Returns the requests that are kept for one monitor. What it does not use is left for all when it is dropped.
    pub fn allow(&self, kept: u32) -> RequestAllowance<'_> {
        RequestAllowance { pool: self, kept: Cell::new(kept), sent: Cell::new(0) }
    }

    /// Spends one of the requests that are left for all. Returns whether there is one.
    pub fn spend(&self, purpose: RequestPurpose) -> bool {
        let has_room = self.has_room(purpose);
        if has_room {
            self.spare.set(self.spare.get() - 1);
            self.sent.set(self.sent.get() + 1);
        }
        has_room
    }

    fn has_room(&self, purpose: RequestPurpose) -> bool {
        let least = if purpose == RequestPurpose::Extra { self.references } else { 0 };
        self.spare.get() > least
    }
}

/// The requests that are kept for one monitor.
#[derive(Debug)]
pub struct RequestAllowance<'p> {
    pool: &'p RequestPool,
    kept: Cell<u32>,
    sent: Cell<u32>,
}

impl RequestAllowance<'_> {
    /// Spends one request: of those that are kept, else of those that are left for all. Returns whether there is one.
    pub fn spend(&self, purpose: RequestPurpose) -> bool {
        let has_room = if self.kept.get() > 0 {
            self.kept.set(self.kept.get() - 1);
            self.pool.sent.set(self.pool.sent.get() + 1);
            true
        } else {
            self.pool.spend(purpose)
        };
        self.sent.set(self.sent.get() + u32::from(has_room));
        has_room
    }

    /// Whether one more request may be sent.
    pub fn has_room(&self, purpose: RequestPurpose) -> bool {
        self.kept.get() > 0 || self.pool.has_room(purpose)
    }

    /// Returns how many requests were sent.
    pub fn sent(&self) -> u32 {
        self.sent.get()
    }
}

impl Drop for RequestAllowance<'_> {
    fn drop(&mut self) {
        self.pool.spare.set(self.pool.spare.get() + self.kept.get());
    }
}

#[cfg(test)]
mod tests;
