//! A connection pool of `sqlx` as a dependency, and a shrink hook that closes its idle connections; for every database of `sqlx`.
//! Needs the cargo feature `sqlx`.
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

/// Creates a dependency whose check takes a connection from the pool and pings it.
///
/// Details: `size`, open connections; `idle`, those of them that are not in use; `max`, the maximum; `wait_us`, the time that the
/// check, like any request, waited for its connection.
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
                .with("max", u64::from(pool.options().get_max_connections()))
                .with("wait_us", u64::try_from(waited.as_micros()).unwrap_or(u64::MAX)))
        }
    })
}

/// Creates a shrink hook that closes idle connections, down to the pool's minimum. Each connection holds buffers, prepared statements
/// and, in SQLite, a page cache. The pool opens new ones on demand.
///
/// Must be called within the tokio runtime that the pool belongs to.
pub fn shrink<DB: Database>(pool: &Pool<DB>) -> impl Fn(ShrinkRequest) + Send + Sync + 'static {
    let (pool, runtime) = (pool.clone(), Handle::current());
    move |_| runtime.block_on(close_idle(&pool))
}

async fn close_idle<DB: Database>(pool: &Pool<DB>) {
    // Only as many as were idle at first: other connections may become idle meanwhile, without end.
    for _ in 0..pool.num_idle() {
        if pool.size() <= pool.options().get_min_connections() {
            return;
        }
        let Some(connection) = pool.try_acquire() else { return };
        if let Err(error) = connection.close().await {
            tracing::debug!("cannot close an idle database connection: {error}");
        }
    }
}
