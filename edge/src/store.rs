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
mod recent_ticks;
pub mod row_check;
mod schema;
mod settings;
mod space;
mod sql;
mod tick_codec;
mod tick_ring;
mod tick_samples;
mod ticks;
mod unstored;

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsCast as _;
use worker::{State as ObjectState, console_error, console_warn};

pub use self::binary::PackError;
pub use self::latency_codec::{MonitorHour, append_hour};
pub use self::latency_series::latency_chunk;
pub use self::notifications::StoredNotifications;
pub use self::settings::{Setting, SettingChange, encode_setting};
pub use self::space::{Deleted, HistoryPart};
pub use self::sql::StoreError;
pub use self::tick_codec::{pack_runs, pack_tick, unpack_runs, unpack_tick};

use self::export_format::Cell as ExportCell;
use self::memory_series::Compaction;
use self::sql::Sql;
use self::tick_ring::TickRing;
use self::unstored::UnstoredChanges;
use crate::domain::engine::{PersistedStates, ProbeRecord, Tick, TickChanges};
use crate::domain::heartbeat::{JobState, JobStates};
use crate::domain::history::latency::LatencySummary;
use crate::domain::history::ledger::LedgerEntry;
use crate::domain::history::rollup::{MemoryLine, Tier};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::domain::instant::rfc3339;
use crate::domain::quota::QuotaUsage;
use crate::domain::report::last_report::SampleRun;
use crate::monitor_config::MonitorId;
use crate::notify::RecordChange;

/// The store of one hub.
#[derive(Clone, Debug)]
pub struct Store {
    sql: Sql,
    ticks: TickRing,
    space: Rc<Space>,
}

/// What a store that was full had to do without.
#[derive(Debug, Default)]
struct Space {
    /// The last tick.
    now: Cell<UnixMillis>,
    /// What was deleted since the hub started.
    deleted: RefCell<Deleted>,
    /// When little or nothing was left to delete.
    exhausted: Cell<Option<UnixMillis>>,
    /// The ticks that are not stored.
    unstored: RefCell<Option<UnstoredChanges>>,
}

/// The most rounds of deletions of one write.
const MAX_ROUNDS: usize = 5;

/// The contents of the store that a hub keeps in memory.
#[derive(Debug, Default)]
pub struct StoredHub {
    /// The last tick that was stored.
    pub last: Option<Tick>,
    /// The state of all monitors.
    pub persisted_states: PersistedStates,
    /// Every ledger's entries, oldest first.
    pub ledgers: LiteMap<MonitorId, Vec<LedgerEntry>>,
    /// Incidents that are open, and the latest of each monitor.
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
            let store = Store {
                sql: Sql::new(state.storage().sql(), storage.unchecked_into()),
                ticks: TickRing::default(),
                space: Rc::default(),
            };
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
    pub fn load(&self) -> Result<StoredHub, StoreError> {
        self.sql.forget_unreadable();
        self.space.unstored.take();
        let mut loaded = StoredHub::default();
        if let Some(last) = ticks::load_last(&self.sql)? {
            self.ticks.reset(last.slot);
            self.space.now.set(last.tick.at);
            (loaded.last, loaded.persisted_states, loaded.usage) = (Some(last.tick), last.states, last.usage);
        }
        loaded.ledgers = ledger::load(&self.sql)?;
        let known = loaded.ledgers.keys().chain(loaded.persisted_states.iter().map(|(id, _)| id));
        loaded.incidents = incidents::load_latest(&self.sql, known)?;
        Ok(loaded)
    }

    /// Reads the probes of the stored ticks, oldest first, and calls `visit` for each tick. Returns whether older ticks were replaced. It
    /// follows [`Store::load`].
    pub fn for_each_tick(
        &self,
        mut visit: impl FnMut(UnixMillis, Vec<ProbeRecord>),
    ) -> Result<bool, StoreError> {
        ticks::for_each(&self.sql, |at, packed, readings| {
            self.ticks.restore(at, packed);
            visit(at, readings);
        })
    }

    /// Writes a tick in one transaction. `last` is the tick before it. If the store of one of `hub_count` hubs is full, the history that is
    /// worth least is deleted first. If nothing is left of that, what the tick changed is kept in memory, and stored with the next tick
    /// that is.
    pub fn commit(
        &self,
        last: Option<UnixMillis>,
        mut commit: TickChanges,
        hub_count: usize,
    ) -> Result<(), StoreError> {
        let packed: Rc<[u8]> = pack_tick(&commit.probes, commit.persisted_states.len()).into();
        let at = commit.tick.at;
        let unstored = self.space.unstored.take();
        let (last, since) =
            unstored.as_ref().map_or((last, at), |unstored| (unstored.last_stored, unstored.since));
        if let Some(unstored) = unstored {
            unstored.put_before(&mut commit);
        }
        self.space.now.set(at);
        let (commit, max_bytes) = (Rc::new(commit), space::max_bytes(hub_count));
        // The database grows by the hour, when the samples of an hour are stored.
        let is_first_of_hour = last.is_some_and(|last| memory_series::is_in_another_hour(last, at));
        if is_first_of_hour && self.sql.database_size() > max_bytes {
            self.record_deleted(space::delete_samples(&self.sql, max_bytes)?);
        }
        // Samples of an hour that ends are worth less than what is deleted where no others are left.
        let mut compaction = Compaction::All;
        let mut rounds = 0;
        loop {
            match self.write_tick(last, &commit, &packed, compaction) {
                Err(StoreError::Full(_)) if rounds < MAX_ROUNDS => {
                    rounds += 1;
                    let deleted = self.make_room(max_bytes, at);
                    compaction = compaction.after(&deleted);
                    if deleted.is_empty() {
                        rounds = MAX_ROUNDS;
                    }
                }
                Err(StoreError::Full(_)) if compaction != Compaction::Nothing => {
                    compaction = Compaction::Nothing;
                }
                Err(error @ StoreError::Full(_)) => {
                    let unstored = UnstoredChanges::of(&commit, last, since);
                    if unstored.is_too_much() {
                        return Err(error);
                    }
                    console_error!(
                        "the store is full, and nothing is left to delete: what this tick changed is kept in memory only ({error})"
                    );
                    *self.space.unstored.borrow_mut() = Some(unstored);
                    return Ok(());
                }
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        if is_first_of_hour && compaction == Compaction::Nothing {
            console_warn!("the store is full: the memory and the latencies of the last hour were not stored");
        }
        self.ticks.push(at, packed);
        Ok(())
    }

    fn write_tick(
        &self,
        last: Option<UnixMillis>,
        commit: &Rc<TickChanges>,
        packed: &Rc<[u8]>,
        compaction: Compaction,
    ) -> Result<(), StoreError> {
        let (sql, ring) = (self.sql.clone(), self.ticks.clone());
        let (commit, probes, at) = (Rc::clone(commit), Rc::clone(packed), commit.tick.at);
        self.sql.transaction(move || {
            if let Some(last) = last {
                memory_series::compact(&sql, &ring, last, at, compaction)?;
            }
            ticks::write(&sql, ring.next_slot(), &commit, &probes)?;
            for (monitor, changes) in &commit.ledgers {
                ledger::write(&sql, monitor, changes)?;
            }
            commit.incidents.iter().try_for_each(|incident| incidents::write(&sql, incident))?;
            for (monitor, opened, runs) in &commit.recordings {
                incidents::write_recording(&sql, monitor, *opened, runs, at)?;
            }
            Ok(())
        })
    }

    /// Writes something small in one transaction; if the store is full, after the history that is worth least was deleted.
    fn write(&self, write: impl Fn(&Sql) -> Result<(), StoreError> + 'static) -> Result<(), StoreError> {
        let write = Rc::new(write);
        let run = || {
            let (sql, write) = (self.sql.clone(), Rc::clone(&write));
            self.sql.transaction(move || write(&sql))
        };
        let written = run();
        if !matches!(written, Err(StoreError::Full(_))) {
            return written;
        }
        let deleted = self.make_room(space::max_bytes(1), self.space.now.get());
        if deleted.is_empty() { written } else { run() }
    }

    /// Deletes the history that is worth least, unless little or nothing was left some hours ago. What fails to be deleted
    /// is not.
    fn make_room(&self, max_bytes: u64, now: UnixMillis) -> Deleted {
        if space::is_exhausted(self.space.exhausted.get(), now) {
            return Deleted::default();
        }
        let before = self.sql.database_size();
        let deleted = space::make_room(&self.sql, max_bytes, now).unwrap_or_else(|error| {
            console_error!("could not make room in the store: {error}");
            Deleted::default()
        });
        let freed = before.saturating_sub(self.sql.database_size());
        self.space.exhausted.set((freed < space::LEAST_BYTES).then_some(now));
        self.record_deleted(deleted.clone());
        deleted
    }

    fn record_deleted(&self, deleted: Deleted) {
        for text in deleted.describe() {
            console_warn!("{text}");
        }
        self.space.deleted.borrow_mut().merge(deleted);
    }

    /// Lists at most `most` incidents of the monitors `ids`, newest first, that follow the incident of a monitor in a second of Unix
    /// time. Incidents of the same second are ordered by the monitor's id.
    pub fn incidents_before(
        &self,
        ids: &[&str],
        before: (i64, &str),
        most: usize,
    ) -> Result<Vec<Incident>, StoreError> {
        incidents::list_before(&self.sql, ids, before, most)
    }

    /// Whether there is an incident.
    pub fn has_incident(&self, id: &IncidentId) -> Result<bool, StoreError> {
        incidents::exists(&self.sql, id)
    }

    /// Finds an incident and the samples before it.
    pub fn incident(&self, id: &IncidentId) -> Result<Option<(Incident, Vec<SampleRun>)>, StoreError> {
        incidents::find(&self.sql, id)
    }

    /// Writes an incident that was updated by hand.
    pub fn update_incident(&self, incident: &Incident) -> Result<(), StoreError> {
        let stored = incident.clone();
        self.write(move |sql| incidents::write(sql, &stored))?;
        if let Some(unstored) = &mut *self.space.unstored.borrow_mut() {
            unstored.replace_incident(incident);
        }
        Ok(())
    }

    /// Reads what each recipient of notifications was told, and the incidents that it mentions.
    pub fn load_notifications(&self) -> Result<StoredNotifications, StoreError> {
        notifications::load(&self.sql)
    }

    /// Writes what recipients were told, in one transaction.
    pub fn write_notifications(&self, changes: Vec<RecordChange>) -> Result<(), StoreError> {
        self.write(move |sql| changes.iter().try_for_each(|change| notifications::write(sql, change)))
    }

    /// Memory of a monitor in a window; `last` is the last tick.
    pub fn memory(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
    ) -> Result<(Tier, MemoryLine), StoreError> {
        memory_series::read(&self.sql, &self.ticks, monitor, window, last)
    }

    /// The sample runs of a monitor in about a window, oldest first; `last` is the last tick.
    pub fn memory_runs(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
    ) -> Result<Vec<SampleRun>, StoreError> {
        Ok(memory_series::read_runs(&self.sql, &self.ticks, monitor, window, last)?.1)
    }

    /// Returns the latencies of a monitor by hour in a window, oldest first, without those of the present hour.
    pub fn latency_hours(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
    ) -> Result<Vec<(UnixMillis, LatencySummary)>, StoreError> {
        latency_series::read(&self.sql, monitor, window)
    }

    /// Returns what was deleted to make room since the hub started, and what is not stored, one text each.
    pub fn list_space_problems(&self) -> Vec<String> {
        let mut problems = self.space.deleted.borrow().describe();
        if let Some(unstored) = &*self.space.unstored.borrow() {
            problems.push(format!(
                "the store is full, and nothing is left to delete: since {} what is observed is kept in memory only, and lost if the hub \
                 restarts; monitoring and alerts go on",
                rfc3339(unstored.since)
            ));
        }
        problems
    }

    /// Returns how many rows of each table were set aside because they cannot be read.
    pub fn unreadable(&self) -> Vec<(&'static str, usize)> {
        self.sql.unreadable()
    }

    /// Reads a setting; `None` if it is not set.
    pub fn setting<T: DeserializeOwned>(&self, setting: Setting) -> Result<Option<T>, StoreError> {
        settings::read(&self.sql, setting)
    }

    /// Writes one setting.
    pub fn set(&self, setting: Setting, value: &impl Serialize) -> Result<(), StoreError> {
        let change = encode_setting(setting, value)?;
        self.write(move |sql| settings::write(sql, &change))
    }

    /// Writes settings in one transaction.
    pub fn set_all(&self, changes: Vec<SettingChange>) -> Result<(), StoreError> {
        self.write(move |sql| changes.iter().try_for_each(|change| settings::write(sql, change)))
    }

    /// Reads the last heartbeat of every job.
    pub fn heartbeats(&self) -> Result<JobStates, StoreError> {
        settings::heartbeats(&self.sql)
    }

    /// Writes the last heartbeat of a job.
    pub fn record_heartbeat(&self, monitor: &MonitorId, beat: &JobState) -> Result<(), StoreError> {
        let (monitor, beat) = (monitor.clone(), beat.clone());
        self.write(move |sql| settings::write_heartbeat(sql, &monitor, &beat))
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
