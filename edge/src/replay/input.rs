//! The lines of a timeline, as `docs/replay.md` describes them.

use std::collections::BTreeMap;

use heapbeat_shared::Pressure;
use heapbeat_shared::event::Event;
use heapbeat_shared::exit::Exit;
use serde::Deserialize;
use serde_json::Value;

use crate::config::MonitorId;
use crate::domain::check::self_check::SelfCheck;
use crate::domain::{Failure, ProbeSkipped};

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
    pub(super) channels: BTreeMap<MonitorId, ReplyInput>,
    #[serde(default)]
    pub(super) references: ReferencesInput,
}

/// How the reference targets would respond in this tick.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReferencesInput {
    #[default]
    None,
    Answer,
    Silent,
}

impl ReferencesInput {
    /// The result of the self-check.
    pub(super) fn self_check(self) -> SelfCheck {
        match self {
            ReferencesInput::None => SelfCheck::NotRun,
            ReferencesInput::Answer => SelfCheck::Online,
            ReferencesInput::Silent => SelfCheck::Offline,
        }
    }
}

/// The result of a probe.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProbeInput {
    /// An HTTP response.
    Answer {
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
    #[serde(rename = "blind")]
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

/// How a channel's service replies from now on.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReplyInput {
    Taken,
    Failed,
    Busy(u64),
    Refused(u16),
}

const fn ok() -> u16 {
    200
}

const fn limit() -> u64 {
    1024
}
