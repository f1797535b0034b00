//! The log: text for people on a terminal, one JSON object a line otherwise.
//!
//! A library has no business with its application's log, so nothing here happens unless [`init`] is called. Every event
//! of heapbeat says all that people need in its message; fields with a dot in their name repeat it for machines, and
//! the text form leaves them out. The log goes to standard error: standard output belongs to the program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::config::{Config, LogFormat};
use crate::panic::{panic_message, remember_place};

/// Somebody else has installed a subscriber before.
#[derive(Debug, thiserror::Error)]
#[error("a tracing subscriber is installed already; call heapbeat::logging::init before it, or not at all")]
pub struct LoggingError;

/// Writes every event of this process to standard error as `config` says, panics among them.
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
        let layer = fmt::layer().with_writer(io::stderr).with_ansi(terminal && colour_wanted());
        filtered.with(layer.fmt_fields(fields)).try_init()
    } else {
        filtered.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init()
    };
    installed.map_err(|_| LoggingError)?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// <https://no-color.org>
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// One event with message and place, instead of several lines that no log collector can put together.
fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    remember_place(&place);
    let thread = std::thread::current();
    // Captured only when RUST_BACKTRACE asks for it.
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
