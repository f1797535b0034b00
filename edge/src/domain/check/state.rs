//! The states a monitor can be in.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What is known of a monitor at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
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

    /// The state of this word.
    pub fn of(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The letter of a day on which this was the worst: `u` up, `~` degraded, `d` down, `w` waking, `m` maintenance,
    /// `.` unobserved.
    pub const fn letter(self) -> char {
        match self {
            State::Up => 'u',
            State::Degraded => '~',
            State::Down => 'd',
            State::Waking => 'w',
            State::Maintenance => 'm',
            State::Unobserved => '.',
        }
    }

    /// Whether something was wrong that nobody had announced.
    pub const fn is_trouble(self) -> bool {
        matches!(self, State::Degraded | State::Down | State::Waking)
    }

    /// How bad it is, to tell the worst of several; what is known is worse than `unobserved`.
    const fn badness(self) -> u8 {
        match self {
            State::Unobserved => 0,
            State::Up => 1,
            State::Maintenance => 2,
            State::Waking => 3,
            State::Degraded => 4,
            State::Down => 5,
        }
    }
}

/// The state that speaks for all: the worst that is known, `unobserved` only where nothing is known of any.
pub fn worst(states: impl IntoIterator<Item = State>) -> State {
    states.into_iter().max_by_key(|state| state.badness()).unwrap_or_default()
}
