//! Announced maintenance as the public sees it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Timestamp, schema};
use crate::domain::maintenance::MaintenanceWindow;
use crate::monitor_config::MonitorId;

/// A maintenance window that is active, or the next one that is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MaintenanceWindow")]
pub struct MaintenanceView {
    /// The id of the window.
    #[schemars(with = "schema::MonitorId")]
    pub id: MonitorId,
    /// The title for the public.
    pub title: String,
    /// The monitors that it affects; `null` means all.
    #[schemars(with = "Option<Vec<schema::MonitorId>>")]
    pub monitors: Option<Vec<MonitorId>>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
}

impl From<&MaintenanceWindow> for MaintenanceView {
    fn from(work: &MaintenanceWindow) -> Self {
        MaintenanceView {
            id: work.id.clone(),
            title: work.title.clone(),
            monitors: work.monitors.clone(),
            from: Timestamp(work.from),
            to: Timestamp(work.to),
        }
    }
}
