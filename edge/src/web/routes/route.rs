//! The operation that a request calls, with its parsed parameters.

use std::time::Duration;

use super::parameters::BadgeOptions;
use crate::domain::heartbeat::JobSignal;
use crate::domain::incident::id::IncidentId;
use crate::hub_api::{ExportCursor, PageRange, TimeRange};
use crate::monitor_config::MonitorId;

impl Route {
    /// Whether it is a question about a range or a position that the reader chose.
    pub(crate) fn is_dear(&self) -> bool {
        match self {
            Route::MonitorPage { range, .. } => matches!(range, PageRange::Between { .. }),
            Route::Memory { range, .. } | Route::Latency { range, .. } => *range != TimeRange::default(),
            Route::Incidents { before, .. } => before.is_some(),
            _ => false,
        }
    }
}

/// One operation of the Worker. [`super::route_table`] has the path and the method of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The status page.
    StatusPage,
    /// The page of a monitor.
    MonitorPage { monitor: MonitorId, range: PageRange },
    /// The page of an incident.
    IncidentPage { incident: IncidentId },
    /// The preview picture of a link to the status page.
    Preview,
    /// The page on which the owner sees the alert channels, which its script fetches with the owner's token.
    OwnerPage,

    /// The status of all public monitors.
    Status,
    /// The status of one monitor.
    Monitor { monitor: MonitorId },
    /// Uptime in a window that ends now.
    Uptime { monitor: MonitorId, window: Duration },
    /// Memory over an interval.
    Memory { monitor: MonitorId, range: TimeRange },
    /// Latency over an interval.
    Latency { monitor: MonitorId, range: TimeRange },
    /// The last ninety days.
    Days { monitor: MonitorId },
    /// Memory of the present version and of the one before.
    Versions { monitor: MonitorId },
    /// A page of incidents, newest first.
    Incidents { limit: u8, before: Option<IncidentId> },
    /// One incident with its recording.
    Incident { incident: IncidentId },
    /// A badge as SVG.
    Badge { monitor: MonitorId, options: BadgeOptions },
    /// A badge for shields.io.
    ShieldsBadge { monitor: MonitorId, options: BadgeOptions },
    /// Metrics for Prometheus.
    Metrics,
    /// Incidents and maintenance as Atom.
    AtomFeed,
    /// Incidents and maintenance as RSS.
    RssFeed,
    /// Maintenance as iCalendar.
    Calendar,

    /// The status of all monitors, including those that are not public.
    OwnerStatus,
    /// The applied list of monitors.
    ListMonitors,
    /// Replaces the applied list of monitors.
    ApplyMonitors { dry_run: bool },
    /// The announced maintenance.
    ListMaintenance,
    /// Replaces the announced maintenance.
    AnnounceMaintenance,
    /// Notes on, acknowledges or resolves an incident.
    UpdateIncident { incident: IncidentId },
    /// Sends a test message to each alert channel.
    TestAlerts,
    /// Whether the alert channels accept alerts.
    ListChannels,
    /// A page of an export of the history.
    Export { from: ExportCursor, with_subscriptions: bool },
    /// Imports a page of an export.
    Import { schema: i64 },
    /// A job reports a run.
    Heartbeat { monitor: MonitorId, signal: JobSignal },
    /// Anybody subscribes a webhook or a browser.
    Subscribe,
    /// Anybody ends a subscription.
    Unsubscribe,
    /// All subscriptions.
    ListSubscriptions,
    /// The owner ends a subscription.
    RemoveSubscription,
}
