//! Everything that is written down, and all of the SQL.
//!
//! The hub's SQLite holds a few small tables (`store/migrate.rs`). A tick writes one row, whatever the number of
//! monitors, and a row of the ledger only where a state changed: a day of minutes is about 1,440 of the free plan's
//! 100,000 rows, one more an hour for the latencies of all, and two for each monitor with a signed report and hour.

mod bytes;
mod export;
pub mod export_format;
mod hours;
mod latency;
mod migrate;
mod outbox;
mod series;
mod settings;
mod sqlite;
mod tick_codec;
mod transaction;

pub use hours::pack_hour;
pub use latency::latency_day;
pub use migrate::MigrationError;
pub use sqlite::{Loaded, Store, StoreError};
pub use tick_codec::{PackError, pack, pack_runs, unpack, unpack_runs};
