//! Everything that the hub keeps, as JSON lines: for a copy of one's own, and to take it elsewhere.
//!
//! A line is a row: `{"table":"ledger","row":["api",1767225600000,"up"]}`; bytes are `{"base64":"…"}`. The first line of an
//! export names the schema, and only a hub of the same schema takes it in. What waits in the outbox stays where it is, since
//! two hubs that tell the same alert tell it twice.

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use crate::json;

/// The tables, in the order in which they are written, and how many columns each has.
pub const TABLES: [(&str, usize); 7] = [
    ("setting", 2),
    ("applied", 2),
    ("beat", 2),
    ("ledger", 3),
    ("incident", 5),
    ("series", 5),
    // The last ticks, with all memos as they were after each.
    ("ring", 6),
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

/// A row as a line, without its end.
pub fn line(table: &str, row: &[Cell]) -> String {
    json::object(|o| {
        o.set("table", table);
        o.list("row", |list| {
            for cell in row {
                match cell {
                    Cell::Null => list.push(json::Plain::Null),
                    Cell::Integer(number) => list.push(*number),
                    Cell::Text(text) => list.push(text),
                    Cell::Bytes(bytes) => list.object(|o| o.set("base64", &Base64::encode_string(bytes))),
                }
            }
        });
    })
}

/// Reads such a line: the table's place in [`TABLES`] and the row.
pub fn parse(line: &str) -> Result<(usize, Vec<Cell>), String> {
    let value = serde_json::from_str::<Value>(line).map_err(|error| format!("is no JSON: {error}"))?;
    let name = value.get("table").and_then(Value::as_str).unwrap_or_default();
    let table = TABLES.iter().position(|(known, _)| *known == name).ok_or("names no table of the hub")?;
    let cells = value.get("row").and_then(Value::as_array).ok_or("has no row")?;
    if cells.len() != TABLES[table].1 {
        return Err(format!("has {} values, and {name} has {} columns", cells.len(), TABLES[table].1));
    }
    let row: Option<Vec<Cell>> = cells.iter().map(cell).collect();
    Ok((table, row.ok_or("has a value that is neither text, whole number, bytes nor null")?))
}

fn cell(value: &Value) -> Option<Cell> {
    match value {
        Value::Null => Some(Cell::Null),
        Value::Number(number) => number.as_i64().map(Cell::Integer),
        Value::String(text) => Some(Cell::Text(text.clone())),
        Value::Object(bytes) if bytes.len() == 1 => {
            Base64::decode_vec(bytes.get("base64")?.as_str()?).ok().map(Cell::Bytes)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_comes_back(
            table in 0_usize..7,
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
            ("", "is no JSON"),
            ("{}", "names no table"),
            (r#"{"table":"outbox","row":[]}"#, "names no table"),
            (r#"{"table":"beat"}"#, "has no row"),
            (r#"{"table":"beat","row":["a"]}"#, "has 1 values, and beat has 2 columns"),
            (r#"{"table":"beat","row":["a",1.5]}"#, "has a value that is neither"),
            (r#"{"table":"beat","row":["a",{"base64":"?"}]}"#, "has a value that is neither"),
        ];
        for (line, error) in cases {
            assert!(parse(line).unwrap_err().starts_with(error), "{line}");
        }
    }
}
