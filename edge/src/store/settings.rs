//! The tables `setting` (lists and values that are replaced as a whole, as JSON) and `heartbeat` (the last heartbeat of each job).

use heapbeat_shared::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError};
use crate::domain::heartbeat::{JobState, JobStates};
use crate::monitor_config::MonitorId;

/// The names of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The entries of this hub's monitors.
    Monitors,
    /// The entries of all hubs' monitors; only the first of several hubs has it.
    AllMonitors,
    /// The entries of announced maintenance.
    Maintenance,
    /// The subscriptions.
    Subscriptions,
    /// The hub's number and the number of hubs.
    Membership,
}

impl Setting {
    /// The name in the table.
    const fn as_str(self) -> &'static str {
        match self {
            Setting::Monitors => "monitors",
            Setting::AllMonitors => "all_monitors",
            Setting::Maintenance => "maintenance",
            Setting::Subscriptions => "subscriptions",
            Setting::Membership => "membership",
        }
    }
}

/// A setting with its new value as JSON; `None` deletes it.
pub type SettingChange = (Setting, Option<String>);

/// Encodes a setting and its new value.
pub fn encode_setting(setting: Setting, value: &impl Serialize) -> Result<SettingChange, StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::Platform(error.to_string()))?;
    Ok((setting, Some(text)))
}

/// Reads a setting. A value of another version that cannot be read counts as not set; the next change replaces it.
pub(super) fn read<T: DeserializeOwned>(sql: &Sql, setting: Setting) -> Result<Option<T>, StoreError> {
    let rows = sql.rows("SELECT body FROM setting WHERE name = ?", vec![setting.as_str().into()])?;
    match rows.first().and_then(|row| row.first()) {
        None => Ok(None),
        Some(SqlStorageValue::String(text)) => Ok(serde_json::from_str(text).ok()),
        Some(_) => Err(StoreError::Unexpected("setting")),
    }
}

/// Writes a setting.
pub(super) fn write(sql: &Sql, (setting, value): &SettingChange) -> Result<(), StoreError> {
    match value {
        Some(body) => sql.run(
            "INSERT OR REPLACE INTO setting (name, body) VALUES (?, ?)",
            vec![setting.as_str().into(), body.as_str().into()],
        ),
        None => sql.run("DELETE FROM setting WHERE name = ?", vec![setting.as_str().into()]),
    }
}

/// Reads the last heartbeat of every job.
pub(super) fn heartbeats(sql: &Sql) -> Result<JobStates, StoreError> {
    let read = |row: &Row| -> Option<(MonitorId, JobState)> {
        let [SqlStorageValue::String(id), SqlStorageValue::Blob(body)] = row.as_slice() else { return None };
        Some((id.parse().ok()?, codec::decode(body).ok()?))
    };
    let mut heartbeats = JobStates::new();
    for row in &sql.rows("SELECT monitor, body FROM heartbeat", vec![])? {
        let (id, beat) = read(row).ok_or(StoreError::Unexpected("heartbeat"))?;
        heartbeats.insert(id, beat);
    }
    Ok(heartbeats)
}

/// Writes the last heartbeat of a job.
pub(super) fn write_heartbeat(sql: &Sql, monitor: &MonitorId, beat: &JobState) -> Result<(), StoreError> {
    sql.run(
        "INSERT OR REPLACE INTO heartbeat (monitor, body) VALUES (?, ?)",
        vec![monitor.as_str().into(), codec::encode(beat).into()],
    )
}

/// Deletes the heartbeat of a job.
pub(super) fn delete_heartbeat(sql: &Sql, monitor: &MonitorId) -> Result<(), StoreError> {
    sql.run("DELETE FROM heartbeat WHERE monitor = ?", vec![monitor.as_str().into()])
}
