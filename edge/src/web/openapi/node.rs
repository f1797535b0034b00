//! JSON as a tree whose objects keep their order: a document is read from its top.

use crate::json::quoted;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A number, a truth value or `null`, as it is written.
    Plain(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object.
    Object(Vec<(String, Node)>),
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Node::Text(text)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Node::Plain(value.to_string())
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Node::Plain(value.to_string())
    }
}

impl From<Vec<Node>> for Node {
    fn from(items: Vec<Node>) -> Self {
        Node::List(items)
    }
}

/// An object of these fields.
pub(super) fn object<'n>(fields: impl IntoIterator<Item = (&'n str, Node)>) -> Node {
    Node::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A list of texts.
pub(super) fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Node {
    Node::List(texts.into_iter().map(Node::from).collect())
}

impl Node {
    /// Reads JSON that a writer of ours has written, whose names need no escapes.
    pub(super) fn read(json: &str) -> Node {
        let json = json.trim();
        match json.as_bytes().first() {
            Some(b'[') => Node::List(items(json).into_iter().map(Node::read).collect()),
            Some(b'{') => {
                let field = |field: &str| {
                    let (name, value) = field.split_once("\":").unwrap_or((field, "null"));
                    (name.trim().trim_start_matches('"').to_owned(), Node::read(value))
                };
                Node::Object(items(json).into_iter().map(field).collect())
            }
            Some(b'"') => Node::Text(serde_json::from_str(json).unwrap_or_default()),
            _ => Node::Plain(json.to_owned()),
        }
    }

    /// The same with another field behind the others; only an object takes one.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<Node>) -> Node {
        if let Node::Object(fields) = &mut self {
            fields.push((name.to_owned(), value.into()));
        }
        self
    }

    /// The fields; none where this is no object.
    pub(super) fn fields(&self) -> &[(String, Node)] {
        match self {
            Node::Object(fields) => fields,
            _ => &[],
        }
    }

    /// Written in lines of at most `width` characters where that is possible: what fits stands in one.
    pub(super) fn pretty(&self, width: usize) -> String {
        let mut out = String::new();
        self.put(&mut out, 0, 0, width);
        out
    }

    /// `used`: what stands in the line already, beyond the indent.
    fn put(&self, out: &mut String, indent: usize, used: usize, width: usize) {
        let line = self.line();
        let (opens, closes, parts): (_, _, Vec<(String, &Node)>) = match self {
            Node::List(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
            Node::Object(fields) => {
                ('{', '}', fields.iter().map(|(name, value)| (quoted(name) + ": ", value)).collect())
            }
            _ => return out.push_str(&line),
        };
        if parts.is_empty() || indent + used + line.chars().count() < width {
            return out.push_str(&line);
        }
        out.push(opens);
        let mut room = 0;
        for (index, (name, value)) in parts.iter().enumerate() {
            // Numbers and short texts of a list stand side by side.
            let short = Some(value.line().chars().count()).filter(|_| name.is_empty() && value.is_leaf());
            if let Some(length) = short.filter(|length| length + 2 < room) {
                out.push_str(", ");
                room -= length + 2;
            } else {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                out.push_str(&" ".repeat(indent + 2));
                room = short.map_or(0, |length| width.saturating_sub(indent + 2 + length));
            }
            out.push_str(name);
            value.put(out, indent + 2, name.chars().count(), width);
        }
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        out.push(closes);
    }

    fn is_leaf(&self) -> bool {
        matches!(self, Node::Plain(_) | Node::Text(_))
    }

    /// In one line.
    fn line(&self) -> String {
        let joined = |parts: Vec<String>| parts.join(", ");
        match self {
            Node::Plain(text) => text.clone(),
            Node::Text(text) => quoted(text),
            Node::List(items) => format!("[{}]", joined(items.iter().map(Node::line).collect())),
            Node::Object(fields) if fields.is_empty() => "{}".to_owned(),
            Node::Object(fields) => {
                let field = |(name, value): &(String, Node)| format!("{}: {}", quoted(name), value.line());
                format!("{{ {} }}", joined(fields.iter().map(field).collect()))
            }
        }
    }
}

/// What stands between the brackets, or the quotes.
fn inside(text: &str) -> &str {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

/// What stands between the brackets, cut at its commas.
fn items(list: &str) -> Vec<&str> {
    let text = inside(list);
    let (mut items, mut begin, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                items.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    items
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        let json =
            r#"{"b":[1,2.50,null,true,"a \"quoted\", {text}\n"],"a":{"empty":{},"none":[],"x":{"y":"é"}}}"#;
        let node = Node::read(json);
        for width in [1, 20, 200] {
            let pretty = node.pretty(width);
            assert_eq!(Node::read(&pretty), node, "{pretty}");
            let read = |text| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(read(&pretty), read(json));
        }
        assert_eq!(node.fields()[0].0, "b", "the order is kept");
        assert_eq!(Node::read("[1,22,333,null,4]").pretty(14), "[\n  1, 22, 333,\n  null, 4\n]");
        assert_eq!(
            node.fields()[1].1.pretty(30),
            "{\n  \"empty\": {},\n  \"none\": [],\n  \"x\": { \"y\": \"é\" }\n}"
        );
    }
}
