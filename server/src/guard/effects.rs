//! Applies the decisions of the overload controller to this process.
//!
//! Runs on the sampler's thread and must not keep it from its next reading: a purge, which walks every arena, and the
//! application's hooks run on a thread of their own, and their result is collected with the first reading after they end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Bytes, Pressure};

use crate::http::stop::ShutdownRequest;
use crate::overload::controller::{Decision, OverloadEffect, PurgeEnd};
use crate::overload::hooks::{HookOutcome, Hooks, ShrinkRequest};
use crate::overload::ladder::{Action, ShedShare};
use crate::overload::purge;
use crate::overload::shed::Gate;
use crate::sampling::Reading;
use crate::supervisor::SupervisorLink;
use crate::telemetry::Telemetry;

/// The parts of the process that decisions act on.
#[derive(Debug)]
pub(super) struct EffectRunner {
    hooks: Hooks,
    gate: Arc<Gate>,
    shutdown: Arc<ShutdownRequest>,
    telemetry: Arc<Telemetry>,
    /// The supervisor, if there is one.
    link: Option<Arc<SupervisorLink>>,
    purge: Purge,
    /// The allocator's decay in milliseconds before purging tightened it.
    usual_decay: Option<isize>,
    /// Number of refused requests before the current period of shedding.
    refused_before: Option<u64>,
}

/// State of the last purge.
#[derive(Debug)]
enum Purge {
    /// No purge is running.
    Idle,
    /// It is running, and sends its duration when it ends.
    Running(Receiver<Duration>),
    /// Its thread could not be started.
    NotStarted,
}

impl EffectRunner {
    pub(super) fn new(
        hooks: Hooks,
        gate: Arc<Gate>,
        shutdown: Arc<ShutdownRequest>,
        telemetry: Arc<Telemetry>,
        link: Option<Arc<SupervisorLink>>,
    ) -> Self {
        EffectRunner {
            hooks,
            gate,
            shutdown,
            telemetry,
            link,
            purge: Purge::Idle,
            usual_decay: None,
            refused_before: None,
        }
    }

    /// Returns how the running purge ended, once.
    pub(super) fn take_purge_end(&mut self) -> Option<PurgeEnd> {
        let end = match &self.purge {
            Purge::Idle => return None,
            Purge::NotStarted => PurgeEnd::Failed,
            Purge::Running(done) => match done.try_recv() {
                Err(TryRecvError::Empty) => return None,
                Ok(took) => PurgeEnd::Finished(took),
                Err(TryRecvError::Disconnected) => {
                    tracing::warn!("the purge thread ended before the purge was complete");
                    PurgeEnd::Failed
                }
            },
        };
        self.purge = Purge::Idle;
        Some(end)
    }

    /// Applies what was decided on `reading`.
    pub(super) fn apply(&mut self, decision: &Decision, reading: &Reading, soon: Option<Duration>) {
        if decision.shed > ShedShare::NONE {
            self.refused_before.get_or_insert_with(|| self.gate.refused());
        }
        self.gate.set(decision.shed, decision.retry_after);
        let (memory, limit) = (reading.working_set(), reading.limit.bytes);
        for effect in &decision.effects {
            match *effect {
                OverloadEffect::Alert { level, threshold } => self.alert(level, threshold, reading, soon),
                OverloadEffect::Cleared => {
                    tracing::info!("memory pressure cleared: {memory} of {limit}");
                }
                OverloadEffect::StartPurge { pressure, excess } => self.start_purge(pressure, excess),
                OverloadEffect::PurgeFinished { before, after, took } => {
                    self.report_purge(before, after, took);
                }
                OverloadEffect::RelaxDecay => self.relax_decay(),
                OverloadEffect::RequestReplacement { reason, threshold } => {
                    self.request_replacement(&reason.describe(memory, threshold), memory, limit);
                }
                OverloadEffect::Shutdown => self.shut_down(memory, limit),
                OverloadEffect::SheddingEnded { lasted } => self.report_shedding(lasted),
                OverloadEffect::WouldAct(action) => report_observed(action, memory, limit),
            }
        }
    }

    fn alert(&self, level: Pressure, threshold: Bytes, reading: &Reading, soon: Option<Duration>) {
        let (memory, limit) = (reading.working_set(), reading.limit.bytes);
        let evidence = self.telemetry.evidence(reading, soon);
        let expected = evidence.forecast.time_to_limit.map(|time| time.expected).or(soon);
        tracing::warn!(
            {
            heapbeat.pressure = level.as_str(),
            heapbeat.memory.working_set = memory.0,
            heapbeat.memory.limit = limit.0,
            heapbeat.forecast.verdict = evidence.forecast.verdict.as_str(),
            heapbeat.forecast.seconds_to_limit = expected.map(|time| time.as_secs()),
            heapbeat.routes.growing = evidence.growing().join(", "),
            },
            "memory is at {memory} of {limit}, the {} threshold is {threshold}{}: {evidence}",
            level.as_str(),
            explain_early(memory, threshold),
        );
    }

    fn start_purge(&mut self, pressure: Pressure, excess: Bytes) {
        self.usual_decay = self.usual_decay.or_else(|| purge::dirty_decay().ok());
        let hooks = self.hooks.clone();
        let (done, ended) = sync_channel(1);
        let spawned = thread::Builder::new().name("heapbeat-purge".to_owned()).spawn(move || {
            let begun = Instant::now();
            shrink_and_purge(&hooks, ShrinkRequest { pressure, wanted: excess });
            // The receiver is gone when the guard is.
            let _ = done.send(begun.elapsed());
        });
        self.purge = match spawned {
            Ok(_) => Purge::Running(ended),
            Err(error) => {
                tracing::warn!("cannot purge: cannot start a thread: {error}");
                Purge::NotStarted
            }
        };
    }

    fn report_purge(&self, before: Bytes, after: Bytes, took: Duration) {
        let back = before.saturating_sub(after);
        tracing::info!(
            heapbeat.purge.bytes = back.0,
            heapbeat.purge.millis = took.as_secs_f64() * 1e3,
            "purged: {back} returned to the system in {} ms, {after} in use",
            took.as_millis()
        );
        self.telemetry.record_purge(before, after, took);
    }

    fn relax_decay(&mut self) {
        if let Some(millis) = self.usual_decay.take()
            && let Err(error) = purge::set_dirty_decay(millis)
        {
            tracing::warn!("cannot restore the allocator's decay of {millis} ms: {error}");
        }
    }

    fn request_replacement(&self, reason: &str, memory: Bytes, limit: Bytes) {
        let reason = format!("{reason} ({memory} of {limit})");
        if let Some(link) = &self.link {
            link.request_replacement(&reason);
        }
        self.telemetry.record_event(EventKind::Recycle { reason });
    }

    fn shut_down(&self, memory: Bytes, limit: Bytes) {
        tracing::error!(
            "load shedding did not reduce memory ({memory} of {limit}); finishing requests in flight, then exiting"
        );
        self.telemetry.record_event(EventKind::Shutdown);
        self.shutdown.request();
    }

    fn report_shedding(&mut self, lasted: Duration) {
        let before = self.refused_before.take().unwrap_or_default();
        let refused = self.gate.refused().saturating_sub(before);
        let duration_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(heapbeat.shed.refused = refused, "refused {refused} requests in {lasted:.1?}");
        self.telemetry.record_event(EventKind::Shed { refused, duration_ms });
    }
}

/// Explains why a level was entered below its threshold, if it was.
fn explain_early(memory: Bytes, threshold: Bytes) -> &'static str {
    if memory < threshold { " and will be reached before the next reading at this growth" } else { "" }
}

fn shrink_and_purge(hooks: &Hooks, request: ShrinkRequest) {
    for report in hooks.run(request) {
        if report.outcome != HookOutcome::Done {
            let (name, outcome, took) = (report.name, report.outcome, report.took);
            tracing::warn!("shrink hook {name} failed after {took:?}: {outcome:?}");
        }
    }
    if let Err(error) = purge::set_dirty_decay(0).and_then(|()| purge::purge()) {
        tracing::warn!("cannot purge the allocator: {error}");
    }
}

fn report_observed(action: Action, memory: Bytes, limit: Bytes) {
    match action {
        Action::Purge => tracing::warn!("observe only: would purge at {memory} of {limit}"),
        Action::Recycle(reason) => {
            tracing::warn!("observe only: would recycle at {memory} of {limit}: {reason}");
        }
        Action::Shutdown => {
            tracing::warn!("observe only: would exit, as load shedding would not reduce memory");
        }
        Action::Alert(_) | Action::Cleared => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_below_its_threshold_is_explained() {
        let mb = Bytes::from_mb;
        assert!(explain_early(mb(152), mb(175)).contains("before the next reading"));
        assert_eq!(explain_early(mb(175), mb(175)), "");
    }
}
