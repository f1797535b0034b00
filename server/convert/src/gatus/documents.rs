//! Finds the configurations in the files: a file of Gatus, one of several documents, or a part of a `ConfigMap`, of Helm values or of another
//! resource.

use crate::cursor::Ledger;
use crate::environment::{UsedVariable, expand};
use crate::note::{Note, NoteKind};
use crate::tree::{Budget, Node, TOO_LARGE, Value};
use crate::yaml::parse_documents;
use crate::{ConvertError, InputFile, Options};

/// The lists that make a table a configuration.
const LISTS: [&str; 4] = ["endpoints", "external-endpoints", "suites", "services"];

/// Other settings at the top of a configuration, which may be alone in a file beside others.
const SETTINGS: [&str; 8] =
    ["alerting", "maintenance", "security", "ui", "connectivity", "storage", "announcements", "remote"];

/// The most levels within a resource at which a configuration is looked for.
const MAX_SEARCH_DEPTH: usize = 8;

/// A configuration, or a part of one.
#[derive(Debug)]
pub(super) struct Document {
    /// The name of its file.
    pub(super) file: String,
    /// The path of the configuration in its file, with a dot behind it; empty if it is the whole file.
    pub(super) prefix: String,
    /// The configuration.
    pub(super) root: Node,
    /// What was read of it.
    pub(super) ledger: Ledger,
}

/// Reads the configurations of the files.
pub(super) fn read_documents(
    files: &[InputFile],
    options: &Options,
    general: &mut Vec<Note>,
    variables: &mut Vec<UsedVariable>,
) -> Result<Vec<Document>, ConvertError> {
    let mut documents = Vec::new();
    let mut budget = Budget::default();
    for file in files {
        let refused = |reason: String| ConvertError { file: file.name.clone(), reason };
        let expanded = expand(&file.text, &options.environment);
        variables
            .extend(expanded.used.into_iter().map(|name| UsedVariable { file: file.name.clone(), name }));
        let parsed =
            parse_documents(&expanded.text, &mut budget).map_err(|error| refused(error.to_string()))?;
        if parsed.is_empty() && files.len() == 1 {
            return Err(refused("the file is empty".to_owned()));
        }
        let mut whole = 0;
        for document in parsed {
            let line = document.line;
            let mut found = Vec::new();
            if is_configuration(&document) || is_fragment(&document) {
                whole += 1;
                if whole == 2 {
                    general.push(Note::at(
                        NoteKind::Changed,
                        &file.name,
                        line,
                        "Gatus reads only the first document of a file; the further ones were converted as well",
                    ));
                }
                found.push((String::new(), document));
            } else {
                search(document, ("", 0), &mut budget, &mut found);
                if budget.is_exhausted() {
                    return Err(refused(TOO_LARGE.to_owned()));
                }
                let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
                let text = if paths.is_empty() {
                    "there is no configuration of Gatus in this document; it was skipped".to_owned()
                } else {
                    format!("the configuration is in {}; what is around it is not Gatus's", paths.join(", "))
                };
                general.push(Note::at(NoteKind::Dropped, &file.name, line, text));
            }
            for (path, mut root) in found {
                let ledger = Ledger::of(&mut root);
                let prefix = if path.is_empty() { path } else { format!("{path}.") };
                documents.push(Document { file: file.name.clone(), prefix, root, ledger });
            }
        }
    }
    Ok(documents)
}

/// Returns whether a table is a configuration: it has a list of endpoints, and is no resource of Kubernetes.
fn is_configuration(node: &Node) -> bool {
    node.get("apiVersion").is_none()
        && LISTS.iter().any(|list| {
            node.get(list).is_some_and(|list| matches!(list.value, Value::List(_)) || list.is_null())
        })
}

/// Returns whether a table is a part of a configuration without endpoints.
fn is_fragment(node: &Node) -> bool {
    node.get("apiVersion").is_none()
        && node.get("config").is_none()
        && SETTINGS.iter().any(|setting| node.get(setting).is_some())
}

/// Looks for configurations within another document, also in texts.
fn search(node: Node, (path, depth): (&str, usize), budget: &mut Budget, found: &mut Vec<(String, Node)>) {
    if depth > 0 && is_configuration(&node) && has_monitors(&node) {
        found.push((path.to_owned(), node));
        return;
    }
    if depth == MAX_SEARCH_DEPTH {
        return;
    }
    match node.value {
        Value::Table(entries) => {
            for (key, entry) in entries {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                search(entry, (&path, depth + 1), budget, found);
            }
        }
        Value::List(items) => {
            for (index, item) in items.into_iter().enumerate() {
                search(item, (&format!("{path}[{index}]"), depth + 1), budget, found);
            }
        }
        Value::Scalar(text, _) if LISTS.iter().any(|list| text.contains(&format!("{list}:"))) => {
            for mut document in parse_documents(&text, budget).unwrap_or_default() {
                shift_lines(&mut document, node.line);
                if is_configuration(&document) && has_monitors(&document) {
                    found.push((path.to_owned(), document));
                } else {
                    search(document, (path, depth + 1), budget, found);
                }
            }
        }
        Value::Scalar(..) | Value::Code(_) => {}
    }
}

/// Returns whether an item of one of the lists has a name or an address.
fn has_monitors(node: &Node) -> bool {
    LISTS
        .iter()
        .filter_map(|list| node.get(list))
        .flat_map(Node::items)
        .any(|item| item.get("name").is_some() || item.get("url").is_some())
}

/// Moves the lines of a text that begins behind a line of its file.
fn shift_lines(node: &mut Node, lines: usize) {
    node.line += lines;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift_lines(item, lines)),
        Value::Table(entries) => entries.iter_mut().for_each(|(_, entry)| shift_lines(entry, lines)),
        Value::Scalar(..) | Value::Code(_) => {}
    }
}
