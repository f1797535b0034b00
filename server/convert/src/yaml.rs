//! Parses YAML to trees, with anchors and merge keys expanded as `yaml.v3` does, which Gatus uses.
//!
//! Bounds: [`MAX_DEPTH`] levels, and the [`Budget`] of the input after expansion. An anchor that contains itself is refused.

mod scalar;

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::tree::{Budget, Node, ScalarKind, TOO_LARGE, Value};

/// The most levels of a document.
const MAX_DEPTH: usize = 64;

/// The reason why a text is not YAML that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum YamlError {
    /// The text is not YAML.
    #[error("line {0}: the file is not YAML: {1}")]
    Syntax(usize, String),
    /// The text is a template of another program.
    #[error(
        "line {0}: the file is a template (`{{{{ … }}}}`); convert what the template makes of it, such as `helm template`"
    )]
    Template(usize),
    /// There are too many levels.
    #[error("line {0}: the file is nested too deeply; at most {MAX_DEPTH} levels are read")]
    Depth(usize),
    /// There are too many values, or too much text.
    #[error("line {0}: {TOO_LARGE}")]
    Size(usize),
    /// An anchor contains itself.
    #[error("line {0}: an anchor contains itself")]
    Cycle(usize),
    /// A merge key has another value than a table.
    #[error("line {0}: `<<` needs a table or a list of tables")]
    Merge(usize),
}

/// A list or a table that is not complete yet.
#[derive(Debug)]
struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value is next; `None` outside of tables, and where a key is next.
    key: Option<String>,
}

/// Builds the trees of a text without recursion.
#[derive(Debug)]
struct Builder<'b> {
    budget: &'b mut Budget,
    open: Vec<Open>,
    documents: Vec<Node>,
    /// The values of the anchors of this document. The numbers of their nodes are unique.
    anchors: HashMap<usize, Node>,
    /// The numbers of the anchored nodes that other places use.
    used: HashSet<usize>,
    /// The number of the last node with an anchor.
    numbered: usize,
}

/// Parses the documents of a text that is part of an input.
pub(crate) fn parse_documents(text: &str, budget: &mut Budget) -> Result<Vec<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder {
        budget,
        open: Vec::new(),
        documents: Vec::new(),
        anchors: HashMap::new(),
        used: HashSet::new(),
        numbered: 0,
    };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line();
            if text.lines().nth(line.saturating_sub(1)).is_some_and(|text| text.contains("{{")) {
                YamlError::Template(line)
            } else {
                YamlError::Syntax(line, error.info().to_owned())
            }
        })?;
        builder.accept(event, span.start.line())?;
    }
    for document in &mut builder.documents {
        merge_tables(document)?;
    }
    Ok(builder.documents)
}

impl Builder<'_> {
    fn accept(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = match (tag.as_deref().and_then(core_type), style) {
                    (Some("str"), _) => ScalarKind::Text,
                    (None, ScalarStyle::Plain) | (Some(_), _) => scalar::resolve(&text),
                    (None, _) => ScalarKind::Text,
                };
                let node = Node::new(Value::Scalar(text.into_owned(), kind), line);
                self.close(node, anchor, line)
            }
            Event::SequenceStart(anchor, _) => self.begin(Value::List(Vec::new()), anchor, line),
            Event::MappingStart(anchor, _) => self.begin(Value::Table(Vec::new()), anchor, line),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                self.close(open.node, open.anchor, line)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else { return Err(YamlError::Cycle(line)) };
                if self.open.len() + node.depth() > MAX_DEPTH {
                    return Err(YamlError::Depth(line));
                }
                if !self.budget.take_copy(node) {
                    return Err(YamlError::Size(line));
                }
                self.used.insert(node.number);
                let node = Node { number: 0, ..node.clone() };
                self.close(node, 0, line)
            }
            Event::DocumentEnd => {
                if let Some(document) = self.documents.last_mut() {
                    mark_shared(document, &self.used);
                }
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => Ok(()),
        }
    }

    fn begin(&mut self, value: Value, anchor: usize, line: usize) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError::Depth(line));
        }
        self.open.push(Open { node: Node::new(value, line), anchor, key: None });
        Ok(())
    }

    /// Puts a complete node where it belongs.
    fn close(&mut self, mut node: Node, anchor: usize, line: usize) -> Result<(), YamlError> {
        let text = if let Value::Scalar(text, _) = &node.value { text.len() } else { 0 };
        if !self.budget.take(1, text) || (anchor > 0 && !self.budget.take_copy(&node)) {
            return Err(YamlError::Size(line));
        }
        if anchor > 0 {
            self.numbered += 1;
            node.number = self.numbered;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open { node: Node { value: Value::Table(entries), .. }, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(key_text(&node)),
            },
            Some(Open { node: Node { value: Value::List(items), .. }, .. }) => items.push(node),
            Some(_) => {}
        }
        Ok(())
    }
}

/// Returns the name of a type of the core schema: `str`, `int`.
fn core_type(tag: &Tag) -> Option<&str> {
    tag.is_yaml_core_schema().then_some(tag.suffix.as_str())
}

/// Returns the text of a key. A list or a table as a key has none of its own.
fn key_text(node: &Node) -> String {
    match &node.value {
        Value::Scalar(text, _) => text.clone(),
        _ => "(a key that is not text)".to_owned(),
    }
}

/// Marks the nodes that are used by their anchors.
fn mark_shared(node: &mut Node, used: &HashSet<usize>) {
    node.shared = used.contains(&node.number);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| mark_shared(item, used)),
        Value::Table(entries) => entries.iter_mut().for_each(|(_, entry)| mark_shared(entry, used)),
        Value::Scalar(..) | Value::Code(_) => {}
    }
}

/// Replaces each `<<` by the entries that it adds: those that the table does not have itself. Of several tables the first one counts.
fn merge_tables(node: &mut Node) -> Result<(), YamlError> {
    match &mut node.value {
        Value::List(items) => items.iter_mut().try_for_each(merge_tables),
        Value::Table(entries) => {
            entries.iter_mut().try_for_each(|(_, entry)| merge_tables(entry))?;
            if !entries.iter().any(|(key, _)| key == "<<") {
                return Ok(());
            }
            let (merged, own) = std::mem::take(entries).into_iter().partition(|(key, _)| key == "<<");
            *entries = own;
            let mut known: HashSet<String> = entries.iter().map(|(key, _)| key.clone()).collect();
            for (_, merged) in merged {
                let line = merged.line;
                let tables = match merged.value {
                    Value::List(items) => items,
                    Value::Table(_) => vec![merged],
                    Value::Scalar(..) | Value::Code(_) => return Err(YamlError::Merge(line)),
                };
                for table in tables {
                    let Value::Table(added) = table.value else { return Err(YamlError::Merge(line)) };
                    entries.extend(added.into_iter().filter(|(key, _)| known.insert(key.clone())));
                }
            }
            Ok(())
        }
        Value::Scalar(..) | Value::Code(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
