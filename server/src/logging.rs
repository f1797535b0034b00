//! The log: text on a terminal, one JSON object per line otherwise.
//!
//! The log belongs to the application, so nothing is installed unless [`init`] is called. The message of an event has everything that
//! people need. Fields with a dot in their name repeat it for machines, and the text format omits them. The log is written to
//! standard error, as standard output belongs to the program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::config::{Config, LogFormat};
use crate::panic::{panic_message, remember_place};

/// A tracing subscriber was installed before.
#[derive(Debug, thiserror::Error)]
#[error("a tracing subscriber is installed already; call heapbeat::logging::init before it, or not at all")]
pub struct LoggingError;

/// Logs every event of this process, panics included, to standard error, with the filter and the format of `config`.
pub fn init(config: &Config) -> Result<(), LoggingError> {
    let terminal = io::stderr().is_terminal();
    let text = match config.log_format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let filtered = registry().with(config.log.0.clone());
    let installed = if text {
        let fields = debug_fn(|writer, field, value| match field.name() {
            "message" => write!(writer, "{value:?}"),
            name if name.contains('.') => Ok(()),
            name => write!(writer, " {name}={value:?}"),
        });
        let layer = fmt::layer().with_writer(io::stderr).with_ansi(terminal && color_is_wanted());
        filtered.with(layer.fmt_fields(fields)).try_init()
    } else {
        filtered.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init()
    };
    installed.map_err(|_| LoggingError)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Whether colors are used, by the convention of <https://no-color.org>.
fn color_is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Logs a panic as one event with its message and location, instead of several lines that a log collector cannot join.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    remember_place(&place);
    let thread = std::thread::current();
    // Captured only if RUST_BACKTRACE is set.
    let backtrace = Backtrace::capture();
    let stack = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        target: "heapbeat::panic",
        {
        exception.message = panic_message(info.payload()),
        code.file.path = info.location().map(panic::Location::file),
        code.line.number = info.location().map(panic::Location::line),
        thread.name = thread.name(),
        exception.stacktrace = stack,
        },
        "panicked at {place}: {}",
        panic_message(info.payload())
    );
}
