//! What the hub is asked for a route, as a path with numbers behind its `?`. The same question has the same answer for everybody, so
//! it is also the key of the cache.

use super::parameters::{ChartRange, Interval};
use super::route::Route;
use crate::domain::heartbeat::Said;

/// Incidents of a feed.
const FEED_INCIDENTS: u8 = 30;

/// The question. An import has the body of the request besides.
pub(super) fn question(route: &Route) -> String {
    match route {
        Route::StatusPage | Route::Preview => "/page".to_owned(),
        Route::MonitorPage { monitor, range } => match range {
            ChartRange::Named(name) => format!("/monitors/{monitor}/page?{name}"),
            ChartRange::Between(from, to) => format!("/monitors/{monitor}/page?{}-{}", from.0, to.0),
        },
        Route::IncidentPage { incident } => format!("/incidents/{incident}/page"),
        Route::Status | Route::Metrics | Route::Calendar => "/status".to_owned(),
        Route::Monitor { monitor } | Route::Badge { monitor, .. } | Route::ShieldsBadge { monitor, .. } => {
            format!("/monitors/{monitor}/now")
        }
        Route::Uptime { monitor, window } => {
            format!("/monitors/{monitor}/uptime?{}", window.as_millis())
        }
        Route::Memory { monitor, interval } => format!("/monitors/{monitor}/memory?{}", span(*interval)),
        Route::Latency { monitor, interval } => format!("/monitors/{monitor}/latency?{}", span(*interval)),
        Route::Days { monitor } => format!("/monitors/{monitor}/days"),
        Route::Versions { monitor } => format!("/monitors/{monitor}/versions"),
        Route::Incidents { limit, before } => {
            let before = before.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("/incidents?{limit}&{before}")
        }
        Route::Incident { incident } | Route::UpdateIncident { incident } => format!("/incidents/{incident}"),
        Route::AtomFeed | Route::RssFeed => format!("/incidents?{FEED_INCIDENTS}&"),
        Route::OwnerStatus => "/status/all".to_owned(),
        Route::ListMonitors | Route::ApplyMonitors { dry_run: false } => "/monitors".to_owned(),
        Route::ApplyMonitors { dry_run: true } => "/monitors?dry-run=true".to_owned(),
        Route::ListMaintenance | Route::AnnounceMaintenance => "/maintenance".to_owned(),
        Route::Export { from } => format!("/export?{from}"),
        Route::Import { schema } => format!("/import?{schema}"),
        Route::Heartbeat { monitor, event } => format!("/heartbeats/{monitor}?{}", heartbeat(*event)),
        Route::Subscribe | Route::Unsubscribe | Route::ListSubscriptions | Route::RemoveSubscription => {
            "/subscriptions".to_owned()
        }
    }
}

/// The end and the beginning, in milliseconds; empty if not given.
fn span(Interval { from, to }: Interval) -> String {
    let ms = |at: Option<heapbeat_shared::UnixMillis>| at.map_or(String::new(), |at| at.0.to_string());
    format!("{}-{}", ms(to), ms(from))
}

fn heartbeat(event: Said) -> String {
    match event {
        Said::Start => "event=start".to_owned(),
        Said::Success => String::new(),
        Said::Fail(None) => "event=fail".to_owned(),
        Said::Fail(Some(code)) => format!("event=fail&exit={code}"),
    }
}
