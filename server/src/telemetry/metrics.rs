//! The figures of `/metrics`, put together from copies of what the sampler keeps.

use heapbeat_shared::openmetrics::Format;

use super::{Recorder, locked};
use crate::edge_watch::Watching;
use crate::state::State;
use crate::telemetry::metrics_page::{Figures, text};

impl Recorder {
    /// All metrics at this moment; `refused` is what the gate has counted. Takes milliseconds.
    pub(crate) fn metrics(&self, state: &State, refused: u64, watching: &Watching, format: Format) -> String {
        let (standing, purges) = {
            let kept = locked(&self.kept);
            (kept.standing, kept.purges)
        };
        let (reading, now) = (*state.reading(), self.clock.now());
        let routes = locked(&self.routes).observer.snapshot(now.age);
        text(
            format,
            &Figures {
                version: &self.instance.version,
                started: self.instance.started,
                now: now.wall,
                reading: &reading,
                pressure: standing.rung,
                shed: standing.shed,
                refused,
                purges,
                forecast: &self.forecast(&reading),
                routes: &routes,
                dependencies: &state.dependencies().known(),
                visits: watching.figures(now),
            },
        )
    }
}
