//! Guards a program in any language from outside: measures its memory, applies the ladder, and replaces it by signals.

mod actions;
mod quick_readings;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use heapbeat_forecast::{Forecaster, Heap, Point, Verdict};
use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::FunctionReport;
use heapbeat_shared::{Bytes, Pressure, UnixMillis};
use rustix::process::Pid;

use super::agent_link::{AgentLink, AgentNotice, AgentNoticeKind, HeapTotals};
use super::alert_cause::Judged;
use super::heap_monitor::HeapMonitor;
use super::listen_readiness::ListenReadiness;
use super::listening::listening_ports;
use super::machine::{MachineEvent, WorkerNumber};
use super::process_tree;
use super::program_heap::FullHeap;
use super::program_status::recorder::Measured;
use super::renewal::Renewal;
use crate::config::thresholds::{Levels, Thresholds, ThresholdsError};
use crate::overload::ladder::{Ladder, LadderRules, Observation, ReplacementStatus, ShedShare};
use crate::overload::sample_interval::GrowthTracker;
use crate::sampling::{Cgroup, CgroupMemory, ProgramMemory, RuntimeHeap};
use quick_readings::QuickReadings;

/// Horizon of the forecast from the growth of the last seconds.
const HORIZON: Duration = Duration::from_secs(60);

/// Time between two full measurements.
pub(super) const FULL_INTERVAL: Duration = Duration::from_secs(1);

/// Time after an instance was ready in which its memory is not judged, as it is just being used for the first time. An instance that
/// cannot be asked has longer.
const GRACE: Duration = Duration::from_secs(1);
const GRACE_UNASKED: Duration = Duration::from_secs(5);

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
    /// Whether a replacement could take over.
    pub(super) replacement_status: ReplacementStatus,
    /// Time before the limit at which a replacement has to begin.
    pub(super) replacement_time: Duration,
    renewal: Renewal,
    heap_monitor: HeapMonitor,
    /// Sums of the heaps, if a process has an agent, and the heap that is full.
    heap: Option<HeapTotals>,
    full_heap: Option<FullHeap>,
    growth: GrowthTracker,
    quick: QuickReadings,
    /// Whether memory is above the alert threshold, or leaks.
    is_growing: bool,
    /// The processes of all instances.
    known: BTreeSet<u32>,
    /// What happened to the judged instances at the last measurement.
    pub(super) events: Vec<EventKind>,
    pub(super) pressure: Pressure,
    /// The share of new requests to refuse.
    pub(super) shed: ShedShare,
    /// What was measured last.
    pub(super) measured: Vec<Measured>,
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
            replacement_status: ReplacementStatus::Available,
            replacement_time: LadderRules::default().replacement,
            renewal: Renewal::default(),
            heap_monitor: HeapMonitor::default(),
            heap: None,
            full_heap: None,
            growth: GrowthTracker::default(),
            quick: QuickReadings::default(),
            is_growing: false,
            known: BTreeSet::new(),
            events: Vec::new(),
            pressure: Pressure::Calm,
            shed: ShedShare::NONE,
            measured: Vec::new(),
        })
    }

    /// Measures all instances, and applies the ladder to those that serve.
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
        self.quick.clear();
        let mut events = Vec::new();
        let cgroup = self.cgroup.as_mut().and_then(Cgroup::read);
        let mut serving = Serving { instances: Vec::new(), memory: Bytes::ZERO };
        for subject in subjects {
            let resident = process_tree::resident(subject.family);
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
            self.quick.begin(subject.number, subject.family.len(), memory, resident);
            events.push(MachineEvent::Heartbeat(subject.number, self.runtime_polls, memory));
            if self.is_ready(subject) {
                events.push(MachineEvent::Ready(subject.number));
            }
            if subject.serves {
                serving.instances.push(*subject);
                serving.memory = Bytes(serving.memory.0.saturating_add(memory.0));
                self.note_span(subject.number, memory);
            }
        }
        self.shed = ShedShare::NONE;
        if serving.instances.is_empty() {
            return events;
        }
        self.follow_change(&serving, now);
        self.observe_heaps(&serving, agents.as_deref_mut(), now);
        events.extend(self.apply_ladder(&serving, agents, now));
        self.events.extend(self.heap_monitor.name_function(now));
        events.push(MachineEvent::MemoryShort(self.number, self.shed.thousandths()));
        events
    }

    /// Reads the resident sets of the instances that serve, and applies the ladder to what they add up to.
    pub(super) fn measure_quickly(
        &mut self,
        subjects: &[MonitoredProcess<'_>],
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Vec<MachineEvent> {
        self.runtime_polls += 1;
        let mut events = Vec::new();
        let mut serving = Serving { instances: Vec::new(), memory: Bytes::ZERO };
        for subject in subjects {
            if !subject.serves || !self.judged.contains(&subject.number) {
                continue;
            }
            let resident = process_tree::resident(subject.family);
            let estimate = self.quick.estimate(subject.number, resident);
            let Some(mut memory) = estimate.filter(|_| resident > Bytes::ZERO) else { continue };
            if let [_] = subjects
                && let Some(charged) = self.cgroup.as_mut().and_then(Cgroup::read)
            {
                memory = memory.max(judged_charge(&charged, self.guarded.limit));
            }
            events.push(MachineEvent::Heartbeat(subject.number, self.runtime_polls, memory));
            serving.instances.push(*subject);
            serving.memory = Bytes(serving.memory.0.saturating_add(memory.0));
            self.note_span(subject.number, memory);
        }
        if serving.instances.len() != self.judged.len() {
            // One of them has just ended.
            self.quick.clear();
            return events;
        }
        events.extend(self.apply_ladder(&serving, agents, now));
        events.push(MachineEvent::MemoryShort(self.number, self.shed.thousandths()));
        events
    }

    /// Returns when to read the resident sets; `None` if the next full measurement is soon enough.
    pub(super) fn next_quick_reading(&self) -> Option<Instant> {
        self.quick.next_at()
    }

    /// Returns the instances that are judged, and what they need together.
    pub(super) fn judged(&self) -> (&BTreeSet<WorkerNumber>, ProgramMemory) {
        let judged = self.measured.iter().filter(|it| self.judged.contains(&it.number));
        let sum = judged.map(|it| it.memory).reduce(ProgramMemory::plus);
        (&self.judged, sum.unwrap_or_default())
    }

    fn note_span(&mut self, number: WorkerNumber, memory: Bytes) {
        let span = self.spans.entry(number).or_insert((memory, memory));
        *span = (span.0.min(memory), memory);
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

    /// Begins anew if other instances serve than before: nothing that was seen of the former ones counts for these. Of several, one is
    /// exchanged at a time, and the level goes on.
    fn follow_change(&mut self, serving: &Serving<'_>, now: Instant) {
        let numbers: BTreeSet<WorkerNumber> = serving.instances.iter().map(|it| it.number).collect();
        self.spans.retain(|number, _| numbers.contains(number));
        let grown = |number: &&WorkerNumber| {
            self.spans.get(number).map(|(lowest, memory)| memory.saturating_sub(*lowest))
        };
        self.number = numbers.iter().max_by_key(grown).copied().unwrap_or_default();
        if numbers == self.judged {
            return;
        }
        if self.judged.is_disjoint(&numbers) {
            let oldest = serving.instances.iter().max_by_key(|it| it.age);
            let (age, asked) = oldest.map_or((Duration::ZERO, false), |it| (it.age, it.ready.is_some()));
            self.epoch = now.checked_sub(age).unwrap_or(now);
            self.grace = if asked { age + GRACE } else { GRACE_UNASKED };
            let rules = LadderRules { grace: self.grace, shed_in_grace: false, ..LadderRules::default() };
            self.ladder = Ladder::new(rules);
        }
        (self.heap_monitor, self.renewal) = (HeapMonitor::default(), Renewal::default());
        (self.forecaster, self.growth) = (Forecaster::new(), GrowthTracker::default());
        self.judged = numbers;
    }

    fn observe_heaps(
        &mut self,
        serving: &Serving<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) {
        if let Some(agents) = agents {
            (self.heap, self.full_heap) = self.heap_monitor.observe(agents, &serving.family(), now);
        }
        let age = now.duration_since(self.epoch);
        if let Some(problem) = self.heap_monitor.check_limits(self.heap.as_ref(), age, self.levels.limit()) {
            tracing::warn!("{problem}");
        }
        if let Some(purge) = self.heap_monitor.finish_purge(now) {
            self.ladder.record_purge(purge);
        }
        if let Some(full) = &self.full_heap
            && let Some(instance) = serving.instances.iter().find(|it| it.family.contains(&full.pid))
        {
            self.number = instance.number;
        }
    }

    fn apply_ladder(
        &mut self,
        serving: &Serving<'_>,
        agents: Option<&mut (dyn AgentLink + 'static)>,
        now: Instant,
    ) -> Option<MachineEvent> {
        let limit = self.levels.limit();
        let age = now.duration_since(self.epoch);
        let (growth, next) = self.growth.expect(age, serving.memory, &self.levels, FULL_INTERVAL);
        let at = UnixMillis(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        // What the program's objects hold, in the heap and outside of it.
        let heap = self.heap.and_then(|heap| heap.held()).map(|used| Heap { used, resident: None });
        self.forecaster.push(Point { at, total: serving.memory, heap });
        // A full heap counts as memory at the recycle threshold.
        let recycle_at = self.full_heap.as_ref().map(|_| self.levels.enter(Pressure::Recycle));
        let expected = Bytes(serving.memory.0.saturating_add(growth.0));
        self.ladder.set_replacement_time(self.replacement_time);
        let observation = Observation {
            now: age,
            read: age,
            memory: expected.max(recycle_at.unwrap_or_default()),
            levels: self.levels,
            reaches_limit_in: self.forecaster.time_to_limit_within(limit, HORIZON),
            replacement: Some(self.replacement_status),
        };
        let step = self.ladder.step(&observation);
        self.is_growing =
            step.pressure >= Pressure::Alert || self.forecaster.assess(limit).verdict == Verdict::Leaking;
        (self.pressure, self.shed) = (step.pressure, step.shed);
        self.quick.schedule(next, step.pressure, now);
        let judged = Judged {
            expected,
            limit_is_near: observation.reaches_limit_in.is_some_and(|time| time <= self.replacement_time),
            replaceable: self.replacement_status != ReplacementStatus::RateLimited && age >= self.grace,
        };
        self.act(serving, &step, judged, agents, now)
    }

    /// Returns the functions whose memory grows, while that is a concern: a program that loads its data looks like a leak until it is done.
    pub(super) fn functions(&self) -> Vec<FunctionReport> {
        if self.is_growing { self.heap_monitor.functions() } else { Vec::new() }
    }

    /// Returns the function whose live memory grew most in an instance when it was judged last.
    pub(super) fn growth(&self, number: WorkerNumber) -> Option<String> {
        let functions =
            if self.judged.contains(&number) { self.heap_monitor.functions() } else { Vec::new() };
        functions.first().map(FunctionReport::place)
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
}

/// Returns the charge of a control group, which includes files in memory (`/dev/shm`) and the kernel's memory, as it counts against
/// `limit`: if the group's own limit is larger, so that as much is left of one as of the other.
fn judged_charge(group: &CgroupMemory, limit: Bytes) -> Bytes {
    let spare = group.limit.map(|enforced| enforced.saturating_sub(limit));
    spare.map_or(Bytes::ZERO, |spare| group.working_set().saturating_sub(spare))
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
