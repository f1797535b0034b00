//! One look: read, foresee, judge, record, tell. What the sampler does each time.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::guard::act::Keeper;
use crate::line::Line;
use crate::record::Recorder;
use crate::sample::Sources;
use crate::state::State;

/// Everything that a look needs.
pub(crate) struct Looker {
    pub(crate) clock: Clock,
    pub(crate) sources: Sources,
    pub(crate) keeper: Keeper,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) state: Arc<State>,
    pub(crate) line: Line,
    /// Time between two looks while memory is calm.
    pub(crate) interval: Duration,
}

impl Looker {
    /// Looks once; says how long to wait before the next time.
    pub(crate) fn look(&mut self) -> Duration {
        let reading = self.sources.read(self.clock.now());
        let reaches_limit_in = self.recorder.foresee(&reading);
        let judged = self.keeper.look(&reading, reaches_limit_in, self.interval);
        self.recorder.keep(&reading, judged.pressure, judged.shed);
        self.state.set_pressure(judged.pressure);
        self.state.publish(reading);
        self.line.write_if_due(&reading, judged.pressure);
        judged.next
    }
}
