//! Everything that is written down, and all of the SQL.
//!
//! The hub's SQLite holds a few small tables (`store/migrate.rs`). A tick writes one row for its probes and
//! one for all memos, whatever the number of monitors, and a row of the ledger only where a state changed: a
//! day of minutes is about 2,900 of the free plan's 100,000 rows.

mod migrate;
mod orders;
mod outbox;
mod pack;
mod sqlite;
mod transaction;

pub use migrate::MigrationError;
pub use pack::{PackError, pack, pack_runs, unpack, unpack_runs};
pub use sqlite::{Loaded, Store, StoreError};
