//! Numbered changes of the schema, which run by themselves when an object starts.
//!
//! A migration that was released is never edited; the next change is the next number. A store that a newer
//! version wrote is refused rather than written to by one that does not know what it holds.

use super::sqlite::{Sql, StoreError};

/// One change of the schema: a number and what it says.
struct Migration {
    number: i64,
    sql: &'static [&'static str],
}

/// All of them, in the order in which they run.
const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, sql: m0001_begin::SQL },
    Migration { number: 2, sql: m0002_incidents::SQL },
    Migration { number: 3, sql: m0003_orders::SQL },
    Migration { number: 4, sql: m0004_ring::SQL },
    Migration { number: 5, sql: m0005_records::SQL },
    Migration { number: 6, sql: m0006_setting::SQL },
    Migration { number: 7, sql: m0007_usage::SQL },
];

mod m0001_begin {
    //! Ticks, the memos of all monitors, and the ledger.

    /// `tick`: all probes of one tick, packed (`store/pack.rs`). `memo`: one row, everything that changes with
    /// every probe, as JSON, with the last tick's two instants. `ledger`: the beginning of every segment; it ends where the next one begins. The
    /// two keyed tables are their own index, so a row is one row written.
    pub(super) const SQL: &[&str] = &[
        "CREATE TABLE tick (at INTEGER PRIMARY KEY, probes BLOB NOT NULL) STRICT",
        "CREATE TABLE memo (id INTEGER PRIMARY KEY CHECK (id = 1), at INTEGER NOT NULL, came INTEGER NOT NULL,
            memos TEXT NOT NULL) STRICT",
        "CREATE TABLE ledger (monitor TEXT NOT NULL, from_ms INTEGER NOT NULL, state TEXT NOT NULL,
            PRIMARY KEY (monitor, from_ms)) STRICT, WITHOUT ROWID",
    ];
}

mod m0002_incidents {
    //! Incidents, and what is still to be told.

    /// `incident`: one row each, as JSON, with the samples before it packed (`store/pack.rs`). `outbox`: alerts that no
    /// service has taken yet, in the order in which they were written.
    pub(super) const SQL: &[&str] = &[
        "CREATE TABLE incident (monitor TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER,
            body TEXT NOT NULL, recording BLOB, PRIMARY KEY (monitor, opened_ms)) STRICT, WITHOUT ROWID",
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, channel TEXT NOT NULL, message TEXT NOT NULL,
            due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL) STRICT",
    ];
}

mod m0003_orders {
    //! What people and jobs tell.

    /// `applied`: one row, the list of monitors that was applied, as JSON. `beat`: what each job said last, as JSON.
    pub(super) const SQL: &[&str] = &[
        "CREATE TABLE applied (id INTEGER PRIMARY KEY CHECK (id = 1), monitors TEXT NOT NULL) STRICT",
        "CREATE TABLE beat (monitor TEXT PRIMARY KEY, said TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ];
}

mod m0004_ring {
    //! One row a tick, in a ring, and memory history in chunks.

    /// `ring`: the last ticks, each in the place of the one that it drives out, with all memos as they were after it; what
    /// was in `tick` and `memo`. `series`: chunks of memory history (`store/series.rs`).
    pub(super) const SQL: &[&str] = &[
        "CREATE TABLE ring (slot INTEGER PRIMARY KEY, at INTEGER NOT NULL, came INTEGER NOT NULL,
            probes BLOB NOT NULL, memos TEXT NOT NULL) STRICT",
        "INSERT INTO ring (slot, at, came, probes, memos)
            SELECT row_number() OVER (ORDER BY at), at, at, probes, '{}' FROM
            (SELECT at, probes FROM tick ORDER BY at DESC LIMIT 1440)",
        "UPDATE ring SET came = memo.came, memos = memo.memos FROM memo WHERE ring.at = memo.at",
        "DROP TABLE tick",
        "DROP TABLE memo",
        "CREATE TABLE series (monitor TEXT NOT NULL, tier INTEGER NOT NULL, slot INTEGER NOT NULL,
            from_ms INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (monitor, tier, slot)) STRICT, WITHOUT ROWID",
    ];
}

mod m0005_records {
    //! Memos, incidents, messages and what jobs said as CBOR instead of JSON.

    /// What the ticks and the ledger hold stays. The rest was written by versions that nobody was given: it is left behind, and
    /// is there again after the next tick. `X'80'` is an empty list.
    pub(super) const SQL: &[&str] = &[
        "CREATE TABLE ring5 (slot INTEGER PRIMARY KEY, at INTEGER NOT NULL, came INTEGER NOT NULL,
            probes BLOB NOT NULL, memos BLOB NOT NULL) STRICT",
        "INSERT INTO ring5 (slot, at, came, probes, memos) SELECT slot, at, came, probes, X'80' FROM ring",
        "DROP TABLE ring",
        "ALTER TABLE ring5 RENAME TO ring",
        "DROP TABLE incident",
        "CREATE TABLE incident (monitor TEXT NOT NULL, opened_ms INTEGER NOT NULL, closed_ms INTEGER,
            body BLOB NOT NULL, recording BLOB, PRIMARY KEY (monitor, opened_ms)) STRICT, WITHOUT ROWID",
        "DROP TABLE outbox",
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, channel TEXT NOT NULL, message BLOB NOT NULL,
            due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL) STRICT",
        "DROP TABLE beat",
        "CREATE TABLE beat (monitor TEXT PRIMARY KEY, said BLOB NOT NULL) STRICT, WITHOUT ROWID",
    ];
}

mod m0006_setting {
    //! What the owner set, and what the hub counts.

    /// `setting`: one row for each thing that is changed as a whole, as JSON.
    pub(super) const SQL: &[&str] =
        &["CREATE TABLE setting (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID"];
}

mod m0007_usage {
    //! What the day has cost, beside the tick that counted it: not a row more is written for it.

    pub(super) const SQL: &[&str] = &["ALTER TABLE ring ADD COLUMN usage BLOB"];
}

/// Why the store cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// A newer version of heapbeat has been here.
    #[error("the store has schema {found}, and this version knows {known}: deploy the newer version again")]
    Newer {
        /// The store's highest migration.
        found: i64,
        /// Ours.
        known: i64,
    },
}

/// The number of the last one.
pub(super) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// The migrations that a store at `found` still needs.
fn missing(found: i64) -> Result<impl Iterator<Item = &'static Migration>, MigrationError> {
    let known = newest();
    if found > known {
        return Err(MigrationError::Newer { found, known });
    }
    Ok(MIGRATIONS.iter().filter(move |migration| migration.number > found))
}

/// Brings the schema up to date; `applied_at` is written beside each step that it takes. The caller wraps it
/// in a transaction.
pub(super) fn run(sql: &Sql, applied_at: i64) -> Result<(), StoreError> {
    sql.run(
        "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT",
        vec![],
    )?;
    let found = sql.number("SELECT coalesce(max(number), 0) FROM migration", vec![])?.unwrap_or(0);
    for migration in missing(found)? {
        for statement in migration.sql {
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
    fn numbers_rise_by_one_from_one() {
        for (expected, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.number, expected);
        }
    }

    #[test]
    fn only_what_is_missing_runs_and_a_newer_store_is_refused() {
        let known = MIGRATIONS.last().unwrap().number;
        for found in 0..=known {
            let numbers: Vec<_> = missing(found).unwrap().map(|migration| migration.number).collect();
            assert_eq!(numbers, (found + 1..=known).collect::<Vec<_>>());
        }
        let error = missing(known + 1).err().unwrap();
        assert_eq!(error, MigrationError::Newer { found: known + 1, known });
    }
}
