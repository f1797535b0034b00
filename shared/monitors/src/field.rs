//! Reading one table of the configuration field by field, collecting everything that is wrong with it.

use std::num::NonZeroU16;
use std::time::Duration;

use heapbeat_shared::units::parse_duration;
use serde_json::{Map, Value};

use super::Problem;

/// One entry: the fields not read yet, and the problems found.
pub(super) struct Fields<'v> {
    position: String,
    table: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
    knows_all: bool,
    problems: Vec<Problem>,
}

impl<'v> Fields<'v> {
    /// The fields of `entry`, which stands at `position`.
    pub(super) fn new(position: &str, entry: &'v Value) -> Self {
        let mut fields = Fields {
            position: position.to_owned(),
            table: entry.as_object(),
            known: Vec::new(),
            knows_all: false,
            problems: Vec::new(),
        };
        if fields.table.is_none() {
            let reason = format!("should be a table of settings, not {}", kind_of(entry));
            fields.problems.push(Problem { position: position.to_owned(), reason });
        }
        fields
    }

    /// Everything that was wrong.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Notes that field `name` is wrong.
    pub(super) fn refuse(&mut self, name: &str, reason: String) {
        let position = format!("{}.{name}", self.position);
        self.problems.push(Problem { position, reason });
    }

    /// Whether field `name` is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// Refuses no field for being unknown: what may be there is not known itself.
    pub(super) fn know_all(&mut self) {
        self.knows_all = true;
    }

    fn get(&mut self, name: &'static str) -> Option<&'v Value> {
        self.known.push(name);
        self.table?.get(name)
    }

    /// A text that may be left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.get(name)?;
        let read = match value {
            Value::String(text) => read(text),
            other => Err(format!("should be a text in quotes, not {}", kind_of(other))),
        };
        read.map_err(|reason| self.refuse(name, reason)).ok()
    }

    /// A text that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.table.is_some_and(|table| !table.contains_key(name)) {
            self.known.push(name);
            self.refuse(name, "is missing".to_owned());
            return None;
        }
        self.optional(name, read)
    }

    /// A duration between two others, which are given as they are written.
    pub(super) fn duration(
        &mut self,
        name: &'static str,
        default: Duration,
        least: &str,
        most: &str,
    ) -> Option<Duration> {
        let bounds = parse_duration(least).ok()?..=parse_duration(most).ok()?;
        let Some(value) = self.get(name) else { return Some(default) };
        let read = match value {
            Value::String(text) => match parse_duration(text) {
                Ok(duration) if bounds.contains(&duration) => return Some(duration),
                Ok(_) => format!("`{}` is out of range: {least} to {most}", shown(text)),
                Err(error) => format!("`{}`: {error}", shown(text)),
            },
            other => format!("should be a duration in quotes, such as \"30s\", not {}", kind_of(other)),
        };
        self.refuse(name, read);
        None
    }

    /// A duration that may be left out: `None` inside where it is, `None` outside where it is wrong.
    #[allow(clippy::option_option)] // wrong, and left out, are two things
    pub(super) fn optional_duration(
        &mut self,
        name: &'static str,
        least: &str,
        most: &str,
    ) -> Option<Option<Duration>> {
        let given = self.has(name);
        let read = self.duration(name, Duration::ZERO, least, most)?;
        Some(given.then_some(read))
    }

    /// A table within the entry.
    pub(super) fn table(&mut self, name: &'static str) -> Option<&'v Map<String, Value>> {
        let value = self.get(name)?;
        if value.is_object() {
            return value.as_object();
        }
        let shown = kind_of(value);
        self.refuse(name, format!("should be a table, such as {{ accept = \"text/plain\" }}, not {shown}"));
        None
    }

    /// A small whole number from 0.
    pub(super) fn number(&mut self, name: &'static str, default: u8, most: u8) -> Option<u8> {
        let Some(value) = self.get(name) else { return Some(default) };
        let number =
            value.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= most);
        if number.is_none() {
            let shown = kind_of(value);
            self.refuse(name, format!("should be a whole number from 0 to {most}, not {shown}"));
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Option<bool> {
        match self.get(name) {
            None => Some(default),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(other) => {
                let shown = kind_of(other);
                self.refuse(name, format!("should be true or false, without quotes, not {shown}"));
                None
            }
        }
    }

    /// A list of texts, each read alone.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        default: &[&str],
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        const MOST: usize = 20;
        let texts = match self.get(name) {
            None => return default.iter().map(|text| read(text).ok()).collect(),
            Some(Value::Array(texts)) if texts.len() <= MOST => texts,
            Some(other) => {
                let shown = kind_of(other);
                self.refuse(name, format!("should be a list of at most {MOST} texts, not {shown}"));
                return None;
            }
        };
        let mut values = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let value = match text {
                Value::String(text) => read(text),
                other => Err(format!("should be a text in quotes, not {}", kind_of(other))),
            };
            match value {
                Ok(value) => values.push(value),
                Err(reason) => self.refuse(&format!("{name}[{index}]"), reason),
            }
        }
        (values.len() == texts.len()).then_some(values)
    }

    /// A number of probes in a row, 1 to 100.
    pub(super) fn count(&mut self, name: &'static str, default: u16) -> Option<NonZeroU16> {
        const MOST: u16 = 100;
        let Some(value) = self.get(name) else { return NonZeroU16::new(default) };
        let count = value.as_u64().and_then(|count| u16::try_from(count).ok()).filter(|count| *count <= MOST);
        let count = count.and_then(NonZeroU16::new);
        if count.is_none() {
            let shown = kind_of(value);
            self.refuse(name, format!("should be a whole number from 1 to {MOST}, not {shown}"));
        }
        count
    }

    /// Refuses every unknown field; `kind` is the kind of the entry.
    pub(super) fn refuse_unknown(&mut self, kind: Option<&str>) {
        let what = kind.map_or_else(|| "a monitor".to_owned(), |kind| format!("a monitor of kind {kind}"));
        self.refuse_unknown_of(&what);
    }

    /// Refuses every unknown field; `what` is the name of the entry's type.
    pub(super) fn refuse_unknown_of(&mut self, what: &str) {
        if self.knows_all {
            return;
        }
        let table = self.table.into_iter().flatten();
        let unknown: Vec<_> =
            table.map(|(name, _)| name).filter(|name| !self.known.contains(&name.as_str())).collect();
        for name in unknown {
            let reason = match nearest(name, &self.known) {
                Some(meant) => format!("is no setting of {what}; did you mean `{meant}`?"),
                None => format!("is no setting of {what}; those are {}", self.known.join(", ")),
            };
            self.refuse(&shown(name), reason);
        }
    }
}

/// A value in a message: its kind, and itself where it is short and cannot be a secret.
fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("\"{}\"", shown(text)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// A text in a message: one line, not endless.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The candidate nearest to `word`, where it is near enough to be a slip: at most a third of its letters are missing, added
/// or exchanged. `_` counts as `-`.
fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    let distances = candidates.iter().map(|candidate| (strsim::levenshtein(&word, candidate), *candidate));
    let (distance, candidate) = distances.min()?;
    (distance <= (candidate.len() / 3).max(1)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_field_is_recognized() {
        let names = ["interval", "timeout", "failure-threshold", "url", "name", "id"];
        let cases = [
            ("intervall", Some("interval")),
            ("Timeout", Some("timeout")),
            ("failure_threshold", Some("failure-threshold")),
            ("failures-threshold", Some("failure-threshold")),
            ("uri", Some("url")),
            ("colour", None),
            ("", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest(word, &names), meant, "{word}");
        }
    }
}
