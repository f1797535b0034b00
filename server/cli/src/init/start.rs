//! Where the start command of a project stands.

use serde_json::Value;

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
        Some(start) => start.command.script().and_then(|script| find_script(project, &script)),
        None if is_node => find_script(project, "start:prod").or_else(|| find_script(project, "start")),
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
            if is_yaml && old.starts_with(['|', '>', '&', '*', '!']) {
                return Err(format!("{key} of {file} has more than one line, or an anchor: {old}"));
            }
            let is_quoted = old.len() > 1 && old.starts_with(['"', '\'']) && old.ends_with(&old[..1]);
            let is_escaped = if is_quoted { old.contains('\\') } else { old.starts_with(['"', '\'']) };
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

/// Finds a script of package.json.
fn find_script(project: &Project, script: &str) -> Option<Start> {
    let text = project.text("package.json")?;
    let manifest: Value = serde_json::from_str(text).ok()?;
    let command = manifest.get("scripts")?.get(script)?.as_str()?;
    let scripts = text.find("\"scripts\"")?;
    let key = scripts + text[scripts..].find(&Value::from(script).to_string())?;
    let old = Value::from(command).to_string();
    let at = key + text[key..].find(&old)?;
    Some(Start {
        file: "package.json",
        form: Form::Script,
        command: Command::Shell(command.to_owned()),
        at,
        old,
    })
}
