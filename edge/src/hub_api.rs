//! What the front asks a hub, and what a hub answers: one typed request and one typed response.
//!
//! Both are JSON in the body of a `POST` to the Durable Object. A hub is reached through its binding only, so whoever sends a
//! [`HubRequest`] has checked before who asks. Hubs speak to each other in the same way.

use heapbeat_shared::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::MonitorId;
use crate::config::applied::Applied;
use crate::domain::check::quorum::RegionResult;
use crate::domain::heartbeat::JobSignal;
use crate::domain::incident::actions::IncidentUpdate;
use crate::domain::incident::id::IncidentId;
use crate::notify::subscriber::Subscription;
use crate::view::{
    AppliedMonitorsView, DayView, ImportResultView, IncidentDetailView, IncidentPageView, IncidentView,
    LatencyHistoryView, MaintenanceListView, MaintenanceResultView, MemoryHistoryView, MonitorDetailView,
    MonitorPageView, StatusPageView, StatusView, SubscriptionsView, UptimeHistoryView, VersionsView,
};

mod export_cursor;
mod range;

pub use export_cursor::{ExportCursor, ExportCursorError, ExportHeader};
pub use range::{NamedRange, PageRange, TimeRange};

/// A request with the number of the hub that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubCall {
    /// The number of the hub. A hub that has not been told its number yet learns from this that it is not in force.
    pub hub: usize,
    /// The request.
    pub request: HubRequest,
}

/// The answer to a [`HubCall`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HubReply {
    /// How many hubs there are, where the first hub answers.
    pub hub_count: Option<usize>,
    /// The response, or the reason why there is none.
    pub result: Result<HubResponse, HubError>,
}

/// What a hub can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HubRequest {
    /// How many hubs there are. Every reply of the first hub says so; this one costs nothing else.
    HubCount,
    /// Probe what is due, store the results and deliver alerts.
    Tick {
        /// The instant for which the tick was meant.
        at: UnixMillis,
    },
    /// The status of all monitors of the hub.
    Status {
        /// For whom.
        audience: Audience,
    },
    /// The status that the first hub gives for another one that does not answer.
    StatusOfSilentHub {
        /// The number of the hub that does not answer.
        hub: usize,
        /// For whom.
        audience: Audience,
    },
    /// What the page at `/` is rendered from.
    StatusPage,
    /// One monitor.
    Monitor {
        /// The monitor's id.
        monitor: MonitorId,
    },
    /// What the page of a monitor is rendered from.
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
        /// The most that the front shows. A hub answers one more, so that the front knows whether there are more.
        limit: u8,
        /// The incident behind which the page begins.
        before: Option<IncidentId>,
    },
    /// One incident with the samples before it.
    Incident {
        /// The incident's id.
        incident: IncidentId,
    },
    /// What the page of an incident is rendered from.
    IncidentPage {
        /// The incident's id.
        incident: IncidentId,
    },
    /// Note, acknowledge or resolve an incident.
    UpdateIncident {
        /// The incident's id.
        incident: IncidentId,
        /// What to change.
        update: IncidentUpdate,
    },
    /// The monitors that were applied.
    AppliedMonitors,
    /// Put a list of monitors in force.
    ApplyMonitors {
        /// The entries as the owner wrote them; the hub reads them and reports every problem with its position.
        monitors: Vec<Value>,
        /// Only say what would change.
        dry_run: bool,
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
    /// Add a subscription, in the place of an earlier one of the same address.
    Subscribe {
        /// The subscription; that the address wants it has been proven.
        subscription: Subscription,
    },
    /// Remove the subscription of an address.
    Unsubscribe {
        /// The address.
        url: String,
        /// The browser's keys, which must be those of the subscription; `None` where the owner or the address itself asks.
        browser_keys: Option<String>,
    },
    /// Take in what a job reports.
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
        /// The ids of the monitors.
        monitors: Vec<MonitorId>,
        /// The applied entries of those that are not in `wrangler.toml`.
        entries: Vec<Value>,
    },
    /// Take over what the first hub assigned.
    Sync(HubAssignment),
}

/// For whom a status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Audience {
    /// Anybody: without monitors that are not public, and without the text of the configuration.
    Public,
    /// The owner: everything.
    Owner,
}

/// What the first hub hands to another one.
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

/// What a hub answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is the answer to the request of its name")]
pub enum HubResponse {
    /// The request was carried out, and there is nothing to say.
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
    /// Newest first; one more than was asked for where there are more.
    Incidents(Vec<IncidentView>),
    Incident(IncidentDetailView),
    IncidentPage(Box<IncidentPageView>),
    AppliedMonitors(AppliedMonitorsView),
    Applied(Applied),
    Maintenance(MaintenanceListView),
    MaintenanceSet(MaintenanceResultView),
    Subscriptions(SubscriptionsView),
    /// Lines of JSON.
    Export(String),
    Imported(ImportResultView),
    RegionResults(Vec<RegionResult>),
}

/// Why a hub does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum HubError {
    /// What was asked for does not exist, or is not public.
    #[error("there is no such {0}")]
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
    /// The hub's store failed. What it says is for the log only.
    #[error("{0}")]
    Store(String),
    /// The hub, or one that it needs, does not answer.
    #[error("{0}")]
    Unavailable(String),
}

impl HubRequest {
    /// The monitor that the request is about.
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

    /// The hub to ask first: the one that the request names, else the first hub, which knows all others.
    pub fn hub(&self) -> usize {
        match self {
            HubRequest::Export { from } => from.hub,
            HubRequest::Import { hub, .. } => *hub,
            HubRequest::Sync(assignment) => assignment.number,
            _ => 0,
        }
    }
}

impl HubResponse {
    /// The JSON of the value in the response, which is a body of the API; the lines of an export as they are.
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
            HubResponse::RegionResults(value) => serde_json::to_string(value),
        };
        // No value has a map with other keys than text, so that this does not fail.
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
            (HubRequest::Export { from }, None, 3),
            (HubRequest::Import { hub: 12, schema: 1, lines: String::new() }, None, 12),
            (HubRequest::Sync(HubAssignment { number: 5, ..HubAssignment::default() }), None, 5),
        ];
        for (request, monitor, hub) in cases {
            assert_eq!((request.monitor(), request.hub()), (monitor, hub), "{request:?}");
        }
    }
}
