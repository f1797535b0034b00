//! What a tick changed, as the store writes it.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::config::MonitorId;
use crate::domain::State;
use crate::domain::check::verdict::Evaluation;
use crate::domain::history::ledger::LedgerChanges;
use crate::domain::incident::Incident;
use crate::domain::monitor_state::PersistedState;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::SampleRun;

/// The two clocks of a tick. The cron sometimes comes late, and in a test its clock is arbitrary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The instant for which the tick was scheduled: the clock of everything that is recorded.
    pub at: UnixMillis,
    /// The instant at which it came, by the edge's own clock.
    pub came: UnixMillis,
}

impl Tick {
    /// The tick's clock when the edge's own clock is at `wall`: it continues from the tick in whole seconds.
    pub fn clock(self, wall: UnixMillis) -> UnixMillis {
        self.at.plus(Duration::from_secs(wall.since(self.came).as_secs()))
    }
}

/// What one probe of a tick found; the tick's packed row has one record for each probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRecord {
    /// The monitor's id.
    pub monitor: MonitorId,
    /// The verdict and the figures.
    pub evaluation: Evaluation,
    /// The samples that came with the response.
    pub runs: Vec<SampleRun>,
}

/// The persisted states of all monitors: one row of the store.
pub type PersistedStates = Vec<(MonitorId, PersistedState)>;

/// The changes of a tick. The store writes all of them or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
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
    /// The changes that are worth a log line.
    pub events: Vec<EngineEvent>,
    /// What the day has cost up to this tick.
    pub usage: QuotaUsage,
}

impl Commit {
    /// A tick without changes.
    pub(super) fn new(tick: Tick) -> Self {
        Commit {
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

/// A change that is worth a log line.
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
