//! Ends a worker on a panic outside of any connection.
//!
//! There is no client to respond to, and the panic may have left shared state inconsistent, so the process aborts. Message and call
//! stack are recorded first.

use std::backtrace::Backtrace;
use std::panic::{self, PanicHookInfo};

use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::RecordedNote;
use crate::panic::{is_contained, panic_message};

/// Aborts the process on every panic that is not contained, after the previous hook has run.
pub(crate) fn abort_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_contained() {
            return before(info);
        }
        let mut note = RecordedNote {
            at: Clock::of_this_process().now().wall,
            text: describe(info),
            stack: String::new(),
        };
        flight_recorder::record_panic(&note);
        before(info);
        // Last, as it takes time, and memory that may not be available.
        note.stack = Backtrace::force_capture().to_string();
        flight_recorder::record_panic(&note);
        std::process::abort();
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    format!("thread {thread} panicked at {place}: {}", panic_message(info.payload()))
}
