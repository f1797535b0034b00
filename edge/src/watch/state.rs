//! The states a monitor can be in.

use heapbeat_shared::record_word;

/// What is known of a monitor at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Its conditions hold.
    Up,
    /// It serves, but fails a condition that was called `degraded`.
    Degraded,
    /// It failed as many probes in a row as its threshold asks for.
    Down,
    /// It spun down when idle and is starting.
    Waking,
    /// Somebody announced work on it.
    Maintenance,
    /// Nobody looked. Neither up nor down, and never counted as either.
    #[default]
    Unobserved,
}

impl State {
    /// Every state.
    pub const ALL: [State; 6] =
        [State::Up, State::Degraded, State::Down, State::Waking, State::Maintenance, State::Unobserved];

    /// The word on the wire, in pages and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Up => "up",
            State::Degraded => "degraded",
            State::Down => "down",
            State::Waking => "waking",
            State::Maintenance => "maintenance",
            State::Unobserved => "unobserved",
        }
    }
}

record_word! { State: Up Degraded Down Waking Maintenance Unobserved; }
