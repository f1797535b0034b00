//! What the API renders besides JSON: badges, feeds, the calendar and metrics; and errors as problem documents.
//!
//! JSON itself is `serde_json` of the values in [`crate::view`].

use serde::Serialize;

pub mod badge;
pub mod calendar;
pub mod feed;
pub mod markup;
pub mod metrics;

/// A text of a JSON value; empty where there is none.
fn text_of(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A value as JSON. The values of the API have no maps with other keys than text, so that this does not fail.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// An error as a problem document (RFC 9457).
#[derive(Debug, Serialize)]
struct Problem<'p> {
    #[serde(rename = "type")]
    kind: &'p str,
    title: &'p str,
    status: u16,
    detail: &'p str,
}

/// The body of an error.
pub fn problem_json(status: u16, title: &str, detail: &str) -> String {
    to_json(&Problem { kind: "about:blank", title, status, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_problem_document() {
        assert_eq!(
            problem_json(404, "Not Found", "there is nothing at /x"),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is nothing at /x"}"#
        );
    }
}
