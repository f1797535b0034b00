//! Collects the figures of `/metrics` from copies of the telemetry.

use heapbeat_shared::openmetrics::{Exposition, Format};

use super::{Telemetry, lock};
use crate::edge_liveness::EdgeVisits;
use crate::state::State;
use crate::telemetry::metrics_page::{MetricsSnapshot, render};

impl Telemetry {
    /// Renders all metrics; `refused` is the number of shed requests, if it is known, and `more` adds further ones. This takes milliseconds.
    pub(crate) fn metrics(
        &self,
        state: &State,
        refused: Option<u64>,
        visits: EdgeVisits,
        format: Format,
        more: impl FnOnce(&mut Exposition),
    ) -> String {
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
                visits,
            },
            more,
        )
    }
}
