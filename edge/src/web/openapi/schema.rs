//! What a value can be, in the words of JSON Schema 2020-12.

use super::node::{Node, object, texts};
use crate::domain::State;

/// How an instant is written: RFC 3339, UTC, whole seconds.
const INSTANT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";

/// The id of a monitor.
const MONITOR_ID: &str = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$";

/// The id of an incident: a monitor's and a second of Unix time.
const INCIDENT_ID: &str = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?-[0-9]{1,12}$";

fn kind(name: &str) -> Node {
    object([("type", Node::from(name))])
}

/// Any text.
pub(super) fn text() -> Node {
    kind("string")
}

/// A text that matches.
pub(super) fn matching(pattern: &str) -> Node {
    text().with("pattern", pattern)
}

/// A text of so many characters.
pub(super) fn short(least: i64, most: i64) -> Node {
    text().with("minLength", least).with("maxLength", most)
}

/// One of these words.
pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Node {
    text().with("enum", texts(words))
}

/// `true` or `false`.
pub(super) fn flag() -> Node {
    kind("boolean")
}

/// A whole number.
pub(super) fn whole() -> Node {
    kind("integer")
}

/// How many, or how much.
pub(super) fn count() -> Node {
    whole().with("minimum", 0)
}

/// A whole number within these, both of them included.
pub(super) fn within(least: i64, most: i64) -> Node {
    whole().with("minimum", least).with("maximum", most)
}

/// A share in percent, cut to three decimals.
pub(super) fn percent() -> Node {
    kind("number").with("minimum", 0).with("maximum", 100)
}

/// An instant.
pub(super) fn instant() -> Node {
    text().with("format", "date-time").with("pattern", INSTANT)
}

/// An instant in milliseconds since 1970.
pub(super) fn millis() -> Node {
    whole().with("format", "int64")
}

/// The id of a monitor.
pub(super) fn monitor_id() -> Node {
    of("MonitorId")
}

/// The id of an incident.
pub(super) fn incident_id() -> Node {
    of("IncidentId")
}

/// Both of them.
pub(super) fn ids() -> [(&'static str, Node); 2] {
    let monitor = "The id of a monitor: `a-z`, `0-9` and `-`, which is at neither end; 40 of them at most.";
    let incident =
        "The id of an incident: that of its monitor, and the second of Unix time in which it began.";
    [
        ("MonitorId", matching(MONITOR_ID).about(monitor)),
        ("IncidentId", matching(INCIDENT_ID).about(incident)),
    ]
}

/// The word of a state.
pub(super) fn state() -> Node {
    words(State::ALL.map(State::as_str))
}

/// A list.
pub(super) fn list(of: Node) -> Node {
    kind("array").with("items", of)
}

/// A list of that many at most.
pub(super) fn at_most(most: i64, of: Node) -> Node {
    list(of).with("maxItems", most)
}

/// A list of exactly these, in this order.
pub(super) fn row(of: Vec<Node>) -> Node {
    let length = i64::try_from(of.len()).unwrap_or_default();
    kind("array").with("prefixItems", of).with("items", false).with("minItems", length)
}

/// Exactly this list of texts.
pub(super) fn exactly<'t>(names: impl IntoIterator<Item = &'t str>) -> Node {
    object([("const", texts(names))])
}

/// A part of the document, by its name among the schemas.
pub(super) fn of(name: &str) -> Node {
    object([("$ref", Node::from(format!("#/components/schemas/{name}")))])
}

/// An object with all of these fields, each with what it means, and no others.
pub(super) fn record<'n>(fields: impl IntoIterator<Item = (&'n str, &'n str, Node)>) -> Node {
    let fields: Vec<_> = fields.into_iter().collect();
    let required: Vec<_> = fields.iter().map(|(name, ..)| *name).collect();
    entry(&required, fields)
}

/// An object with some of these fields, those that are `required` among them, and no others.
pub(super) fn entry<'n>(
    required: &[&str],
    fields: impl IntoIterator<Item = (&'n str, &'n str, Node)>,
) -> Node {
    let properties = object(fields.into_iter().map(|(name, about, schema)| (name, schema.about(about))));
    let node = kind("object").with("properties", properties);
    let node =
        if required.is_empty() { node } else { node.with("required", texts(required.iter().copied())) };
    node.with("additionalProperties", false)
}

impl Node {
    /// What it means; first, as it is read first.
    #[must_use]
    pub(super) fn about(self, about: &str) -> Node {
        match self {
            Node::Object(mut fields) if !about.is_empty() => {
                fields.insert(0, ("description".to_owned(), about.into()));
                Node::Object(fields)
            }
            other => other,
        }
    }

    /// This, or nothing that is known.
    #[must_use]
    pub(super) fn or_null(self) -> Node {
        match self {
            Node::Object(mut fields) if fields.first().is_some_and(|(name, _)| name == "type") => {
                let of = std::mem::replace(&mut fields[0].1, Node::List(Vec::new()));
                fields[0].1 = Node::List(vec![of, "null".into()]);
                for (name, value) in &mut fields {
                    if let ("enum", Node::List(words)) = (name.as_str(), value) {
                        words.push(Node::Plain("null".to_owned()));
                    }
                }
                Node::Object(fields)
            }
            other => object([("anyOf", Node::List(vec![other, kind("null")]))]),
        }
    }
}
