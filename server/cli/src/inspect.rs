//! `heapbeat check-memory`: measures one process, from this machine or over the network.
//!
//! Every target gives the same [`Snapshot`], and everything else is a function of that snapshot: the [`advice`], the [`text`] for a
//! pipe, the [`screen`] for a terminal, and the exit code for a script. Three kinds of target differ in how much is known: a heapbeat
//! server with the secret (everything), one without it (the public figures), and any process of this machine (the kernel's figures).

pub(crate) mod advice;
mod live;
mod process_source;
pub(crate) mod screen;
mod server_source;
pub(crate) mod snapshot;
mod state_file;
mod target;

pub(crate) mod text;
pub(crate) mod trace;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use heapbeat_shared::Bytes;

pub(crate) use advice::Severity;
pub(crate) use server_source::{parse_address, parse_health_address};
pub(crate) use snapshot::Snapshot;
pub(crate) use target::{InspectTarget, TargetError};

use target::Source;

/// Measures a target once.
pub(crate) fn measure_once(target: &InspectTarget) -> Result<Snapshot, TargetError> {
    Source::new(target, None)?.measure()
}

/// The options of the command.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The process to measure.
    pub(crate) target: InspectTarget,
    /// Measures once instead of showing a live view.
    pub(crate) once: bool,
    /// Prints JSON, one line per measurement.
    pub(crate) json: bool,
    /// Whether to use colors; `false` for `--no-color`, `NO_COLOR` or a pipe.
    pub(crate) color: bool,
    /// Time between two measurements.
    pub(crate) interval: Duration,
    /// The memory limit, if the target does not report its own.
    pub(crate) limit: Option<Bytes>,
}

/// The verdict, which is also the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    /// Nothing needs attention: exit code 0.
    Ok,
    /// Something needs attention: exit code 1.
    Warning,
    /// Something needs attention now: exit code 2.
    Critical,
    /// The target could not be measured: exit code 3.
    Unknown,
}

impl CheckStatus {
    /// Returns the exit code.
    pub(crate) const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Severity> for CheckStatus {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Ok => CheckStatus::Ok,
            Severity::Warning => CheckStatus::Warning,
            Severity::Critical => CheckStatus::Critical,
        }
    }
}

/// Measures once, or until `q` or Ctrl-C, and returns the verdict of the last measurement.
pub(crate) fn inspect(options: &Options) -> CheckStatus {
    let mut source = match Source::new(&options.target, options.limit) {
        Ok(source) => source,
        Err(error) => return report_failure(&error),
    };
    if options.once || options.json || !io::stdout().is_terminal() {
        print_measurements(&mut source, options)
    } else {
        live::run(source, options)
    }
}

/// Prints one measurement, or with `--json` and without `--once` one line per measurement until the pipe closes. In the latter case a
/// failed measurement is printed as an error and repeated, unless none has succeeded yet or the target has exited.
fn print_measurements(source: &mut Source, options: &Options) -> CheckStatus {
    let (_sender, timer) = std::sync::mpsc::channel::<()>();
    let mut measured = false;
    loop {
        let snapshot = match source.measure() {
            Ok(snapshot) => snapshot,
            Err(error) if measured && !error.is_final() => {
                print_error(&format!("{error}; trying again"));
                let _ = timer.recv_timeout(options.interval);
                continue;
            }
            Err(error) => return report_failure(&error),
        };
        measured = true;
        let text = if options.json {
            text::format_json(&snapshot) + "\n"
        } else {
            text::format_report(&snapshot, options.color)
        };
        if io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()).is_err()
            || options.once
            || !options.json
        {
            return advice::worst_severity(&snapshot).into();
        }
        // Waits for the interval, as nothing is ever sent.
        let _ = timer.recv_timeout(options.interval);
    }
}

/// Prints the error, and returns that there is no verdict.
fn report_failure(error: &TargetError) -> CheckStatus {
    print_error(&error.to_string());
    CheckStatus::Unknown
}

/// Prints one line on standard error. A closed standard error is ignored.
fn print_error(message: &str) {
    let _ = writeln!(io::stderr(), "heapbeat: {}", heapbeat_shared::text::single_line(message));
}
