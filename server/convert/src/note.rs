//! The notes on what differs after the conversion, and their counts.

use std::fmt;

/// What is said of a source whose page asks who reads it.
pub(crate) const PUBLIC_PAGE: &str = "AND THE PAGE OF HEAPBEAT IS PUBLIC. Every monitor has `public = false`, so that only the owner sees it; \
     remove that line from those that anybody may see, or put Cloudflare Access before the Worker";

/// What a note means for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// Something that was watched, told or shown is so no longer, or in another way.
    Changed,
    /// A monitor was left out.
    LeftOut,
    /// The user has to do something, such as setting a secret.
    Todo,
    /// A setting without counterpart that changes nothing of what is watched and told.
    Dropped,
}

/// A note on the conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it means.
    pub kind: NoteKind,
    /// The file and the line, if it is about a place.
    pub place: Option<(String, usize)>,
    /// The name of the monitor, if it is about one.
    pub monitor: Option<String>,
    /// The text.
    pub text: String,
}

/// How many monitors were converted, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Monitors without a note of a change.
    pub whole: usize,
    /// Monitors with at least one.
    pub changed: usize,
    /// Monitors that were left out.
    pub left_out: usize,
    /// Notes of a change, also those that are not about a monitor.
    pub changes: usize,
    /// Notes of something to do.
    pub todos: usize,
    /// Settings without counterpart that change nothing.
    pub dropped: usize,
}

impl NoteKind {
    /// Returns the word before a note.
    pub fn label(self) -> &'static str {
        match self {
            NoteKind::Changed => "changed",
            NoteKind::LeftOut => "left out",
            NoteKind::Todo => "to do",
            NoteKind::Dropped => "not needed",
        }
    }
}

impl Note {
    /// Makes a note on the input as a whole.
    pub(crate) fn general(kind: NoteKind, text: impl Into<String>) -> Self {
        Note { kind, place: None, monitor: None, text: text.into() }
    }

    /// Makes a note on a line of a file that is about no monitor.
    pub(crate) fn at(kind: NoteKind, file: &str, line: usize, text: impl Into<String>) -> Self {
        Note { place: Some((file.to_owned(), line)), ..Note::general(kind, text) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.place {
            write!(f, "{file}:{line}: ")?;
        }
        write!(f, "{}: ", self.kind.label())?;
        if let Some(monitor) = &self.monitor {
            write!(f, "{monitor}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl Counts {
    /// Returns whether something changed its meaning or was left out.
    pub fn has_changes(&self) -> bool {
        self.changes > 0 || self.left_out > 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, count) in [
            ("monitors converted whole", self.whole),
            ("monitors converted with a change", self.changed),
            ("monitors left out", self.left_out),
            ("changes of meaning, in monitors and in settings", self.changes),
            ("things to do", self.todos),
            ("settings that are not needed", self.dropped),
        ] {
            writeln!(f, "{count:>7}  {label}")?;
        }
        Ok(())
    }
}
