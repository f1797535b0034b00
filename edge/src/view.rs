//! The read model: the values that the API returns and that pages are rendered from.
//!
//! A hub builds these values from its engine and its store; the front merges those of several hubs and renders them. Their JSON is the
//! JSON of the public API (`edge/assets/api/v1/openapi.json`). No type here has a field for a URL, a header or a secret of a monitor's
//! configuration, so those cannot leak.

mod days;
mod incident;
mod latency;
mod maintenance;
mod memory;
mod monitor;
mod owner;
mod page;
mod scalar;
pub(crate) mod schema;
mod statement;
mod status;
mod traffic;
mod uptime;
mod versions;

pub use days::DayView;
pub use incident::{
    IncidentDetailView, IncidentListView, IncidentView, RecordingView, StateDurationView, TimelineEntryView,
    next_page_path,
};
pub use latency::{LatencyGapView, LatencyHistoryView, LatencyRow};
pub use maintenance::MaintenanceView;
pub use memory::{MemoryGapView, MemoryHistoryView, SAMPLE_COLUMNS, SampleRow};
pub use monitor::{
    ExitView, ForecastView, MemoryView, MonitorDetailView, MonitorView, RegionView, UptimeWindowsView,
};
pub use owner::{
    AlertTestView, AppliedMonitorsView, ChannelState, ChannelTestView, ChannelView, ChannelsView,
    ImportResultView, MaintenanceListView, MaintenanceResultView, SubscriptionView, SubscriptionsView,
};
pub use page::{
    ForecastLine, IncidentPageView, IncidentSummaryView, MemoryChartView, MemoryDayView, MonitorPageView,
    RestartView, StatusPageView,
};
pub use scalar::{Date, Percent, Timestamp};
pub use statement::TranslationView;
pub use status::{EdgeView, StatusView};
pub use traffic::{RouteTrafficView, TrafficView};
pub use uptime::{UptimeHistoryView, UptimeView};
pub use versions::{ComparisonView, VersionView, VersionsView};
