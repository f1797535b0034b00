//! The values of the admin API: applied lists, results of changes, and subscriptions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Timestamp, schema};
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

/// The alert channels, and whether they accept alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Channels")]
pub struct ChannelsView {
    /// One entry for each channel, in the order of the configuration.
    pub channels: Vec<ChannelView>,
}

/// Whether one alert channel accepts alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Channel")]
pub struct ChannelView {
    /// The channel's id.
    #[schemars(with = "schema::MonitorId")]
    pub channel: String,
    /// The channel's kind.
    pub kind: String,
    /// Whether it accepts alerts; with several hubs what the worst of them found.
    pub state: ChannelState,
    /// Why it does not, in a few words; `null` while it works.
    pub reason: Option<String>,
    /// Since when it has accepted nothing; `null` while it works, and before there was anything to send.
    pub since: Option<Timestamp>,
    /// The number of attempts that failed since then.
    pub failures: u32,
    /// When the next attempt is made, if something waits; `null` while it works.
    pub next_attempt: Option<Timestamp>,
    /// The number of alerts that wait for it.
    pub waiting: u64,
}

/// Whether a channel accepts alerts; a later one is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// It accepted the last alert, or there was none.
    Working,
    /// Its service fails, is busy or does not answer.
    Failing,
    /// Its service refuses alerts.
    Refusing,
    /// Its secret is not set, or is not what it should be.
    Unusable,
}

impl ChannelView {
    /// Adds what another hub says of the same channel.
    pub(crate) fn merge(&mut self, other: ChannelView) {
        let both = [self.since, other.since];
        self.since = both.into_iter().flatten().min();
        self.failures = self.failures.max(other.failures);
        self.next_attempt = [self.next_attempt, other.next_attempt].into_iter().flatten().min();
        self.waiting = self.waiting.saturating_add(other.waiting);
        if other.state > self.state {
            (self.state, self.reason) = (other.state, other.reason);
        }
    }
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
