//! The hub's tables: what is read once when the object starts, and what a tick writes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use heapbeat_shared::{UnixMillis, codec};
use litemap::LiteMap;
use worker::{SqlCursor, SqlStorage, SqlStorageValue, State as ObjectState};

use super::migrate;
use super::migrate::MigrationError;
use super::tick_codec::{pack, pack_runs, unpack, unpack_runs};
use super::transaction::Storage;
use super::{latency, outbox, series};
use crate::config::MonitorId;
use crate::domain::State;
use crate::domain::engine::{Commit, Memos, Reading, Tick};
use crate::domain::history::ledger::{Entry, KEPT};
use crate::domain::history::memory_chart;
use crate::domain::history::rollup::{Line, Tier};
use crate::domain::incident::Incident;
use crate::domain::quota::Usage;
use crate::domain::report::last_report::Run;
use crate::notify::Queued;
use crate::web::api::Rows;

/// Places of the ring: a day of minutes, which the chart begins with, and some. Memory older than the present hour is
/// in chunks.
pub(super) const RING: i64 = 1536;

/// How long an incident is kept: as long as the hourly history.
const INCIDENTS_KEPT: Duration = Duration::from_secs(2 * 365 * 86_400);

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite, or the platform around it.
    #[error("the store failed: {0}")]
    Platform(String),
    /// The schema is not ours.
    #[error(transparent)]
    Schema(#[from] MigrationError),
    /// A row does not hold what it should.
    #[error("the store holds something unexpected in {0}")]
    Unexpected(&'static str),
}

impl From<worker::Error> for StoreError {
    fn from(error: worker::Error) -> Self {
        StoreError::Platform(error.to_string())
    }
}

/// Statements with their values.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    storage: Rc<SqlStorage>,
    /// Rows read and written since somebody asked.
    spent: Rc<Cell<(u64, u64)>>,
}

impl Sql {
    /// A statement whose rows nobody wants.
    pub(super) fn run(&self, statement: &str, values: Vec<SqlStorageValue>) -> Result<(), StoreError> {
        self.count(&self.storage.exec(statement, values)?);
        Ok(())
    }

    /// The rows of a query.
    pub(super) fn rows(
        &self,
        query: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<Vec<SqlStorageValue>>, StoreError> {
        let cursor = self.storage.exec(query, values)?;
        let rows = cursor.raw().collect::<worker::Result<_>>()?;
        self.count(&cursor);
        Ok(rows)
    }

    fn count(&self, cursor: &SqlCursor) {
        let (read, written) = self.spent.get();
        self.spent.set((read + cursor.rows_read() as u64, written + cursor.rows_written() as u64));
    }

    /// The first column of the first row, where there is one and it is a number.
    pub(super) fn number(
        &self,
        query: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Option<i64>, StoreError> {
        let rows = self.rows(query, values)?;
        Ok(rows.first().and_then(|row| row.first()).and_then(integer))
    }
}

/// The store of one hub.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) sql: Sql,
    storage: Storage,
    /// The place that the last tick has in the ring.
    place: Rc<Cell<i64>>,
}

/// What the hub knew when it was stopped.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The last tick that was stored.
    pub last: Option<Tick>,
    /// The memos of all monitors.
    pub memos: Memos,
    /// Every ledger's entries, oldest first.
    pub ledgers: LiteMap<MonitorId, Vec<Entry>>,
    /// The probes of the last day's ticks, oldest first.
    pub ticks: Vec<(UnixMillis, Vec<Reading>)>,
    /// Incidents that are open or were closed within the last day, oldest first.
    pub incidents: Vec<Incident>,
    /// What is still to be told, in order.
    pub outbox: Vec<Queued>,
    /// What the day has cost up to the last tick.
    pub usage: Usage,
}

impl Store {
    /// Opens the object's store and brings its schema up to date. Gives the state back with it.
    pub fn open(state: ObjectState, now: UnixMillis) -> (ObjectState, Result<Store, StoreError>) {
        let raw = state._inner();
        let storage = js_sys::Reflect::get(raw.as_ref(), &"storage".into());
        let state = ObjectState::from(raw);
        let sql = Sql { storage: Rc::new(state.storage().sql()), spent: Rc::default() };
        let opened =
            storage.map_err(|thrown| StoreError::from(worker::Error::from(thrown))).and_then(|storage| {
                let store = Store { sql, storage: Storage(storage), place: Rc::default() };
                let sql = store.sql.clone();
                store.storage.transaction(move || migrate::run(&sql, now.0))?;
                Ok(store)
            });
        (state, opened)
    }

    /// Runs `work` in a transaction: all of it or nothing.
    pub(super) fn transaction(
        &self,
        work: impl FnOnce() -> Result<(), StoreError> + 'static,
    ) -> Result<(), StoreError> {
        self.storage.transaction(work)
    }

    /// Rows read and written since this was asked last.
    pub fn spent(&self) -> (u64, u64) {
        self.sql.spent.take()
    }

    /// Reads everything that the hub keeps in memory, when the edge's own clock
    /// says `wall`.
    pub fn load(&self, wall: UnixMillis) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        let newest = "SELECT slot, at, came, memos, usage FROM ring ORDER BY at DESC LIMIT 1";
        if let Some(row) = self.sql.rows(newest, vec![])?.first() {
            let [slot, at, came, SqlStorageValue::Blob(memos), usage] = row.as_slice() else {
                return Err(StoreError::Unexpected("ring"));
            };
            let (Some(slot), Some(at), Some(came)) = (integer(slot), integer(at), integer(came)) else {
                return Err(StoreError::Unexpected("ring"));
            };
            if let SqlStorageValue::Blob(usage) = usage {
                loaded.usage = codec::decode(usage).unwrap_or_default();
            }
            self.place.set(slot);
            loaded.last = Some(Tick { at: UnixMillis(at), came: UnixMillis(came) });
            loaded.memos = codec::decode(memos).map_err(|_| StoreError::Unexpected("ring"))?;
        }
        let now = loaded.last.map_or(wall, |last| last.clock(wall));
        for row in
            self.sql.rows("SELECT monitor, from_ms, state FROM ledger ORDER BY monitor, from_ms", vec![])?
        {
            let (id, entry) = ledger_row(&row).ok_or(StoreError::Unexpected("ledger"))?;
            loaded.ledgers.entry(id).or_default().push(entry);
        }
        let since = now.minus(memory_chart::SPAN).0;
        let ticks = "SELECT at, probes FROM ring WHERE at > ? ORDER BY at";
        for row in self.sql.rows(ticks, vec![since.into()])? {
            let (Some(at), Some(SqlStorageValue::Blob(blob))) = (row.first().and_then(integer), row.get(1))
            else {
                return Err(StoreError::Unexpected("ring"));
            };
            // A tick that cannot be read costs the chart a few points, not the hub its start.
            if let Ok(readings) = unpack(blob) {
                loaded.ticks.push((UnixMillis(at), readings));
            }
        }
        let lately = now.minus(Duration::from_secs(86_400)).0;
        let query =
            "SELECT body FROM incident WHERE closed_ms IS NULL OR closed_ms > ? ORDER BY monitor, opened_ms";
        loaded.incidents = self.incidents(query, vec![lately.into()])?;
        loaded.outbox = outbox::load(&self.sql)?;
        Ok(loaded)
    }

    /// The newest incidents, newest first, at most `most`: of the monitors of `ids`, a list in JSON, and of those that come
    /// after the incident of `monitor` in `second`; of one second by the monitor's id.
    pub fn incidents_before(
        &self,
        ids: &str,
        (second, monitor): (i64, &str),
        most: i64,
    ) -> Result<Vec<Incident>, StoreError> {
        let query = "SELECT body FROM incident WHERE monitor IN (SELECT value FROM json_each(?))
            AND (opened_ms < ? OR (opened_ms < ? AND monitor > ?)) ORDER BY opened_ms / 1000 DESC, monitor LIMIT ?";
        let from = second.saturating_mul(1000);
        let to = from.saturating_add(1000);
        self.incidents(query, vec![ids.into(), from.into(), to.into(), monitor.into(), most.into()])
    }

    /// The incident of `monitor` that began in this second of Unix time, and the samples before it.
    pub fn incident(
        &self,
        monitor: &MonitorId,
        second: i64,
    ) -> Result<Option<(Incident, Vec<Run>)>, StoreError> {
        let query =
            "SELECT body, recording FROM incident WHERE monitor = ? AND opened_ms >= ? AND opened_ms < ?";
        let from = second.saturating_mul(1000);
        let values = vec![monitor.as_str().into(), from.into(), from.saturating_add(1000).into()];
        let rows = self.sql.rows(query, values)?;
        let Some([SqlStorageValue::Blob(body), recording]) = rows.first().map(Vec::as_slice) else {
            return Ok(None);
        };
        let incident = codec::decode(body).map_err(|_| StoreError::Unexpected("incident"))?;
        let runs = match recording {
            SqlStorageValue::Blob(blob) => unpack_runs(blob).unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Some((incident, runs)))
    }

    /// Writes down what somebody changed about an incident.
    pub fn amend(&self, incident: &Incident) -> Result<(), StoreError> {
        write_incident(&self.sql, incident)
    }

    fn incidents(&self, query: &str, values: Vec<SqlStorageValue>) -> Result<Vec<Incident>, StoreError> {
        let read = |row: &Vec<SqlStorageValue>| match row.first() {
            Some(SqlStorageValue::Blob(body)) => codec::decode(body).ok(),
            _ => None,
        };
        self.sql
            .rows(query, values)?
            .iter()
            .map(|row| read(row).ok_or(StoreError::Unexpected("incident")))
            .collect()
    }

    /// Takes a row out of the outbox.
    pub fn take_out(&self, id: i64) -> Result<(), StoreError> {
        self.sql.run("DELETE FROM outbox WHERE id = ?", vec![id.into()])
    }

    /// Writes down when a row of the outbox is to be tried again.
    pub fn put_off(&self, id: i64, due: UnixMillis, attempts: u32) -> Result<(), StoreError> {
        self.sql.run(
            "UPDATE outbox SET due_ms = ?, attempts = ? WHERE id = ?",
            vec![due.0.into(), i64::from(attempts).into(), id.into()],
        )
    }

    /// Memory of a monitor in a stretch of time; `last`: the last tick.
    pub fn memory(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
    ) -> Result<(Tier, Line), StoreError> {
        series::memory(&self.sql, monitor, window, last)
    }

    /// Tells how long the answers of a monitor took in a stretch of time; `last`: the last tick.
    pub fn latency(
        &self,
        monitor: &MonitorId,
        window: (UnixMillis, UnixMillis),
        last: UnixMillis,
        rows: &mut Rows,
    ) -> Result<(), StoreError> {
        latency::latency(&self.sql, monitor, window, last, rows)
    }

    /// Writes a tick and what it adds to the outbox: all of it or nothing. `last`: the tick before it.
    pub fn commit(
        &self,
        last: Option<UnixMillis>,
        commit: Commit,
        queued: Vec<Queued>,
    ) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        let place = (self.place.get() + 1) % RING;
        self.storage.transaction(move || {
            if let Some(last) = last {
                series::compact(&sql, last, commit.tick.at)?;
            }
            write(&sql, place, &commit)?;
            queued.iter().try_for_each(|row| outbox::write(&sql, row))
        })?;
        self.place.set(place);
        Ok(())
    }
}

fn write(sql: &Sql, place: i64, commit: &Commit) -> Result<(), StoreError> {
    let (at, came) = (commit.tick.at.0, commit.tick.came.0);
    sql.run(
        "INSERT INTO ring (slot, at, came, probes, memos, usage) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (slot) DO UPDATE SET at = excluded.at, came = excluded.came, probes = excluded.probes,
            memos = excluded.memos, usage = excluded.usage",
        vec![
            place.into(),
            at.into(),
            came.into(),
            pack(&commit.readings).into(),
            commit.memos.clone().into(),
            codec::encode(&commit.usage).into(),
        ],
    )?;
    for (monitor, changes) in &commit.ledgers {
        if let Some(from) = changes.redo_from {
            sql.run(
                "DELETE FROM ledger WHERE monitor = ? AND from_ms >= ?",
                vec![monitor.as_str().into(), from.0.into()],
            )?;
        }
        for entry in &changes.added {
            sql.run(
                "INSERT INTO ledger (monitor, from_ms, state) VALUES (?, ?, ?)",
                vec![monitor.as_str().into(), entry.from.0.into(), entry.state.as_str().into()],
            )?;
        }
        if let Some(before) = changes.forget_before {
            sql.run(
                "DELETE FROM ledger WHERE monitor = ? AND from_ms < ?",
                vec![monitor.as_str().into(), before.0.into()],
            )?;
        }
    }
    commit.incidents.iter().try_for_each(|incident| write_incident(sql, incident))?;
    for (monitor, opened, runs) in &commit.recordings {
        sql.run(
            "UPDATE incident SET recording = ? WHERE monitor = ? AND opened_ms = ?",
            vec![pack_runs(runs).into(), monitor.as_str().into(), opened.0.into()],
        )?;
        let horizon = UnixMillis(at).minus(INCIDENTS_KEPT).0;
        sql.run(
            "DELETE FROM incident WHERE monitor = ? AND opened_ms < ?",
            vec![monitor.as_str().into(), horizon.into()],
        )?;
    }
    Ok(())
}

fn write_incident(sql: &Sql, incident: &Incident) -> Result<(), StoreError> {
    let closed = incident.closed.map_or(SqlStorageValue::Null, |closed| closed.0.into());
    sql.run(
        "INSERT INTO incident (monitor, opened_ms, closed_ms, body) VALUES (?, ?, ?, ?)
            ON CONFLICT (monitor, opened_ms) DO UPDATE SET closed_ms = excluded.closed_ms, body = excluded.body",
        vec![incident.monitor.as_str().into(), incident.opened.0.into(), closed, codec::encode(incident).into()],
    )
}

fn ledger_row(row: &[SqlStorageValue]) -> Option<(MonitorId, Entry)> {
    let [SqlStorageValue::String(id), from, SqlStorageValue::String(state)] = row else { return None };
    let state = State::of(state)?;
    Some((id.parse().ok()?, Entry { from: UnixMillis(integer(from)?), state }))
}

/// A whole number as SQLite gives it to JavaScript.
pub(super) fn integer(value: &SqlStorageValue) -> Option<i64> {
    match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    }
}

/// Longer than the longest window that is shown, so that its first second has an answer.
const _: () = assert!(KEPT.as_secs() > 90 * 86_400);
