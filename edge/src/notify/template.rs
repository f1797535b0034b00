//! The JSON of a webhook: all fields of a message, or the owner's template.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::message::Message;
use crate::domain::instant::rfc3339;
use heapbeat_shared::text::shorten;

/// The fields that a template may name, and that the default body has in this order.
const FIELDS: [&str; 11] =
    ["key", "incident", "monitor", "name", "event", "severity", "title", "text", "since", "at", "link"];

/// The most bytes of an unknown name in an error.
const MAX_SHOWN: usize = 60;

/// The reason why a template is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder names no field.
    #[error("template: `{{{{{0}}}}}` is not a field of a message; the fields are {list}", list = FIELDS.join(", "))]
    UnknownField(String),
    /// A placeholder does not end.
    #[error("template: `{{{{` has no `}}}}` after it")]
    Unclosed,
    /// The filled template is not JSON.
    #[error("template: is not JSON once it is filled: {0}; put each placeholder between quotes")]
    NotJson(String),
}

/// Checks that a template names only fields, and is JSON whatever they are.
pub fn check_template(template: &str) -> Result<(), TemplateError> {
    // The characters that a value may have are escaped like any other.
    let sample = "a \"quoted\" value, \\ and more";
    let filled = fill(template, |name| FIELDS.contains(&name).then(|| Cow::from(sample)))?;
    let parsed = serde_json::from_str::<Value>(&filled);
    parsed.map(drop).map_err(|error| TemplateError::NotJson(error.to_string()))
}

/// Fills a template that was checked; each value is escaped for the inside of a JSON string.
pub(super) fn fill_template(template: &str, message: &Message) -> String {
    let field = |name: &str| FIELDS.contains(&name).then(|| field_value(message, name).unwrap_or_default());
    fill(template, field).unwrap_or_default()
}

fn fill<'m>(
    template: &str,
    value_of: impl Fn(&str) -> Option<Cow<'m, str>>,
) -> Result<String, TemplateError> {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
        let name = name.trim();
        let value = value_of(name).ok_or_else(|| TemplateError::UnknownField(shorten(name, MAX_SHOWN)))?;
        // A text can always be serialized.
        let value = serde_json::to_string(&value).unwrap_or_default();
        filled.push_str(before);
        filled.push_str(value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default());
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The value of a field; `None` if the message has no such thing.
fn field_value<'m>(message: &'m Message, name: &str) -> Option<Cow<'m, str>> {
    let value = match name {
        "key" => Cow::from(&message.key),
        "incident" => Cow::from(&message.incident),
        "monitor" => Cow::from(&message.monitor),
        "name" => Cow::from(&message.name),
        "event" => Cow::from(message.event.as_str()),
        "severity" => Cow::from(message.severity.as_str()),
        "title" => Cow::from(&message.title),
        "text" => Cow::from(&message.text),
        "since" => Cow::from(&message.since),
        "at" => Cow::from(rfc3339(message.at)),
        _ => Cow::from(message.link.as_ref()?),
    };
    (!value.is_empty() || name == "text").then_some(value)
}

/// Returns the body of a webhook without a template: all fields in their order, and `incidents` if the message is about many.
pub(super) fn default_body(message: &Message) -> String {
    struct MessageFields<'m>(&'m Message);

    impl Serialize for MessageFields<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap as _;

            let mut map = serializer.serialize_map(None)?;
            for name in FIELDS {
                map.serialize_entry(name, &field_value(self.0, name))?;
            }
            if !self.0.parts.is_empty() {
                map.serialize_entry("incidents", &self.0.parts)?;
            }
            map.end()
        }
    }

    // A map of texts can always be serialized.
    serde_json::to_string(&MessageFields(message)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_checked_when_it_is_read() {
        let cases = [
            (r#"{"msg":"{{ title }}: {{text}}","n":1}"#, ""),
            (r#""{{title}}""#, ""),
            ("{}", ""),
            (
                r#"{"msg":"{{titel}}"}"#,
                "template: `{{titel}}` is not a field of a message; the fields are key",
            ),
            (r#"{"msg":"{{title"}"#, "template: `{{` has no `}}` after it"),
            (r#"{"msg":{{title}}}"#, "template: is not JSON once it is filled: "),
            (r#"{"msg":"{{title}}""#, "template: is not JSON once it is filled: "),
            ("down", "template: is not JSON once it is filled: "),
            ("", "template: is not JSON once it is filled: "),
        ];
        for (template, expected) in cases {
            let error = check_template(template).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                error.starts_with(expected) && error.is_empty() == expected.is_empty(),
                "{template}: {error}"
            );
        }
    }
}
