//! The tables `setting` (lists and values that are replaced as a whole, as JSON) and `heartbeat` (the last heartbeat of each job).

use heapbeat_shared::codec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use worker::SqlStorageValue;

use super::sql::{Row, Sql, StoreError, name_of};
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
    /// Every setting.
    pub(super) const ALL: [Setting; 5] = [
        Setting::Monitors,
        Setting::AllMonitors,
        Setting::Maintenance,
        Setting::Subscriptions,
        Setting::Membership,
    ];

    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
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

/// Reads a setting. A value that cannot be read is set aside: it counts as not set, and the next change replaces it.
pub(super) fn read<T: DeserializeOwned>(sql: &Sql, setting: Setting) -> Result<Option<T>, StoreError> {
    let rows = sql.rows("SELECT body FROM setting WHERE name = ?", vec![setting.as_str().into()])?;
    match rows.first().and_then(|row| row.first()) {
        None => Ok(None),
        Some(SqlStorageValue::String(text)) => {
            let value = serde_json::from_str(text).ok();
            if value.is_none() {
                sql.set_aside("setting", setting.as_str());
            }
            Ok(value)
        }
        Some(_) => Err(StoreError::Unexpected("setting")),
    }
}

/// Writes a setting. One that is as it was costs no row: the other hubs get all lists when one of them changes.
pub(super) fn write(sql: &Sql, (setting, value): &SettingChange) -> Result<(), StoreError> {
    match value {
        Some(body) => sql.run(
            "INSERT INTO setting (name, body) VALUES (?, ?)
                ON CONFLICT (name) DO UPDATE SET body = excluded.body WHERE body <> excluded.body",
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
        match read(row) {
            Some((id, beat)) => drop(heartbeats.insert(id, beat)),
            None => sql.set_aside("heartbeat", &name_of(row)),
        }
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
