//! Statements that can be translated: why a probe failed, the cause of an incident, the evidence for an exit.
//!
//! A statement carries three things: a stable code, the values in it by name, and an English text. The status page looks up the
//! code in the messages of the visitor's language. Where the code is unknown (an older page) or not needed (a log, an alert),
//! the English text is shown. The [`catalog`] lists every statement that this version makes.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::event::cut;
use crate::pressure::Pressure;
use crate::units::Bytes;

pub mod catalog;

/// Most parameters of a statement; a received statement with more loses the rest.
const MAX_PARAMS: usize = 8;

/// Most bytes of the code, and most bytes of the parameters together, names included. A received statement with more is plain text: the
/// edge stores a dozen for each monitor in one row of limited size.
const MAX_CODE: usize = 64;
const MAX_PARAM_BYTES: usize = 1000;

/// The values in a statement by their names. A name ends with its unit: `duration_ms`, `limit_bytes`. `pressure` is a level of memory
/// pressure, and a name that ends with `_time` is an instant in RFC 3339.
pub type Params = BTreeMap<String, Param>;

/// A sentence with a code by which it is translated.
///
/// A plain text is read as a statement with the code `text`, which has no translation. Another crate cannot make a statement with
/// a code of its own: it calls a constructor of the [`catalog`] or reads a statement that a server sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(from = "StatementForm")]
#[non_exhaustive]
pub struct Statement {
    /// The stable name of the statement in kebab-case, such as `http-status`.
    #[n(0)]
    pub code: String,
    /// The values in it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[n(1)]
    pub params: Params,
    /// The statement in English, with the values in it.
    #[n(2)]
    pub text: String,
}

/// The forms in which a statement is read.
#[derive(Deserialize)]
#[serde(untagged)]
enum StatementForm {
    Text(String),
    Coded {
        code: String,
        #[serde(default)]
        params: Params,
        text: String,
    },
}

impl From<StatementForm> for Statement {
    fn from(form: StatementForm) -> Self {
        match form {
            StatementForm::Text(text) => Statement::untranslated(text),
            StatementForm::Coded { code, params, text } => Statement { code, params, text },
        }
    }
}

/// A value in a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(untagged)]
pub enum Param {
    /// A whole number.
    #[n(0)]
    Number(#[n(0)] i64),
    /// A text, which may come from a monitored server.
    #[n(1)]
    Text(#[n(0)] String),
}

impl Statement {
    /// Makes a statement of plain text, which has no translation.
    pub fn untranslated(text: impl Into<String>) -> Self {
        Statement::with_code("text", text.into())
    }

    /// Makes a statement without values.
    fn with_code(code: &str, text: String) -> Self {
        Statement { code: code.to_owned(), params: Params::new(), text }
    }

    /// Adds the value `name`.
    #[must_use]
    fn with(mut self, name: &str, value: impl Into<Param>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// Cuts every text of a received statement to the length limit of events, at most 1.4 kB in all.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let short = |(name, value): (String, Param)| {
            let value = match value {
                Param::Text(text) => Param::Text(cut(&text)),
                number @ Param::Number(_) => number,
            };
            (cut(&name), value)
        };
        self.text = cut(&self.text);
        self.params = self.params.into_iter().take(MAX_PARAMS).map(short).collect();
        let bytes = |(name, value): (&String, &Param)| {
            name.len()
                + match value {
                    Param::Text(text) => text.len(),
                    Param::Number(_) => size_of::<i64>(),
                }
        };
        if self.code.len() > MAX_CODE || self.params.iter().map(bytes).sum::<usize>() > MAX_PARAM_BYTES {
            return Statement::untranslated(self.text);
        }
        self.code = cut(&self.code);
        self
    }
}

impl std::fmt::Display for Statement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        Param::Text(text.to_owned())
    }
}

impl From<String> for Param {
    fn from(text: String) -> Self {
        Param::Text(text)
    }
}

impl From<u64> for Param {
    fn from(number: u64) -> Self {
        Param::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Param {
    fn from(number: i64) -> Self {
        Param::Number(number)
    }
}

impl From<u32> for Param {
    fn from(number: u32) -> Self {
        Param::Number(number.into())
    }
}

impl From<u16> for Param {
    fn from(number: u16) -> Self {
        Param::Number(number.into())
    }
}

impl From<u8> for Param {
    fn from(number: u8) -> Self {
        Param::Number(number.into())
    }
}

impl From<Bytes> for Param {
    fn from(bytes: Bytes) -> Self {
        Param::from(bytes.0)
    }
}

impl From<Pressure> for Param {
    fn from(pressure: Pressure) -> Self {
        Param::from(pressure.as_str())
    }
}

impl From<i32> for Param {
    fn from(number: i32) -> Self {
        Param::Number(number.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_an_object_with_its_code_its_values_and_its_text() {
        let status = Statement::http_status(503);
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(json, r#"{"code":"http-status","params":{"status":503},"text":"HTTP status 503"}"#);
        assert_eq!(serde_json::from_str::<Statement>(&json).unwrap(), status);
        let plain = Statement::connection_refused();
        assert_eq!(
            serde_json::to_string(&plain).unwrap(),
            r#"{"code":"connection-refused","text":"connection refused"}"#
        );
    }

    #[test]
    fn a_received_statement_is_cut_to_its_bounds() {
        let long = "x".repeat(1000);
        let foreign = |code: &str, params: usize, value: &str| {
            (0..params).fold(Statement::with_code(code, long.clone()), |statement, index| {
                statement.with(&format!("{index}"), value)
            })
        };
        let cases = [
            ("three long values", foreign("known", 3, &long), ("known", 300, 3)),
            ("many short values", foreign("known", 20, "x"), ("known", 300, 8)),
            ("values that are too long together", foreign("known", 4, &long), ("text", 300, 0)),
            ("a code that is too long", foreign(&long, 1, "x"), ("text", 300, 0)),
        ];
        for (name, statement, expected) in cases {
            let bounded = statement.bounded();
            assert_eq!((bounded.code.as_str(), bounded.text.len(), bounded.params.len()), expected, "{name}");
        }
    }
}
