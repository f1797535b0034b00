//! Everything that the hub keeps, as JSON lines: for a copy of one's own, and to take it elsewhere.
//!
//! A line is a row: `{"table":"ledger","row":["api",1767225600000,"up"]}`; bytes are `{"base64":"…"}`. The first line of an
//! export names the schema, and only a hub of the same schema takes it in. What waits in the outbox stays where it is, since
//! two hubs that tell the same alert tell it twice.

use base64ct::{Base64, Encoding as _};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The tables, in the order in which they are written, and how many columns each has.
pub const TABLES: [(&str, usize); 6] = [
    ("setting", 2),
    ("heartbeat", 2),
    ("ledger", 3),
    ("incident", 5),
    ("series", 5),
    // The last ticks, with the state of all monitors as it was after each.
    ("tick", 6),
];

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A line of an export.
#[derive(Serialize)]
struct Line<'l> {
    table: &'l str,
    row: &'l [Cell],
}

/// The same as it is read.
#[derive(Deserialize)]
struct OwnedLine {
    table: String,
    row: Vec<Cell>,
}

/// A row as a line, without its end.
pub fn line(table: &str, row: &[Cell]) -> String {
    // There is no map with other keys than text in it, so that this does not fail.
    serde_json::to_string(&Line { table, row }).unwrap_or_default()
}

/// Reads such a line: the table's place in [`TABLES`] and the row.
pub fn parse(line: &str) -> Result<(usize, Vec<Cell>), String> {
    let OwnedLine { table: name, row } =
        serde_json::from_str(line).map_err(|error| format!("is no row: {error}"))?;
    let table = TABLES.iter().position(|(known, _)| *known == name).ok_or("names no table of the hub")?;
    let columns = TABLES[table].1;
    if row.len() != columns {
        return Err(format!("has {} values, and {name} has {columns} columns", row.len()));
    }
    Ok((table, row))
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
        fn a_row_comes_back(
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
            let written = line(name, row);
            prop_assert!(!written.contains('\n'));
            prop_assert_eq!(parse(&written), Ok((table, row.to_vec())));
        }
    }

    #[test]
    fn what_is_no_row() {
        let cases = [
            ("", "is no row"),
            ("{}", "is no row"),
            (r#"{"table":"outbox","row":[]}"#, "names no table"),
            (r#"{"table":"heartbeat"}"#, "is no row"),
            (r#"{"table":"heartbeat","row":["a"]}"#, "has 1 values, and heartbeat has 2 columns"),
            (r#"{"table":"heartbeat","row":["a",1.5]}"#, "is no row"),
            (r#"{"table":"heartbeat","row":["a",{"base64":"?"}]}"#, "is no row"),
        ];
        for (line, error) in cases {
            assert!(parse(line).unwrap_err().starts_with(error), "{line}");
        }
    }
}
