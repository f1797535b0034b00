//! Guards a program in any language from outside: measures its memory, applies the ladder, and replaces it by signals.

mod actions;
mod fast_leak;
mod judgment;
mod quick_readings;
mod readings;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use heapbeat_forecast::Forecaster;
use heapbeat_shared::event::EventKind;
use heapbeat_shared::{Bytes, Pressure};
use rustix::process::Pid;

use super::agent_link::{AgentNotice, AgentNoticeKind, HeapTotals};
use super::heap_monitor::HeapMonitor;
use super::listen_readiness::ListenReadiness;
use super::machine::{ReplacementTime, WorkerNumber};
use super::program_heap::FullHeap;
use super::program_status::recorder::Measured;
use super::renewal::Renewal;
use crate::config::thresholds::{Levels, Thresholds, ThresholdsError};
use crate::overload::ladder::{Ladder, LadderRules, RecycleReason, ReplacementStatus, ShedShare};
use crate::overload::sample_interval::GrowthTracker;
use crate::sampling::{Cgroup, Process, ProgramMemory};
use fast_leak::FastLeak;
use quick_readings::QuickReadings;

/// Time between two full measurements.
pub(super) const FULL_INTERVAL: Duration = Duration::from_secs(1);

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
    /// Whether the program takes requests; a worker or a bot does not.
    pub takes_requests: bool,
    /// Number of the signal that asks the program to stop.
    pub stop_signal: i32,
    /// Number of instances that serve at the same time, behind the front.
    pub instances: u32,
    /// Whether two instances must never run at the same time.
    pub single: bool,
    /// Longest time that a request waits for an instance in the front.
    pub hold: Duration,
    /// Time in which an instance behind the front has to be ready.
    pub ready_timeout: Duration,
    /// Whether the end of the program's standard error is kept, unless that is a terminal.
    pub stderr_tail: bool,
    /// Soft limit on open files that the program gets; `None`: that of the guard.
    pub open_files: Option<u64>,
}

/// Measures the program's processes and applies the ladder.
///
/// All instances that serve are judged together, as they share the limit; the one that has grown most is replaced. Each second all is
/// measured; as memory nears the next threshold, only the resident sets are read in between, up to twenty times a second.
#[derive(Debug)]
pub(super) struct ProgramMonitor {
    guarded: ExternalProgram,
    listen_readiness: Option<ListenReadiness>,
    levels: Levels,
    ladder: Ladder,
    /// When the ladder's time begins, and when its grace ends.
    epoch: Instant,
    grace: Duration,
    /// The instances that are judged.
    judged: BTreeSet<WorkerNumber>,
    /// The one of them that has grown most.
    pub(super) number: WorkerNumber,
    /// The lowest memory of each of them, and the memory now.
    spans: BTreeMap<WorkerNumber, (Bytes, Bytes)>,
    runtime_polls: u64,
    forecaster: Forecaster,
    /// The control group of the guard and the program, if it has a limit.
    cgroup: Option<Cgroup>,
    /// This process.
    own: Option<Process>,
    /// Whether a replacement could take over.
    pub(super) replacement_status: ReplacementStatus,
    /// Time before the limit at which a replacement has to begin.
    pub(super) replacement_time: ReplacementTime,
    renewal: Renewal,
    heap_monitor: HeapMonitor,
    /// Sums of the heaps, if a process has an agent, and the heap that is full.
    heap: Option<HeapTotals>,
    full_heap: Option<FullHeap>,
    growth: GrowthTracker,
    fast_leak: FastLeak,
    quick: QuickReadings,
    /// Whether memory leaks, as far as the forecast knows, and whether the log says so of the judged instances.
    is_leaking: bool,
    told_of_growth: bool,
    /// Why a replacement was wanted last since memory was calm, and whether anything was asked to free memory.
    reason: Option<RecycleReason>,
    asked_to_free: bool,
    /// The processes of all instances, and those of them that have said that they are about to exit.
    known: BTreeSet<u32>,
    exiting: BTreeSet<u32>,
    /// What happened to the judged instances at the last measurement.
    pub(super) events: Vec<EventKind>,
    pub(super) pressure: Pressure,
    /// The share of new requests to refuse.
    pub(super) shed: ShedShare,
    /// What was measured last.
    pub(super) measured: Vec<Measured>,
    /// The memory of each instance that runs, as it was read last.
    latest: BTreeMap<WorkerNumber, Bytes>,
}

/// An instance that is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct MonitoredProcess<'a> {
    pub(super) number: WorkerNumber,
    pub(super) pid: Pid,
    pub(super) age: Duration,
    /// Whether it is ready to serve, if that was asked for; otherwise it counts as ready after a while.
    pub(super) ready: Option<bool>,
    /// Whether it serves: it is ready, and is not being stopped.
    pub(super) serves: bool,
    /// All processes of the instance.
    pub(super) family: &'a [u32],
}

/// What is judged in one step: the instances that serve.
#[derive(Clone, Debug)]
struct Serving<'a> {
    instances: Vec<MonitoredProcess<'a>>,
    memory: Bytes,
}

impl Serving<'_> {
    fn family(&self) -> Vec<u32> {
        self.instances.iter().flat_map(|it| it.family.iter().copied()).collect()
    }
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
            ladder: Ladder::new(LadderRules::default()),
            epoch: Instant::now(),
            grace: Duration::ZERO,
            judged: BTreeSet::new(),
            number: 0,
            spans: BTreeMap::new(),
            runtime_polls: 0,
            forecaster: Forecaster::new(),
            cgroup: Cgroup::of_this_process(),
            own: Process::this(),
            replacement_status: ReplacementStatus::Available,
            replacement_time: ReplacementTime::fixed(LadderRules::default().replacement),
            renewal: Renewal::default(),
            heap_monitor: HeapMonitor::default(),
            heap: None,
            full_heap: None,
            growth: GrowthTracker::default(),
            fast_leak: FastLeak::default(),
            quick: QuickReadings::default(),
            is_leaking: false,
            told_of_growth: false,
            reason: None,
            asked_to_free: false,
            known: BTreeSet::new(),
            exiting: BTreeSet::new(),
            events: Vec::new(),
            pressure: Pressure::Calm,
            shed: ShedShare::NONE,
            measured: Vec::new(),
            latest: BTreeMap::new(),
        })
    }

    /// Returns when to read the resident sets; `None` if the next full measurement is soon enough.
    pub(super) fn next_quick_reading(&self) -> Option<Instant> {
        self.quick.next_at()
    }

    /// Returns the share of the limit that an instance had when its memory was read last, in percent, and forgets it.
    pub(super) fn take_share(&mut self, number: WorkerNumber) -> Option<u8> {
        let memory = self.latest.remove(&number)?;
        u8::try_from(u128::from(memory.0) * 100 / u128::from(self.guarded.limit.0.max(1))).ok()
    }

    /// Returns the instances that are judged, and what they need together.
    pub(super) fn judged(&self) -> (&BTreeSet<WorkerNumber>, ProgramMemory) {
        let judged = self.measured.iter().filter(|it| self.judged.contains(&it.number));
        let sum = judged.map(|it| it.memory).reduce(ProgramMemory::plus);
        (&self.judged, sum.unwrap_or_default())
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
                // A heap that fills up within seconds is judged at once.
                self.quick.bring_forward(now);
                tracing::debug!("process {pid} answered a request for a collection: {report:?}");
            }
            // Said once, as a process can send it without end.
            AgentNoticeKind::UncaughtException(name) if self.exiting.insert(*pid) => {
                tracing::warn!("process {pid} is about to exit: uncaught {name}");
            }
            AgentNoticeKind::UncaughtException(_) | AgentNoticeKind::Profile(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
