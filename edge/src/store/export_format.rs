//! The export of a hub: JSON lines, for a backup and for a move to another edge.
//!
//! A line is a row: `{"table":"ledger","row":["api",1767225600000,"up"]}`; bytes are `{"base64":"…"}`. The first line of an
//! export names the schema, and only a hub of the same schema accepts it. The table `notification` is not exported, as two hubs with
//! the same rows would both notify everybody of what comes next.

use base64ct::{Base64, Encoding as _};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The tables in the order of an export, each with its number of columns.
pub const TABLES: [(&str, usize); 6] = [
    ("setting", 2),
    ("heartbeat", 2),
    ("ledger", 3),
    ("incident", 5),
    ("series", 5),
    // The last ticks, with the state of all monitors as it was after each.
    ("tick", 6),
];

/// The most characters of an unknown name in an error.
const MAX_SHOWN: usize = 60;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// SQL's `NULL`.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row to be written.
#[derive(Serialize)]
struct BorrowedRow<'r> {
    table: &'r str,
    row: &'r [Cell],
}

/// A row that was read.
#[derive(Deserialize)]
struct OwnedRow {
    table: String,
    row: Vec<Cell>,
}

/// A line that is not a row of an export.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The line is not JSON, or not of the form of a row.
    #[error("not a row of an export: {0}")]
    Json(String),
    /// No table has this name.
    #[error("unknown table `{0}`; the tables are setting, heartbeat, ledger, incident, series and tick")]
    Table(String),
    /// The number of values is not the number of columns.
    #[error("a row of `{table}` has {expected} values, and this one has {found}")]
    Columns {
        /// The table.
        table: &'static str,
        /// Its number of columns.
        expected: usize,
        /// The number of values in the row.
        found: usize,
    },
}

/// Formats a row as a line, without the line break.
pub fn format_row(table: &str, row: &[Cell]) -> String {
    // All keys are text, so this cannot fail.
    serde_json::to_string(&BorrowedRow { table, row }).unwrap_or_default()
}

/// Parses a line into the index of its table in [`TABLES`] and the row.
pub fn parse_row(line: &str) -> Result<(usize, Vec<Cell>), ExportError> {
    let OwnedRow { table: name, row } =
        serde_json::from_str(line).map_err(|error| ExportError::Json(error.to_string()))?;
    let Some(index) = TABLES.iter().position(|(known, _)| *known == name) else {
        return Err(ExportError::Table(name.chars().take(MAX_SHOWN).collect()));
    };
    let (table, expected) = TABLES[index];
    if row.len() != expected {
        return Err(ExportError::Columns { table, expected, found: row.len() });
    }
    Ok((index, row))
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => serializer.serialize_unit(),
            Cell::Integer(number) => serializer.serialize_i64(*number),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::Bytes(bytes) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &Base64::encode_string(bytes))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("null, a whole number, text or {\"base64\":\"…\"}")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell, E> {
        i64::try_from(number).map(Cell::Integer).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let Some(("base64", text)) = map.next_entry::<&str, &str>()? else {
            return Err(A::Error::custom("an object is {\"base64\":\"…\"}"));
        };
        Base64::decode_vec(text).map(Cell::Bytes).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_is_parsed_as_it_was_formatted(
            table in 0_usize..TABLES.len(),
            cells in proptest::collection::vec(
                prop_oneof![
                    Just(Cell::Null),
                    (-(1_i64 << 53)..(1_i64 << 53)).prop_map(Cell::Integer),
                    any::<String>().prop_map(Cell::Text),
                    proptest::collection::vec(any::<u8>(), 0..100).prop_map(Cell::Bytes),
                ],
                6,
            ),
        ) {
            let (name, columns) = TABLES[table];
            let row = &cells[..columns];
            let line = format_row(name, row);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(parse_row(&line), Ok((table, row.to_vec())));
        }
    }

    #[test]
    fn a_line_that_is_not_a_row_of_a_table_is_an_error() {
        let not_json = "not a row of an export";
        let cases = [
            ("", not_json),
            ("{}", not_json),
            (r#"{"table":"notification","row":[]}"#, "unknown table `notification`; the tables are setting"),
            (r#"{"table":"heartbeat"}"#, not_json),
            (r#"{"table":"heartbeat","row":["a"]}"#, "a row of `heartbeat` has 2 values, and this one has 1"),
            (r#"{"table":"heartbeat","row":["a",1.5]}"#, not_json),
            (r#"{"table":"heartbeat","row":["a",{"base64":"?"}]}"#, not_json),
        ];
        for (line, error) in cases {
            assert!(parse_row(line).unwrap_err().to_string().starts_with(error), "{line}");
        }
        let names = TABLES.map(|(name, _)| name);
        let error = ExportError::Table("x".to_owned()).to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
    }
}
