//! The position of a page of an export: `<hub>-<table>-<row>`, such as `7-3-200`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::monitor_config::MAX_HUBS;

/// The position of a row in everything that all hubs store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExportCursor {
    /// The number of the hub.
    pub hub: usize,
    /// The number of the table.
    pub table: usize,
    /// How many rows of the table come before it.
    pub row: u32,
}

/// The first line of a page of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportHeader {
    /// The number of the schema of the rows.
    pub schema: i64,
    /// The number of the hub that exported the rows.
    pub hub: usize,
}

impl ExportHeader {
    /// Reads the first line of a page; `None` if it is not a header.
    pub fn read(page: &str) -> Option<Self> {
        let header: ExportHeader = serde_json::from_str(page.lines().next()?).ok()?;
        (header.hub < MAX_HUBS).then_some(header)
    }
}

/// The text is not the cursor of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("from is the `next` of the page before, such as 0-3-200")]
pub struct ExportCursorError;

impl fmt::Display for ExportCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.hub, self.table, self.row)
    }
}

impl FromStr for ExportCursor {
    type Err = ExportCursorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = text.split('-');
        let mut number = || numbers.next().ok_or(ExportCursorError);
        let (hub, table, row) = (number()?, number()?, number()?);
        let cursor = ExportCursor {
            hub: hub.parse().map_err(|_| ExportCursorError)?,
            table: table.parse().map_err(|_| ExportCursorError)?,
            row: row.parse().map_err(|_| ExportCursorError)?,
        };
        (numbers.next().is_none() && cursor.hub < MAX_HUBS).then_some(cursor).ok_or(ExportCursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_three_numbers() {
        let cursor = ExportCursor { hub: 7, table: 3, row: 200 };
        assert_eq!("7-3-200".parse(), Ok(cursor));
        assert_eq!(cursor.to_string(), "7-3-200");
        for text in ["", "7", "7-3", "7-3-200-1", "7-3-x", "-1-0-0", "45-0-0", "7-3-4294967296"] {
            assert_eq!(text.parse::<ExportCursor>(), Err(ExportCursorError), "{text}");
        }
    }
    #[test]
    fn an_export_begins_with_its_schema_and_its_hub() {
        let header = ExportHeader { schema: 1, hub: 12 };
        assert_eq!(ExportHeader::read("{\"schema\":1,\"hub\":12}\n{\"table\""), Some(header));
        for page in ["", "{}", "{\"schema\":1,\"hub\":45}", "{\"table\":\"tick\"}"] {
            assert_eq!(ExportHeader::read(page), None, "{page}");
        }
    }
}
