//! The request to the hub for a route without a body. Its response is the same for everybody, so the request is also the key of the
//! cache.

use super::parameters::MAX_LIMIT;
use super::route::Route;
use crate::hub_api::{Audience, HubRequest};

/// The number of incidents in a feed.
const FEED_INCIDENTS: u8 = 30;

/// Returns the request; `None` for a route with a body, and for a page that is the same whatever the hub knows.
pub(super) fn request(route: &Route) -> Option<HubRequest> {
    Some(match route.clone() {
        Route::StatusPage | Route::Preview => HubRequest::StatusPage,
        Route::MonitorPage { monitor, range } => HubRequest::MonitorPage { monitor, range },
        Route::IncidentPage { incident } => HubRequest::IncidentPage { incident },
        Route::Status | Route::Metrics | Route::Calendar => HubRequest::Status { audience: Audience::Public },
        Route::Monitor { monitor } | Route::Badge { monitor, .. } | Route::ShieldsBadge { monitor, .. } => {
            HubRequest::Monitor { monitor }
        }
        Route::Uptime { monitor, window } => {
            HubRequest::Uptime { monitor, window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX) }
        }
        Route::Memory { monitor, range } => HubRequest::Memory { monitor, range },
        Route::Latency { monitor, range } => HubRequest::Latency { monitor, range },
        Route::Days { monitor } => HubRequest::Days { monitor },
        Route::Versions { monitor } => HubRequest::Versions { monitor },
        // A few lengths share their responses; the page is cut to its own.
        Route::Incidents { limit, before } => {
            HubRequest::Incidents { limit: if limit <= 10 { 10 } else { MAX_LIMIT }, before }
        }
        Route::Incident { incident } => HubRequest::Incident { incident },
        Route::AtomFeed | Route::RssFeed => HubRequest::Incidents { limit: FEED_INCIDENTS, before: None },
        Route::OwnerStatus => HubRequest::Status { audience: Audience::Owner },
        Route::ListMonitors => HubRequest::AppliedMonitors,
        Route::ListMaintenance => HubRequest::Maintenance,
        Route::TestAlerts => HubRequest::TestAlerts,
        Route::ListChannels => HubRequest::Channels,
        Route::ListSubscriptions => HubRequest::Subscriptions,
        Route::Export { from, with_subscriptions } => HubRequest::Export { from, with_subscriptions },
        Route::Heartbeat { monitor, signal } => HubRequest::Heartbeat { monitor, signal },
        Route::OwnerPage
        | Route::ApplyMonitors { .. }
        | Route::AnnounceMaintenance
        | Route::UpdateIncident { .. }
        | Route::Import { .. }
        | Route::Subscribe
        | Route::Unsubscribe
        | Route::RemoveSubscription => return None,
    })
}
