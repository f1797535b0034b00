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

impl Tick {
    /// Returns the scheduled time plus the time from the receipt of the tick to `wall`, in whole seconds.
    pub fn scheduled_time_at(self, wall: UnixMillis) -> UnixMillis {
        self.at.plus(Duration::from_secs(wall.since(self.received).as_secs()))
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
