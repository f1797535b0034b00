//! Writes a `monitors.toml`.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::gatus::ConvertedEndpoint;

/// Comment at the beginning of the file.
const HEADER: &str = "# Converted from a Gatus configuration by `heapbeat convert`. docs/monitors.md describes all settings.\n";

/// Keys that come first, in this order; the others follow.
const FIRST_KEYS: [&str; 5] = ["id", "name", "group", "kind", "url"];

/// A file with one monitor: `[[monitors]]` and its keys.
#[derive(Serialize)]
struct Document<'a> {
    monitors: [OrderedMonitor<'a>; 1],
}

/// A monitor whose keys are written in the usual order.
struct OrderedMonitor<'a>(&'a Map<String, Value>);

impl Serialize for OrderedMonitor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let OrderedMonitor(fields) = self;
        let first = FIRST_KEYS.iter().filter_map(|key| fields.get_key_value(*key));
        let rest = fields.iter().filter(|(key, _)| !FIRST_KEYS.contains(&key.as_str()));
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (key, value) in first.chain(rest) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Formats the complete file, with the notes on each endpoint as comments above its monitor.
pub(super) fn format_file(endpoints: &[ConvertedEndpoint]) -> String {
    let mut text = HEADER.to_owned();
    for ConvertedEndpoint { entry, notes } in endpoints {
        text.push('\n');
        for note in notes {
            text.extend(["# ", &to_one_line(note), "\n"]);
        }
        if let Some(entry) = entry {
            // Text, numbers, lists and tables can all be written.
            text += &toml::to_string(&Document { monitors: [OrderedMonitor(entry)] }).unwrap_or_default();
        }
    }
    text
}

/// Replaces line breaks and other control characters, which would end the comment.
fn to_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
