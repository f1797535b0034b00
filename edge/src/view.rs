//! The read model: everything that the public, the owner and the pages may know, as owned values.
//!
//! The hub makes these values from its engine and its store, the front merges those of several hubs and renders them. Their
//! JSON, by `serde`, is the JSON of the public API (`edge/assets/api/v1/openapi.json`). What has no field here cannot leak: no
//! URL, header or secret of a monitor's configuration has one.

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
mod uptime;
mod versions;

pub use days::DayView;
pub use incident::{
    IncidentDetailView, IncidentListView, IncidentView, RecordingView, TimelineEntryView, next_page_path,
};
pub use latency::{LatencyGapView, LatencyHistoryView, LatencyRow};
pub use maintenance::MaintenanceView;
pub use memory::{MemoryGapView, MemoryHistoryView, SAMPLE_COLUMNS, SampleRow};
pub use monitor::{
    ExitView, ForecastView, MemoryView, MonitorDetailView, MonitorView, RegionView, UptimeWindowsView,
};
pub use owner::{
    AppliedMonitorsView, ImportResultView, MaintenanceListView, MaintenanceResultView, SubscriptionView,
    SubscriptionsView,
};
pub use page::{
    ForecastLine, IncidentPageView, IncidentSummaryView, MemoryChartView, MemoryDayView, MonitorPageView,
    RestartView, StatusPageView,
};
pub use scalar::{Date, Percent, Timestamp};
pub use statement::TranslationView;
pub use status::{EdgeView, StatusView};
pub use uptime::{UptimeHistoryView, UptimeView};
pub use versions::{ComparisonView, VersionView, VersionsView};
