//! What the API renders besides the JSON of the views: badges, feeds, the calendar, metrics and problem documents.

use schemars::JsonSchema;
use serde::Serialize;

pub mod badge;
pub mod calendar;
pub mod feed;
pub mod markup;
pub mod metrics;

/// Serializes a value as JSON. All keys in values of the API are text, so this cannot fail.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// An error as a problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// Always `about:blank`, as the status is sufficient for programs.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "about:blank"))]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// What is wrong and what would be right, for people.
    detail: String,
}

impl ProblemDocument {
    /// The document of a status.
    pub fn new(status: u16, detail: &str) -> Self {
        let title = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            409 => "Conflict",
            411 => "Length Required",
            413 => "Content Too Large",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            _ => "Service Unavailable",
        };
        ProblemDocument { kind: "about:blank", title, status, detail: detail.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_a_problem_document() {
        assert_eq!(
            to_json(&ProblemDocument::new(404, "Nothing is found at /x.")),
            r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"Nothing is found at /x."}"#
        );
    }
}
