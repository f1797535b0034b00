//! The end of a worker by a panic outside of any connection.
//!
//! Nobody is there to be answered, and whatever the panic left half done may be anything, so the process ends. Message and
//! call stack are recorded first, as they are gone with the process.

use std::backtrace::Backtrace;
use std::panic::{self, PanicHookInfo};

use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::RecordedNote;
use crate::panic::{is_contained, panic_message};

/// Makes every panic that is not contained end the process, after the hook that was there before.
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
        // Last, as it takes time and memory that may not be there.
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
