//! The front of `heapbeat run`: it takes the public port, forwards to the program, and switches between its copies.
//!
//! A program that is replaced stops listening for a moment, and everything that arrives in that moment is refused. So the port
//! belongs to the front, which outlives the program. New requests go to the *active* copy; a copy that was active before finishes
//! what it has; while none is active, requests wait, within bounds. A request whose copy died is sent again where that is safe.
//!
//! The front speaks HTTP/1.1 on both sides, as platforms do with a service (no TLS, no HTTP/2). It runs on one thread with a runtime
//! of its own. Memory is bounded everywhere: connections, buffers, waiting requests, bodies kept for a repetition, labels.
//!
//! The way of a request, one module each: `accept` → `connection_limit` → `connection` → `tracked_io` and `framing` → `dispatch` →
//! `forward` → `pool`, and back through `response_body`.

mod accept;
mod body;
mod config;
mod connection;
mod connection_limit;
mod dispatch;
mod forward;
mod framing;
mod handle;
mod headers;
mod hold;
mod operator;
mod pool;
mod probe;
mod problem;
mod progress;
mod response_body;
mod route_pattern;
mod shared;
mod shed;
mod statistics;
mod switch;
mod tcp;
mod tracked_io;
mod tunnel;
mod upstream;
mod wait;

pub use config::{FrontConfig, FrontLimits, FrontMode, HoldLimits, PoolLimits};
pub use handle::{Front, FrontHandle};
pub use hold::HoldStatistics;
pub use operator::{ClientAddress, NoOperatorRoutes, OperatorResponse, OperatorRoutes};
pub use probe::{NotReady, ReadinessProbe, probe_ready};
pub use shed::{PatternError, Priorities, Priority};
pub use statistics::{FrontStatistics, LATENCY_BUCKETS, OUTCOMES, RouteStatistics};
pub use upstream::{Upstream, UpstreamAddress};
