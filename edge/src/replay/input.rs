//! The lines of a timeline, as `docs/replay.md` describes them.

use std::collections::BTreeMap;

use heapbeat_shared::Pressure;
use heapbeat_shared::event::Event;
use heapbeat_shared::exit::Exit;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::check::self_check::SelfCheck;
use crate::domain::{Failure, ProbeSkipped};
use crate::monitor_config::MonitorId;

/// The first line: the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigLine {
    pub(super) monitors: Value,
    #[serde(default)]
    pub(super) alerts: Option<Value>,
    #[serde(default)]
    pub(super) page: Option<String>,
    #[serde(default)]
    pub(super) maintenance: Vec<Value>,
}

/// A further line: a tick.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TickLine {
    pub(super) at: String,
    #[serde(default)]
    pub(super) probes: BTreeMap<MonitorId, ProbeInput>,
    #[serde(default)]
    pub(super) channels: BTreeMap<MonitorId, DeliveryInput>,
    #[serde(default)]
    pub(super) references: ReferencesInput,
}

/// The result of requesting the reference addresses in this tick.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReferencesInput {
    #[default]
    NotChecked,
    Reachable,
    Unreachable,
}

impl ReferencesInput {
    /// The result of the self-check.
    pub(super) fn self_check(self) -> SelfCheck {
        match self {
            ReferencesInput::NotChecked => SelfCheck::NotRun,
            ReferencesInput::Reachable => SelfCheck::Online,
            ReferencesInput::Unreachable => SelfCheck::Offline,
        }
    }
}

/// The result of a probe.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProbeInput {
    /// An HTTP response.
    Response {
        #[serde(default = "ok")]
        status: u16,
        #[serde(default)]
        ms: u64,
        #[serde(default)]
        body: String,
    },
    /// The public response of a heapbeat server.
    Health {
        #[serde(default)]
        ms: u64,
        #[serde(default)]
        rss: u64,
        uptime: u64,
    },
    /// A signed report.
    Report(Box<ReportInput>),
    /// There is no response.
    Failure(Failure),
    /// The edge could not probe.
    Skipped(ProbeSkipped),
}

/// A signed report, abridged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportInput {
    pub(super) instance: u64,
    #[serde(default)]
    pub(super) version: String,
    pub(super) uptime: u64,
    pub(super) rss: u64,
    #[serde(default = "limit")]
    pub(super) limit: u64,
    #[serde(default)]
    pub(super) pressure: Pressure,
    #[serde(default)]
    pub(super) events: Vec<Event>,
    #[serde(default)]
    pub(super) previous_exit: Option<Exit>,
}

/// The result of deliveries to a channel, from this tick on.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeliveryInput {
    Accepted,
    Failed,
    /// The service responds with 429 and this `Retry-After`, in seconds.
    RateLimited(u64),
    /// The service responds with this status.
    Rejected(u16),
}

const fn ok() -> u16 {
    200
}

const fn limit() -> u64 {
    1024
}
