//! The figures of `/metrics`, put together from copies of what the sampler keeps.

use heapbeat_shared::openmetrics::Format;

use super::{Telemetry, locked};
use crate::edge_watch::EdgeLiveness;
use crate::state::State;
use crate::telemetry::metrics_page::{MetricsSnapshot, text};

impl Telemetry {
    /// All metrics at this moment; `refused` is what the gate has counted. Takes milliseconds.
    pub(crate) fn metrics(
        &self,
        state: &State,
        refused: u64,
        watching: &EdgeLiveness,
        format: Format,
    ) -> String {
        let (standing, purges) = {
            let kept = locked(&self.kept);
            (kept.standing, kept.purges)
        };
        let (reading, now) = (*state.reading(), self.clock.now());
        let routes = locked(&self.routes).observer.snapshot(now.age);
        text(
            format,
            &MetricsSnapshot {
                version: &self.instance.version,
                started: self.instance.started,
                now: now.wall,
                reading: &reading,
                pressure: standing.level,
                shed: standing.shed,
                refused,
                purges,
                forecast: &self.forecast(&reading),
                routes: &routes,
                dependencies: &state.dependencies().statuses(),
                visits: watching.visits(now),
            },
        )
    }
}
