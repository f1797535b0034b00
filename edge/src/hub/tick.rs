//! A tick: the hub probes what is due, stores the results, and delivers alerts.

use futures_util::future::join;
use heapbeat_shared::UnixMillis;
use worker::{console_error, console_log, console_warn};

use super::Hub;
use super::delivery::To;
use super::error::HubResult;
use super::prober::REQUESTS_A_TICK;
use crate::domain::engine::{EngineEvent, Tick};
use crate::domain::maintenance::affected_monitors;
use crate::notify::{Recipients, plan_notifications};
use crate::platform::env::Setup;
use crate::probe::{RequestBudget, wall_clock};

/// Most other hubs that a tick hands their part of the lists; the probes leave these requests to it.
const SHARES_A_TICK: u8 = 5;

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticked {
    Stored,
    Overlapping,
    Old,
    Resting,
}

impl Ticked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ticked::Stored => "stored",
            Ticked::Overlapping => "skipped: another tick is running",
            Ticked::Resting => "skipped: the store failed, and is left alone for a while",
            Ticked::Old => "skipped: this tick, or a later one, is stored already",
        }
    }
}

impl Hub {
    /// Probes what is due, stores the results, and delivers alerts.
    pub(super) async fn tick(&self, at: UnixMillis) -> HubResult<Ticked> {
        let ticked = self.probe_and_store(at).await?;
        let last = self.engine.get()?.last_tick();
        if let Some(last) = last {
            let now = last.clock(wall_clock());
            let (setup, subscribers) = (self.config.setup(), self.subscriptions.subscribers()?);
            // The owner's first.
            for to in [
                To::Channels(&setup.channels, &self.env),
                To::Subscribers(&subscribers, setup.vapid.as_ref()),
            ] {
                let sent = self.outbox.deliver(self.store.get()?, to, now).await;
                self.quota.count_subrequests(sent);
            }
            let left = self.lists.remove_expired(self.outbox.gone.take()).await?;
            self.outbox.gone.borrow_mut().extend(left);
        }
        match self.lists.sync(SHARES_A_TICK.into()).await {
            Ok(told) => self.quota.count_subrequests(told as u64),
            Err(error) => console_error!("hub: {error}"),
        }
        Ok(ticked)
    }

    async fn probe_and_store(&self, at: UnixMillis) -> HubResult<Ticked> {
        let Some(_turn) = self.ticking.begin() else {
            console_warn!("tick {}: {}", at.0, Ticked::Overlapping.as_str());
            return Ok(Ticked::Overlapping);
        };
        let (last, config) = (self.engine.get()?.last_tick().map(|last| last.at), self.config.monitors()?);
        if last.is_some_and(|last| at <= last) {
            console_warn!("tick {}: {}", at.0, Ticked::Old.as_str());
            return Ok(Ticked::Old);
        }
        if self.backoff.skips_tick() {
            return Ok(Ticked::Resting);
        }
        let Setup { channels, page, allow_private, .. } = self.config.setup();
        let membership = self.membership.get()?;
        let tick = Tick { at, came: wall_clock() };
        let in_sync = membership.out_of_sync.is_empty();
        let requests = REQUESTS_A_TICK - if in_sync { 0 } else { u32::from(SHARES_A_TICK) };
        let (keys, headers) = (self.prober.keys(&config)?, self.prober.headers(&config));
        let allowance = RequestBudget::new(requests, *allow_private, keys, headers);
        let due = self.engine.get()?.due_monitors(&config, at);
        let elsewhere = self.regional_prober.probe(&due, &allowance);
        let here = self.prober.probe_due(&config, due.clone(), &allowance, at);
        let (region_verdicts, probes) = join(elsewhere, here).await;
        let (region_verdicts, mut probes) = (region_verdicts?, probes?);
        probes.extend(self.heartbeats.probe_jobs(&config, at)?);
        let maintenance = affected_monitors(&self.config.announced_maintenance(at)?, &config, at);
        let subscribers = self.subscriptions.subscribers()?;
        self.outbox.room.set(allowance.left() as usize);
        self.quota.count_subrequests(u64::from(requests - allowance.left()));
        let usage = self.quota.sum_up(at, tick.came, last, membership.hub_count);
        // Nothing below waits for I/O, so nobody sees an engine that is not stored; where it cannot be, it is read anew.
        let mut engine = self.engine.take()?;
        engine.set_maintenance(maintenance);
        engine.set_region_verdicts(region_verdicts);
        let mut commit = engine.apply_tick(&config, tick, &probes);
        let recipients = Recipients { channels, subscribers: &subscribers };
        let plan = plan_notifications(engine.incident_facts(&config), recipients, page.as_deref(), at);
        engine.record_notifications(plan.incidents, &mut commit);
        engine.set_interval_floor(usage.interval_floor());
        let queued = self.outbox.rows_for(&plan.messages, at);
        let events = std::mem::take(&mut commit.events);
        commit.usage = usage;
        if let Err(error) = self.store.get()?.commit(last, commit, queued.clone()) {
            self.backoff.record_failure();
            return Err(error.into());
        }
        self.backoff.reset();
        self.quota.set_usage(usage);
        self.outbox.add(queued);
        self.engine.put_back(engine);
        events.iter().for_each(log);
        Ok(Ticked::Stored)
    }
}

fn log(event: &EngineEvent) {
    match event {
        EngineEvent::StateChanged { monitor, from, to, reason } => {
            let reason = reason.as_deref().unwrap_or("its conditions hold");
            console_log!("monitor {monitor}: {} -> {}: {reason}", from.as_str(), to.as_str());
        }
        EngineEvent::Restarted { monitor } => {
            console_log!("monitor {monitor}: restarted since the last probe")
        }
        EngineEvent::EdgeOffline { probes } => {
            console_warn!(
                "edge: all {probes} probes failed at once, and so did the reference addresses: nothing was recorded"
            );
        }
        EngineEvent::ProbeSkipped { monitor, reason } => console_warn!("monitor {monitor}: {reason}"),
    }
}
