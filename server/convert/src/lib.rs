//! Converts configurations of other monitoring programs to the monitors of heapbeat.
//!
//! Everything is text in, text and notes out: no file is read, no program is run, no request is made. Every key of the input is used, or
//! there is a [`Note`] on it: the reader records what was read of a parsed tree, and whatever was never read is noted with its path.

#![forbid(unsafe_code)]

mod blackbox;
mod builder;
mod checks;
mod cursor;
mod environment;
mod gatus;
mod kuma;
mod names;
mod note;
mod output;
mod tree;
mod typescript;
mod upptime;
mod uptimeflare;
mod yaml;

use std::collections::BTreeMap;

pub use environment::parse_env_file;
pub use note::{Counts, Note, NoteKind};

/// The program whose configuration is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// [Gatus](https://github.com/TwiN/gatus): YAML, also within a `ConfigMap` or the values of a Helm chart.
    Gatus,
    /// [UptimeFlare](https://github.com/lyc8503/UptimeFlare): TypeScript, which is read as data and never run.
    UptimeFlare,
    /// [Uptime Kuma](https://github.com/louislam/uptime-kuma): a backup, or the rows of its table of monitors, as JSON.
    Kuma,
    /// [Upptime](https://github.com/upptime/upptime): `.upptimerc.yml`.
    Upptime,
    /// [Blackbox exporter](https://github.com/prometheus/blackbox_exporter): its modules, and Prometheus's jobs that use them.
    Blackbox,
}

impl Source {
    /// All of them, in the order in which [`recognize`] tries them.
    pub const ALL: [Source; 5] =
        [Source::Gatus, Source::UptimeFlare, Source::Kuma, Source::Upptime, Source::Blackbox];

    /// The name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Source::Gatus => "Gatus",
            Source::UptimeFlare => "UptimeFlare",
            Source::Kuma => "Uptime Kuma",
            Source::Upptime => "Upptime",
            Source::Blackbox => "Prometheus's blackbox exporter",
        }
    }
}

/// A file of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// The name for messages.
    pub name: String,
    /// The content.
    pub text: String,
}

/// What the user chose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The values of variables of the environment.
    pub environment: BTreeMap<String, String>,
    /// Whether monitors of private addresses are kept.
    pub keep_private: bool,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The `monitors.toml`.
    pub text: String,
    /// All notes: those on the whole first.
    pub notes: Vec<Note>,
    /// The counts for the end.
    pub counts: Counts,
}

/// The reason why an input is not a configuration of the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct ConvertError {
    /// The name of the file.
    pub file: String,
    /// The reason.
    pub reason: String,
}

/// What the reader of a source returns.
#[derive(Debug, Default)]
struct Reading {
    general: Vec<Note>,
    /// The variables of which the input uses the values.
    variables: Vec<environment::UsedVariable>,
    sketch: output::Sketch,
    monitors: Vec<builder::Converted>,
}

impl Reading {
    /// Notes on each variable whether its value is in the result. That of a credential is not: there is the name of a secret instead.
    fn note_variables(&self, environment: &BTreeMap<String, String>) -> Vec<Note> {
        let note = |variable: &environment::UsedVariable| {
            let environment::UsedVariable { file, name } = variable;
            let value = environment.get(name).map_or("", String::as_str);
            let (kind, text) = if output::is_in_result(value, &self.general, &self.sketch, &self.monitors) {
                (
                    NoteKind::Todo,
                    format!(
                        "the value of the variable {name} is written into the result; keep it private if it is a secret"
                    ),
                )
            } else {
                (
                    NoteKind::Dropped,
                    format!(
                        "the value of the variable {name} is not in the result as it is: it is that of a secret, or became another one"
                    ),
                )
            };
            Note::at(kind, file, 1, text)
        };
        self.variables.iter().map(note).collect()
    }

    /// Notes what nobody read of a file.
    fn note_unread(&mut self, root: &cursor::Cursor<'_>, file: &str) {
        self.general.extend(root.find_unread().iter().map(|unread| {
            let text = builder::describe_unread(&unread.path, unread.code);
            Note::at(NoteKind::Changed, file, unread.line, text)
        }));
    }
}

fn read(source: Source, files: &[InputFile], options: &Options) -> Result<Reading, ConvertError> {
    match source {
        Source::Gatus => gatus::read(files, options),
        Source::UptimeFlare => uptimeflare::read(files, options),
        Source::Kuma => kuma::read(files, options),
        Source::Upptime => upptime::read(files, options),
        Source::Blackbox => blackbox::read(files, options),
    }
}

/// Returns the first program whose configuration the files can be.
///
/// Each reader refuses files without what only its program has, such as `endpoints` or `workerConfig`.
pub fn recognize(files: &[InputFile], options: &Options) -> Option<Source> {
    Source::ALL.into_iter().find(|source| read(*source, files, options).is_ok())
}

/// Converts the files, which are one configuration together.
pub fn convert(source: Source, files: &[InputFile], options: &Options) -> Result<Conversion, ConvertError> {
    let reading = read(source, files, options)?;
    let notes = reading.note_variables(&options.environment);
    let Reading { general, sketch, monitors, .. } = reading;
    let general: Vec<_> = notes.into_iter().chain(general).collect();
    let text = output::format_file(source.name(), &general, &sketch, &monitors);
    let mut counts = Counts::default();
    for monitor in &monitors {
        let changed = monitor.notes.iter().any(|note| note.kind == NoteKind::Changed);
        match (&monitor.entry, changed) {
            (None, _) => counts.left_out += 1,
            (Some(_), true) => counts.changed += 1,
            (Some(_), false) => counts.whole += 1,
        }
    }
    let notes: Vec<_> =
        general.into_iter().chain(monitors.into_iter().flat_map(|monitor| monitor.notes)).collect();
    let count = |kind| notes.iter().filter(|note| note.kind == kind).count();
    counts.changes = count(NoteKind::Changed);
    counts.todos = count(NoteKind::Todo);
    counts.dropped = count(NoteKind::Dropped);
    Ok(Conversion { text, notes, counts })
}
