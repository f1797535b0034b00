//! Records what happens to a guarded program, on the supervisor's loop.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::{FunctionReport, LastSamples};
use heapbeat_shared::{Exit, Pressure, UnixMillis};

use super::instance::{InstanceReading, MachineReading, ProgramInstance, identify};
use super::{ProgramRoutes, STARTING};
use crate::endpoints::profile_queue::ProfileQueue;
use crate::endpoints::program::Downtime;
use crate::flight_recorder;
use crate::flight_recorder::{InstanceRecorder, PreviousRuns, RecordingHeader};
use crate::overload::ladder::ShedShare;
use crate::sampling::{Limit, ProgramMemory, Reading, StallFile};
use crate::state::State;
use crate::supervisor::machine::WorkerNumber;
use crate::telemetry::memory_log::MemoryLog;

pub(in crate::supervisor) use super::instance::InstanceReading as Measured;

/// Time without a ready instance after which the program counts as down, unless it was never ready, when it is from the start. Until
/// then requests wait.
const MAX_UNREADY: Duration = Duration::from_secs(15);

/// Time after the first instance was ready in which it is measured, if that can be.
const MEASURED_WITHIN: Duration = Duration::from_secs(3);

/// Why a program does not serve that runs, but does not take its requests.
const NOT_LISTENING: &str = "the program listens, but not on the port that PORT names";

/// An instance that was started.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct StartedInstance<'a> {
    pub(in crate::supervisor) number: WorkerNumber,
    pub(in crate::supervisor) since: Instant,
    /// Path of its flight recorder.
    pub(in crate::supervisor) flight: Option<&'a Path>,
    /// What is known of the instances before it, and will be.
    pub(in crate::supervisor) previous: Arc<PreviousRuns>,
}

/// The instances that serve.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct JudgedInstances<'a> {
    pub(in crate::supervisor) numbers: &'a BTreeSet<WorkerNumber>,
    /// Their memory together.
    pub(in crate::supervisor) sum: ProgramMemory,
    pub(in crate::supervisor) pressure: Pressure,
    pub(in crate::supervisor) shed: ShedShare,
}

/// Whether an instance takes new requests.
fn serves(instance: &ProgramInstance) -> bool {
    instance.ready && !instance.state.leaving()
}

/// Records what happens to a guarded program.
#[derive(Debug)]
pub(in crate::supervisor) struct ProgramRecorder {
    routes: Arc<ProgramRoutes>,
    limit: Limit,
    stall: Option<StallFile>,
    memory_log: MemoryLog,
    instances: BTreeMap<WorkerNumber, ProgramInstance>,
    /// The instance that is reported, and its state, which outlives it until another one is.
    current: Option<WorkerNumber>,
    current_state: Option<Arc<State>>,
    /// When an instance was ready last; `None` before the first one was.
    ready_at: Option<Instant>,
    /// When the first instance was ready.
    first_ready_at: Option<Instant>,
    /// Whether it is known that the program cannot be measured.
    unmeasurable: bool,
    /// Whether the program listens, but not where it was told to.
    unreachable: bool,
    stopping: bool,
    /// The reading that was reported last, and the pressure at it: what is known of the program until the next instance is measured.
    last_reading: Option<(Reading, Pressure)>,
}

impl ProgramRecorder {
    pub(in crate::supervisor) fn new(
        routes: Arc<ProgramRoutes>,
        limit: Limit,
        log_interval: Duration,
    ) -> Self {
        ProgramRecorder {
            routes,
            limit,
            stall: StallFile::of_the_machine(),
            memory_log: MemoryLog::every(log_interval),
            instances: BTreeMap::new(),
            current: None,
            current_state: None,
            ready_at: None,
            first_ready_at: None,
            unmeasurable: false,
            unreachable: false,
            stopping: false,
            last_reading: None,
        }
    }

    /// Lists the last exit of an earlier supervisor.
    pub(in crate::supervisor) fn list_exit(&self, exit: &Exit) {
        self.routes.context.list_exit(exit);
    }

    /// Lists the exit of a process of the program, which goes on.
    pub(in crate::supervisor) fn record_process_exit(&self, exit: &Exit) {
        self.routes.context.record_process_exit(exit);
    }

    /// Records a start, and opens a flight recorder on behalf of the instance, so that its exit can be explained as a worker's.
    pub(in crate::supervisor) fn record_start(&mut self, started: StartedInstance<'_>, wall: UnixMillis) {
        self.routes.context.count_start();
        let StartedInstance { number, since, flight, previous } = started;
        let identity = identify(number, wall);
        let header = RecordingHeader {
            instance: identity.id,
            version: identity.version.clone(),
            started: wall,
            boot: flight_recorder::boot_id(),
        };
        let recorder = flight.and_then(|path| {
            let opened = flight_recorder::open_recorder(path, &header);
            opened
                .inspect_err(|error| {
                    tracing::warn!(
                        "no flight recorder: {error}; an exit of the program will have no evidence besides its exit status"
                    );
                })
                .ok()
        });
        let recorder = InstanceRecorder::OtherProcess(recorder);
        let instance =
            ProgramInstance::new(&self.routes, number, since, identity, recorder, previous, self.limit);
        self.instances.insert(number, instance);
        self.report_serving();
    }

    /// Records that an instance is ready.
    pub(in crate::supervisor) fn record_ready(&mut self, number: WorkerNumber) {
        let Some(instance) = self.instances.get_mut(&number) else { return };
        let now = Instant::now();
        self.ready_at = Some(now);
        self.first_ready_at.get_or_insert(now);
        if !std::mem::replace(&mut instance.ready, true) {
            self.show_reachability();
            self.report_serving();
        }
    }

    /// Records whether the program listens, but not where it was told to, so that no request reaches it.
    pub(in crate::supervisor) fn record_unreachable(&mut self, unreachable: bool) {
        self.unreachable = unreachable;
        self.show_reachability();
    }

    /// Whether the program serves for a while and was never measured: nothing is known of it then, and it is not down for that.
    fn is_unmeasurable(&self, now: Instant) -> bool {
        self.last_reading.is_none()
            && self.first_ready_at.is_some_and(|at| now.duration_since(at) >= MEASURED_WITHIN)
    }

    fn show_reachability(&self) {
        // Of a program that was never measured there are no figures to show, so it is still starting.
        let reason = match self.last_reading {
            _ if self.unreachable => Some(NOT_LISTENING),
            None if !self.unmeasurable => Some(STARTING),
            _ => None,
        };
        let down = reason.map(|reason| Downtime { reason: reason.to_owned(), retry_at: None });
        self.routes.context.set_down(down);
    }

    /// Records what was measured.
    pub(in crate::supervisor) fn record_readings(
        &mut self,
        measured: &[InstanceReading],
        judged: &JudgedInstances<'_>,
    ) {
        let machine =
            MachineReading { limit: self.limit, stall: self.stall.as_mut().and_then(StallFile::read) };
        let mut reports = Vec::new();
        let mut is_first = false;
        for one in measured {
            let Some(instance) = self.instances.get_mut(&one.number) else { continue };
            let is_judged = judged.numbers.contains(&one.number);
            let (pressure, shed) =
                if is_judged { (judged.pressure, judged.shed) } else { (Pressure::Calm, ShedShare::NONE) };
            reports.push(instance.report(one.memory.judged, is_judged));
            let mut one = *one;
            // Instances that serve together share the limit, so each one's history is that of all: whichever is reported, it goes on.
            if is_judged {
                one.memory = judged.sum;
            }
            let heap_was_known = self.last_reading.is_some_and(|(reading, _)| reading.has_runtime_heap());
            if heap_was_known && instance.awaits_heap(&one) {
                continue;
            }
            let publishes = self.last_reading.is_none() || !instance.has_just_started();
            let reading = instance.record_reading(&one, machine, pressure, shed, publishes);
            if publishes && self.current == Some(one.number) {
                self.memory_log.write_if_due(&reading, pressure);
                let first = self.last_reading.replace((reading, pressure)).is_none();
                is_first |= first && instance.ready;
            }
        }
        self.routes.context.set_instances(reports);
        let unmeasurable = self.is_unmeasurable(Instant::now());
        if is_first || unmeasurable && !std::mem::replace(&mut self.unmeasurable, true) {
            self.show_reachability();
        }
        self.check_readiness(Instant::now());
        self.routes.edge.check_silence(self.routes.clock.now(), !self.stopping);
    }

    /// Records that an instance is to be replaced.
    pub(in crate::supervisor) fn record_recycle(&self, number: WorkerNumber, reason: &str) {
        if let Some(instance) = self.instances.get(&number) {
            instance.telemetry.record_event(EventKind::Recycle { reason: reason.to_owned() });
        }
    }

    /// Records that an instance collected its garbage.
    pub(in crate::supervisor) fn record_purge(&mut self, number: WorkerNumber, took: Duration) {
        if let Some(instance) = self.instances.get_mut(&number) {
            instance.note_purge(took);
        }
    }

    /// Returns the requests for heap profiles.
    pub(in crate::supervisor) fn profiles(&self) -> &ProfileQueue {
        self.routes.context.profiles()
    }

    /// Records the functions whose memory grows in an instance, and that one was named.
    pub(in crate::supervisor) fn record_growth(
        &self,
        number: WorkerNumber,
        events: &[EventKind],
        functions: Vec<FunctionReport>,
    ) {
        self.routes.context.set_functions(functions);
        if let Some(instance) = self.instances.get(&number) {
            for event in events {
                instance.telemetry.record_event(event.clone());
            }
        }
    }

    /// Records that the program was asked to stop by this signal.
    pub(in crate::supervisor) fn record_stop(&mut self, signal: &str) {
        self.stopping = true;
        for instance in self.instances.values().filter(|instance| !instance.state.draining()) {
            instance.state.drain();
            instance.telemetry.record_stop(signal, signal);
        }
    }

    /// Records that an instance was replaced, and returns its samples so far, which the next one reports.
    pub(in crate::supervisor) fn record_hand_over(&mut self, number: WorkerNumber) -> Option<LastSamples> {
        let instance = self.instances.get(&number)?;
        instance.state.hand_over();
        let samples = instance.telemetry.samples_so_far();
        self.show_waiting();
        samples
    }

    /// Reports the instance that serves, else the newest.
    pub(in crate::supervisor) fn report_serving(&mut self) {
        self.choose_current();
        self.show_waiting();
    }

    /// Shows whether requests wait, as no instance takes them that has taken them before. Before the first one did, the program is down.
    fn show_waiting(&self) {
        let waiting = self.first_ready_at.is_some() && !self.instances.values().any(serves);
        for state in self.instances.values().map(|it| &it.state).chain(&self.current_state) {
            state.set_waiting(waiting);
        }
    }

    fn choose_current(&mut self) {
        // A replacement takes over when the samples of the one before are kept.
        if self.current.and_then(|number| self.instances.get(&number)).is_some_and(serves) {
            return;
        }
        let rank = |it: &&ProgramInstance| (serves(it), it.ready, it.number);
        if let Some(newest) = self.instances.values().max_by_key(rank)
            && self.current != Some(newest.number)
        {
            if let Some((reading, pressure)) = &self.last_reading
                && !newest.measured
            {
                newest.state.inherit(reading, *pressure);
            }
            self.current = Some(newest.number);
            self.current_state = Some(Arc::clone(&newest.state));
            self.routes.current.store(Some(Arc::clone(&newest.handler)));
        }
    }

    /// Returns all samples of an instance that has ended.
    pub(in crate::supervisor) fn samples_of_ended(&self, number: WorkerNumber) -> Option<LastSamples> {
        self.instances.get(&number)?.telemetry.samples_of_ended()
    }

    /// Records an exit.
    pub(in crate::supervisor) fn record_exit(&mut self, number: WorkerNumber, exit: &Exit) {
        self.routes.context.record_exit(exit);
        let was_ready = self.instances.remove(&number).is_some_and(|instance| instance.ready);
        // Whoever asks why it does not serve is to learn it from the first failed start on.
        if !was_ready
            && !self.stopping
            && self.routes.context.down().is_some_and(|down| down.retry_at.is_none())
        {
            let reason = format!("the last instance {}; the program is starting again", exit.kind.phrase());
            self.routes.context.set_down(Some(Downtime { reason, retry_at: None }));
        }
        self.report_serving();
    }

    /// Records that no instance can run for a while.
    pub(in crate::supervisor) fn record_outage(&self, reason: String, retry_at: Instant) {
        self.routes.context.set_down(Some(Downtime { reason, retry_at: Some(retry_at) }));
    }

    /// Without a ready instance for long, the program counts as down: requests do not wait any more.
    fn check_readiness(&mut self, now: Instant) {
        if self.instances.values().any(|instance| instance.ready) {
            self.ready_at = Some(now);
        } else if self.ready_at.is_some_and(|at| now.duration_since(at) > MAX_UNREADY)
            && self.routes.context.down().is_none()
        {
            self.routes.context.set_down(Some(Downtime { reason: STARTING.to_owned(), retry_at: None }));
        }
    }
}
