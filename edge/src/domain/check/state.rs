//! The states a monitor can be in.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// What is known of a monitor at an instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum State {
    /// Every condition holds.
    #[n(0)]
    Up,
    /// The monitor serves, but fails a `degraded` condition.
    #[n(1)]
    Degraded,
    /// As many probes in a row failed as the failure threshold says.
    #[n(2)]
    Down,
    /// The backend was spun down when idle and is starting.
    #[n(3)]
    Waking,
    /// The monitor is under announced maintenance.
    #[n(4)]
    Maintenance,
    /// There is no valid result of a probe. Never counted as up or down.
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

    /// Returns the state with this word on the wire.
    pub fn from_word(word: &str) -> Option<State> {
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

    /// Whether something is wrong that was not announced.
    pub const fn is_trouble(self) -> bool {
        matches!(self, State::Degraded | State::Down | State::Waking)
    }

    /// The rank by which the worst of several states is found; a known state is worse than `unobserved`.
    const fn rank(self) -> u8 {
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

/// Returns the worst state that is known; `unobserved` only if none is.
pub fn worst(states: impl IntoIterator<Item = State>) -> State {
    states.into_iter().max_by_key(|state| state.rank()).unwrap_or_default()
}

/// Returns the state of all monitors together: the worst that is known. If that is `up` or `maintenance`, and something is `unwatched`,
/// it is `unobserved`, as nobody knows whether all is well.
pub fn overall(states: impl IntoIterator<Item = State>, unwatched: bool) -> State {
    match worst(states) {
        State::Up | State::Maintenance if unwatched => State::Unobserved,
        state => state,
    }
}
