//! Lists and values that are changed as a whole, as JSON, and what each job reported last.

use heapbeat_shared::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError};
use crate::config::MonitorId;
use crate::domain::heartbeat::{JobState, JobStates};

/// What can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The entries of the monitors that are this hub's.
    Monitors,
    /// The entries of all hubs' monitors, at the first hub, where there is more than one.
    AllMonitors,
    /// The entries of announced maintenance.
    Maintenance,
    /// The subscriptions.
    Subscriptions,
    /// What the hub knows of the others.
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

/// A setting with its new value, which is `None` where it is taken away.
pub type SettingChange = (Setting, Option<String>);

/// A change of a setting to `value`.
pub fn encode_setting(setting: Setting, value: &impl Serialize) -> Result<SettingChange, StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::Platform(error.to_string()))?;
    Ok((setting, Some(text)))
}

/// Reads a setting. What cannot be read was written by another version, and counts as not set: the next change replaces it.
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

/// What every job reported last.
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

/// Writes what a job reported.
pub(super) fn write_heartbeat(sql: &Sql, monitor: &MonitorId, beat: &JobState) -> Result<(), StoreError> {
    sql.run(
        "INSERT OR REPLACE INTO heartbeat (monitor, body) VALUES (?, ?)",
        vec![monitor.as_str().into(), codec::encode(beat).into()],
    )
}
