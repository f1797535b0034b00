//! Decisions about monitors, as pure functions of (state, input, now).

pub mod cell_rate;
pub mod check;
pub(crate) mod constant_time;
pub mod engine;
pub mod heartbeat;
pub mod history;
pub mod incident;
pub mod instant;
pub mod maintenance;
pub mod monitor_state;
pub mod quota;
pub mod report;
pub mod snapshot;

pub use check::failure::{Failure, ProbeSkipped};
pub use check::state::State;
