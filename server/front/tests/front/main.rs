//! The front between scripted peers: real sockets, raw bytes on both sides.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

mod endless_responses;
mod forwarding;
mod framing;
mod leaving;
mod limits;
mod memory;
mod operator;
mod random_exchanges;
mod repetition;
mod support;
mod switching;
mod switching_under_load;
mod tcp;
mod upgrades;
