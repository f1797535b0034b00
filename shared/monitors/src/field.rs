//! Reads one table of the configuration field by field, and collects all of its problems.

use std::num::NonZeroU16;
use std::time::Duration;

use heapbeat_shared::units::parse_duration;
use serde_json::{Map, Value};

use super::ConfigProblem;

/// A table of the configuration, the names of the fields that were read, and the problems found so far.
pub(super) struct FieldReader<'v> {
    position: String,
    table: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
    accepts_unknown: bool,
    problems: Vec<ConfigProblem>,
}

/// Beginning of the reason for an unknown setting.
pub(super) const UNKNOWN_SETTING: &str = "unknown setting of";

impl<'v> FieldReader<'v> {
    /// Makes a reader of `entry`, whose position in the configuration is `position`.
    pub(super) fn new(position: &str, entry: &'v Value) -> Self {
        let mut fields = FieldReader {
            position: position.to_owned(),
            table: entry.as_object(),
            known: Vec::new(),
            accepts_unknown: false,
            problems: Vec::new(),
        };
        if fields.table.is_none() {
            let reason = format!("must be a table of settings, got {}", describe_value(entry));
            fields.problems.push(ConfigProblem { position: position.to_owned(), reason });
        }
        fields
    }

    /// Returns all problems.
    pub(super) fn into_problems(self) -> Vec<ConfigProblem> {
        self.problems
    }

    /// Reports that field `name` is invalid.
    pub(super) fn report(&mut self, name: &str, reason: String) {
        let position = format!("{}.{name}", self.position);
        self.problems.push(ConfigProblem { position, reason });
    }

    /// Returns whether the table has field `name`.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(name))
    }

    /// Reports each of these fields that the table has. They are known, and not allowed here for `reason`.
    pub(super) fn refuse(&mut self, names: &[&'static str], reason: &str) {
        for name in names {
            if self.contains(name) {
                self.report(name, reason.to_owned());
            }
        }
        self.known.extend(names);
    }

    /// Accepts unknown fields, as the kind of the entry is invalid and its fields are therefore unknown.
    pub(super) fn accept_unknown(&mut self) {
        self.accepts_unknown = true;
    }

    /// Returns a field, and records that the name is known.
    fn value(&mut self, name: &'static str) -> Option<&'v Value> {
        self.known.push(name);
        self.table?.get(name)
    }

    /// Parses a text that may be omitted.
    pub(super) fn optional_text<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let parsed = match value {
            Value::String(text) => parse(text),
            other => Err(format!("must be text in quotes, got {}", describe_value(other))),
        };
        parsed.map_err(|reason| self.report(name, reason)).ok()
    }

    /// Parses a text that is required.
    pub(super) fn required_text<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if self.table.is_some_and(|table| !table.contains_key(name)) {
            self.known.push(name);
            self.report(name, "this setting is required".to_owned());
            return None;
        }
        self.optional_text(name, parse)
    }

    /// Parses a duration within bounds; the bounds are text, as they are part of the message.
    pub(super) fn duration(
        &mut self,
        name: &'static str,
        default: Duration,
        least: &str,
        most: &str,
    ) -> Option<Duration> {
        let bounds = parse_duration(least).ok()?..=parse_duration(most).ok()?;
        let Some(value) = self.value(name) else { return Some(default) };
        let reason = match value {
            Value::String(text) => match parse_duration(text) {
                Ok(duration) if bounds.contains(&duration) => return Some(duration),
                Ok(_) => format!("must be from {least} to {most}, got `{}`", excerpt(text)),
                Err(error) => format!("`{}` is not a duration: {error}", excerpt(text)),
            },
            other => format!("must be a duration in quotes, such as \"30s\", got {}", describe_value(other)),
        };
        self.report(name, reason);
        None
    }

    /// Parses a duration that may be omitted. The inner `None` is an omitted one, the outer `None` an invalid one.
    #[allow(clippy::option_option)] // Omitted and invalid differ.
    pub(super) fn optional_duration(
        &mut self,
        name: &'static str,
        least: &str,
        most: &str,
    ) -> Option<Option<Duration>> {
        let given = self.contains(name);
        let read = self.duration(name, Duration::ZERO, least, most)?;
        Some(given.then_some(read))
    }

    /// Returns a table within the entry.
    pub(super) fn table(&mut self, name: &'static str) -> Option<&'v Map<String, Value>> {
        let value = self.value(name)?;
        if value.is_object() {
            return value.as_object();
        }
        let found = describe_value(value);
        self.report(name, format!("must be a table, such as {{ accept = \"text/plain\" }}, got {found}"));
        None
    }

    /// Parses a whole number from 0 to `most`.
    pub(super) fn number(&mut self, name: &'static str, default: u8, most: u8) -> Option<u8> {
        let Some(value) = self.value(name) else { return Some(default) };
        let number =
            value.as_u64().and_then(|number| u8::try_from(number).ok()).filter(|number| *number <= most);
        if number.is_none() {
            let found = describe_value(value);
            self.report(name, format!("must be a whole number from 0 to {most}, got {found}"));
        }
        number
    }

    /// Parses `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Option<bool> {
        match self.value(name) {
            None => Some(default),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(other) => {
                let found = describe_value(other);
                self.report(name, format!("must be true or false, without quotes, got {found}"));
                None
            }
        }
    }

    /// Parses a list of texts.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        default: &[&str],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        const MAX_ITEMS: usize = 20;
        let texts = match self.value(name) {
            None => return default.iter().map(|text| parse(text).ok()).collect(),
            Some(Value::Array(texts)) if texts.len() <= MAX_ITEMS => texts,
            Some(other) => {
                let found = describe_value(other);
                self.report(name, format!("must be a list of at most {MAX_ITEMS} texts, got {found}"));
                return None;
            }
        };
        let mut values = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let value = match text {
                Value::String(text) => parse(text),
                other => Err(format!("must be text in quotes, got {}", describe_value(other))),
            };
            match value {
                Ok(value) => values.push(value),
                Err(reason) => self.report(&format!("{name}[{index}]"), reason),
            }
        }
        (values.len() == texts.len()).then_some(values)
    }

    /// Parses a number of consecutive probes, from 1 to 100.
    pub(super) fn count(&mut self, name: &'static str, default: u16) -> Option<NonZeroU16> {
        const MAX: u16 = 100;
        let Some(value) = self.value(name) else { return NonZeroU16::new(default) };
        let count = value.as_u64().and_then(|count| u16::try_from(count).ok()).filter(|count| *count <= MAX);
        let count = count.and_then(NonZeroU16::new);
        if count.is_none() {
            let found = describe_value(value);
            self.report(name, format!("must be a whole number from 1 to {MAX}, got {found}"));
        }
        count
    }

    /// Reports every unknown field of a monitor of this kind.
    pub(super) fn report_unknown(&mut self, kind: Option<&str>) {
        let owner = kind.map_or_else(|| "a monitor".to_owned(), |kind| format!("a monitor of kind {kind}"));
        self.report_unknown_of(&owner);
    }

    /// Reports every unknown field; `owner` names the entry in the message.
    pub(super) fn report_unknown_of(&mut self, owner: &str) {
        if self.accepts_unknown {
            return;
        }
        let table = self.table.into_iter().flatten();
        let unknown: Vec<_> =
            table.map(|(name, _)| name).filter(|name| !self.known.contains(&name.as_str())).collect();
        for name in unknown {
            let reason = match nearest_name(name, &self.known) {
                Some(meant) => format!("{UNKNOWN_SETTING} {owner}; did you mean `{meant}`?"),
                None => format!("{UNKNOWN_SETTING} {owner}; the settings are {}", self.known.join(", ")),
            };
            self.report(&excerpt(name), reason);
        }
    }
}

/// Describes a value in a message: the value itself if it is short, else its type.
fn describe_value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("\"{}\"", excerpt(text)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// Returns the first 40 characters of a text for a message, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 40;
    let mut excerpt: String =
        text.chars().take(MAX_CHARS).map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// Returns the candidate nearest to `word` if at most a third of its letters are missing, added or exchanged. `_` counts as `-`.
fn nearest_name<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
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
            ("color", None),
            ("", None),
        ];
        for (word, meant) in cases {
            assert_eq!(nearest_name(word, &names), meant, "{word}");
        }
    }
}
