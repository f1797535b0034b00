//! What the hub tells of a monitor's past beyond memory: how long its answers took.

use heapbeat_shared::UnixMillis;

use super::Hub;
use crate::config::Monitor;
use crate::domain::check::schedule;
use crate::web::api::Rows;

impl Hub {
    /// `GET /monitors/<id>/latency`: from the first of these instants to the second; `last`: the last tick.
    /// `picture`: only as many rows as one can show.
    pub(super) fn latency(
        &self,
        monitor: &Monitor,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
        picture: bool,
    ) -> Result<String, String> {
        let floor = self.counts.usage.get().floor();
        let mut rows = Rows::new(schedule::vouching(monitor.interval.max(floor)));
        if picture {
            rows.thinned(window);
        }
        let told = self.store()?.latency(&monitor.id, window, last, &mut rows);
        told.map_err(|error| error.to_string())?;
        Ok(rows.json(monitor.id.as_str(), window))
    }
}
