//! A simulated hub: rounds of probes by the real engine and plan, with six connections, against targets that redirect, fail and hang.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;

use crate::domain::Failure;
use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::check::request_plan::{
    MAX_FOLLOW_UPS, RequestAllowance, RequestPool, RequestPurpose, RoundBudget,
};
use crate::domain::engine::{Engine, PlannedProbe, ProbeAttempt, Tick};
use crate::monitor_config::{MonitorConfig, MonitorId, Target};

/// The requests that a tick of the hub sends at most.
pub(super) const REQUESTS: u32 = 45;

/// How long a round starts probes.
const START_WINDOW: Duration = Duration::from_secs(25);

/// The pause before a follow-up.
const PAUSE: Duration = Duration::from_secs(2);

/// How long one request takes that is answered.
const ANSWER_TIME: Duration = Duration::from_millis(50);

/// The pause before a retry.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

const CONNECTIONS: usize = 6;

/// What a target does with a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behavior {
    /// It answers after so many redirects, at most five.
    Answers(u32),
    /// It answers with an error.
    Errs,
    /// It refuses the connection.
    Refuses,
    /// It never answers.
    Hangs,
}

/// What the hub and its monitors went through.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The ticks of the results of each monitor.
    pub(super) results: LiteMap<MonitorId, Vec<UnixMillis>>,
    /// The longest round.
    pub(super) longest_round: Duration,
    /// The rounds.
    pub(super) rounds: u32,
    /// The most requests that one round sent.
    pub(super) most_requests: u32,
}

/// The hub.
pub(super) struct Hub<'c> {
    pub(super) config: &'c MonitorConfig,
    pub(super) engine: Engine,
    pub(super) record: Record,
    follow_ups: u32,
    /// The end of the last round.
    idle_from: UnixMillis,
}

/// A probe on one of the connections.
struct Running<'c, 'p> {
    probe: PlannedProbe<'c>,
    allowance: RequestAllowance<'p>,
    began: UnixMillis,
    /// When its request is answered, or the next one is sent.
    next: UnixMillis,
    retry: u8,
    requests: u32,
    /// How the target treats the request that was sent.
    pending: Option<Behavior>,
    /// The attempt before a retry.
    failed: Option<Behavior>,
    is_owed: bool,
}

impl<'c> Hub<'c> {
    pub(super) fn new(config: &'c MonitorConfig) -> Self {
        Hub {
            config,
            engine: Engine::default(),
            record: Record::default(),
            follow_ups: 0,
            idle_from: UnixMillis(i64::MIN / 2),
        }
    }

    /// Runs the cron's tick of `at`, and the follow-ups until `until`. `behavior` is that of a monitor at an instant.
    pub(super) fn run_tick(
        &mut self,
        at: UnixMillis,
        until: UnixMillis,
        behavior: &dyn Fn(&MonitorId, UnixMillis) -> Behavior,
    ) {
        self.follow_ups = 0;
        // A tick that comes while a round is under way is skipped, and the round brings a follow-up.
        let mut next = if at < self.idle_from { Some(self.idle_from.plus(PAUSE)) } else { Some(at) };
        while let Some(tick) = next.filter(|tick| *tick < until) {
            let is_left = self.run_round(tick, behavior);
            let may_follow = is_left && self.follow_ups < MAX_FOLLOW_UPS;
            self.follow_ups += u32::from(may_follow);
            next = may_follow.then(|| whole_second(self.idle_from.plus(PAUSE)));
        }
    }

    /// Runs one round. Returns whether another one is needed.
    fn run_round(&mut self, at: UnixMillis, behavior: &dyn Fn(&MonitorId, UnixMillis) -> Behavior) -> bool {
        let budget = RoundBudget { local: REQUESTS, regional: REQUESTS };
        let round = self.engine.plan_round(self.config, at, budget);
        let pool = RequestPool::new(round.spare, 2);
        let mut attempts: Vec<ProbeAttempt> = round
            .left_out
            .iter()
            .map(|id| ProbeAttempt::not_started(id.clone(), AttemptOutcome::NoRoom))
            .collect();
        let mut waiting = round.probes.into_iter();
        let mut running: Vec<Running<'_, '_>> = Vec::new();
        let mut now = at;
        loop {
            while running.len() < CONNECTIONS
                && let Some(probe) = waiting.next()
            {
                let allowance = pool.allow(probe.requests);
                if now > at.plus(START_WINDOW) {
                    let id = probe.monitor.id.clone();
                    attempts.push(ProbeAttempt::not_started(id, AttemptOutcome::NoTime));
                    continue;
                }
                let (began, next) = (now, now);
                running.push(Running {
                    probe,
                    allowance,
                    began,
                    next,
                    retry: 0,
                    requests: 0,
                    pending: None,
                    failed: None,
                    is_owed: false,
                });
            }
            let Some(soonest) = (0..running.len()).min_by_key(|index| running[*index].next) else { break };
            now = now.max(running[soonest].next);
            if let Some(attempt) = running[soonest].step(now, behavior) {
                attempts.push(attempt);
                drop(running.swap_remove(soonest));
            }
        }
        let regions = u32::try_from(round.regions.len()).unwrap();
        self.record.most_requests = self.record.most_requests.max(pool.sent() + regions);
        self.record.longest_round = self.record.longest_round.max(now.since(at));
        self.record.rounds += 1;
        self.idle_from = now;
        let is_left = attempts.iter().any(|attempt| attempt.outcome.needs_follow_up());
        let results: Vec<_> = attempts.iter().filter_map(|attempt| attempt.result.clone()).collect();
        for result in &results {
            self.record.results.entry(result.monitor.clone()).or_default().push(at);
        }
        self.engine.record_attempts(at, &attempts);
        let _ = self.engine.apply_tick(self.config, Tick { at, received: at }, &results);
        is_left
    }
}

impl Running<'_, '_> {
    /// Receives the answer to the last request and sends the next, as `probe.rs` does. Returns the attempt once it has ended.
    fn step(
        &mut self,
        now: UnixMillis,
        behavior: &dyn Fn(&MonitorId, UnixMillis) -> Behavior,
    ) -> Option<ProbeAttempt> {
        let monitor = self.probe.monitor;
        let end_of_timeout = self.began.plus(monitor.timeout);
        match self.pending.take() {
            None => {}
            Some(Behavior::Answers(redirects)) if self.requests <= redirects => {}
            Some(answer @ Behavior::Answers(_)) => {
                self.is_owed = false;
                return Some(self.end(now, answer));
            }
            Some(failure) => {
                self.is_owed = false;
                let left = end_of_timeout.since(now).saturating_sub(RETRY_PAUSE);
                if self.retry >= monitor.retries || left < Duration::from_millis(100) {
                    return Some(self.end(now, failure));
                }
                self.is_owed = self.retry == 0 && self.probe.may_owe_retry;
                if !self.allowance.has_room(RequestPurpose::Extra) {
                    return Some(self.end(now, failure));
                }
                (self.retry, self.failed, self.next) = (self.retry + 1, Some(failure), now.plus(RETRY_PAUSE));
                self.requests = 0;
                return None;
            }
        }
        let is_retry = self.requests == 0 && self.retry > 0;
        let purpose = if is_retry { RequestPurpose::Extra } else { RequestPurpose::Probe };
        if !self.allowance.spend(purpose) {
            return Some(match self.failed {
                Some(failed) => self.end(now, failed),
                None => ProbeAttempt::not_started(monitor.id.clone(), AttemptOutcome::OutOfRequests),
            });
        }
        self.requests += 1;
        let behavior = match behavior(&monitor.id, now) {
            Behavior::Answers(_) if matches!(monitor.target, Target::Tcp(_)) => Behavior::Answers(0),
            behavior => behavior,
        };
        self.next = if behavior == Behavior::Hangs { end_of_timeout } else { now.plus(ANSWER_TIME) };
        self.pending = Some(behavior);
        None
    }

    fn end(&self, now: UnixMillis, behavior: Behavior) -> ProbeAttempt {
        let monitor = self.probe.monitor.id.clone();
        let response = |status| {
            let (latency, body) = (ANSWER_TIME, ResponseBody::Unread);
            Ok(ProbeResponse::new(status, latency, body))
        };
        let result = match behavior {
            Behavior::Answers(_) => response(200),
            Behavior::Errs => response(503),
            Behavior::Refuses => Err(Failure::ConnectionRefused.into()),
            Behavior::Hangs => Err(Failure::Timeout.into()),
        };
        let outcome = match &result {
            _ if self.is_owed => AttemptOutcome::RetryOwed,
            Ok(_) => AttemptOutcome::Responded(self.requests),
            Err(_) => AttemptOutcome::Failed,
        };
        let result = ProbeResult { monitor: monitor.clone(), received: now, result };
        ProbeAttempt { monitor, outcome, result: (outcome != AttemptOutcome::RetryOwed).then_some(result) }
    }
}

/// The first whole second that is not before `at`, as ticks have.
fn whole_second(at: UnixMillis) -> UnixMillis {
    UnixMillis(at.0.div_euclid(1000) * 1000 + if at.0.rem_euclid(1000) > 0 { 1000 } else { 0 })
}
