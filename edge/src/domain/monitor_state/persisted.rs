//! The part of a monitor's state that changes with every probe, as it is stored.

use std::collections::VecDeque;

use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::{HealthMemory, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::check::domain_record::DomainRecord;
use crate::domain::check::flap::FlapDetector;
use crate::domain::check::probe_schedule::ProbeSchedule;
use crate::domain::check::threshold::ThresholdState;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::history::ledger::Validity;
use crate::domain::report::last_report::LastReport;
use crate::domain::report::restart::UptimeReading;
use crate::domain::report::version_comparison::VersionComparison;
use crate::domain::snapshot::ExitSummary;

/// The part that changes with every probe. The hub stores that of all monitors in one row.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct PersistedState {
    /// The state between two probes and the streaks that lead to the next one.
    #[n(0)]
    pub threshold: ThresholdState,
    /// For how long the last probe's finding is valid.
    #[n(1)]
    pub validity: Option<Validity>,
    /// The last probe's verdict.
    #[n(2)]
    pub verdict: Option<CheckVerdict>,
    /// How long the last response took, in milliseconds.
    #[n(3)]
    pub latency_ms: Option<u32>,
    /// The last memory figures, and the instant of the tick that read them.
    #[n(4)]
    pub memory: Option<(HealthMemory, UnixMillis)>,
    /// The last uptime that the process reported.
    #[n(5)]
    pub uptime: Option<UptimeReading>,
    /// When the present process started, by the tick's clock.
    #[n(6)]
    pub started: Option<UnixMillis>,
    /// The restarts that were detected, oldest first, at most [`MAX_RESTARTS`](crate::domain::report::restart::MAX_RESTARTS).
    #[n(7)]
    pub restarts: VecDeque<UnixMillis>,
    /// The last signed report.
    #[n(8)]
    pub last_report: Option<LastReport>,
    /// How the previous instance ended.
    #[n(9)]
    pub last_exit: Option<ExitSummary>,
    /// The first of the latest ticks in which the edge was offline; `None` if it was online in the last.
    #[n(10)]
    pub offline_since: Option<UnixMillis>,
    /// The changes between serving and down.
    #[n(11)]
    pub flaps: Option<FlapDetector>,
    /// When instances ended that nobody had asked to stop, oldest first, at most [`MAX_RESTARTS`](crate::domain::report::restart::MAX_RESTARTS).
    #[n(12)]
    pub crashes: Option<VecDeque<UnixMillis>>,
    /// Memory of the present version and of the one before.
    #[n(13)]
    pub version_comparison: Option<VersionComparison>,
    /// How the last instances ended, oldest first, at most [`MAX_RESTARTS`](crate::domain::report::restart::MAX_RESTARTS).
    #[n(14)]
    pub exits: Option<VecDeque<ExitRecord>>,
    /// What the schedule knows of the monitor.
    #[n(15)]
    #[cbor(default)]
    pub schedule: ProbeSchedule,
    /// What [`GAP_RATE`](crate::domain::report::restart_gap::GAP_RATE) has admitted.
    #[n(16)]
    #[cbor(default)]
    pub recorded_gaps: Option<UnixMillis>,
    /// What is known of the domain, if conditions ask when it expires.
    #[n(17)]
    #[cbor(default)]
    pub domain: Option<DomainRecord>,
}

/// The part of an [`Exit`](heapbeat_shared::exit::Exit) that is kept of the instances before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExitRecord {
    /// The last sign of life.
    #[n(0)]
    pub at: UnixMillis,
    /// How the instance ended.
    #[n(1)]
    pub kind: ExitKind,
    /// Whether the evidence decides.
    #[n(2)]
    pub sure: bool,
    /// When the next instance started; `None` in what an earlier version of the edge stored.
    #[n(3)]
    pub restarted: Option<UnixMillis>,
}
