//! The telemetry of one instance of a guarded program.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heapbeat_shared::report::InstanceReport;
use heapbeat_shared::{Bytes, InstanceId, Pressure, UnixMillis};

use super::ProgramRoutes;
use crate::clock::Clock;
use crate::endpoints::report::ReportHandler;
use crate::flight_recorder::{InstanceRecorder, PreviousRuns};
use crate::instance::Instance;
use crate::overload::ladder::ShedShare;
use crate::sampling::{CgroupMemory, Limit, ProgramMemory, Reading, Stall};
use crate::state::State;
use crate::supervisor::machine::WorkerNumber;
use crate::telemetry::Telemetry;

/// Time after the start of an instance within which the agent inside of it tells its heap, if it has one.
const HEAP_WAIT: Duration = Duration::from_secs(3);

/// Time after the start of an instance in which it is not shown unless it is ready: it is a shell or a runtime that loads then.
const START_WAIT: Duration = Duration::from_secs(3);

/// An instance that runs, or has ended and was not followed yet.
#[derive(Debug)]
pub(super) struct ProgramInstance {
    pub(super) number: WorkerNumber,
    id: InstanceId,
    started: UnixMillis,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) state: Arc<State>,
    pub(super) handler: Arc<ReportHandler>,
    /// Whether it was ever ready.
    pub(super) ready: bool,
    /// Whether a reading of it was published.
    pub(super) measured: bool,
    clock: Clock,
    /// The working set before a collection that is not recorded yet, and how long that took.
    purged: Option<(Bytes, Duration)>,
}

/// What was measured of an instance.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct InstanceReading {
    pub(in crate::supervisor) number: WorkerNumber,
    pub(in crate::supervisor) memory: ProgramMemory,
    pub(in crate::supervisor) cgroup: Option<CgroupMemory>,
}

/// What was read of the machine at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct MachineReading {
    pub(super) limit: Limit,
    pub(super) stall: Option<Stall>,
}

impl ProgramInstance {
    /// Creates the telemetry of an instance that started at `started`, with what is known of its memory then.
    pub(super) fn new(
        routes: &ProgramRoutes,
        number: WorkerNumber,
        started: Instant,
        identity: Instance,
        recorder: InstanceRecorder,
        previous: Arc<PreviousRuns>,
        limit: Limit,
    ) -> Self {
        let clock = Clock::since(started);
        let (id, started) = (identity.id, identity.started);
        let memory = ProgramMemory::default();
        let first = reading(clock, memory, None, MachineReading { limit, stall: None });
        let telemetry =
            Arc::new(Telemetry::new(clock, identity, Some(previous), Vec::new(), recorder, &first));
        let state = Arc::new(State::new(&first, Arc::clone(&routes.dependencies)));
        let handler = ReportHandler::new(
            Arc::clone(&state),
            Arc::clone(&telemetry),
            routes.clock,
            Arc::clone(&routes.verifier),
            routes.metrics.clone(),
            Arc::default(),
            Arc::clone(&routes.edge),
        );
        let handler = Arc::new(handler.of_program(Arc::clone(&routes.context)));
        let (ready, measured, purged) = (false, false, None);
        ProgramInstance { number, id, started, telemetry, state, handler, ready, measured, clock, purged }
    }

    /// Whether the agent inside of a program whose heap was known has not told the heap of this instance yet. Its heap is not 0 meanwhile.
    pub(super) fn awaits_heap(&self, measured: &InstanceReading) -> bool {
        !self.measured && measured.memory.heap.is_none() && self.clock.now().age < HEAP_WAIT
    }

    /// Whether what is known of the program is still that of the instance before.
    pub(super) fn has_just_started(&self) -> bool {
        !self.measured && !self.ready && self.clock.now().age < START_WAIT
    }

    /// Records what was measured, and publishes it unless that of the instance before is to be shown. Returns the reading.
    pub(super) fn record_reading(
        &mut self,
        measured: &InstanceReading,
        machine: MachineReading,
        pressure: Pressure,
        shed: ShedShare,
        publishes: bool,
    ) -> Reading {
        let reading = reading(self.clock, measured.memory, measured.cgroup, machine);
        if let Some((before, took)) = self.purged.take() {
            self.telemetry.record_purge(before, reading.working_set(), took);
        }
        self.telemetry.update_forecast(&reading);
        self.telemetry.record_reading(&reading, pressure, shed);
        if publishes {
            self.state.set_pressure(pressure);
            self.state.publish(&reading);
            self.measured = true;
        }
        reading
    }

    /// Returns what is reported of the instance beside others.
    pub(super) fn report(&self, memory: Bytes, serves: bool) -> InstanceReport {
        InstanceReport { instance: self.id, number: self.number, started: self.started, memory, serves }
    }

    /// Notes a collection, whose effect the next reading shows.
    pub(super) fn note_purge(&mut self, took: Duration) {
        let (before, earlier) = self.purged.unwrap_or((self.state.reading().working_set(), Duration::ZERO));
        self.purged = Some((before, earlier + took));
    }
}

fn reading(
    clock: Clock,
    memory: ProgramMemory,
    cgroup: Option<CgroupMemory>,
    machine: MachineReading,
) -> Reading {
    let MachineReading { limit, stall } = machine;
    Reading { now: clock.now(), cgroup, limit, stall, program: Some(memory), ..Reading::default() }
}

/// Returns the identity of an instance that started at `started`. Its version is the commit that the platform deployed.
pub(super) fn identify(number: WorkerNumber, started: UnixMillis) -> Instance {
    Instance::of_a_process(started, None).unwrap_or_else(|_| Instance {
        id: InstanceId(number.into()),
        started,
        ..Instance::unidentified()
    })
}
