//! Where the start command of a project stands.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::command::Command;
use super::dockerfile;
use super::project::Project;

/// The form in which a file has the start command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of a Procfile.
    Line,
    /// A scalar of YAML.
    Yaml,
    /// A string of JSON: a script of package.json.
    Script,
    /// An instruction of a Dockerfile, by its name.
    Instruction(&'static str),
}

/// The start command, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) file: &'static str,
    pub(super) form: Form,
    pub(super) command: Command,
    /// The byte at which it begins.
    pub(super) at: usize,
    /// The text that is replaced.
    pub(super) old: String,
}

/// Finds the command that a deployment starts: that of render.yaml, the Procfile or the Dockerfile, or the script of package.json that one
/// of them runs.
///
/// # Errors
///
/// What stands there, if it has a form that is not changed here.
pub(super) fn find_start(project: &Project, is_node: bool) -> Result<Option<Start>, String> {
    let mut deployed = find_line(project, "render.yaml", "startCommand:")?;
    if deployed.is_none() {
        deployed = find_line(project, "Procfile", "web:")?;
    }
    if deployed.is_none() {
        deployed = find_instruction(project)?;
    }
    let script = match &deployed {
        Some(start) => match start.command.script() {
            Some(script) => find_script(project, &script)?,
            None => None,
        },
        None if is_node => match find_script(project, "start:prod")? {
            None => find_script(project, "start")?,
            found => found,
        },
        None => None,
    };
    Ok(script.or(deployed))
}

/// Counts the lines of a file that begin with a key.
pub(super) fn count_lines(project: &Project, file: &str, key: &str) -> usize {
    let lines = project.text(file).unwrap_or_default().lines();
    lines.filter(|line| strip_key(line, key).is_some()).count()
}

/// Returns what follows a key at the beginning of a line, also that of a list of YAML.
fn strip_key<'line>(line: &'line str, key: &str) -> Option<&'line str> {
    let line = line.trim_start();
    line.strip_prefix("- ").map_or(line, str::trim_start).strip_prefix(key)
}

/// Finds the value behind a key at the beginning of a line.
fn find_line(project: &Project, file: &'static str, key: &str) -> Result<Option<Start>, String> {
    let Some(text) = project.text(file) else { return Ok(None) };
    let is_yaml = file == "render.yaml";
    let mut line_at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = strip_key(line, key) {
            let value = rest.trim();
            // A comment of YAML.
            let old = match value.split_once(" #") {
                Some((value, _)) if is_yaml && !value.starts_with(['"', '\'']) => value.trim(),
                _ => value,
            };
            let key_at = line.len() - rest.len() - key.len();
            let next = text[line_at + line.len()..].lines().find(|next| !next.trim().is_empty());
            if is_yaml && (old.starts_with(['|', '>', '&', '*', '!']) || continues(next, key_at)) {
                return Err(format!("{key} of {file} has more than one line, or an anchor: {old}"));
            }
            let is_quoted =
                is_yaml && old.len() > 1 && old.starts_with(['"', '\'']) && old.ends_with(&old[..1]);
            let is_escaped = match (is_quoted, old.starts_with('\'')) {
                (true, true) => old[1..old.len() - 1].contains("''"),
                (true, false) => old.contains('\\'),
                (false, _) => old.starts_with(['"', '\'']),
            };
            if is_yaml && is_escaped {
                return Err(format!("{key} of {file} has a string with escapes: {old}"));
            }
            let at = line_at + line.rfind(rest).unwrap_or_default() + rest.find(old).unwrap_or_default();
            let command = if is_quoted { &old[1..old.len() - 1] } else { old };
            let form = if is_yaml { Form::Yaml } else { Form::Line };
            let command = Command::Shell(command.to_owned());
            return Ok((!old.is_empty()).then(|| Start { file, form, command, at, old: old.to_owned() }));
        }
        line_at += line.len();
    }
    Ok(None)
}

fn find_instruction(project: &Project) -> Result<Option<Start>, String> {
    let Some(text) = project.text("Dockerfile") else { return Ok(None) };
    let found = dockerfile::find_start(text)?;
    Ok(found.map(|it| Start {
        file: "Dockerfile",
        form: Form::Instruction(it.name),
        command: it.command,
        at: it.at,
        old: it.line,
    }))
}

/// Returns whether a scalar of YAML goes on in the next line: that line is indented deeper than its key.
fn continues(next: Option<&str>, key_at: usize) -> bool {
    next.is_some_and(|next| {
        let text = next.trim_start();
        next.len() - text.len() > key_at && !text.starts_with('#')
    })
}

/// The part of package.json with the scripts, each as it stands in the text.
#[derive(Deserialize)]
struct Manifest<'text> {
    #[serde(borrow, default)]
    scripts: BTreeMap<String, &'text RawValue>,
}

/// Finds a script of package.json.
///
/// # Errors
///
/// Why its scripts cannot be read. Two blocks of that name are such a reason.
fn find_script(project: &Project, script: &str) -> Result<Option<Start>, String> {
    let Some(text) = project.text("package.json") else { return Ok(None) };
    let manifest: Manifest = serde_json::from_str(text)
        .map_err(|error| format!("scripts of package.json cannot be read: {error}"))?;
    let Some(old) = manifest.scripts.get(script).map(|value| value.get()) else { return Ok(None) };
    let Ok(command) = serde_json::from_str::<String>(old) else { return Ok(None) };
    Ok(Some(Start {
        file: "package.json",
        form: Form::Script,
        command: Command::Shell(command),
        // The same text may stand elsewhere in the file: this is where it was read.
        at: old.as_ptr().addr() - text.as_ptr().addr(),
        old: old.to_owned(),
    }))
}
