//! A panic outside of any connection ends the worker: nobody is there to be told, and what it left half done may be
//! anything. Message and call stack are recorded first, as they are gone with the process.

use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{self, PanicHookInfo};

use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::RecordedNote;
use crate::logging::panic_message;

thread_local! {
    static IN_CONNECTION: Cell<bool> = const { Cell::new(false) };
}

/// Does the work of a connection: whatever panics in it ends no more than that.
pub(crate) fn connection<R>(work: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            IN_CONNECTION.set(self.0);
        }
    }
    let _back = Back(IN_CONNECTION.replace(true));
    work()
}

/// From now on a panic elsewhere ends the process, after the hook that was there before.
pub(crate) fn end_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if IN_CONNECTION.get() {
            return before(info);
        }
        let mut note =
            RecordedNote { at: Clock::of_this_process().now().wall, text: told(info), stack: String::new() };
        flight_recorder::panicked(&note);
        before(info);
        // Last, as it takes time and memory that may not be there.
        note.stack = Backtrace::force_capture().to_string();
        flight_recorder::panicked(&note);
        std::process::abort();
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    format!("thread {thread} panicked at {place}: {}", panic_message(info.payload()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_left_whatever_happens_in_it() {
        let nested = connection(|| {
            let _ = panic::catch_unwind(|| connection(|| panic!("in a connection")));
            IN_CONNECTION.get()
        });
        assert!(nested && !IN_CONNECTION.get());
    }
}
