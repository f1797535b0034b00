//! The table `outbox`.

use heapbeat_shared::{UnixMillis, codec};
use worker::SqlStorageValue;

use super::sql::{Sql, StoreError, integer};
use crate::notify::OutboxRow;

/// Loads all rows, in order.
pub(super) fn load(sql: &Sql) -> Result<Vec<OutboxRow>, StoreError> {
    let rows = sql.rows("SELECT id, channel, message, due_ms, attempts FROM outbox ORDER BY id", vec![])?;
    // A damaged row must not keep the hub from starting; it is skipped.
    Ok(rows.iter().filter_map(|row| read(row)).collect())
}

fn read(row: &[SqlStorageValue]) -> Option<OutboxRow> {
    let [id, SqlStorageValue::String(channel), SqlStorageValue::Blob(message), due, attempts] = row else {
        return None;
    };
    Some(OutboxRow {
        id: integer(id)?,
        channel: channel.parse().ok()?,
        message: codec::decode(message).ok()?,
        due: UnixMillis(integer(due)?),
        attempts: u32::try_from(integer(attempts)?).ok()?,
    })
}

/// Adds a row.
pub(super) fn write(sql: &Sql, row: &OutboxRow) -> Result<(), StoreError> {
    sql.run(
        "INSERT INTO outbox (id, channel, message, due_ms, attempts) VALUES (?, ?, ?, ?, ?)",
        vec![
            row.id.into(),
            row.channel.as_str().into(),
            codec::encode(&row.message).into(),
            row.due.0.into(),
            i64::from(row.attempts).into(),
        ],
    )
}

/// Removes a row.
pub(super) fn delete(sql: &Sql, id: i64) -> Result<(), StoreError> {
    sql.run("DELETE FROM outbox WHERE id = ?", vec![id.into()])
}

/// Sets the time of the next attempt to deliver a row.
pub(super) fn reschedule(sql: &Sql, id: i64, due: UnixMillis, attempts: u32) -> Result<(), StoreError> {
    sql.run(
        "UPDATE outbox SET due_ms = ?, attempts = ? WHERE id = ?",
        vec![due.0.into(), i64::from(attempts).into(), id.into()],
    )
}
