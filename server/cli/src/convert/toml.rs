//! Writing a `monitors.toml`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::gatus::Found;

/// The order in which people like to read an entry; what is not here comes after.
const ORDER: [&str; 5] = ["id", "name", "group", "kind", "url"];

/// The whole file.
pub(super) fn write(found: &[Found]) -> String {
    let mut text = "# Converted from a Gatus configuration by `heapbeat convert`. docs/monitors.md says what can be set.\n".to_owned();
    for Found { entry, notes } in found {
        text.push('\n');
        for note in notes {
            // Writing to a String does not fail.
            let _ = writeln!(text, "# {}", one_line(note));
        }
        let Some(entry) = entry else { continue };
        text.push_str("[[monitors]]\n");
        let first = ORDER.iter().filter_map(|name| entry.get_key_value(*name));
        let rest = entry.iter().filter(|(name, _)| !ORDER.contains(&name.as_str()));
        for (name, value) in first.chain(rest) {
            let _ = writeln!(text, "{} = {}", key(name), inline(value));
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if bare { name.to_owned() } else { quoted(name) }
}

/// TOML's basic strings are JSON's, but for DEL.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => table_of(table),
        other => other.to_string(),
    }
}

fn table_of(table: &Map<String, Value>) -> String {
    let fields: Vec<_> =
        table.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
    format!("{{ {} }}", fields.join(", "))
}
