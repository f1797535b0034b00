//! The store of a hub: the SQLite database of its Durable Object. All SQL is in this folder.
//!
//! The database has a few small tables (`store/schema.rs`). A tick writes one row for all monitors, and a row of the ledger for each
//! state that changed. A tick per minute therefore writes about 1,440 of the free plan's 100,000 rows per day. Each hour adds one row
//! for the latencies of all monitors, and two rows for each monitor with signed reports.

mod binary;
mod export;
pub mod export_format;
mod incidents;
mod latency_codec;
mod latency_series;
mod ledger;
mod memory_series;
mod notifications;
mod schema;
mod settings;
mod sql;
mod tick_codec;
mod tick_samples;
mod ticks;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast as _;
use worker::State as ObjectState;

pub use self::binary::PackError;
pub use self::latency_codec::{MonitorHour, append_hour};
pub use self::latency_series::latency_day;
pub use self::notifications::StoredNotifications;
pub use self::settings::{Setting, SettingChange, encode_setting};
pub use self::sql::StoreError;
pub use self::tick_codec::{pack_runs, pack_tick, unpack_runs, unpack_tick};

use self::export_format::Cell as ExportCell;
use self::sql::Sql;
use crate::domain::engine::{PersistedStates, ProbeRecord, Tick, TickChanges};
use crate::domain::heartbeat::{JobState, JobStates};
use crate::domain::history::latency_series::LatencySeriesBuilder;
use crate::domain::history::ledger::LedgerEntry;
use crate::domain::history::memory_chart;
use crate::domain::history::rollup::{MemoryLine, Tier};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;
use crate::notify::RecordChange;

/// The time for which a closed incident is kept in memory.
const RECENTLY_CLOSED: Duration = Duration::from_secs(86_400);

/// The store of one hub.
#[derive(Clone, Debug)]
pub struct Store {
    sql: Sql,
    /// The slot of the last tick in the ring.
    slot: Rc<Cell<i64>>,
}

/// The contents of the store that a hub keeps in memory.
#[derive(Debug, Default)]
pub struct StoredHub {
    /// The last tick that was stored.
    pub last: Option<Tick>,
    /// The state of all monitors.
    pub persisted_states: PersistedStates,
    /// Every ledger's entries, oldest first.
    pub ledgers: LiteMap<MonitorId, Vec<LedgerEntry>>,
    /// Incidents that are open or were closed within the last day, oldest first.
    pub incidents: Vec<Incident>,
    /// The quota that was used on the day of the last tick.
    pub usage: QuotaUsage,
}

impl Store {
    /// Opens the object's store and migrates its schema. It returns the state again, which it consumes.
    pub fn open(state: ObjectState, now: UnixMillis) -> (ObjectState, Result<Store, StoreError>) {
        let raw = state._inner();
        let storage = raw.storage();
        let state = ObjectState::from(raw);
        let storage = storage.map_err(|thrown| StoreError::from(worker::Error::from(thrown)));
        let opened = storage.and_then(|storage| {
            let store =
                Store { sql: Sql::new(state.storage().sql(), storage.unchecked_into()), slot: Rc::default() };
            let sql = store.sql.clone();
            store.sql.transaction(move || schema::migrate(&sql, now.0))?;
            Ok(store)
        });
        (state, opened)
    }

    /// The number of the schema.
    pub fn schema() -> i64 {
        schema::newest()
    }

    /// Returns the numbers of rows read and written since the last call.
    pub fn take_row_counts(&self) -> (u64, u64) {
        self.sql.take_row_counts()
    }

    /// Returns the number of rows read since the last call of [`Store::take_row_counts`].
    pub fn rows_read(&self) -> u64 {
        self.sql.rows_read()
    }

    /// Loads everything that the hub keeps in memory. `wall` is the time by the edge's own clock.
    pub fn load(&self, wall: UnixMillis) -> Result<StoredHub, StoreError> {
        let mut loaded = StoredHub::default();
        if let Some(last) = ticks::load_last(&self.sql)? {
            self.slot.set(last.slot);
            (loaded.last, loaded.persisted_states, loaded.usage) = (Some(last.tick), last.states, last.usage);
        }
        let now = loaded.last.map_or(wall, |last| last.scheduled_time_at(wall));
        loaded.ledgers = ledger::load(&self.sql)?;
        loaded.incidents = incidents::load_recent(&self.sql, now.minus(RECENTLY_CLOSED))?;
        Ok(loaded)
    }

    /// Reads the probes of the last day, oldest first, and calls `visit` for each tick.
    pub fn for_each_tick(
        &self,
        now: UnixMillis,
        visit: impl FnMut(UnixMillis, Vec<ProbeRecord>),
    ) -> Result<(), StoreError> {
        ticks::for_each_since(&self.sql, now.minus(memory_chart::SPAN), visit)
    }

    /// Writes a tick in one transaction. `last` is the tick before it.
    pub fn commit(&self, last: Option<UnixMillis>, commit: TickChanges) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        let slot = (self.slot.get() + 1) % ticks::SLOTS;
        self.sql.transaction(move || {
            let at = commit.tick.at;
            if let Some(last) = last {
                memory_series::compact(&sql, last, at)?;
            }
            ticks::write(&sql, slot, &commit)?;
            for (monitor, changes) in &commit.ledgers {
                ledger::write(&sql, monitor, changes)?;
            }
            commit.incidents.iter().try_for_each(|incident| incidents::write(&sql, incident))?;
            for (monitor, opened, runs) in &commit.recordings {
                incidents::write_recording(&sql, monitor, *opened, runs, at)?;
            }
            Ok(())
        })?;
        self.slot.set(slot);
        Ok(())
    }

    /// Lists at most `most` incidents of the monitors `ids`, newest first, that follow the incident of a monitor in a second of Unix
    /// time. Incidents of the same second are ordered by the monitor's id.
    pub fn incidents_before(
        &self,
        ids: &[&str],
        before: (i64, &str),
        most: i64,
    ) -> Result<Vec<Incident>, StoreError> {
        incidents::list_before(&self.sql, ids, before, most)
    }

    /// Finds an incident and the samples before it.
    pub fn incident(&self, id: &IncidentId) -> Result<Option<(Incident, Vec<SampleRun>)>, StoreError> {
        incidents::find(&self.sql, id)
    }

    /// Writes an incident that was updated by hand.
    pub fn update_incident(&self, incident: &Incident) -> Result<(), StoreError> {
        incidents::write(&self.sql, incident)
    }

    /// Reads what each recipient of notifications was told, and the incidents that it mentions.
    pub fn load_notifications(&self) -> Result<StoredNotifications, StoreError> {
        notifications::load(&self.sql)
    }

    /// Writes what recipients were told, in one transaction.
    pub fn write_notifications(&self, changes: Vec<RecordChange>) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        self.sql.transaction(move || changes.iter().try_for_each(|change| notifications::write(&sql, change)))
    }

    /// Memory of a monitor in a window; `last` is the last tick.
    pub fn memory(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
    ) -> Result<(Tier, MemoryLine), StoreError> {
        memory_series::read(&self.sql, monitor, window, last)
    }

    /// The sample runs of a monitor in about a window, oldest first; `last` is the last tick.
    pub fn memory_runs(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
    ) -> Result<Vec<SampleRun>, StoreError> {
        Ok(memory_series::read_runs(&self.sql, monitor, window, last)?.1)
    }

    /// Adds the latencies of a monitor in a window to a series; `last` is the last tick.
    pub fn latency(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
        series: &mut LatencySeriesBuilder,
    ) -> Result<(), StoreError> {
        latency_series::read(&self.sql, monitor, window, last, series)
    }

    /// Reads a setting; `None` if it is not set.
    pub fn setting<T: DeserializeOwned>(&self, setting: Setting) -> Result<Option<T>, StoreError> {
        settings::read(&self.sql, setting)
    }

    /// Writes one setting.
    pub fn set(&self, setting: Setting, value: &impl Serialize) -> Result<(), StoreError> {
        settings::write(&self.sql, &encode_setting(setting, value)?)
    }

    /// Writes settings in one transaction.
    pub fn set_all(&self, changes: Vec<SettingChange>) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        self.sql.transaction(move || changes.iter().try_for_each(|change| settings::write(&sql, change)))
    }

    /// Reads the last heartbeat of every job.
    pub fn heartbeats(&self) -> Result<JobStates, StoreError> {
        settings::heartbeats(&self.sql)
    }

    /// Writes the last heartbeat of a job.
    pub fn record_heartbeat(&self, monitor: &MonitorId, beat: &JobState) -> Result<(), StoreError> {
        settings::write_heartbeat(&self.sql, monitor, beat)
    }

    /// Deletes the heartbeat of a job.
    pub fn delete_heartbeat(&self, monitor: &MonitorId) -> Result<(), StoreError> {
        settings::delete_heartbeat(&self.sql, monitor)
    }

    /// Reads at most `most` rows of a table for an export, after the first `skip`, and calls `visit` for each until it breaks.
    pub fn for_each_export_row(
        &self,
        table: usize,
        skip: i64,
        most: i64,
        visit: impl FnMut(&[ExportCell]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        export::for_each_row(&self.sql, table, skip, most, visit)
    }

    /// Writes rows of an export in one transaction. A row replaces one with the same key.
    pub fn import_rows(&self, rows: Vec<(usize, Vec<ExportCell>)>) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        self.sql.transaction(move || export::write_rows(&sql, rows))
    }
}
