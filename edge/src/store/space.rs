//! Room in the store: a database of a Durable Object has a limit, and a full one accepts no tick.
//!
//! The samples by the second are what takes most: 5 MB for a server, and up to 150 MB for one that sends noise. Those of the monitor that
//! has most of them are deleted first; its peaks by the minute stay.

use worker::SqlStorageValue;

use super::sql::{Sql, StoreError};
use crate::domain::history::rollup::Tier;

/// The most bytes of all hubs of a deployment: what the free plan gives to an account, less a fifth.
const MAX_BYTES: u64 = 4_000_000_000;

/// The monitors whose samples are deleted at a time. To find each of them reads the keys of all samples.
const MAX_TRIMMED: usize = 5;

/// Returns the most bytes of the database of one of `hub_count` hubs.
pub(super) fn max_bytes(hub_count: usize) -> u64 {
    MAX_BYTES / u64::try_from(hub_count).unwrap_or(u64::MAX).max(1)
}

/// Deletes the samples by the second of one monitor after another until the database has at most `max_bytes`, at least those of one.
/// Returns whether any were deleted.
pub(super) fn make_room(sql: &Sql, max_bytes: u64) -> Result<bool, StoreError> {
    let mut has_deleted = false;
    for _ in 0..MAX_TRIMMED {
        let query = "SELECT monitor FROM series WHERE tier = ? GROUP BY monitor ORDER BY SUM(LENGTH(data)) DESC LIMIT 1";
        let rows = sql.rows(query, vec![Tier::Second.number().into()])?;
        let Some([SqlStorageValue::String(monitor)]) = rows.first().map(Vec::as_slice) else { break };
        let values = vec![monitor.as_str().into(), Tier::Second.number().into()];
        sql.run("DELETE FROM series WHERE monitor = ? AND tier = ?", values)?;
        sql.record_trimmed(monitor);
        has_deleted = true;
        if sql.database_size() <= max_bytes {
            break;
        }
    }
    Ok(has_deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_hubs_together_stay_within_the_plan() {
        for hubs in [1, 2, 45] {
            assert!(max_bytes(hubs) * hubs as u64 <= MAX_BYTES, "{hubs}");
        }
        assert_eq!(max_bytes(0), MAX_BYTES);
    }
}
