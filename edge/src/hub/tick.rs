//! A tick: the hub probes what is due, stores the results, and delivers messages.

use futures_util::future::join;
use heapbeat_shared::UnixMillis;
use worker::{console_error, console_log, console_warn};

use super::Hub;
use super::error::HubResult;
use super::outbox::DeliveryRoute;
use super::prober::REQUESTS_PER_TICK;
use super::regional_prober::region_verdicts;
use crate::domain::ProbeSkipped;
use crate::domain::check::outcome::ProbeError;
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::check::request_plan::RoundBudget;
use crate::domain::engine::{EngineEvent, ProbeAttempt, Tick};
use crate::domain::instant::rfc3339;
use crate::domain::maintenance::affected_monitors;
use crate::platform::clock::wall_clock;

/// The most hubs to which one tick sends their part of the lists; the probes leave these requests.
const MAX_SYNCS_PER_TICK: u8 = 5;

/// What a tick comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TickSource {
    /// The cron, once a minute.
    Cron,
    /// An alarm between two ticks of the cron.
    Alarm,
}

/// The outcome of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TickOutcome {
    /// The results are stored.
    Stored,
    /// Skipped, as another tick is running.
    Overlapping,
    /// Skipped, as this tick or a later one is stored already.
    Outdated,
    /// Skipped, as the store failed before.
    BackedOff,
    /// An alarm that found nothing to probe.
    NothingDue,
}

impl Hub {
    /// Probes what is due, stores the results, and delivers messages.
    pub(super) async fn tick(&self, at: UnixMillis, source: TickSource) -> HubResult<TickOutcome> {
        if source == TickSource::Cron {
            self.follow_ups.reset();
        }
        let outcome = self.probe_and_store(at, source).await;
        if outcome == Ok(TickOutcome::Overlapping) {
            // The tick that is under way brings the round that this one would have been.
            self.follow_ups.require();
        } else if let Some(pause) = self.follow_ups.take_pause() {
            self.alarm.schedule_follow_up(pause).await;
        }
        let outcome = outcome?;
        let last = self.engine.loaded()?.last_tick();
        if let Some(last) = last {
            self.deliver_messages(last.scheduled_time_at(wall_clock())).await?;
        }
        match self.lists.sync_hubs(MAX_SYNCS_PER_TICK.into()).await {
            Ok(synced) => self.quota.count_subrequests(synced as u64),
            Err(error) => console_error!("could not sync the other hubs: {error}"),
        }
        let now = self.engine.now()?;
        match self.lists.sync_subscriptions(now).await {
            Ok(requests) => self.quota.count_subrequests(requests as u64),
            Err(error) => console_error!("could not send subscriptions to another hub: {error}"),
        }
        Ok(outcome)
    }

    /// Sends what is due at `now`, to the owner's channels first.
    async fn deliver_messages(&self, now: UnixMillis) -> HubResult<()> {
        let (settings, subscribers) = (self.config.settings(), self.subscriptions.subscribers()?);
        let (config, page) = (self.config.monitors()?, settings.status_url.as_deref());
        let hub = self.membership.current()?.number;
        for route in [
            DeliveryRoute::Channels(settings, &self.env),
            DeliveryRoute::Subscribers(&subscribers, settings.vapid.as_ref()),
        ] {
            let sent = self.outbox.run_turn(&self.engine, &config, page, hub, route, now).await?;
            self.quota.count_subrequests(sent);
        }
        let left = self.lists.remove_expired(self.outbox.expired.take()).await?;
        self.outbox.expired.borrow_mut().extend(left);
        Ok(())
    }

    async fn probe_and_store(&self, at: UnixMillis, source: TickSource) -> HubResult<TickOutcome> {
        let Some(_guard) = self.ticking.try_lock() else {
            console_warn!("tick {} skipped: another tick is running", rfc3339(at));
            return Ok(TickOutcome::Overlapping);
        };
        let (last, config) = (self.engine.loaded()?.last_tick().map(|last| last.at), self.config.monitors()?);
        if last.is_some_and(|last| at <= last) {
            console_warn!("tick {} skipped: it or a later one is stored already", rfc3339(at));
            return Ok(TickOutcome::Outdated);
        }
        if self.backoff.skips_tick() {
            console_warn!("tick {} skipped: the store failed, and is retried with a later tick", rfc3339(at));
            return Ok(TickOutcome::BackedOff);
        }
        let tick = Tick { at, received: wall_clock() };
        let membership = self.membership.current()?;
        let mut reserved = if membership.out_of_sync.is_empty() { 0 } else { u32::from(MAX_SYNCS_PER_TICK) };
        reserved += u32::from(self.lists.sends_subscriptions(at)?);
        let budget = RoundBudget { local: REQUESTS_PER_TICK - reserved, regional: REQUESTS_PER_TICK };
        let round = self.engine.loaded()?.plan_round(&config, at, budget);
        if source == TickSource::Alarm && round.probes.is_empty() {
            return Ok(TickOutcome::NothingDue);
        }
        let context = self.prober.prepare_context(&config, round.spare)?;
        let regional = self.regional_prober.probe_regions(&round, &context.pool);
        let local = self.prober.probe_all(&config, round.probes.clone(), &context, at);
        let (regional, local) = join(regional, local).await;
        let (regional, (mut attempts, mut probes)) = (regional?, local?);
        for (_, result) in &regional {
            let attempt = attempts.iter_mut().find(|attempt| attempt.monitor == result.monitor);
            if let Some(ProbeAttempt { outcome: AttemptOutcome::Responded(requests), .. }) = attempt {
                *requests = result.requests.max(*requests);
            }
        }
        let verdicts = region_verdicts(&round.probes, &regional);
        let left_out = round.left_out.into_iter();
        attempts.extend(left_out.map(|monitor| ProbeAttempt::not_started(monitor, AttemptOutcome::NoRoom)));
        let left = attempts.iter().filter(|attempt| attempt.outcome.needs_follow_up()).count();
        if left > 0 {
            console_log!("tick {}: {left} monitors are left for another round", rfc3339(at));
            self.follow_ups.require();
        }
        let offline = Err(ProbeError::Skipped(ProbeSkipped::EdgeOffline));
        let is_offline = probes.iter().any(|probe| probe.result == offline);
        probes.extend(self.heartbeats.check_jobs(&config, &*self.engine.loaded()?, at, is_offline)?);
        let maintenance = affected_monitors(&self.config.announced_maintenance(at)?, &config, at);
        self.outbox.spare_requests.set(context.pool.spare() as usize);
        self.quota.count_subrequests(u64::from(context.pool.sent()));
        let usage = self.quota.add_tick(at, tick.received, last, membership.hub_count);
        // Nothing below awaits I/O, so no request sees an engine that is not stored. If it cannot be stored, it is loaded again.
        let mut engine = self.engine.take_out()?;
        engine.set_maintenance(maintenance);
        engine.set_region_verdicts(verdicts);
        engine.record_attempts(at, &attempts);
        let mut commit = engine.apply_tick(&config, tick, &probes);
        engine.set_min_interval(usage.min_interval());
        let events = std::mem::take(&mut commit.events);
        commit.usage = usage;
        if let Err(error) = self.store.opened()?.commit(last, commit, membership.hub_count) {
            self.backoff.record_failure();
            return Err(error.into());
        }
        self.backoff.reset();
        self.quota.set_usage(usage);
        self.engine.put_back(engine);
        events.iter().for_each(log_event);
        Ok(TickOutcome::Stored)
    }
}

fn log_event(event: &EngineEvent) {
    match event {
        EngineEvent::StateChanged { monitor, from, to, reason } => {
            let reason = reason.as_deref().unwrap_or("its conditions hold");
            console_log!("monitor {monitor}: {} -> {}: {reason}", from.as_str(), to.as_str());
        }
        EngineEvent::Restarted { monitor } => {
            console_log!("monitor {monitor}: the server restarted since the last probe");
        }
        EngineEvent::EdgeOffline { probes } => {
            console_warn!(
                "edge: all {probes} probes failed at once, and so did the reference addresses: recorded as unobserved"
            );
        }
        EngineEvent::ProbeSkipped { monitor, reason } => console_warn!("monitor {monitor}: {reason}"),
    }
}
