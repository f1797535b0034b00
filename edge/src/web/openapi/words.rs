//! How a page says what a value can be, and what stands in the descriptions, as HTML.

use std::fmt::Write as _;

use super::node::Node;
use crate::web::api::markup::escaped;

/// Where the document has its schemas.
const SCHEMAS: &str = "#/components/schemas/";

/// Longest expression that is shown; a longer one says no more than its description.
const LONGEST_PATTERN: usize = 60;

/// What a value can be, in a few words.
pub(super) fn shape(schema: &Node) -> String {
    if let Some(target) = schema.text_of("$ref").strip_prefix(SCHEMAS) {
        return format!("<a href=\"#schema-{target}\">{target}</a>");
    }
    if let Some(either) = schema.get("anyOf").or_else(|| schema.get("oneOf")) {
        return either.items().iter().map(shape).collect::<Vec<_>>().join(" or ");
    }
    if let Some(value) = schema.get("const") {
        return format!("always <code>{}</code>", escaped(&value.pretty(usize::MAX)));
    }
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Node::Text(kind)) => vec![kind],
        Some(Node::List(kinds)) => kinds.iter().map(Node::text).collect(),
        _ => vec!["anything"],
    };
    let null = if kinds.contains(&"null") { " or null" } else { "" };
    let bound = |name: &str| schema.get(name).map(|bound| bound.pretty(0));
    let text = match kinds.first().copied().unwrap_or_default() {
        "array" => {
            let cells = schema
                .get("prefixItems")
                .map(|cells| cells.items().iter().map(shape).collect::<Vec<_>>().join(", "));
            match (cells, schema.get("items")) {
                (Some(cells), _) => format!("row of {cells}"),
                (None, Some(items)) => format!("list of {}", shape(items)),
                (None, None) => "list".to_owned(),
            }
        }
        "string" if schema.get("enum").is_some() => {
            let words = schema.get("enum").map_or(&[][..], Node::items);
            let words = words.iter().filter(|word| !word.text().is_empty());
            words
                .map(|word| format!("<code>{}</code>", escaped(word.text())))
                .collect::<Vec<_>>()
                .join(" or ")
        }
        "string" => {
            let format = schema.text_of("format");
            let pattern = schema.text_of("pattern");
            match (format, pattern) {
                ("", "") => "text".to_owned(),
                ("", pattern) if pattern.len() <= LONGEST_PATTERN => {
                    format!("text like <code>{}</code>", escaped(pattern))
                }
                ("", _) => "text".to_owned(),
                (format, _) => format.to_owned(),
            }
        }
        other => match (bound("minimum"), bound("maximum")) {
            (Some(least), Some(most)) => format!("{other} from {least} to {most}"),
            (Some(least), None) => format!("{other} from {least}"),
            _ => other.to_owned(),
        },
    };
    let default = schema.get("default");
    let default =
        default.map_or(String::new(), |value| format!(", <code>{}</code> without it", shown(value)));
    text + null + &default
}

/// A value as one would type it.
pub(super) fn shown(value: &Node) -> String {
    match value {
        Node::Text(text) => escaped(text),
        other => escaped(&other.pretty(usize::MAX)),
    }
}

/// Paragraphs, with what Markdown has for emphasis, code and links.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        out += &["<p>", &prose_line(paragraph), "</p>\n"].concat();
    }
    out
}

/// One of them.
pub(super) fn prose_line(text: &str) -> String {
    let mut out = String::new();
    // Every second part stands between two marks.
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", escaped(part));
            continue;
        }
        for (index, part) in part.split("**").enumerate() {
            let part = linked(&escaped(part));
            let strong = ["<strong>", "</strong>"].map(|tag| if index % 2 == 1 { tag } else { "" });
            out += &[strong[0], &part, strong[1]].concat();
        }
    }
    out
}

/// `<https://…>`, escaped, as a link.
fn linked(text: &str) -> String {
    let Some((before, rest)) = text.split_once("&lt;https://") else { return text.to_owned() };
    let Some((address, after)) = rest.split_once("&gt;") else { return text.to_owned() };
    format!("{before}<a href=\"https://{address}\">{address}</a>{}", linked(after))
}
