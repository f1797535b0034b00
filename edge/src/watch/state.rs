//! The states a monitor can be in.

use minicbor::{Decode, Encode};

/// What is known of a monitor at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum State {
    /// Its conditions hold.
    #[n(0)]
    Up,
    /// It serves, but fails a condition that was called `degraded`.
    #[n(1)]
    Degraded,
    /// It failed as many probes in a row as its threshold asks for.
    #[n(2)]
    Down,
    /// It spun down when idle and is starting.
    #[n(3)]
    Waking,
    /// Somebody announced work on it.
    #[n(4)]
    Maintenance,
    /// Nobody looked. Neither up nor down, and never counted as either.
    #[default]
    #[n(5)]
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
