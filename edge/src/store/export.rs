//! Reading and writing rows for an export; their format is in [`super::export_format`].

use std::ops::ControlFlow;

use worker::SqlStorageValue;

use super::export_format::{Cell, TABLES};
use super::sql::{Sql, StoreError};

/// Reads at most `most` rows of a table of [`TABLES`], after the first `skip`, and calls `visit` for each until it breaks: a row can
/// have a megabyte.
pub(super) fn for_each_row(
    sql: &Sql,
    table: usize,
    skip: i64,
    most: i64,
    mut visit: impl FnMut(&[Cell]) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let Some((name, _)) = TABLES.get(table) else { return Ok(()) };
    // The first columns are the key of every table; the names are constants.
    let key = match *name {
        "series" => "1, 2, 3",
        "ledger" | "incident" => "1, 2",
        _ => "1",
    };
    let query = format!("SELECT * FROM {name} ORDER BY {key} LIMIT ? OFFSET ?");
    let cell = |value| match value {
        SqlStorageValue::Integer(number) => Cell::Integer(number),
        SqlStorageValue::String(text) => Cell::Text(text),
        SqlStorageValue::Blob(bytes) => Cell::Bytes(bytes),
        _ => Cell::Null,
    };
    sql.for_each_row(&query, vec![most.into(), skip.into()], |row| {
        Ok(visit(&row.into_iter().map(cell).collect::<Vec<_>>()))
    })
}

/// Writes rows. A row replaces one with the same key.
pub(super) fn write_rows(sql: &Sql, rows: Vec<(usize, Vec<Cell>)>) -> Result<(), StoreError> {
    for (table, row) in rows {
        let Some((name, columns)) = TABLES.get(table) else { continue };
        let marks = vec!["?"; *columns].join(", ");
        let values = row.into_iter().map(|cell| match cell {
            Cell::Null => SqlStorageValue::Null,
            Cell::Integer(number) => number.into(),
            Cell::Text(text) => text.into(),
            Cell::Bytes(bytes) => bytes.into(),
        });
        sql.run(&format!("INSERT OR REPLACE INTO {name} VALUES ({marks})"), values.collect())?;
    }
    Ok(())
}
