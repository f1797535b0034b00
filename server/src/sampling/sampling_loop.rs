//! One look: read, foresee, judge, record, tell. What the sampler does each time.

use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::Pressure;

use crate::clock::Clock;
use crate::edge_watch::EdgeLiveness;
use crate::overload::actuator::{Actuator, Judged};
use crate::overload::ladder::ShedShare;
use crate::sampling::Sources;
use crate::state::State;
use crate::supervisor::SupervisorLink;
use crate::telemetry::Telemetry;
use crate::telemetry::memory_log::MemoryLog;

/// Everything that a look needs.
pub(crate) struct SamplingLoop {
    pub(crate) clock: Clock,
    pub(crate) sources: Sources,
    /// None when the guard is off.
    pub(crate) actuator: Option<Actuator>,
    pub(crate) recorder: Arc<Telemetry>,
    pub(crate) state: Arc<State>,
    /// The supervisor, if there is one.
    pub(crate) link: Option<Arc<SupervisorLink>>,
    pub(crate) line: MemoryLog,
    pub(crate) watching: Arc<EdgeLiveness>,
    /// Time between two looks while memory is calm.
    pub(crate) interval: Duration,
}

impl SamplingLoop {
    /// Looks once; says how long to wait before the next time.
    pub(crate) fn look(&mut self) -> Duration {
        let reading = self.sources.read(self.clock.now());
        let reaches_limit_in = self.recorder.foresee(&reading);
        if let Some(link) = &self.link {
            link.look(reading.rss());
        }
        let judged = match &mut self.actuator {
            Some(actuator) => actuator.look(&reading, reaches_limit_in, self.interval),
            None => Judged { pressure: Pressure::Calm, shed: ShedShare::NONE, next: self.interval },
        };
        self.recorder.keep(&reading, judged.pressure, judged.shed);
        self.state.set_pressure(judged.pressure);
        self.state.publish(&reading);
        self.line.write_if_due(&reading, judged.pressure);
        self.watching.look(reading.now, !self.state.leaving());
        judged.next
    }
}
