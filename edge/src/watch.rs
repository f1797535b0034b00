//! Decisions about monitors, as pure functions of (state, input, now).

pub mod state;

pub use state::State;
