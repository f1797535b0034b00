//! What only the owner sees: the applied lists, and who is subscribed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Problem;

/// The monitors that were applied, and the ids of those in `wrangler.toml`: `GET /api/v1/admin/monitors`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AppliedMonitorsView {
    /// The entries as the owner wrote them.
    pub monitors: Vec<Value>,
    /// Ids of the monitors in `wrangler.toml`.
    pub wrangler: Vec<String>,
}

/// The maintenance that was set: `GET /api/v1/admin/maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaintenanceListView {
    /// The entries as the owner wrote them.
    pub maintenance: Vec<Value>,
}

/// The answer to a list of maintenance: `PUT /api/v1/admin/maintenance`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceSetView {
    /// Whether the list is in force.
    pub applied: bool,
    /// What is wrong with it; where there is anything, nothing was changed.
    pub problems: Vec<Problem>,
}

/// The answer to an import: `POST /api/v1/admin/import`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedView {
    /// How many rows were written.
    pub rows: u64,
}

/// The subscriptions: `GET /api/v1/admin/subscriptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionsView {
    /// One entry for each subscriber.
    pub subscriptions: Vec<SubscriptionView>,
}

/// One subscription, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// The address that is notified.
    pub url: String,
    /// The monitors that it named; empty means all.
    pub monitors: Vec<String>,
    /// Whether the address is a browser's at its push service.
    pub push: bool,
}
