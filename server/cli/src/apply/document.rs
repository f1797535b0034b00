//! Reads a `monitors.toml` as JSON for the edge, with the line of each setting.

use std::collections::BTreeMap;
use std::ops::Range;

use heapbeat_monitors::applied::LIST;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The entries of a file, and the line of every value in them.
#[derive(Debug)]
pub(super) struct Document {
    /// The monitors, in the order of the file.
    pub(super) entries: Vec<Value>,
    lines: BTreeMap<String, usize>,
}

/// The reason why the text is not a list of monitors.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {reason}")]
pub(super) struct DocumentError {
    line: usize,
    reason: String,
}

impl Document {
    /// Parses `[[monitors]]`, or `[[vars.MONITORS]]` as in wrangler.toml.
    pub(super) fn parse(text: &str) -> Result<Self, DocumentError> {
        let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
        let line = |span: &Range<usize>| ends.partition_point(|end| *end < span.start) + 1;
        let error = |span: &Range<usize>, reason: String| DocumentError { line: line(span), reason };
        let root = DeTable::parse(text).map_err(|wrong| {
            let span = wrong.span().unwrap_or(0..0);
            error(&span, format!("the file is not TOML: {}", wrong.message()))
        })?;
        let (monitors, vars) = (find_value(root.get_ref(), "monitors"), find_value(root.get_ref(), "vars"));
        for (key, _) in root.get_ref() {
            if !matches!(key.get_ref().as_ref(), "monitors" | "vars") {
                let reason =
                    format!("`{}` is unknown; monitors are listed under [[monitors]]", key.get_ref());
                return Err(error(&key.span(), reason));
            }
        }
        let of_wrangler = match vars.map(Spanned::get_ref) {
            Some(DeValue::Table(vars)) => find_value(vars, "MONITORS"),
            _ => None,
        };
        let list = match (monitors, of_wrangler) {
            (Some(list), None) | (None, Some(list)) => list,
            (None, None) => {
                let reason =
                    "there are no monitors; add one under [[monitors]], or write monitors = [] for none";
                return Err(error(&(0..0), reason.to_owned()));
            }
            (Some(_), Some(twice)) => {
                let reason =
                    "monitors are listed under [[monitors]] or under [[vars.MONITORS]], not under both";
                return Err(error(&twice.span(), reason.to_owned()));
            }
        };
        let DeValue::Array(items) = list.get_ref() else {
            let reason = "this must be a list of tables: write [[monitors]] above each monitor";
            return Err(error(&list.span(), reason.to_owned()));
        };
        let mut lines = BTreeMap::new();
        let mut entries = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let position = format!("{LIST}[{index}]");
            lines.insert(position.clone(), line(&item.span()));
            entries.push(convert_value(item, &position, &mut lines, &line));
        }
        Ok(Document { entries, lines })
    }

    /// Returns the line of a position such as `monitors[0].url`, or of the innermost value around it that has a line.
    pub(super) fn line_of(&self, position: &str) -> Option<usize> {
        let mut position = position;
        loop {
            if let Some(line) = self.lines.get(position) {
                return Some(*line);
            }
            position = &position[..position.rfind(['.', '['])?];
        }
    }
}

/// Returns the value of a key.
fn find_value<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// Converts a value to JSON, and records the line of every value in it.
fn convert_value(
    item: &Spanned<DeValue<'_>>,
    position: &str,
    lines: &mut BTreeMap<String, usize>,
    line: &impl Fn(&Range<usize>) -> usize,
) -> Value {
    match item.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(bool) => Value::Bool(*bool),
        DeValue::Integer(integer) => {
            let digits = integer.as_str().replace('_', "");
            // No setting accepts a number that large; the error shows it as it was written.
            i64::from_str_radix(&digits, integer.radix()).map_or(Value::String(digits), Value::from)
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(float.as_str().to_owned()), Value::Number)
        }
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => {
            let values = items.iter().enumerate().map(|(index, item)| {
                let position = format!("{position}[{index}]");
                lines.insert(position.clone(), line(&item.span()));
                convert_value(item, &position, lines, line)
            });
            Value::Array(values.collect())
        }
        DeValue::Table(table) => {
            let values = table.iter().map(|(key, item)| {
                let position = format!("{position}.{}", key.get_ref());
                lines.insert(position.clone(), line(&key.span()));
                (key.get_ref().to_string(), convert_value(item, &position, lines, line))
            });
            Value::Object(values.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWO_MONITORS: &str = r#"# our monitors
[[monitors]]
id = "a"
kind = "http"
url = "https://a.example"
conditions = [
    "[STATUS] == 200",
    "[BODY].ok == true",
]
headers = { accept = "text/plain", authorization = { secret = "A_TOKEN" } }

[[monitors]]
id = "b"
failure-threshold = 2
"#;

    #[test]
    fn every_setting_has_its_line() {
        let document = Document::parse(TWO_MONITORS).unwrap();
        assert_eq!(document.entries[1], json!({ "id": "b", "failure-threshold": 2 }));
        assert_eq!(document.entries[0]["headers"]["authorization"]["secret"], "A_TOKEN");
        let cases = [
            ("monitors[0].id", 3),
            ("monitors[0].conditions", 6),
            ("monitors[0].conditions[1]", 8),
            ("monitors[0].headers.accept", 10),
            ("monitors[0].nowhere", 2),
            ("monitors[1]", 12),
            ("monitors[1].failure-threshold", 14),
            ("monitors[1].id", 13),
        ];
        for (position, line) in cases {
            assert_eq!(document.line_of(position), Some(line), "{position}");
        }
        assert_eq!(document.line_of("b.time-zone"), None);
    }

    #[test]
    fn the_lines_of_a_large_file_are_found_without_reading_it_again_for_each() {
        let text = format!("monitors = [\n{}]", "1,\n".repeat(300_000));
        let document = Document::parse(&text).unwrap();
        assert_eq!(document.line_of("monitors[299999]"), Some(300_001));
    }

    #[test]
    fn the_blocks_of_wrangler_are_accepted() {
        let document = Document::parse(&TWO_MONITORS.replace("[[monitors]]", "[[vars.MONITORS]]")).unwrap();
        assert_eq!((document.entries.len(), document.line_of("monitors[1].id")), (2, Some(13)));
        assert_eq!(Document::parse("monitors = []").unwrap().entries.len(), 0);
    }

    #[test]
    fn a_file_without_a_list_is_refused_with_its_line() {
        let cases = [
            ("", 1, "there are no monitors"),
            ("\n\nid = 'a'", 3, "`id` is unknown"),
            ("monitors = 5", 1, "this must be a list of tables"),
            ("[[monitors]]\nid = ", 2, "is not TOML"),
            ("[[monitors]]\nid = 'a'\nid = 'b'", 3, "is not TOML"),
            ("[[monitors]]\nid='a'\n[[vars.MONITORS]]\nid='b'", 3, "not under both"),
        ];
        for (text, line, reason) in cases {
            let error = Document::parse(text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text:?}: {error}");
        }
    }
}
