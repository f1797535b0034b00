//! What the ladder has decided about a guarded program, and how it is done: by its agents, by signals, by a command.

use std::process::{Command, Stdio};
use std::time::Instant;

use heapbeat_forecast::Assessment;
use heapbeat_shared::Pressure;
use rustix::process::{Pid, Signal, kill_process};

use super::{MonitoredProcess, ProgramMonitor, Serving, ShrinkMethod};
use crate::overload::ladder::{Action, LadderStep};
use crate::supervisor::agent_link::AgentLink;
use crate::supervisor::alert_cause::{Judged, describe_reason, explain_level};
use crate::supervisor::family;
use crate::supervisor::jvm_collection::request_collections;
use crate::supervisor::machine::MachineEvent;
use crate::supervisor::program_heap::FullHeap;
use crate::supervisor::renewal::RenewalStep;

impl ProgramMonitor {
    /// Does what a step of the ladder requests. Returns the request for a replacement.
    pub(super) fn act(
        &mut self,
        serving: &Serving<'_>,
        step: &LadderStep,
        judged: Judged,
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Option<MachineEvent> {
        let (limit, memory) = (self.levels.limit(), serving.memory);
        let whose = describe_owners(serving.instances.len());
        let mut recycle_request = None;
        for action in &step.actions {
            match action {
                Action::Alert(level) => {
                    let cause = match &self.full_heap {
                        Some(full) => format!(", because {}", full.describe()),
                        None => explain_level(*level, memory, &self.levels, judged),
                    };
                    let forecast = self.forecaster.assess(limit);
                    let known = self.begin_naming(serving, &forecast, agents.as_deref_mut(), now);
                    tracing::warn!(
                        heapbeat.pressure = level.as_str(),
                        "memory is at {memory} of {limit}{whose}: {}{cause}. {forecast}{known}",
                        level.as_str(),
                    );
                }
                Action::Cleared => tracing::info!("memory pressure cleared: {memory} of {limit}{whose}"),
                // A heap that is full has just been collected, and what is replaced now needs no collection.
                Action::Purge if self.full_heap.is_some() || requests_replacement(step) => {}
                Action::Purge => {
                    self.asked_to_free |= self.request_shrink(serving, agents.as_deref_mut(), now);
                }
                Action::Recycle(reason) => {
                    let reason = describe_reason(
                        *reason,
                        memory,
                        &self.levels,
                        self.replacement_time,
                        self.asked_to_free,
                    );
                    let full_heap = self.full_heap.as_ref().map(FullHeap::describe);
                    let why = full_heap.unwrap_or_else(|| format!("{reason} ({memory} of {limit})"));
                    let Some(replaced) = serving.instances.iter().find(|it| it.number == self.number) else {
                        continue;
                    };
                    if !self.renews(*replaced, step.pressure, &why, now) {
                        let memory = self.spans.get(&self.number).map_or(memory, |(_, memory)| *memory);
                        recycle_request = Some(MachineEvent::RecycleRequested(self.number, memory, why));
                    }
                }
                Action::Shutdown => {}
            }
        }
        recycle_request
    }

    /// Warns once of a leak below the alert threshold: a program that leaks may be replaced before it reaches one, and the owner is to
    /// learn where it leaks all the same.
    pub(super) fn warn_of_leak(
        &mut self,
        serving: &Serving<'_>,
        forecast: &Assessment,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) {
        let known = self.begin_naming(serving, forecast, agents, now);
        let (limit, memory) = (self.levels.limit(), serving.memory);
        let whose = describe_owners(serving.instances.len());
        tracing::warn!("memory is at {memory} of {limit}{whose}. {forecast}{known}");
    }

    /// Begins to name functions, and returns a sentence about what is known of them, with a space before it.
    fn begin_naming(
        &mut self,
        serving: &Serving<'_>,
        forecast: &Assessment,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> String {
        self.told_of_growth = true;
        let to_limit = forecast.time_to_limit.map(|time| time.earliest);
        let as_before = self.fast_leak.time_left(now.duration_since(self.epoch));
        let left = to_limit.into_iter().chain(as_before).min();
        let known =
            agents.and_then(|agents| self.heap_monitor.begin_naming(agents, &serving.family(), left, now));
        known.map(|text| format!(" {text}")).unwrap_or_default()
    }

    /// Whether the program renews itself instead of being replaced; asks it to, if it was not asked already.
    fn renews(&mut self, subject: MonitoredProcess<'_>, pressure: Pressure, why: &str, now: Instant) -> bool {
        let Some(signal) = self.guarded.recycle_signal.and_then(Signal::from_named_raw) else { return false };
        match self.renewal.step(now.duration_since(self.epoch), pressure) {
            RenewalStep::Wait => true,
            RenewalStep::Replace => false,
            RenewalStep::Ask => match kill_process(subject.pid, signal) {
                Ok(()) => {
                    tracing::warn!(
                        "{why}; sent {signal:?} to the program to renew itself (--recycle-signal)"
                    );
                    true
                }
                Err(error) => {
                    tracing::warn!("cannot send {signal:?} to the program to renew itself: {error}");
                    false
                }
            },
        }
    }

    /// Asks the program to free memory; false if it cannot be asked.
    fn request_shrink(
        &mut self,
        serving: &Serving<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> bool {
        match &self.guarded.shrink {
            ShrinkMethod::None => {
                let family = serving.family();
                let collects = agents.is_some_and(|agents| {
                    self.heap_monitor.request_purge(agents, &family, serving.memory, now)
                });
                request_collections(&family, serving.memory, self.levels.limit()) > 0 || collects
            }
            method => {
                serving.instances.iter().for_each(|instance| shrink(method, instance.pid));
                true
            }
        }
    }
}

/// Says that a figure is the sum of several instances, such as the old one and its replacement; empty for one.
fn describe_owners(instances: usize) -> String {
    if instances > 1 { format!(" ({instances} instances together)") } else { String::new() }
}

#[cfg(test)]
#[test]
fn figures_of_several_instances_are_said_to_be_theirs() {
    assert_eq!([0, 1].map(describe_owners), ["", ""]);
    assert_eq!(describe_owners(2), " (2 instances together)");
}

/// Whether a step requests a replacement.
fn requests_replacement(step: &LadderStep) -> bool {
    step.actions.iter().any(|action| matches!(action, Action::Recycle(_)))
}

/// Asks one instance to shrink.
fn shrink(method: &ShrinkMethod, pid: Pid) {
    match method {
        ShrinkMethod::None => {}
        ShrinkMethod::Signal(number) => {
            if let Some(Err(error)) = Signal::from_named_raw(*number).map(|it| kill_process(pid, it)) {
                tracing::warn!("cannot send signal {number} to the program to free memory: {error}");
            } else {
                tracing::info!("sent signal {number} to the program to free memory");
            }
        }
        ShrinkMethod::Shell(command) => {
            tracing::info!("running `{command}` to free memory of the program");
            // It is reaped with all other children.
            let started = Command::new("/bin/sh")
                .args(["-c", command])
                .env(family::MARKER, family::marker(std::process::id(), family::HELPER))
                .env("HEAPBEAT_PID", pid.as_raw_nonzero().to_string())
                .stdin(Stdio::null())
                .spawn();
            match started {
                Ok(child) => family::note_helper(child.id()),
                Err(error) => tracing::warn!("cannot run `{command}`: {error}"),
            }
        }
    }
}
