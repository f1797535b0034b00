//! Collects the figures of `/metrics` from copies of the telemetry.

use heapbeat_shared::openmetrics::Format;

use super::{Telemetry, lock};
use crate::edge_liveness::EdgeLiveness;
use crate::state::State;
use crate::telemetry::metrics_page::{MetricsSnapshot, render};

impl Telemetry {
    /// Renders all metrics; `refused` is the number of shed requests. This takes milliseconds.
    pub(crate) fn metrics(&self, state: &State, refused: u64, edge: &EdgeLiveness, format: Format) -> String {
        let (pressure_state, purges) = {
            let kept = lock(&self.kept);
            (kept.pressure_state, kept.purges)
        };
        let (reading, now) = (*state.reading(), self.clock.now());
        let routes = lock(&self.routes).observer.snapshot(now.age);
        render(
            format,
            &MetricsSnapshot {
                version: &self.instance.version,
                started: self.instance.started,
                now: now.wall,
                reading: &reading,
                pressure: pressure_state.level,
                shed: pressure_state.shed,
                refused,
                purges,
                forecast: &self.forecast(&reading),
                routes: &routes,
                dependencies: &state.dependencies().statuses(),
                visits: edge.visits(now),
            },
        )
    }
}
