//! Typed access to a tree that records what was read. What nobody read is reported at the end, so no key is dropped in silence.
//!
//! A value counts as read when a method returns it in the type that was asked for, so a value of another type is reported as well.

use std::cell::RefCell;

use heapbeat_monitors::condition::parse_go_duration;

use crate::tree::{Node, ScalarKind, Value, number_nodes};

/// What was read of one tree.
#[derive(Debug)]
pub(crate) struct Ledger(RefCell<Vec<Reading>>);

/// How far a node was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Unread,
    /// The node, but not what is within it.
    Itself,
    Whole,
}

/// A value that nobody read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// Its path, such as `endpoints[0].interval`.
    pub(crate) path: String,
    /// Its line.
    pub(crate) line: usize,
    /// Whether other places use it by its anchor.
    pub(crate) shared: bool,
    /// Whether it is program code.
    pub(crate) code: bool,
}

/// A place in a tree.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    node: &'t Node,
    path: String,
    ledger: &'t Ledger,
}

/// A duration in nanoseconds as Go writes it, or a number without a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurationValue {
    /// A duration.
    Nanos(i64),
    /// A number without a unit.
    NoUnit(i64),
}

impl Ledger {
    /// Numbers the nodes of a tree, and makes its ledger.
    pub(crate) fn of(root: &mut Node) -> Self {
        Ledger(RefCell::new(vec![Reading::Unread; number_nodes(root, 0)]))
    }

    fn mark(&self, node: &Node, reading: Reading) {
        if let Some(slot) = self.0.borrow_mut().get_mut(node.number) {
            *slot = reading;
        }
    }

    fn reading(&self, node: &Node) -> Reading {
        self.0.borrow().get(node.number).copied().unwrap_or(Reading::Unread)
    }

    /// Returns the outermost values of the tree that nobody read.
    pub(crate) fn find_unread(&self, root: &Node) -> Vec<Unread> {
        let mut found = Vec::new();
        self.collect_unread(root, "", &mut found);
        found
    }

    fn collect_unread(&self, node: &Node, path: &str, found: &mut Vec<Unread>) {
        match self.reading(node) {
            Reading::Whole => {}
            Reading::Unread => found.push(Unread {
                path: path.to_owned(),
                line: node.line,
                shared: node.shared,
                code: matches!(node.value, Value::Code(_)),
            }),
            Reading::Itself => {
                for (index, item) in node.items().iter().enumerate() {
                    self.collect_unread(item, &format!("{path}[{index}]"), found);
                }
                for (key, entry) in node.entries() {
                    self.collect_unread(entry, &join_path(path, key), found);
                }
            }
        }
    }
}

impl<'t> Cursor<'t> {
    /// Makes a cursor at the root of a tree.
    pub(crate) fn new(root: &'t Node, ledger: &'t Ledger) -> Self {
        Cursor { node: root, path: String::new(), ledger }
    }

    /// Returns the path, such as `endpoints[0].interval`.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the line.
    pub(crate) fn line(&self) -> usize {
        self.node.line
    }

    /// Returns the node, without recording that it was read.
    pub(crate) fn node(&self) -> &'t Node {
        self.node
    }

    /// Returns the value of a key; `None` if it is missing or has no value.
    pub(crate) fn get(&self, key: &str) -> Option<Cursor<'t>> {
        if matches!(self.node.value, Value::Table(_)) {
            self.ledger.mark(self.node, self.ledger.reading(self.node).max_itself());
        }
        let node = self.node.get(key)?;
        if node.is_null() {
            self.ledger.mark(node, Reading::Whole);
            return None;
        }
        Some(Cursor { node, path: join_path(&self.path, key), ledger: self.ledger })
    }

    /// Returns the entries of a table.
    pub(crate) fn entries(&self) -> Vec<(&'t str, Cursor<'t>)> {
        if matches!(self.node.value, Value::Table(_)) {
            self.ledger.mark(self.node, self.ledger.reading(self.node).max_itself());
        }
        let cursor = |(key, node): &'t (String, Node)| {
            (key.as_str(), Cursor { node, path: join_path(&self.path, key), ledger: self.ledger })
        };
        self.node.entries().iter().map(cursor).collect()
    }

    /// Returns the items of a list; a list that is left empty has none.
    pub(crate) fn items(&self) -> Vec<Cursor<'t>> {
        if self.node.is_null() || matches!(self.node.value, Value::List(_)) {
            self.ledger.mark(self.node, self.ledger.reading(self.node).max_itself());
        }
        let cursor = |(index, node): (usize, &'t Node)| Cursor {
            node,
            path: format!("{}[{index}]", self.path),
            ledger: self.ledger,
        };
        self.node.items().iter().enumerate().map(cursor).collect()
    }

    /// Returns the items of a list of a key.
    pub(crate) fn list(&self, key: &str) -> Vec<Cursor<'t>> {
        self.get(key).map(|list| list.items()).unwrap_or_default()
    }

    /// Returns a scalar as text, without recording that it was read.
    pub(crate) fn scalar(&self) -> Option<&'t str> {
        match &self.node.value {
            Value::Scalar(text, kind) if *kind != ScalarKind::Null => Some(text),
            _ => None,
        }
    }

    /// Returns a scalar as text, as it is written.
    pub(crate) fn as_text(&self) -> Option<&'t str> {
        match &self.node.value {
            Value::Scalar(text, kind) if *kind != ScalarKind::Null => {
                self.ledger.mark(self.node, Reading::Whole);
                Some(text)
            }
            _ => None,
        }
    }

    /// Returns the text of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&'t str> {
        self.get(key)?.as_text()
    }

    /// Returns the truth of a key. `yes`, `on`, `no` and `off` are read as `yaml.v3` reads them for a setting that is true or false.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let cursor = self.get(key)?;
        let Value::Scalar(text, _) = &cursor.node.value else { return None };
        let flag = match text.as_str() {
            "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "on" => true,
            "false" | "False" | "FALSE" | "n" | "N" | "no" | "off" => false,
            _ => return None,
        };
        cursor.ledger.mark(cursor.node, Reading::Whole);
        Some(flag)
    }

    /// Returns the whole number of a key.
    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        let cursor = self.get(key)?;
        let Value::Scalar(text, ScalarKind::Number) = &cursor.node.value else { return None };
        let number = text.parse().ok()?;
        cursor.ledger.mark(cursor.node, Reading::Whole);
        Some(number)
    }

    /// Returns the duration of a key.
    pub(crate) fn duration(&self, key: &str) -> Option<DurationValue> {
        let cursor = self.get(key)?;
        let Value::Scalar(text, kind) = &cursor.node.value else { return None };
        let value = match (parse_go_duration(text), kind) {
            (Some(nanos), _) => DurationValue::Nanos(nanos),
            (None, ScalarKind::Number) => DurationValue::NoUnit(text.parse().ok()?),
            (None, _) => return None,
        };
        cursor.ledger.mark(cursor.node, Reading::Whole);
        Some(value)
    }

    /// Returns the outermost values within this one that nobody read, with paths from here.
    pub(crate) fn find_unread(&self) -> Vec<Unread> {
        self.ledger.find_unread(self.node)
    }

    /// Records that the value was read with everything in it.
    pub(crate) fn mark_whole_read(&self) {
        self.ledger.mark(self.node, Reading::Whole);
    }

    /// Records that the value of a key was read with everything in it; returns whether there is one.
    pub(crate) fn mark_read(&self, key: &str) -> bool {
        let found = self.get(key);
        if let Some(cursor) = &found {
            cursor.mark_whole_read();
        }
        found.is_some()
    }
}

impl Reading {
    /// The reading after the node itself was read.
    fn max_itself(self) -> Self {
        if self == Reading::Whole { self } else { Reading::Itself }
    }
}

/// Appends a key to a path.
fn join_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
