//! The tables, as numbered migrations that run when the object starts.
//!
//! A released migration is never edited; a change is a new migration. A store with the schema of a newer version is an error.

use super::sql::{Sql, StoreError};

/// One change of the schema.
struct Migration {
    number: i64,
    statements: &'static [&'static str],
}

/// All migrations, in the order in which they run.
const MIGRATIONS: &[Migration] = &[Migration { number: 1, statements: FIRST }];

/// The tables with a text key are their own index (`WITHOUT ROWID`), so that an insertion counts as one written row.
///
/// * `tick`: a ring buffer of the last ticks, one row each: its probes, packed (`store/tick_codec.rs`), the state of all monitors after it, and
///   the quota usage of the day, including the tick.
/// * `ledger`: the beginning of every segment; a segment ends where the next one begins.
/// * `incident`: one row each, with the samples before it, packed. The index finds those that a hub loads when it starts.
/// * `notification`: what each recipient was notified of last, one row each.
/// * `series`: chunks of memory history (`store/memory_series.rs`), and latencies (`store/latency_series.rs`).
/// * `heartbeat`: the last heartbeat of each job.
/// * `setting`: one row for each list or value that is replaced as a whole, as JSON.
const FIRST: &[&str] = &[
    "CREATE TABLE tick (slot INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
        probes BLOB NOT NULL, states BLOB NOT NULL, usage BLOB NOT NULL) STRICT",
    "CREATE TABLE ledger (monitor TEXT NOT NULL, from_ms INTEGER NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (monitor, from_ms)) STRICT, WITHOUT ROWID",
    "CREATE TABLE incident (monitor TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER,
        body BLOB NOT NULL, recording BLOB, PRIMARY KEY (monitor, opened_ms)) STRICT, WITHOUT ROWID",
    "CREATE INDEX incident_closed ON incident (closed_ms)",
    "CREATE TABLE notification (recipient TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE series (monitor TEXT NOT NULL, tier INTEGER NOT NULL, slot INTEGER NOT NULL,
        from_ms INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (monitor, tier, slot)) STRICT, WITHOUT ROWID",
    "CREATE TABLE heartbeat (monitor TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE setting (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID",
];

/// Returns the number of the last migration.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// Returns the migrations that a store with the schema `found` lacks.
fn missing(found: i64) -> Result<impl Iterator<Item = &'static Migration>, StoreError> {
    let known = newest();
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    Ok(MIGRATIONS.iter().filter(move |migration| migration.number > found))
}

/// Runs the missing migrations and records `applied_at` for each. The caller wraps it in a transaction.
pub(super) fn migrate(sql: &Sql, applied_at: i64) -> Result<(), StoreError> {
    sql.run(
        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
        vec![],
    )?;
    let found = sql.number("SELECT coalesce(max(number), 0) FROM migration", vec![])?.unwrap_or(0);
    for migration in missing(found)? {
        for statement in migration.statements {
            sql.run(statement, vec![])?;
        }
        sql.run(
            "INSERT INTO migration (number, applied_at) VALUES (?, ?)",
            vec![migration.number.into(), applied_at.into()],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one() {
        for (expected, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.number, expected);
        }
    }

    #[test]
    fn only_missing_migrations_run_and_a_newer_schema_is_an_error() {
        let known = newest();
        for found in 0..=known {
            let numbers: Vec<_> = missing(found).unwrap().map(|migration| migration.number).collect();
            assert_eq!(numbers, (found + 1..=known).collect::<Vec<_>>());
        }
        let error = missing(known + 1).err().unwrap();
        assert_eq!(error, StoreError::NewerSchema { found: known + 1, known });
    }
}
