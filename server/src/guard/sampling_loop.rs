//! One round of the sampler: read memory, forecast, decide, apply, record, publish.

use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::Pressure;

use super::effects::EffectRunner;
use crate::clock::Clock;
use crate::edge_liveness::EdgeLiveness;
use crate::overload::controller::{Controller, MemoryState};
use crate::overload::ladder::ShedShare;
use crate::sampling::{Reading, Sources};
use crate::state::State;
use crate::supervisor::SupervisorLink;
use crate::telemetry::Telemetry;
use crate::telemetry::memory_log::MemoryLog;

/// State of the sampling loop.
pub(super) struct SamplingLoop {
    pub(super) clock: Clock,
    pub(super) sources: Sources,
    /// The controller and the runner of its effects; `None` if the guard is off.
    pub(super) overload: Option<(Controller, EffectRunner)>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) state: Arc<State>,
    /// The supervisor, if there is one.
    pub(super) link: Option<Arc<SupervisorLink>>,
    pub(super) memory_log: MemoryLog,
    pub(super) edge: Arc<EdgeLiveness>,
    /// Time between two readings while memory is calm.
    pub(super) interval: Duration,
}

impl SamplingLoop {
    /// Runs one round; returns the time to the next one.
    pub(super) fn run_once(&mut self) -> Duration {
        let reading = self.sources.read(self.clock.now());
        let reaches_limit_in = self.telemetry.update_forecast(&reading);
        if let Some(link) = &self.link {
            link.record_sample(reading.rss());
        }
        let (pressure, shed, next) = self.decide(&reading, reaches_limit_in);
        self.telemetry.record_reading(&reading, pressure, shed);
        self.state.set_pressure(pressure);
        self.state.publish(&reading);
        self.memory_log.write_if_due(&reading, pressure);
        self.edge.check_silence(reading.now, !self.state.leaving());
        next
    }

    fn decide(&mut self, reading: &Reading, soon: Option<Duration>) -> (Pressure, ShedShare, Duration) {
        let Some((controller, runner)) = &mut self.overload else {
            return (Pressure::Calm, ShedShare::NONE, self.interval);
        };
        let state = MemoryState {
            now: reading.now.age,
            memory: reading.working_set(),
            limit: reading.limit.bytes,
            reaches_limit_in: soon,
            replacement: self.link.as_ref().map(|link| link.replacement()),
            purge_ended: runner.take_purge_end(),
        };
        let decision = controller.decide(&state, self.interval);
        runner.apply(&decision, reading, soon);
        (decision.pressure, decision.shed, decision.next)
    }
}
