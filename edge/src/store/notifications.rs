//! The table `notification`: what each recipient of notifications was told last.

use heapbeat_shared::codec;
use worker::SqlStorageValue;

use super::incidents;
use super::sql::{Sql, StoreError, name_of};
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::notify::{ChannelId, RecipientRecord, RecordChange};

/// The records of all recipients, and the incidents that they mention.
pub type StoredNotifications = (Vec<(ChannelId, RecipientRecord)>, Vec<Incident>);

/// Loads all records, and the incidents that they mention.
pub(super) fn load(sql: &Sql) -> Result<StoredNotifications, StoreError> {
    let rows = sql.rows("SELECT recipient, body FROM notification", vec![])?;
    // A damaged row must not keep the hub from starting; it is set aside, and its recipient is told what is so.
    let mut records = Vec::new();
    for row in &rows {
        match read(row) {
            Some(record) => records.push(record),
            None => sql.set_aside("notification", &name_of(row)),
        }
    }
    let mut ids = Vec::new();
    for (_, record) in &records {
        for (monitor, opened, _) in record.incidents() {
            let id = IncidentId { monitor: monitor.clone(), opened };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    let mut mentioned = Vec::new();
    for id in ids {
        mentioned.extend(incidents::find(sql, &id)?.map(|(incident, _)| incident));
    }
    Ok((records, mentioned))
}

fn read(row: &[SqlStorageValue]) -> Option<(ChannelId, RecipientRecord)> {
    let [SqlStorageValue::String(recipient), SqlStorageValue::Blob(body)] = row else { return None };
    Some((recipient.parse().ok()?, codec::decode(body).ok()?))
}

/// Writes or deletes a record.
pub(super) fn write(sql: &Sql, change: &RecordChange) -> Result<(), StoreError> {
    let recipient = change.recipient.as_str().into();
    match &change.record {
        Some(record) => sql.run(
            "INSERT INTO notification (recipient, body) VALUES (?, ?)
                ON CONFLICT (recipient) DO UPDATE SET body = excluded.body",
            vec![recipient, codec::encode(record).into()],
        ),
        None => sql.run("DELETE FROM notification WHERE recipient = ?", vec![recipient]),
    }
}
