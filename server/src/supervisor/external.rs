//! Guards a program in any language from outside: measures its memory, applies the ladder, and replaces it by signals.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use heapbeat_forecast::{Forecaster, Heap, Point, Verdict};
use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::FunctionReport;
use heapbeat_shared::{Bytes, Pressure, UnixMillis};
use rustix::process::{Pid, Signal, kill_process};

use super::agent_link::{AgentLink, AgentNotice, AgentNoticeKind, HeapTotals};
use super::alert_cause::{Judged, explain_level};
use super::family;
use super::heap_monitor::HeapMonitor;
use super::listen_readiness::ListenReadiness;
use super::listening::listening_ports;
use super::machine::{MachineEvent, WorkerNumber};
use super::process_tree;
use super::program_status::recorder::Measured;
use super::renewal::{Renewal, RenewalStep};
use crate::config::thresholds::{Levels, Thresholds, ThresholdsError};
use crate::overload::ladder::{Action, Ladder, LadderRules, Observation, ReplacementStatus, ShedShare};
use crate::sampling::{Cgroup, CgroupMemory, ProgramMemory, RuntimeHeap};

/// Horizon of the forecast from the growth of the last seconds.
const HORIZON: Duration = Duration::from_secs(60);

/// How the program is asked to shrink its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShrinkMethod {
    /// Not at all.
    None,
    /// By this signal.
    Signal(i32),
    /// By this shell command, with the process id in `HEAPBEAT_PID`.
    Shell(String),
}

/// A guarded program and its settings.
#[derive(Clone, Debug)]
pub struct ExternalProgram {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// Memory limit of the program and all processes that it starts.
    pub limit: Bytes,
    /// Thresholds of the levels.
    pub thresholds: Thresholds,
    /// How the program is asked to shrink at `purge`.
    pub shrink: ShrinkMethod,
    /// Number of the signal that asks the program to renew itself, before it is replaced.
    pub recycle_signal: Option<i32>,
    /// Time after the start at which the program counts as ready.
    pub ready_after: Duration,
    /// Number of the signal that asks the program to stop.
    pub stop_signal: i32,
    /// Whether two instances must never run at the same time.
    pub single: bool,
    /// Longest time that a request waits for an instance in the front.
    pub hold: Duration,
    /// Time in which an instance behind the front has to be ready.
    pub ready_timeout: Duration,
    /// Whether the end of the program's standard error is kept, unless that is a terminal.
    pub stderr_tail: bool,
}

/// Measures the program's processes and applies the ladder.
#[derive(Debug)]
pub(super) struct ProgramMonitor {
    guarded: ExternalProgram,
    listen_readiness: Option<ListenReadiness>,
    levels: Levels,
    ladder: Ladder,
    pub(super) number: WorkerNumber,
    runtime_polls: u64,
    forecaster: Forecaster,
    /// The control group of the guard and the program, if it has a limit.
    cgroup: Option<Cgroup>,
    /// Whether a replacement of this instance could take over.
    pub(super) replacement_status: (WorkerNumber, ReplacementStatus),
    renewal: Renewal,
    heap_monitor: HeapMonitor,
    /// Sums of the heaps, if a process has an agent.
    heap: Option<HeapTotals>,
    /// Whether memory is above the alert threshold, or leaks.
    is_growing: bool,
    /// The processes of all instances.
    known: BTreeSet<u32>,
    /// What happened to the judged instance at the last measurement.
    pub(super) events: Vec<EventKind>,
    pub(super) pressure: Pressure,
    /// The share of new requests to refuse.
    pub(super) shed: ShedShare,
    /// What was measured last.
    pub(super) measured: Vec<Measured>,
}

/// A process that is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct MonitoredProcess<'a> {
    pub(super) number: WorkerNumber,
    pub(super) pid: Pid,
    pub(super) age: Duration,
    /// Whether it is ready to serve, if that was asked for; otherwise it counts as ready after a while.
    pub(super) ready: Option<bool>,
    /// All processes of the instance.
    pub(super) family: &'a [u32],
}

impl ProgramMonitor {
    /// `listen_readiness` tells by its ports when an instance is ready; without it, that is asked elsewhere or a matter of time.
    pub(super) fn new(
        guarded: ExternalProgram,
        listen_readiness: Option<ListenReadiness>,
    ) -> Result<Self, ThresholdsError> {
        let levels = guarded.thresholds.levels(guarded.limit)?;
        Ok(ProgramMonitor {
            guarded,
            listen_readiness,
            levels,
            ladder: ladder(),
            number: 0,
            runtime_polls: 0,
            forecaster: Forecaster::new(),
            cgroup: Cgroup::of_this_process(),
            replacement_status: (0, ReplacementStatus::Available),
            renewal: Renewal::default(),
            heap_monitor: HeapMonitor::default(),
            heap: None,
            is_growing: false,
            known: BTreeSet::new(),
            events: Vec::new(),
            pressure: Pressure::Calm,
            shed: ShedShare::NONE,
            measured: Vec::new(),
        })
    }

    /// Measures all processes; the ladder is applied to the newest one that is ready.
    pub(super) fn measure(
        &mut self,
        subjects: &[MonitoredProcess<'_>],
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        self.runtime_polls += 1;
        self.measured.clear();
        self.known = subjects.iter().flat_map(|subject| subject.family.iter().copied()).collect();
        self.events.clear();
        let mut events = Vec::new();
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        for subject in subjects {
            let tree = process_tree::memory(subject.family);
            // It is ending. What it held before is its last sample.
            if tree == Bytes::ZERO {
                continue;
            }
            let mut memory = tree;
            // With a second instance the group's charge cannot be split.
            if let ([_], Some(charged)) = (subjects, &cgroup) {
                memory = memory.max(judged_charge(charged, self.guarded.limit));
            }
            let processes = u32::try_from(subject.family.len()).unwrap_or(u32::MAX);
            let heaps = agents.as_ref().map(|agents| agents.heaps(subject.family, now)).unwrap_or_default();
            let heap = HeapTotals::of(&heaps).map(RuntimeHeap::from);
            let measured = ProgramMemory { tree, judged: memory, processes, heap };
            self.measured.push(Measured { number: subject.number, memory: measured, cgroup });
            events.push(MachineEvent::Heartbeat(subject.number, self.runtime_polls, memory));
            if !self.is_ready(subject) {
                continue;
            }
            events.push(MachineEvent::Ready(subject.number));
            if subject.number >= self.number {
                events.extend(self.apply_ladder(*subject, memory, agents.as_deref_mut(), now));
            }
        }
        events
    }

    fn is_ready(&mut self, subject: &MonitoredProcess<'_>) -> bool {
        if let Some(ready) = subject.ready {
            return ready;
        }
        let Some(readiness) = &mut self.listen_readiness else {
            return subject.age >= self.guarded.ready_after;
        };
        readiness.is_ready(subject.number, subject.age, || !listening_ports(subject.family).is_empty())
    }

    fn apply_ladder(
        &mut self,
        subject: MonitoredProcess<'_>,
        memory: Bytes,
        mut agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Option<MachineEvent> {
        if subject.number > self.number {
            (self.number, self.ladder, self.forecaster) = (subject.number, ladder(), Forecaster::new());
            (self.heap_monitor, self.renewal) = (HeapMonitor::default(), Renewal::default());
        }
        let limit = self.levels.limit();
        let full = agents.as_deref_mut().and_then(|agents| {
            let (totals, full) = self.heap_monitor.observe(agents, subject.family, now);
            self.heap = totals;
            full
        });
        if let Some(problem) = self.heap_monitor.check_limits(self.heap.as_ref(), subject.age, limit) {
            tracing::warn!("{problem}");
        }
        if let Some(purge) = self.heap_monitor.finish_purge(now) {
            self.ladder.record_purge(purge);
        }
        let age = UnixMillis(i64::try_from(subject.age.as_millis()).unwrap_or(i64::MAX));
        let replacement = match self.replacement_status {
            (number, status) if number == subject.number => status,
            _ => ReplacementStatus::Available,
        };
        // What the program's objects hold, in the heap and outside of it.
        let heap = self.heap.and_then(|heap| heap.held()).map(|used| Heap { used, resident: None });
        self.forecaster.push(Point { at: age, total: memory, heap });
        // A full heap counts as memory at the recycle threshold.
        let recycle_at = full.as_ref().map(|_| self.levels.enter(Pressure::Recycle));
        let observation = Observation {
            now: subject.age,
            read: subject.age,
            memory: memory.max(recycle_at.unwrap_or_default()),
            levels: self.levels,
            reaches_limit_in: self.forecaster.time_to_limit_within(limit, HORIZON),
            replacement: Some(replacement),
        };
        let judged = Judged {
            limit_is_near: observation.reaches_limit_in.is_some_and(|time| time <= rules().replacement),
            replaceable: replacement != ReplacementStatus::RateLimited && subject.age >= rules().grace,
        };
        let step = self.ladder.step(&observation);
        self.is_growing =
            step.pressure >= Pressure::Alert || self.forecaster.assess(limit).verdict == Verdict::Leaking;
        (self.pressure, self.shed) = (step.pressure, step.shed);
        let mut recycle_request = None;
        for action in step.actions {
            match action {
                Action::Alert(level) => {
                    let cause = if let Some(full) = &full {
                        format!(", because {}", full.describe())
                    } else {
                        explain_level(level, memory, &self.levels, judged)
                    };
                    let growing = agents
                        .as_deref_mut()
                        .and_then(|agents| self.heap_monitor.begin_naming(agents, subject.family, now));
                    let growing =
                        growing.map(|text| format!(" Live memory grows: {text}.")).unwrap_or_default();
                    tracing::warn!(
                        heapbeat.pressure = level.as_str(),
                        "memory is at {memory} of {limit}: {}{cause}. {}{growing}",
                        level.as_str(),
                        self.forecaster.assess(limit)
                    );
                }
                Action::Cleared => tracing::info!("memory pressure cleared: {memory} of {limit}"),
                // A heap that is full has just been collected.
                Action::Purge if full.is_some() => {}
                Action::Purge => self.request_shrink(subject, memory, agents.as_deref_mut(), now),
                Action::Recycle(reason) => {
                    let why = match &full {
                        Some(full) => full.describe(),
                        None => format!("{reason} ({memory} of {limit})"),
                    };
                    if !self.renews(subject, step.pressure, &why) {
                        recycle_request = Some(MachineEvent::RecycleRequested(subject.number, memory, why));
                    }
                }
                Action::Shutdown => {}
            }
        }
        self.events.extend(self.heap_monitor.name_function(now));
        recycle_request
    }

    /// Returns the functions whose memory grows, while that is a concern: a program that loads its data looks like a leak until it is done.
    pub(super) fn functions(&self) -> Vec<FunctionReport> {
        if self.is_growing { self.heap_monitor.functions() } else { Vec::new() }
    }

    /// Records what an agent reported, if its process belongs to the program.
    pub(super) fn record_notice(&mut self, notice: &AgentNotice, now: Instant) {
        let AgentNotice { pid, kind } = notice;
        if !self.known.contains(pid) {
            return;
        }
        match kind {
            AgentNoticeKind::Connected(runtime) => {
                tracing::debug!("process {pid} has an agent: {runtime}");
            }
            AgentNoticeKind::Purged(report) => {
                self.heap_monitor.record_answer(*pid, report, now);
                tracing::debug!("process {pid} answered a request for a collection: {report:?}");
            }
            AgentNoticeKind::UncaughtException(name) => {
                tracing::warn!("process {pid} is about to exit: uncaught {name}");
            }
            AgentNoticeKind::Profile(_) => {}
        }
    }

    /// Whether the program renews itself instead of being replaced; asks it to, if it was not asked already.
    fn renews(&mut self, subject: MonitoredProcess<'_>, pressure: Pressure, why: &str) -> bool {
        let Some(signal) = self.guarded.recycle_signal.and_then(Signal::from_named_raw) else { return false };
        match self.renewal.step(subject.age, pressure) {
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

    fn request_shrink(
        &mut self,
        subject: MonitoredProcess<'_>,
        memory: Bytes,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) {
        let pid = subject.pid;
        match &self.guarded.shrink {
            ShrinkMethod::None => {
                if let Some(agents) = agents {
                    self.heap_monitor.request_purge(agents, subject.family, memory, now);
                }
            }
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
}

/// Returns the charge of a control group, which includes files in memory (`/dev/shm`) and the kernel's memory, as it counts against
/// `limit`: if the group's own limit is larger, so that as much is left of one as of the other.
fn judged_charge(group: &CgroupMemory, limit: Bytes) -> Bytes {
    let spare = group.limit.map(|enforced| enforced.saturating_sub(limit));
    spare.map_or(Bytes::ZERO, |spare| group.working_set().saturating_sub(spare))
}

fn rules() -> LadderRules {
    LadderRules { grace: Duration::from_secs(5), ..LadderRules::default() }
}

fn ladder() -> Ladder {
    Ladder::new(rules())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charge_of_the_control_group_counts_as_far_as_it_leaves_less_than_the_limit() {
        let mb = Bytes::from_mb;
        // Limit of the group, its usage, limit of the program, expected (MB).
        let cases = [
            (Some(256), 200, 256, 200),
            (Some(512), 200, 256, 0),
            (Some(512), 400, 256, 144),
            (None, 200, 256, 0),
        ];
        for (enforced, usage, limit, expected) in cases {
            let group = CgroupMemory { limit: enforced.map(mb), usage: mb(usage), ..CgroupMemory::default() };
            assert_eq!(judged_charge(&group, mb(limit)), mb(expected), "{enforced:?} {usage} {limit}");
        }
    }
}
