//! `heapbeat check-memory`: looks at one process from where you sit.
//!
//! Whatever the target, the same [`Picture`] is made of it, and everything else is a function of that picture: the
//! [`advice`], the [`text`] for a pipe, the [`screen`] for a terminal, the exit code for a script. Three kinds of target
//! differ in how much they know: a heapbeat server with the secret (all), without it (the public figures), and any
//! process of this machine from the outside.

pub(crate) mod advice;
mod live;
mod outside;
mod remote;
pub(crate) mod screen;
pub(crate) mod snapshot;
mod target;
pub(crate) mod text;
pub(crate) mod trace;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use heapbeat_shared::Bytes;

pub(crate) use advice::Severity;
pub(crate) use snapshot::Picture;
pub(crate) use target::{Target, TargetError};

use target::Watcher;

/// What was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What to look at.
    pub(crate) target: Target,
    /// One look instead of a live view.
    pub(crate) once: bool,
    /// JSON, a line a look.
    pub(crate) json: bool,
    /// Colours; `false` for `--no-color`, `NO_COLOR` or a pipe.
    pub(crate) colour: bool,
    /// Time between two looks.
    pub(crate) interval: Duration,
    /// The limit to judge against where the target does not tell its own.
    pub(crate) limit: Option<Bytes>,
}

/// What a script learns (Contract 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// 0
    Fine,
    /// 1
    Warning,
    /// 2
    Critical,
    /// 3
    CouldNotTell,
}

impl Verdict {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Severity> for Verdict {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Fine => Verdict::Fine,
            Severity::Warning => Verdict::Warning,
            Severity::Critical => Verdict::Critical,
        }
    }
}

/// Looks as `options` say: once, or until `q` or Ctrl-C. The verdict is that of the last look.
pub(crate) fn run(options: &Options) -> Verdict {
    let mut watcher = match Watcher::new(&options.target, options.limit) {
        Ok(watcher) => watcher,
        Err(error) => return could_not_tell(&error),
    };
    if options.once || options.json || !io::stdout().is_terminal() {
        print(&mut watcher, options)
    } else {
        live::run(watcher, options)
    }
}

/// One look, printed; with `--json` and without `--once` one line a look until the pipe closes. Then a look that fails is
/// said and made up for by the next one, unless none has ever succeeded or the target is gone for good.
fn print(watcher: &mut Watcher, options: &Options) -> Verdict {
    let (_keep, never) = std::sync::mpsc::channel::<()>();
    let mut seen = false;
    loop {
        let picture = match watcher.look() {
            Ok(picture) => picture,
            Err(error) if seen && !error.is_final() => {
                complain(&format!("{error}; looking again"));
                let _ = never.recv_timeout(options.interval);
                continue;
            }
            Err(error) => return could_not_tell(&error),
        };
        seen = true;
        let text =
            if options.json { text::json(&picture) + "\n" } else { text::report(&picture, options.colour) };
        if io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()).is_err()
            || options.once
            || !options.json
        {
            return advice::worst(&picture).into();
        }
        // Waits for the interval: nobody ever sends.
        let _ = never.recv_timeout(options.interval);
    }
}

fn could_not_tell(error: &TargetError) -> Verdict {
    complain(&error.to_string());
    Verdict::CouldNotTell
}

/// One line on standard error; whoever closed it does not want to know.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "heapbeat: {}", text::printable(message));
}
