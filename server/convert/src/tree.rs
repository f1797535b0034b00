//! The tree of a parsed input, whatever its syntax was.
//!
//! A text of a few lines can stand for gigabytes: by anchors of YAML, and by constants that are put together of others. So whatever becomes
//! part of a tree, copies included, is taken from the [`Budget`] of the whole input first.

/// The most values of an input.
const MAX_NODES: usize = 200_000;

/// The most bytes of the texts of an input.
const MAX_BYTES: usize = 32 << 20;

/// The reason why an input is not read.
pub(crate) const TOO_LARGE: &str = "the input has more than 200000 values, or more than 32 MB of text, after its anchors and constants are put in";

/// What the trees of an input may still hold.
#[derive(Debug)]
pub(crate) struct Budget {
    nodes: usize,
    bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { nodes: MAX_NODES, bytes: MAX_BYTES }
    }
}

impl Budget {
    /// Takes so many values with so many bytes of text. Returns whether there is enough of both; nothing can be taken afterwards if not.
    pub(crate) fn take(&mut self, nodes: usize, bytes: usize) -> bool {
        let left = self.nodes.checked_sub(nodes).zip(self.bytes.checked_sub(bytes));
        (self.nodes, self.bytes) = left.unwrap_or_default();
        left.is_some()
    }

    /// Takes what a copy of a tree needs.
    pub(crate) fn take_copy(&mut self, node: &Node) -> bool {
        let (nodes, bytes) = if self.is_exhausted() { (1, 0) } else { node.extent() };
        self.take(nodes, bytes)
    }

    /// Whether nothing is left.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.nodes == 0
    }
}

/// A value and where it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// The value.
    pub(crate) value: Value,
    /// The line in its file, from 1.
    pub(crate) line: usize,
    /// The number in its tree; see [`number_nodes`].
    pub(crate) number: usize,
    /// Whether other places use the value by its anchor.
    pub(crate) shared: bool,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A scalar as written, and its type.
    Scalar(String, ScalarKind),
    /// A list.
    List(Vec<Node>),
    /// A table; its keys keep their order.
    Table(Vec<(String, Node)>),
    /// Program code, which is never run.
    Code(String),
}

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    /// No value.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// Text.
    Text,
}

impl Node {
    /// Makes a node.
    pub(crate) fn new(value: Value, line: usize) -> Self {
        Node { value, line, number: 0, shared: false }
    }

    /// Makes an empty value.
    pub(crate) fn null(line: usize) -> Self {
        Node::new(Value::Scalar(String::new(), ScalarKind::Null), line)
    }

    /// Returns whether there is no value.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(_, ScalarKind::Null))
    }

    /// Returns the value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the entries of a table.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the number of nodes, this one included, and the bytes of their texts.
    fn extent(&self) -> (usize, usize) {
        let add = |(nodes, bytes): (usize, usize), (more, text): (usize, usize)| (nodes + more, bytes + text);
        match &self.value {
            Value::List(items) => items.iter().map(Node::extent).fold((1, 0), add),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| add(node.extent(), (0, key.len()))).fold((1, 0), add)
            }
            Value::Scalar(text, _) | Value::Code(text) => (1, text.len()),
        }
    }

    /// Returns the number of levels, 1 for a scalar.
    pub(crate) fn depth(&self) -> usize {
        let deepest = match &self.value {
            Value::List(items) => items.iter().map(Node::depth).max(),
            Value::Table(entries) => entries.iter().map(|(_, node)| node.depth()).max(),
            Value::Scalar(..) | Value::Code(_) => None,
        };
        1 + deepest.unwrap_or(0)
    }
}

/// Numbers the nodes of a tree in order, from `next`, and returns the number after the last one.
pub(crate) fn number_nodes(node: &mut Node, next: usize) -> usize {
    node.number = next;
    let mut next = next + 1;
    match &mut node.value {
        Value::List(items) => {
            for item in items {
                next = number_nodes(item, next);
            }
        }
        Value::Table(entries) => {
            for (_, entry) in entries {
                next = number_nodes(entry, next);
            }
        }
        Value::Scalar(..) | Value::Code(_) => {}
    }
    next
}
/// Converts JSON, which knows no lines.
pub(crate) fn from_json(value: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let scalar = |text: String, kind| Value::Scalar(text, kind);
    let value = match value {
        Json::Null => scalar(String::new(), ScalarKind::Null),
        Json::Bool(flag) => scalar(flag.to_string(), ScalarKind::Bool),
        Json::Number(number) => scalar(number.to_string(), ScalarKind::Number),
        Json::String(text) => scalar(text.clone(), ScalarKind::Text),
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::Table(entries.iter().map(|(key, value)| (key.clone(), from_json(value))).collect())
        }
    };
    Node::new(value, 1)
}
