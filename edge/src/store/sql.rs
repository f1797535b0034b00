//! Statements with their values, transactions, and why they fail: what every other file of the store stands on.
//!
//! Without an `await` between them, writes of a Durable Object are committed together; but when the second of three fails, the
//! first is committed alone. `storage.transactionSync` rolls it back. The crate `worker` does not offer it, so it is called by
//! name here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use worker::{SqlCursor, SqlStorage, SqlStorageValue};

/// A row as SQLite gives it.
pub(super) type Row = Vec<SqlStorageValue>;

/// Why something could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// SQLite, or the platform around it.
    #[error("the store failed: {0}")]
    Platform(String),
    /// A newer version of heapbeat has written the store.
    #[error("the store has schema {found}, and this version knows {known}: deploy the newer version again")]
    NewerSchema {
        /// The store's schema.
        found: i64,
        /// The newest schema of this version.
        known: i64,
    },
    /// A row does not hold what it should.
    #[error("the store holds something unexpected in {0}")]
    Unexpected(&'static str),
}

impl From<worker::Error> for StoreError {
    fn from(error: worker::Error) -> Self {
        StoreError::Platform(error.to_string())
    }
}

/// The SQLite of a Durable Object.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    statements: Rc<SqlStorage>,
    /// The object's `ctx.storage`.
    storage: JsValue,
    /// Rows read and written since they were counted last.
    spent: Rc<Cell<(u64, u64)>>,
}

impl Sql {
    /// `storage` is the object's `ctx.storage`, whose SQLite is `sql`.
    pub(super) fn new(sql: SqlStorage, storage: JsValue) -> Self {
        Sql { statements: Rc::new(sql), storage, spent: Rc::default() }
    }

    /// Runs a statement that gives no rows.
    pub(super) fn run(&self, statement: &str, values: Row) -> Result<(), StoreError> {
        self.count(&self.statements.exec(statement, values)?);
        Ok(())
    }

    /// The rows of a query.
    pub(super) fn rows(&self, query: &str, values: Row) -> Result<Vec<Row>, StoreError> {
        let cursor = self.statements.exec(query, values)?;
        let rows = cursor.raw().collect::<worker::Result<_>>()?;
        self.count(&cursor);
        Ok(rows)
    }

    /// The first column of the first row, where there is one and it is a number.
    pub(super) fn number(&self, query: &str, values: Row) -> Result<Option<i64>, StoreError> {
        let rows = self.rows(query, values)?;
        Ok(rows.first().and_then(|row| row.first()).and_then(integer))
    }

    /// Rows read and written since this was asked last.
    pub(super) fn take_row_counts(&self) -> (u64, u64) {
        self.spent.take()
    }

    /// Runs `work` in a transaction: an error, of ours or of SQLite, leaves the store as it was.
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
        let outcome = js_sys::Reflect::get(&self.storage, &"transactionSync".into())
            .and_then(JsCast::dyn_into::<js_sys::Function>)
            .and_then(|function| function.call1(&self.storage, callback.as_ref()));
        match (failed.take(), outcome) {
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

/// A whole number as SQLite gives it to JavaScript.
pub(super) fn integer(value: &SqlStorageValue) -> Option<i64> {
    match value {
        SqlStorageValue::Integer(number) => Some(*number),
        _ => None,
    }
}
