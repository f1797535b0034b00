//! Reading and writing rows for an export; their format is in [`super::export_format`].

use worker::SqlStorageValue;

use super::export_format::{Cell, TABLES};
use super::sql::{Sql, StoreError};

/// Reads at most `most` rows of a table of [`TABLES`], after the first `skip`.
pub(super) fn rows(sql: &Sql, table: usize, skip: i64, most: i64) -> Result<Vec<Vec<Cell>>, StoreError> {
    let Some((name, _)) = TABLES.get(table) else { return Ok(Vec::new()) };
    // The first columns are the key of every table; the names are constants.
    let key = match *name {
        "series" => "1, 2, 3",
        "ledger" | "incident" => "1, 2",
        _ => "1",
    };
    let query = format!("SELECT * FROM {name} ORDER BY {key} LIMIT ? OFFSET ?");
    let rows = sql.rows(&query, vec![most.into(), skip.into()])?;
    let cell = |value: &SqlStorageValue| match value {
        SqlStorageValue::Integer(number) => Cell::Integer(*number),
        SqlStorageValue::String(text) => Cell::Text(text.clone()),
        SqlStorageValue::Blob(bytes) => Cell::Bytes(bytes.clone()),
        _ => Cell::Null,
    };
    Ok(rows.iter().map(|row| row.iter().map(cell).collect()).collect())
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
