//! Agents: single-file helpers inside the processes of a guarded program, which report heap figures to the guard.
//!
//! An agent is injected by its runtime's own convention ([`injection::inject`]) and speaks JSON lines over a Unix socket
//! ([`protocol`]). The guard polls an [`server::AgentServer`] and keeps what it reports in an [`registry::AgentRegistry`].
//! `docs/agents.md` describes the protocol for authors of other agents.

mod connection;
pub mod growth;
pub mod injection;
pub mod pprof;
pub mod protocol;
mod rate_limit;
pub mod registry;
pub mod server;
