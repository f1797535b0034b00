//! A `monitors.toml` as the edge takes it, and the line on which each setting stands.

use std::collections::BTreeMap;
use std::ops::Range;

use heapbeat_monitors::applied::LIST;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The entries, and where everything stands.
#[derive(Debug)]
pub(super) struct Document {
    /// The monitors, in the order of the file.
    pub(super) entries: Vec<Value>,
    lines: BTreeMap<String, usize>,
}

/// Why a text is no list of monitors: a line and what is wrong there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {reason}")]
pub(super) struct DocumentError {
    line: usize,
    reason: String,
}

impl Document {
    /// Reads `[[monitors]]`, or `[[vars.MONITORS]]` as in wrangler.toml.
    pub(super) fn read(text: &str) -> Result<Self, DocumentError> {
        let line = |span: &Range<usize>| text[..span.start.min(text.len())].matches('\n').count() + 1;
        let error = |span: &Range<usize>, reason: String| DocumentError { line: line(span), reason };
        let root = DeTable::parse(text).map_err(|wrong| {
            let span = wrong.span().unwrap_or(0..0);
            error(&span, format!("is not TOML: {}", wrong.message()))
        })?;
        let (monitors, vars) = (find(root.get_ref(), "monitors"), find(root.get_ref(), "vars"));
        for (key, _) in root.get_ref() {
            if !matches!(key.get_ref().as_ref(), "monitors" | "vars") {
                let reason = format!(
                    "`{}` is nothing that this file has; monitors stand under [[monitors]]",
                    key.get_ref()
                );
                return Err(error(&key.span(), reason));
            }
        }
        let of_wrangler = match vars.map(Spanned::get_ref) {
            Some(DeValue::Table(vars)) => find(vars, "MONITORS"),
            _ => None,
        };
        let list = match (monitors, of_wrangler) {
            (Some(list), None) | (None, Some(list)) => list,
            (None, None) => {
                let reason = "there is no monitor; add one under [[monitors]], or say monitors = [] for none";
                return Err(error(&(0..0), reason.to_owned()));
            }
            (Some(_), Some(twice)) => {
                let reason =
                    "the monitors stand under [[monitors]] or under [[vars.MONITORS]], not under both";
                return Err(error(&twice.span(), reason.to_owned()));
            }
        };
        let DeValue::Array(items) = list.get_ref() else {
            let reason = "should be a list of tables: write [[monitors]] above each monitor";
            return Err(error(&list.span(), reason.to_owned()));
        };
        let mut lines = BTreeMap::new();
        let mut entries = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let position = format!("{LIST}[{index}]");
            lines.insert(position.clone(), line(&item.span()));
            entries.push(value(item, &position, &mut lines, &line));
        }
        Ok(Document { entries, lines })
    }

    /// The line of a position, or of the nearest thing around it.
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

fn find<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

/// A value as JSON; the lines of everything within are noted.
fn value(
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
            // What is too large to be any setting is shown as it stands.
            i64::from_str_radix(&digits, integer.radix()).map_or(Value::String(digits), Value::from)
        }
        DeValue::Float(float) => {
            let number = float.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Value::String(float.as_str().to_owned()), Value::Number)
        }
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(items) => {
            let within = items.iter().enumerate().map(|(index, item)| {
                let position = format!("{position}[{index}]");
                lines.insert(position.clone(), line(&item.span()));
                value(item, &position, lines, line)
            });
            Value::Array(within.collect())
        }
        DeValue::Table(table) => {
            let within = table.iter().map(|(key, item)| {
                let position = format!("{position}.{}", key.get_ref());
                lines.insert(position.clone(), line(&key.span()));
                (key.get_ref().to_string(), value(item, &position, lines, line))
            });
            Value::Object(within.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TWO: &str = r#"# what we watch
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
        let document = Document::read(TWO).unwrap();
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
    fn the_blocks_of_wrangler_will_do() {
        let document = Document::read(&TWO.replace("[[monitors]]", "[[vars.MONITORS]]")).unwrap();
        assert_eq!((document.entries.len(), document.line_of("monitors[1].id")), (2, Some(13)));
        assert_eq!(Document::read("monitors = []").unwrap().entries.len(), 0);
    }

    #[test]
    fn what_is_no_list() {
        let cases = [
            ("", 1, "there is no monitor"),
            ("\n\nid = 'a'", 3, "`id` is nothing that this file has"),
            ("monitors = 5", 1, "should be a list of tables"),
            ("[[monitors]]\nid = ", 2, "is not TOML"),
            ("[[monitors]]\nid = 'a'\nid = 'b'", 3, "is not TOML"),
            ("[[monitors]]\nid='a'\n[[vars.MONITORS]]\nid='b'", 3, "not under both"),
        ];
        for (text, line, reason) in cases {
            let error = Document::read(text).unwrap_err();
            assert!(error.line == line && error.reason.contains(reason), "{text:?}: {error}");
        }
    }
}
