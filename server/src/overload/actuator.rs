//! Does what the ladder asks for.
//!
//! Runs on the sampler's thread and must never keep it from its next look: a purge, which walks every arena, and the
//! application's hooks have a thread of their own, and what they got is told at the first look after they are done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Bytes, Pressure};
use tokio::sync::Notify;

use super::hooks::{HookOutcome, Hooks, ShrinkRequest};
use super::ladder::{Action, Ladder, LadderRules, LadderStep, Observation, PurgeResult, ShedShare};
use super::purge;
use super::retry_after::RateEstimator;
use super::sample_interval::{FASTEST, next_look};
use super::shed::Gate;
use super::thresholds::{Levels, Thresholds, ThresholdsError};
use crate::config::Config;
use crate::sampling::Reading;
use crate::supervisor::SupervisorLink;
use crate::telemetry::Telemetry;

/// How long a start may take more memory than it should, where a fresh worker can be had.
const GRACE_WHEN_REPLACEABLE: Duration = Duration::from_secs(5);

/// How the process is told to give itself up.
#[derive(Debug, Default)]
pub(crate) struct ShutdownRequest {
    left: AtomicBool,
    bell: Notify,
}

impl ShutdownRequest {
    fn now(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            self.bell.notify_one();
        }
    }

    /// Whether it was given up.
    pub(crate) fn is_over(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Done when it is given up.
    pub(crate) async fn asked(&self) {
        self.bell.notified().await;
    }
}

/// A purge on its way.
#[derive(Debug)]
struct PurgeInProgress {
    before: Bytes,
    done: Receiver<Duration>,
}

/// What became of a look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged {
    /// Where memory stands.
    pub(crate) pressure: Pressure,
    /// Share of new requests that is refused.
    pub(crate) shed: ShedShare,
    /// When to look again.
    pub(crate) next: Duration,
}

/// The ladder and its hands.
#[derive(Debug)]
pub(crate) struct Actuator {
    ladder: Ladder,
    marks: Thresholds,
    levels: Levels,
    observe_only: bool,
    hooks: Hooks,
    gate: Arc<Gate>,
    leave: Arc<ShutdownRequest>,
    recorder: Arc<Telemetry>,
    /// The supervisor, if there is one.
    link: Option<Arc<SupervisorLink>>,
    last: Option<(Duration, Bytes)>,
    pace: RateEstimator,
    purge: Option<PurgeInProgress>,
    /// Since when requests are refused, and how many had been refused before.
    refusing: Option<(Duration, u64)>,
    /// The decay to go back to, while it is tightened.
    relaxed: Option<isize>,
    leaving: bool,
}

impl Actuator {
    /// At the foot of the ladder that `marks` make under `limit`, or why they make none.
    pub(crate) fn new(
        config: &Config,
        limit: Bytes,
        hooks: Hooks,
        gate: Arc<Gate>,
        leave: Arc<ShutdownRequest>,
        recorder: Arc<Telemetry>,
        link: Option<Arc<SupervisorLink>>,
    ) -> Result<Self, ThresholdsError> {
        Ok(Actuator {
            ladder: Ladder::new(LadderRules {
                // A replacement that was not needed costs nobody anything.
                grace: if link.is_some() { GRACE_WHEN_REPLACEABLE } else { LadderRules::default().grace },
                ..LadderRules::default()
            }),
            marks: config.marks,
            levels: config.marks.levels(limit)?,
            observe_only: config.observe_only,
            hooks,
            gate,
            leave,
            recorder,
            link,
            last: None,
            pace: RateEstimator::default(),
            purge: None,
            refusing: None,
            relaxed: None,
            leaving: false,
        })
    }

    /// Judges a reading and acts on it; the next look is due within `calm` at the latest.
    pub(crate) fn look(
        &mut self,
        reading: &Reading,
        reaches_limit_in: Option<Duration>,
        calm: Duration,
    ) -> Judged {
        // A limit that shrank below marks of a fixed size leaves the marks where they were.
        if let Ok(levels) = self.marks.levels(reading.limit.bytes) {
            self.levels = levels;
        }
        let (now, memory) = (reading.now.age, reading.working_set());
        self.pace.push(now, memory);
        self.collect(memory);
        let (ahead, next) = self.ahead(now, memory, calm);
        let look = Observation {
            now,
            read: now,
            memory: Bytes(memory.0.saturating_add(ahead.0)),
            levels: self.levels,
            reaches_limit_in,
            replacement: self.link.as_ref().map(|link| link.replacement()),
        };
        let step = self.ladder.look(&look);
        for action in &step.actions {
            self.act(*action, &step, reading, reaches_limit_in);
        }
        if self.observe_only {
            return Judged { pressure: Pressure::Calm, shed: ShedShare::NONE, next };
        }
        self.refuse(now, memory, step.shed);
        if step.pressure < Pressure::Purge && self.purge.is_none() {
            self.relax();
        }
        // Near the limit the next look decides who is let in: memory that stood still because everybody was refused is no
        // reason to wait a second with it.
        let near = self.purge.is_some() || step.pressure >= Pressure::Recycle;
        let next = if near { next.min(FASTEST) } else { next };
        Judged { pressure: step.pressure, shed: step.shed, next }
    }

    /// Sets the gate, and notes a stretch of refusals when it is over.
    fn refuse(&mut self, now: Duration, memory: Bytes, share: ShedShare) {
        let lasted = self.refusing.map_or(Duration::ZERO, |(since, _)| now.saturating_sub(since));
        let excess = memory.saturating_sub(self.levels.enter(Pressure::Recycle));
        self.gate.set(share, self.pace.retry_after(excess, lasted));
        if share > ShedShare::NONE {
            self.refusing.get_or_insert((now, self.gate.refused()));
        } else if let Some((since, before)) = self.refusing.take() {
            let refused = self.gate.refused().saturating_sub(before);
            let lasted = now.saturating_sub(since);
            let lasted_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(heapbeat.shed.refused = refused, "refused {refused} requests in {lasted:.1?}");
            self.recorder.note(EventKind::Shed { refused, lasted_ms });
        }
    }

    /// What growth adds before the next look, and when that is.
    fn ahead(&mut self, now: Duration, memory: Bytes, calm: Duration) -> (Bytes, Duration) {
        let Some((then, before)) = self.last.replace((now, memory)) else { return (Bytes::ZERO, calm) };
        let (growth, since) = (memory.saturating_sub(before), now.saturating_sub(then));
        if since.is_zero() {
            return (Bytes::ZERO, calm);
        }
        let above = Pressure::ALL.into_iter().map(|rung| self.levels.enter(rung)).find(|at| *at > memory);
        let room = above.unwrap_or(self.levels.limit()).saturating_sub(memory);
        let next = next_look(room, growth, since, calm);
        let added = u128::from(growth.0) * next.as_millis() / since.as_millis().max(1);
        (Bytes(u64::try_from(added).unwrap_or(u64::MAX)), next)
    }

    fn act(&mut self, action: Action, step: &LadderStep, reading: &Reading, soon: Option<Duration>) {
        let (memory, limit) = (reading.working_set(), self.levels.limit());
        match action {
            Action::Alert(rung) => {
                let evidence = self.recorder.evidence(reading, soon);
                let expected = evidence.forecast.time_to_limit.map(|time| time.expected).or(soon);
                tracing::warn!(
                    {
                    heapbeat.pressure = rung.as_str(),
                    heapbeat.memory.working_set = memory.0,
                    heapbeat.memory.limit = limit.0,
                    heapbeat.forecast.verdict = evidence.forecast.verdict.as_str(),
                    heapbeat.forecast.seconds_to_limit = expected.map(|time| time.as_secs()),
                    heapbeat.routes.growing = evidence.growing().join(", "),
                    },
                    "memory is at {memory} of {limit}, {} begins at {}: {evidence}",
                    rung.as_str(),
                    self.levels.enter(rung)
                );
            }
            Action::Cleared => tracing::info!("memory is calm again: {memory} of {limit}"),
            Action::Purge if self.observe_only => tracing::warn!("would purge at {memory} of {limit}"),
            Action::Purge => self.purge(step.pressure, memory),
            Action::Shutdown if self.leaving => {}
            Action::Shutdown => {
                self.leaving = true;
                if self.observe_only {
                    tracing::warn!("would leave: refusing requests would not have helped");
                } else {
                    tracing::error!(
                        "refusing requests did not help: finishing what is in flight, then leaving"
                    );
                    self.recorder.note(EventKind::Leave);
                    self.leave.now();
                }
            }
            Action::Recycle(_) if self.observe_only && self.leaving => {}
            Action::Recycle(reason) if self.observe_only => {
                self.leaving = true;
                tracing::warn!("would recycle at {memory} of {limit}: {reason}");
            }
            Action::Recycle(reason) => {
                let reason = format!("{reason} ({memory} of {limit})");
                if let Some(link) = &self.link {
                    link.want(&reason);
                }
                self.recorder.note(EventKind::Recycle { reason });
            }
        }
    }

    fn purge(&mut self, pressure: Pressure, memory: Bytes) {
        if self.purge.is_some() {
            return;
        }
        self.relaxed = self.relaxed.or_else(|| purge::dirty_decay().ok());
        let wanted = memory.saturating_sub(self.levels.enter(Pressure::Purge));
        let hooks = self.hooks.clone();
        let (done, told) = sync_channel(1);
        let spawned = thread::Builder::new().name("heapbeat-purge".to_owned()).spawn(move || {
            let begun = Instant::now();
            for report in hooks.run(ShrinkRequest { pressure, wanted }) {
                if report.outcome != HookOutcome::Done {
                    tracing::warn!(
                        "shrink hook {}: {:?} after {:?}",
                        report.name,
                        report.outcome,
                        report.took
                    );
                }
            }
            if let Err(error) = purge::set_dirty_decay(0).and_then(|()| purge::purge()) {
                tracing::warn!("cannot purge: {error}");
            }
            // Nobody listens any more when the guard is gone.
            let _ = done.send(begun.elapsed());
        });
        match spawned {
            Ok(_) => self.purge = Some(PurgeInProgress { before: memory, done: told }),
            Err(error) => tracing::warn!("cannot purge, there is no thread for it: {error}"),
        }
    }

    /// Says what a purge got that is done by now.
    fn collect(&mut self, after: Bytes) {
        let Some(PurgeInProgress { before, done }) = &self.purge else { return };
        match done.try_recv() {
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => tracing::warn!("the purge did not come to its end"),
            Ok(took) => {
                let back = before.saturating_sub(after);
                tracing::info!(
                    heapbeat.purge.bytes = back.0,
                    heapbeat.purge.millis = took.as_secs_f64() * 1e3,
                    "purged: {back} back in {took:.1?}, {after} left"
                );
                self.recorder.purged(*before, after, took);
                self.ladder.purged(PurgeResult { before: *before, after });
            }
        }
        self.purge = None;
    }

    fn relax(&mut self) {
        if let Some(millis) = self.relaxed.take()
            && let Err(error) = purge::set_dirty_decay(millis)
        {
            tracing::warn!("cannot relax the allocator's decay: {error}");
        }
    }
}
