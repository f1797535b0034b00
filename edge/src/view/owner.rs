//! The values of the admin API: applied lists, results of changes, and subscriptions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;
use serde_json::Value;

use crate::monitor_config::ConfigProblem;

/// The applied monitors, and the ids of those in `wrangler.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AppliedMonitors")]
pub struct AppliedMonitorsView {
    /// The entries as the owner wrote them.
    #[schemars(schema_with = "schema::monitor_entries")]
    pub monitors: Vec<Value>,
    /// Ids of the monitors in `wrangler.toml`.
    #[schemars(with = "Vec<schema::MonitorId>")]
    pub wrangler: Vec<String>,
}

/// The announced maintenance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AnnouncedMaintenance")]
pub struct MaintenanceListView {
    /// The entries as the owner wrote them.
    #[schemars(schema_with = "schema::maintenance_entries")]
    pub maintenance: Vec<Value>,
}

/// The result of a list of maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MaintenanceResult")]
pub struct MaintenanceResultView {
    /// Whether the list is in force.
    pub applied: bool,
    /// Every problem of the list; if there is one, nothing was changed.
    pub problems: Vec<ConfigProblem>,
}

/// The result of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ImportResult")]
pub struct ImportResultView {
    /// The number of rows that were written.
    pub rows: u64,
}

/// The result of a test of the alert channels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AlertTest")]
pub struct AlertTestView {
    /// One entry for each channel.
    pub channels: Vec<ChannelTestView>,
}

/// What one channel did with a test message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChannelTest")]
pub struct ChannelTestView {
    /// The channel's id.
    #[schemars(with = "schema::MonitorId")]
    pub channel: String,
    /// The channel's kind.
    pub kind: String,
    /// Whether its service accepted the message.
    pub accepted: bool,
    /// What came back, in a sentence.
    pub result: String,
    /// The beginning of the reply of a service that did not accept the message, without the channel's secret.
    pub reply: String,
}

/// All subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Subscriptions")]
pub struct SubscriptionsView {
    /// One entry for each subscriber.
    pub subscriptions: Vec<SubscriptionView>,
}

/// One subscription, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Subscription")]
pub struct SubscriptionView {
    /// The address that is notified.
    pub url: String,
    /// The monitors that it covers; an empty list means all.
    #[schemars(with = "Vec<schema::MonitorId>")]
    pub monitors: Vec<String>,
    /// Whether the address belongs to a browser's push service.
    pub push: bool,
}
