//! The changes of a tick, which the store writes.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::State;
use crate::domain::check::verdict::Evaluation;
use crate::domain::history::ledger::LedgerChanges;
use crate::domain::incident::Incident;
use crate::domain::monitor_state::PersistedState;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;

/// The scheduled and the actual time of a tick. They differ if the cron is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The instant for which the tick was scheduled: the clock of everything that is recorded.
    pub at: UnixMillis,
    /// The instant at which it was received, by the edge's own clock.
    pub received: UnixMillis,
}

/// How late a tick of the platform may come.
const MAX_TICK_DELAY: Duration = Duration::from_secs(3600);

impl Tick {
    /// Returns the scheduled time plus the time from the receipt of the tick to `wall`, in whole seconds.
    pub fn scheduled_time_at(self, wall: UnixMillis) -> UnixMillis {
        self.at.plus(Duration::from_secs(wall.since(self.received).as_secs()))
    }

    /// Returns the instant of what arrives at `wall`: `wall` itself, however late the tick was. Only if the tick is more than
    /// `MAX_TICK_DELAY` from the platform's clock, its times are those of another clock, of a simulation, and the result is by that clock.
    pub fn arrival_time(self, wall: UnixMillis) -> UnixMillis {
        let distance = self.received.since(self.at).max(self.at.since(self.received));
        if distance <= MAX_TICK_DELAY { wall } else { self.scheduled_time_at(wall) }
    }
}

/// What one probe of a tick found; the tick's packed row has one record for each probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRecord {
    /// The monitor's id.
    pub monitor: MonitorId,
    /// The verdict and the figures.
    pub evaluation: Evaluation,
    /// The samples of the response.
    pub runs: Vec<SampleRun>,
}

/// The persisted states of all monitors: one row of the store.
pub type PersistedStates = Vec<(MonitorId, PersistedState)>;

/// The changes of a tick. The store writes all of them or none.
#[derive(Clone, Debug, PartialEq)]
pub struct TickChanges {
    /// The tick.
    pub tick: Tick,
    /// Its probes.
    pub probes: Vec<ProbeRecord>,
    /// The [`PersistedStates`], encoded: everything of the engine but ledgers and charts.
    pub persisted_states: Vec<u8>,
    /// The ledgers that changed.
    pub ledgers: Vec<(MonitorId, LedgerChanges)>,
    /// The incidents that opened, changed or closed.
    pub incidents: Vec<Incident>,
    /// The samples before an incident that opened.
    pub recordings: Vec<(MonitorId, UnixMillis, Vec<SampleRun>)>,
    /// The changes that are logged.
    pub events: Vec<EngineEvent>,
    /// The quota usage of the day, including this tick.
    pub usage: QuotaUsage,
}

impl TickChanges {
    /// A tick without changes.
    pub(super) fn new(tick: Tick) -> Self {
        TickChanges {
            tick,
            probes: Vec::new(),
            persisted_states: Vec::new(),
            ledgers: Vec::new(),
            incidents: Vec::new(),
            recordings: Vec::new(),
            events: Vec::new(),
            usage: QuotaUsage::default(),
        }
    }
}

/// A change that is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// A monitor changed its state.
    StateChanged {
        /// The monitor's id.
        monitor: MonitorId,
        /// The state before the tick.
        from: State,
        /// The state after it.
        to: State,
        /// The text of the verdict, unless it is a success.
        reason: Option<String>,
    },
    /// The process behind a monitor was restarted.
    Restarted {
        /// The monitor's id.
        monitor: MonitorId,
    },
    /// All probes failed at once because the edge itself was offline.
    EdgeOffline {
        /// The number of probes without a result.
        probes: usize,
    },
    /// A monitor could not be probed.
    ProbeSkipped {
        /// The monitor's id.
        monitor: MonitorId,
        /// The reason.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_is_dated_by_the_clock_and_not_by_a_late_tick() {
        let at = UnixMillis(1_767_225_600_000);
        let cases = [
            ("a tick in time", 0, 20_300, 20_300),
            ("a tick 50 s late", 50_000, 62_000, 62_000),
            ("half an hour late", 1_800_000, 1_862_000, 1_862_000),
            ("a clock that is a second behind", -1000, 5000, 5000),
            ("a simulated tick of the past", 86_400_000, 86_405_500, 5000),
            ("a simulated tick of the future", -86_400_000, -86_395_000, 5000),
        ];
        for (name, received, wall, expected) in cases {
            let tick = Tick { at, received: UnixMillis(at.0 + received) };
            assert_eq!(tick.arrival_time(UnixMillis(at.0 + wall)), UnixMillis(at.0 + expected), "{name}");
        }
    }
}
