//! SQL statements, transactions and their errors.
//!
//! Writes of a Durable Object without an `await` between them are committed together, but if the second of three fails, the first is
//! committed alone. `storage.transactionSync` rolls it back. The crate `worker` has no binding for it, so it is declared here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use worker::{SqlCursor, SqlStorage, SqlStorageValue};

/// The most rows of a table that are counted as unreadable.
const MAX_UNREADABLE: usize = 1000;

/// What the platform's error contains if the database is full.
const FULL: &str = "SQLITE_FULL";

/// A row of SQLite.
pub(super) type Row = Vec<SqlStorageValue>;

/// An error of the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// SQLite or the platform failed.
    #[error("the store failed: {0}")]
    Platform(String),
    /// The database has reached the platform's limit: only deletions are accepted.
    #[error("the store is full: {0}")]
    Full(String),
    /// A newer version of heapbeat has written the store.
    #[error("the store has schema {found}, and this version knows {known}: deploy the newer version again")]
    NewerSchema {
        /// The store's schema.
        found: i64,
        /// The newest schema of this version.
        known: i64,
    },
    /// A row of this table cannot be read.
    #[error("the store has a row in {0} that cannot be read")]
    Unexpected(&'static str),
}

impl From<worker::Error> for StoreError {
    fn from(error: worker::Error) -> Self {
        let text = error.to_string();
        if text.contains(FULL) { StoreError::Full(text) } else { StoreError::Platform(text) }
    }
}

#[wasm_bindgen]
extern "C" {
    /// The object's `ctx.storage`, with the method that the `worker` crate lacks.
    #[derive(Clone, Debug)]
    pub(super) type TransactionStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &TransactionStorage,
        work: &Closure<dyn FnMut() -> Result<(), JsValue>>,
    ) -> Result<JsValue, JsValue>;
}

/// The SQLite of a Durable Object.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    statements: Rc<SqlStorage>,
    /// The object's `ctx.storage`.
    storage: TransactionStorage,
    /// The rows read and written since the last call of [`Sql::take_row_counts`].
    spent: Rc<Cell<(u64, u64)>>,
    /// The rows that could not be read, by table.
    unreadable: Rc<RefCell<BTreeMap<&'static str, BTreeSet<String>>>>,
}

impl Sql {
    /// Wraps the SQLite database `sql` of `storage`, the object's `ctx.storage`.
    pub(super) fn new(sql: SqlStorage, storage: TransactionStorage) -> Self {
        Sql { statements: Rc::new(sql), storage, spent: Rc::default(), unreadable: Rc::default() }
    }

    /// Records that a row cannot be read and is left out. `row` is what it is known by.
    pub(super) fn set_aside(&self, table: &'static str, row: &str) {
        let mut unreadable = self.unreadable.borrow_mut();
        let rows = unreadable.entry(table).or_default();
        if rows.len() < MAX_UNREADABLE {
            rows.insert(row.to_owned());
        }
    }

    /// Returns how many rows of each table could not be read, at most [`MAX_UNREADABLE`] each.
    pub(super) fn unreadable(&self) -> Vec<(&'static str, usize)> {
        self.unreadable.borrow().iter().map(|(table, rows)| (*table, rows.len())).collect()
    }

    /// Forgets the rows that could not be read, before all are read again.
    pub(super) fn forget_unreadable(&self) {
        self.unreadable.borrow_mut().clear();
    }

    /// Returns the bytes of the database, at most 4 GiB.
    pub(super) fn database_size(&self) -> u64 {
        self.statements.database_size() as u64
    }

    /// Runs a statement without results.
    pub(super) fn run(&self, statement: &str, values: Row) -> Result<(), StoreError> {
        self.count(&self.statements.exec(statement, values)?);
        Ok(())
    }

    /// Reads the rows of a query.
    pub(super) fn rows(&self, query: &str, values: Row) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.for_each_row(query, values, |row| {
            rows.push(row);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Runs a query, and calls `visit` for each row as it is read until it breaks, so that the rows need not fit into memory together.
    pub(super) fn for_each_row(
        &self,
        query: &str,
        values: Row,
        mut visit: impl FnMut(Row) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let cursor = self.statements.exec(query, values)?;
        for row in cursor.raw() {
            if visit(row?)?.is_break() {
                break;
            }
        }
        self.count(&cursor);
        Ok(())
    }

    /// Reads the first column of the first row; `None` if there is no row, or if the column is not a number.
    pub(super) fn number(&self, query: &str, values: Row) -> Result<Option<i64>, StoreError> {
        let rows = self.rows(query, values)?;
        Ok(rows.first().and_then(|row| row.first()).and_then(integer))
    }

    /// Returns the numbers of rows read and written since the last call.
    pub(super) fn take_row_counts(&self) -> (u64, u64) {
        self.spent.take()
    }

    /// Returns the number of rows read since the last call of [`Sql::take_row_counts`].
    pub(super) fn rows_read(&self) -> u64 {
        self.spent.get().0
    }

    /// Runs `work` in a transaction. An error rolls all of it back.
    pub(super) fn transaction(
        &self,
        work: impl FnOnce() -> Result<(), StoreError> + 'static,
    ) -> Result<(), StoreError> {
        let failed = Rc::new(RefCell::new(None));
        let report = Rc::clone(&failed);
        let callback = Closure::once(move || {
            work().map_err(|error| {
                let thrown = JsValue::from_str(&error.to_string());
                *report.borrow_mut() = Some(error);
                thrown
            })
        });
        let result = self.storage.transaction_sync(&callback);
        match (failed.take(), result) {
            (Some(error), _) => Err(error),
            (None, Err(thrown)) => Err(StoreError::from(worker::Error::from(thrown))),
            (None, Ok(_)) => Ok(()),
        }
    }

    fn count(&self, cursor: &SqlCursor) {
        let (read, written) = self.spent.get();
        self.spent.set((read + cursor.rows_read() as u64, written + cursor.rows_written() as u64));
    }
}

/// Returns what a row is known by: its first two values.
pub(super) fn name_of(row: &[SqlStorageValue]) -> String {
    let name = |value: &SqlStorageValue| match value {
        SqlStorageValue::Integer(number) => number.to_string(),
        SqlStorageValue::String(text) => text.chars().take(80).collect(),
        _ => String::new(),
    };
    row.iter().take(2).map(name).collect::<Vec<_>>().join(" ")
}

/// Returns the value as a whole number; `None` if it is something else.
pub(super) fn integer(value: &SqlStorageValue) -> Option<i64> {
    match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    }
}
