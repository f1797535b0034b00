//! Rows as they are, for an export, and back; see [`crate::store::export_format`].

use worker::SqlStorageValue;

use super::migrate;
use super::sqlite::{Store, StoreError};
use crate::store::export_format::{Cell, TABLES};

impl Store {
    /// The schema's number.
    pub fn schema() -> i64 {
        migrate::newest()
    }

    /// At most `most` rows of a table of [`TABLES`], after the first `skip`.
    pub fn rows_of(&self, table: usize, skip: i64, most: i64) -> Result<Vec<Vec<Cell>>, StoreError> {
        let Some((name, _)) = TABLES.get(table) else { return Ok(Vec::new()) };
        // The first columns are the key of every table; the names are ours.
        let key = match *name {
            "series" => "1, 2, 3",
            "ledger" | "incident" => "1, 2",
            _ => "1",
        };
        let query = format!("SELECT * FROM {name} ORDER BY {key} LIMIT ? OFFSET ?");
        let rows = self.sql.rows(&query, vec![most.into(), skip.into()])?;
        let cell = |value: &SqlStorageValue| match value {
            SqlStorageValue::Integer(number) => Cell::Integer(*number),
            SqlStorageValue::String(text) => Cell::Text(text.clone()),
            SqlStorageValue::Blob(bytes) => Cell::Bytes(bytes.clone()),
            _ => Cell::Null,
        };
        Ok(rows.iter().map(|row| row.iter().map(cell).collect()).collect())
    }

    /// Puts rows in, each in the place of one with the same key; all of them or none.
    pub fn put_rows(&self, rows: Vec<(usize, Vec<Cell>)>) -> Result<(), StoreError> {
        let sql = self.sql.clone();
        self.transaction(move || {
            for (table, row) in rows {
                let Some((name, columns)) = TABLES.get(table) else { continue };
                let marks = vec!["?"; *columns].join(", ");
                let values = row.into_iter().map(|cell| match cell {
                    Cell::Null => SqlStorageValue::Null,
                    Cell::Integer(number) => number.into(),
                    Cell::Text(text) => text.into(),
                    Cell::Bytes(bytes) => bytes.into(),
                });
                let statement = format!("INSERT OR REPLACE INTO {name} VALUES ({marks})");
                sql.run(&statement, values.collect())?;
            }
            Ok(())
        })
    }
}
