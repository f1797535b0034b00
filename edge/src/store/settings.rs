//! What people and jobs told the hub: the monitors that were applied, and what each job said last.

use heapbeat_shared::codec;
use worker::SqlStorageValue;

use super::sqlite::{Store, StoreError};
use crate::config::MonitorId;
use crate::domain::heartbeat::{Beat, Beats};

impl Store {
    /// The applied list as it was written, where there is one.
    pub fn applied(&self) -> Result<Option<String>, StoreError> {
        let rows = self.sql.rows("SELECT monitors FROM applied WHERE id = 1", vec![])?;
        match rows.first().and_then(|row| row.first()) {
            None => Ok(None),
            Some(SqlStorageValue::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(StoreError::Unexpected("applied")),
        }
    }

    /// Puts a list in the place of the one before.
    fn apply(&self, monitors: &str) -> Result<(), StoreError> {
        self.sql.run(
            "INSERT INTO applied (id, monitors) VALUES (1, ?)
                ON CONFLICT (id) DO UPDATE SET monitors = excluded.monitors",
            vec![monitors.into()],
        )
    }

    /// Puts a list in the place of the one before, and sets what goes with it; all of it or nothing.
    pub fn take(&self, monitors: String, settings: Vec<(&'static str, String)>) -> Result<(), StoreError> {
        let store = self.clone();
        self.transaction(move || {
            store.apply(&monitors)?;
            settings.iter().try_for_each(|(name, body)| store.set(name, body))
        })
    }

    /// What was set under this name.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.sql.rows("SELECT body FROM setting WHERE name = ?", vec![name.into()])?;
        match rows.first().and_then(|row| row.first()) {
            None => Ok(None),
            Some(SqlStorageValue::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(StoreError::Unexpected("setting")),
        }
    }

    /// Sets what stands under this name.
    pub fn set(&self, name: &str, body: &str) -> Result<(), StoreError> {
        self.sql.run(
            "INSERT INTO setting (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
            vec![name.into(), body.into()],
        )
    }

    /// What every job has said.
    pub fn beats(&self) -> Result<Beats, StoreError> {
        let read = |row: &[SqlStorageValue]| -> Option<(MonitorId, Beat)> {
            let [SqlStorageValue::String(id), SqlStorageValue::Blob(said)] = row else { return None };
            Some((id.parse().ok()?, codec::decode(said).ok()?))
        };
        let rows = self.sql.rows("SELECT monitor, said FROM beat", vec![])?;
        let mut beats = Beats::new();
        for row in &rows {
            let (id, beat) = read(row).ok_or(StoreError::Unexpected("beat"))?;
            beats.insert(id, beat);
        }
        Ok(beats)
    }

    /// Remembers what a job said.
    pub fn hear(&self, monitor: &MonitorId, beat: &Beat) -> Result<(), StoreError> {
        self.sql.run(
            "INSERT INTO beat (monitor, said) VALUES (?, ?)
                ON CONFLICT (monitor) DO UPDATE SET said = excluded.said",
            vec![monitor.as_str().into(), codec::encode(beat).into()],
        )
    }
}
