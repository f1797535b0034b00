//! Decisions about monitors, as pure functions of (state, input, now).

pub mod answer;
pub mod away;
pub mod beat;
pub mod board;
pub mod cause;
pub mod chart;
pub mod code;
pub mod days;
pub mod ending;
pub mod failure;
pub mod flap;
pub mod growth;
pub mod hand;
pub mod incident;
pub mod latency;
pub mod ledger;
pub mod proof;
pub mod restart;
pub mod rollup;
pub mod schedule;
pub mod sight;
pub mod standing;
pub mod state;
pub mod thin;
pub mod told;
pub mod uptime;
pub mod usage;
pub mod verdict;
pub mod voice;
pub mod watched;
pub mod work;

pub use failure::{Blindness, Failure};
pub use state::State;
