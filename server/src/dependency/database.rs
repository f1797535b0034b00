//! A database pool of `sqlx`, of whatever database: can a connection be had and does it answer, and what the pool can
//! give back when memory is short. With the cargo feature `sqlx`.
//!
//! ```no_run
//! # use heapbeat::{Config, Guard, dependency::database};
//! # async fn start<DB: sqlx::Database>(pool: sqlx::Pool<DB>) -> Result<(), Box<dyn std::error::Error>> {
//! let builder = Guard::builder(Config::from_env()?).dependency(database::pool("database", &pool));
//! builder.hooks().add("database pool", 10, heapbeat::overload::hooks::DEFAULT_BOUND, database::shrink(&pool))?;
//! # Ok(()) }
//! ```

use std::time::Instant;

use sqlx::{Connection, Database, Pool};
use tokio::runtime::Handle;

use super::{CheckDetails, CheckError, Dependency};
use crate::overload::hooks::ShrinkRequest;

/// The pool as a dependency: a connection is taken out of it and pinged.
///
/// Details: `size`, connections that are open; `idle`, those of them that nobody uses; `most`, how many there may be;
/// `wait_us`, how long the check waited for its connection: what a request waits for it, too.
pub fn pool<DB: Database>(name: &str, pool: &Pool<DB>) -> Dependency {
    let pool = pool.clone();
    Dependency::new(name, move || {
        let pool = pool.clone();
        async move {
            let begun = Instant::now();
            let mut connection = pool.acquire().await.map_err(CheckError::failed)?;
            let waited = begun.elapsed();
            connection.ping().await.map_err(CheckError::failed)?;
            drop(connection);
            Ok(CheckDetails::default()
                .with("size", u64::from(pool.size()))
                .with("idle", pool.num_idle() as u64)
                .with("most", u64::from(pool.options().get_max_connections()))
                .with("wait_us", u64::try_from(waited.as_micros()).unwrap_or(u64::MAX)))
        }
    })
}

/// A shrink hook that closes the connections that nobody uses, down to the pool's own least number. Each holds
/// buffers, prepared statements and, in SQLite, a page cache. The pool opens new ones when they are wanted.
///
/// Must be called within the tokio runtime that the pool belongs to.
pub fn shrink<DB: Database>(pool: &Pool<DB>) -> impl Fn(ShrinkRequest) + Send + Sync + 'static {
    let (pool, runtime) = (pool.clone(), Handle::current());
    move |_| runtime.block_on(close_idle(&pool))
}

async fn close_idle<DB: Database>(pool: &Pool<DB>) {
    // As many as were idle to begin with: others may be given back meanwhile, for ever.
    for _ in 0..pool.num_idle() {
        if pool.size() <= pool.options().get_min_connections() {
            return;
        }
        let Some(connection) = pool.try_acquire() else { return };
        if let Err(error) = connection.close().await {
            tracing::debug!("a database connection did not close in order: {error}");
        }
    }
}
