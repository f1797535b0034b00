//! The query of a request, as names and values. Pure.
//!
//! A parameter of the API that is unknown, given twice or invalid is an error: a client that misspells `window` must not get the figures
//! of another window. `form_urlencoded` and `serde_urlencoded` replace broken percent-encoding and take the last of two
//! values, so this module has its own decoder.

use std::borrow::Cow;

/// The longest query, in bytes.
const MAX_LENGTH: usize = 1000;

/// The most characters of a bad value that an error repeats.
const MAX_SHOWN: usize = 60;

/// An invalid query. The text is the detail of the problem document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error("The query has {0} bytes; at most {MAX_LENGTH} are accepted.")]
    TooLong(usize),
    #[error("The query is not percent-encoded UTF-8 without control characters.")]
    Encoding,
    #[error("{0}: unknown parameter; this path has no parameters.")]
    NoParameters(String),
    #[error("{name}: unknown parameter; the parameters of this path are {known}.")]
    Unknown { name: String, known: String },
    #[error("{0}: given twice; give it once.")]
    Repeated(String),
    #[error("{name}: `{value}` is not {expected}.")]
    Invalid { name: &'static str, value: String, expected: Cow<'static, str> },
    #[error("from: `{from}` is not before to, `{to}`.")]
    EmptyInterval { from: String, to: String },
    #[error("schema: missing; give the number in the first line of the export.")]
    MissingSchema,
}

impl QueryError {
    /// Builds the error of an invalid value. `expected` completes "is not".
    pub(crate) fn invalid(name: &'static str, value: &str, expected: impl Into<Cow<'static, str>>) -> Self {
        QueryError::Invalid { name, value: shorten(value), expected: expected.into() }
    }
}

/// Shortens a value, with an ellipsis if it was longer.
pub(super) fn shorten(text: &str) -> String {
    let cut = text.char_indices().nth(MAX_SHOWN).map(|(at, _)| at);
    cut.map_or_else(|| text.to_owned(), |at| [&text[..at], "…"].concat())
}

/// The parameters of a request, by name.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query. A parameter that is not in `known` is an error.
    pub(crate) fn parse(text: &str, known: &[&str]) -> Result<Query, QueryError> {
        if text.len() > MAX_LENGTH {
            return Err(QueryError::TooLong(text.len()));
        }
        let mut all: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs(text) {
            let (Some(name), Some(value)) = (decode(name), decode(value)) else {
                return Err(QueryError::Encoding);
            };
            if !known.contains(&name.as_str()) {
                let name = shorten(&name);
                return Err(match known {
                    [] => QueryError::NoParameters(name),
                    _ => QueryError::Unknown { name, known: known.join(", ") },
                });
            }
            if all.iter().any(|(other, _)| *other == name) {
                return Err(QueryError::Repeated(name));
            }
            all.push((name, value));
        }
        Ok(Query(all))
    }

    /// Parses the valid parameters of a query, for pages: links to a page may have parameters of other programs.
    pub(crate) fn parse_lenient(text: &str) -> Query {
        let text = if text.len() > MAX_LENGTH { "" } else { text };
        Query(pairs(text).filter_map(|(name, value)| Some((decode(name)?, decode(value)?))).collect())
    }

    /// Returns the value of a parameter.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Decodes the percent-encoding of HTML forms; `None` if it is broken or encodes a control character.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let [high, low, more @ ..] = more else { return None };
                rest = more;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            byte => *byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_is_decoded_and_an_invalid_one_is_an_error() {
        let known = ["from", "label"];
        let get = |text, name| Query::parse(text, &known).map(|query| query.value(name).map(str::to_owned));
        assert_eq!(get("", "from"), Ok(None));
        assert_eq!(get("&from=2026-01-01T00%3A00Z&", "from"), Ok(Some("2026-01-01T00:00Z".into())));
        assert_eq!(get("label=a+b%20%C3%A9=%3C", "label"), Ok(Some("a b é=<".into())));
        assert_eq!(get("from", "from"), Ok(Some(String::new())));
        let wrong = [
            ("form=1", "form: unknown parameter; the parameters of this path are from, label."),
            ("from=1&from=2", "from: given twice; give it once."),
            ("from=%", "not percent-encoded"),
            ("from=%zz", "not percent-encoded"),
            ("from=%ff", "not percent-encoded"),
            ("from=a%0d%0ab", "not percent-encoded"),
            ("%66rom=1&from=1", "twice"),
        ];
        for (text, reason) in wrong {
            assert!(get(text, "from").unwrap_err().to_string().contains(reason), "{text}");
        }
        assert_eq!(Query::parse(&"x".repeat(1001), &[]).unwrap_err(), QueryError::TooLong(1001));
        let none = Query::parse("x=1", &[]).unwrap_err().to_string();
        assert_eq!(none, "x: unknown parameter; this path has no parameters.");
    }

    #[test]
    fn an_error_repeats_the_beginning_of_a_long_value_only() {
        let error = QueryError::invalid("label", &"é".repeat(1000), "a short text").to_string();
        assert_eq!(error, format!("label: `{}…` is not a short text.", "é".repeat(60)));
    }

    #[test]
    fn a_lenient_query_skips_what_it_cannot_read() {
        let query = Query::parse_lenient("utm_source=x&from=%zz&lang=de");
        assert_eq!((query.value("lang"), query.value("from")), (Some("de"), None));
    }

    proptest! {
        #[test]
        fn encoded_text_comes_back_as_it_was(text in "\\PC{0,80}") {
            let encoded = text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
            let query = Query::parse(&format!("label={encoded}"), &["label"]).unwrap();
            prop_assert_eq!(query.value("label"), Some(text.as_str()));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Query::parse(&text, &["a"]);
            let _ = Query::parse_lenient(&text);
        }
    }
}
