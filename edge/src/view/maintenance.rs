//! Announced maintenance as the public sees it.

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::config::MonitorId;
use crate::domain::maintenance::Work;

/// A window of maintenance that is under way or will be soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceView {
    /// Its id.
    pub id: MonitorId,
    /// What the public reads.
    pub title: String,
    /// The monitors that it concerns; `null` means all.
    pub monitors: Option<Vec<MonitorId>>,
    /// When it begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
}

impl From<&Work> for MaintenanceView {
    fn from(work: &Work) -> Self {
        MaintenanceView {
            id: work.id.clone(),
            title: work.title.clone(),
            monitors: work.monitors.clone(),
            from: Timestamp(work.from),
            to: Timestamp(work.to),
        }
    }
}
