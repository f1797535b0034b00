//! The protocol between the Worker and its hubs: one type of requests and one of responses.
//!
//! Both are JSON in the body of a `POST` to the Durable Object. A hub is reached through its binding only, so the sender of a
//! [`HubRequest`] has authorized it before. Hubs send requests to each other in the same way.

use heapbeat_shared::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::check::quorum::RegionResult;
use crate::domain::heartbeat::JobSignal;
use crate::domain::incident::actions::IncidentUpdate;
use crate::domain::incident::id::IncidentId;
use crate::monitor_config::MonitorId;
use crate::monitor_config::applied::Applied;
use crate::notify::ChannelId;
use crate::notify::subscriber::Subscription;
use crate::view::{
    AlertTestView, AppliedMonitorsView, ChannelsView, DayView, ImportResultView, IncidentDetailView,
    IncidentPageView, IncidentView, LatencyHistoryView, MaintenanceListView, MaintenanceResultView,
    MemoryHistoryView, MonitorDetailView, MonitorPageView, StatusPageView, StatusView, SubscriptionsView,
    UptimeHistoryView, VersionsView,
};

mod export_cursor;
mod range;

pub use export_cursor::{ExportCursor, ExportCursorError, ExportHeader};
pub use range::{NamedRange, PageRange, TimeRange, quantize, quantize_length};

/// The most rows that a hub reads for one question of the public, at full rings. `tests/e2e/security/reader-rows.test.mjs` asks them all.
pub const MAX_QUESTION_ROWS: u64 = 100;

/// A request with the number of the hub that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubCall {
    /// The number of the hub. A hub with another number, or without one yet, refuses the call.
    pub hub: usize,
    /// The request.
    pub request: HubRequest,
}

/// The reply to a [`HubCall`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubReply {
    /// How many hubs there are; only the first hub says so.
    pub hub_count: Option<usize>,
    /// The response, or why there is none.
    pub result: Result<HubResponse, HubError>,
}

/// A request to a hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HubRequest {
    /// Do nothing. The reply of the first hub contains how many hubs there are.
    HubCount,
    /// Probe what is due, store the results and deliver messages.
    Tick {
        /// The instant for which the tick was scheduled.
        at: UnixMillis,
    },
    /// The status of all monitors of the hub.
    Status {
        /// The audience of the status.
        audience: Audience,
    },
    /// The status in place of a hub that does not respond, from the first hub.
    StatusOfSilentHub {
        /// The number of the hub that does not respond.
        hub: usize,
        /// The audience of the status.
        audience: Audience,
    },
    /// The data of the status page.
    StatusPage,
    /// One monitor.
    Monitor {
        /// The monitor's id.
        monitor: MonitorId,
    },
    /// The data of a monitor's page.
    MonitorPage {
        /// The monitor's id.
        monitor: MonitorId,
        /// The window that the page shows.
        range: PageRange,
    },
    /// Uptime of a monitor in a window that ends now.
    Uptime {
        /// The monitor's id.
        monitor: MonitorId,
        /// The length of the window in milliseconds.
        window_ms: u64,
    },
    /// Memory of a monitor.
    Memory {
        /// The monitor's id.
        monitor: MonitorId,
        /// The window.
        range: TimeRange,
    },
    /// Latency of a monitor.
    Latency {
        /// The monitor's id.
        monitor: MonitorId,
        /// The window.
        range: TimeRange,
    },
    /// The last 90 days of a monitor.
    Days {
        /// The monitor's id.
        monitor: MonitorId,
    },
    /// Memory of the present version of a monitor and of the one before.
    Versions {
        /// The monitor's id.
        monitor: MonitorId,
    },
    /// The newest incidents of the hub.
    Incidents {
        /// The length of the page. A hub returns one more, so that the Worker knows whether there are more.
        limit: u8,
        /// The incident after which the page begins, which has to exist.
        before: Option<IncidentId>,
    },
    /// One incident with the samples before it.
    Incident {
        /// The incident's id.
        incident: IncidentId,
    },
    /// The data of an incident's page.
    IncidentPage {
        /// The incident's id.
        incident: IncidentId,
    },
    /// Note, acknowledge or resolve an incident.
    UpdateIncident {
        /// The incident's id.
        incident: IncidentId,
        /// The update.
        update: IncidentUpdate,
    },
    /// The monitors that were applied.
    AppliedMonitors,
    /// Apply a list of monitors.
    ApplyMonitors {
        /// The entries as the owner wrote them; the hub parses them and reports every problem with its position.
        monitors: Vec<Value>,
        /// Whether only the difference is returned.
        dry_run: bool,
    },
    /// Send a test message to each alert channel.
    TestAlerts,
    /// Whether the alert channels accept alerts.
    Channels,
    /// What waits for these channels is due at once, as they accepted a message of another hub.
    RetryChannels {
        /// The ids of the channels.
        channels: Vec<ChannelId>,
    },
    /// The maintenance that was set.
    Maintenance,
    /// Set the list of maintenance.
    SetMaintenance {
        /// The entries as the owner wrote them.
        maintenance: Vec<Value>,
    },
    /// The subscriptions.
    Subscriptions,
    /// Add a subscription, or replace the one of the same address.
    Subscribe {
        /// The subscription, which the address has confirmed.
        subscription: Subscription,
    },
    /// Remove the subscription of an address.
    Unsubscribe {
        /// The address.
        url: String,
        /// The browser's keys, which must be those of the subscription; `None` if the request is the owner's or the address's own.
        browser_keys: Option<String>,
        /// A hash of the network of the stranger who asks; `None` if the owner or a hub does.
        client: Option<u16>,
    },
    /// Record what a job reports.
    Heartbeat {
        /// The id of the job's monitor.
        monitor: MonitorId,
        /// What the job reports.
        signal: JobSignal,
    },
    /// A page of everything that the hub stores.
    Export {
        /// Where the page begins.
        from: ExportCursor,
        /// Whether the subscriptions are in it, with their secrets.
        #[serde(default)]
        with_subscriptions: bool,
    },
    /// Store the rows of an export.
    Import {
        /// The hub from which they were exported.
        hub: usize,
        /// The number of the schema in which they were exported.
        schema: i64,
        /// The lines of the export.
        lines: String,
    },
    /// Probe monitors from the region in which the object lives.
    ProbeFromRegion {
        /// The monitors.
        probes: Vec<RegionProbe>,
        /// The applied entries of those that are not in `wrangler.toml`.
        entries: Vec<Value>,
    },
    /// Store what the first hub assigned.
    Sync(HubAssignment),
}

/// A monitor that is to be probed from a region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RegionProbe {
    /// The monitor's id.
    pub monitor: MonitorId,
    /// The requests that are kept for it.
    pub requests: u32,
}

/// The audience of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// Anybody: without monitors that are not public, and without the text of the configuration.
    Public,
    /// The owner: everything.
    Owner,
}

/// What the first hub assigns to another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HubAssignment {
    /// The number of the hub.
    pub number: usize,
    /// How many hubs there are.
    pub hub_count: usize,
    /// The entries of its monitors.
    pub monitors: Vec<Value>,
    /// The entries of all maintenance.
    pub maintenance: Vec<Value>,
    /// All subscriptions.
    pub subscriptions: Vec<Subscription>,
}

/// The response of a hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the response to the request of its name")]
pub enum HubResponse {
    /// The request was carried out, and has no result.
    Done,
    Status(StatusView),
    StatusPage(StatusPageView),
    Monitor(Box<MonitorDetailView>),
    MonitorPage(Box<MonitorPageView>),
    Uptime(UptimeHistoryView),
    Memory(MemoryHistoryView),
    Latency(LatencyHistoryView),
    Days(Vec<DayView>),
    Versions(VersionsView),
    /// Newest first; one more than the limit if there are more.
    Incidents(Vec<IncidentView>),
    Incident(IncidentDetailView),
    IncidentPage(Box<IncidentPageView>),
    AppliedMonitors(AppliedMonitorsView),
    Applied(Applied),
    Maintenance(MaintenanceListView),
    MaintenanceSet(MaintenanceResultView),
    Subscriptions(SubscriptionsView),
    AlertsTested(AlertTestView),
    Channels(ChannelsView),
    /// Lines of JSON.
    Export(String),
    Imported(ImportResultView),
    RegionResults(Vec<RegionResult>),
}

/// Why a hub did not carry out a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HubError {
    /// The object of the request does not exist or is not public.
    #[error("unknown {0}")]
    NotFound(String),
    /// The monitor belongs to another hub.
    #[error("the monitor belongs to hub-{0}")]
    OtherHub(usize),
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// The request cannot be carried out at present.
    #[error("{0}")]
    Conflict(String),
    /// The hub's store failed. The text is for the log only.
    #[error("{0}")]
    Store(String),
    /// The hub, or one that it needs, does not respond.
    #[error("{0}")]
    Unavailable(String),
    /// Readers have used their part of the day's quota.
    #[error("the part of the day's quota that is for readers is used up")]
    ReaderBudget,
    /// Strangers changed subscriptions too often, or a job reported too often.
    #[error("too many changes; retry in {retry_after_seconds} s")]
    TooMany {
        /// The seconds until the next one is accepted.
        retry_after_seconds: u64,
    },
}

impl HubRequest {
    /// Whether anybody may cause it: a question of a page or of the public API, or a subscription.
    pub fn is_from_reader(&self) -> bool {
        matches!(
            self,
            HubRequest::Status { audience: Audience::Public }
                | HubRequest::StatusOfSilentHub { audience: Audience::Public, .. }
                | HubRequest::StatusPage
                | HubRequest::Monitor { .. }
                | HubRequest::MonitorPage { .. }
                | HubRequest::Uptime { .. }
                | HubRequest::Memory { .. }
                | HubRequest::Latency { .. }
                | HubRequest::Days { .. }
                | HubRequest::Versions { .. }
                | HubRequest::Incidents { .. }
                | HubRequest::Incident { .. }
                | HubRequest::IncidentPage { .. }
                | HubRequest::Subscribe { .. }
                | HubRequest::Unsubscribe { client: Some(_), .. }
        )
    }

    /// Returns the monitor that the request is about.
    pub fn monitor(&self) -> Option<&MonitorId> {
        match self {
            HubRequest::Monitor { monitor }
            | HubRequest::MonitorPage { monitor, .. }
            | HubRequest::Uptime { monitor, .. }
            | HubRequest::Memory { monitor, .. }
            | HubRequest::Latency { monitor, .. }
            | HubRequest::Days { monitor }
            | HubRequest::Versions { monitor }
            | HubRequest::Heartbeat { monitor, .. } => Some(monitor),
            HubRequest::Incident { incident }
            | HubRequest::IncidentPage { incident }
            | HubRequest::UpdateIncident { incident, .. } => Some(&incident.monitor),
            _ => None,
        }
    }

    /// Returns the hub to which the request is sent first: the one that it names, else the first hub, which knows all others.
    pub fn hub(&self) -> usize {
        match self {
            HubRequest::Export { from, .. } => from.hub,
            HubRequest::Import { hub, .. } => *hub,
            HubRequest::Sync(assignment) => assignment.number,
            _ => 0,
        }
    }
}

impl HubResponse {
    /// Returns the value in the response as JSON, which is a body of the API; the lines of an export as they are.
    pub fn to_json(&self) -> String {
        let json = match self {
            HubResponse::Done => return String::new(),
            HubResponse::Export(lines) => return lines.clone(),
            HubResponse::Status(value) => serde_json::to_string(value),
            HubResponse::StatusPage(value) => serde_json::to_string(value),
            HubResponse::Monitor(value) => serde_json::to_string(value),
            HubResponse::MonitorPage(value) => serde_json::to_string(value),
            HubResponse::Uptime(value) => serde_json::to_string(value),
            HubResponse::Memory(value) => serde_json::to_string(value),
            HubResponse::Latency(value) => serde_json::to_string(value),
            HubResponse::Days(value) => serde_json::to_string(value),
            HubResponse::Versions(value) => serde_json::to_string(value),
            HubResponse::Incidents(value) => serde_json::to_string(value),
            HubResponse::Incident(value) => serde_json::to_string(value),
            HubResponse::IncidentPage(value) => serde_json::to_string(value),
            HubResponse::AppliedMonitors(value) => serde_json::to_string(value),
            HubResponse::Applied(value) => serde_json::to_string(value),
            HubResponse::Maintenance(value) => serde_json::to_string(value),
            HubResponse::MaintenanceSet(value) => serde_json::to_string(value),
            HubResponse::Subscriptions(value) => serde_json::to_string(value),
            HubResponse::Imported(value) => serde_json::to_string(value),
            HubResponse::AlertsTested(value) => serde_json::to_string(value),
            HubResponse::Channels(value) => serde_json::to_string(value),
            HubResponse::RegionResults(value) => serde_json::to_string(value),
        };
        // Serialization fails only for maps whose keys are not text, and no value has one.
        json.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::MonitorSnapshot;
    use crate::view::{MonitorView, Timestamp};

    #[test]
    fn a_reply_is_read_as_it_was_written() {
        let monitor = MonitorView { latency_ms: Some(12), ..(&MonitorSnapshot::default()).into() };
        let detail = MonitorDetailView { updated: Some(Timestamp(UnixMillis(60_000))), monitor };
        let results = [
            Ok(HubResponse::Done),
            Ok(HubResponse::Monitor(Box::new(detail))),
            Err(HubError::NotFound("monitor".to_owned())),
            Err(HubError::OtherHub(7)),
        ];
        for result in results {
            let reply = HubReply { hub_count: Some(2), result };
            let text = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<HubReply>(&text).unwrap(), reply, "{text}");
        }
    }

    #[test]
    fn a_request_names_its_monitor_and_its_hub() {
        let monitor: MonitorId = "my-api".parse().unwrap();
        let incident: IncidentId = "my-api-1767225900".parse().unwrap();
        let from = ExportCursor { hub: 3, table: 0, row: 7 };
        let cases = [
            (HubRequest::StatusPage, None, 0),
            (HubRequest::Days { monitor: monitor.clone() }, Some(&monitor), 0),
            (HubRequest::Incident { incident }, Some(&monitor), 0),
            (HubRequest::Export { from, with_subscriptions: false }, None, 3),
            (HubRequest::Import { hub: 12, schema: 1, lines: String::new() }, None, 12),
            (HubRequest::Sync(HubAssignment { number: 5, ..HubAssignment::default() }), None, 5),
        ];
        for (request, monitor, hub) in cases {
            assert_eq!((request.monitor(), request.hub()), (monitor, hub), "{request:?}");
        }
    }
}
