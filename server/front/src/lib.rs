//! The front of `heapbeat run`: it takes the public port, forwards to the program, and switches between its copies.
//!
//! A program that is replaced stops listening for a moment, and everything that arrives in that moment is refused. So the port
//! belongs to the front, which outlives the program. New requests go to the *active* copies; a copy that was active before finishes
//! what it has; while none is active, requests wait, within bounds. A request whose copy died is sent again where that is safe.
//!
//! The front speaks HTTP/1.1 on both sides, as platforms do with a service (no TLS, no HTTP/2). It runs on one thread with a runtime
//! of its own. Memory is bounded everywhere: connections, buffers, waiting requests, bodies kept for a repetition, labels.
//!
//! The way of a request, one module each: `accept` → `connection_limit` → `connection` → `admission` → `framed_socket` and `framing` → `dispatch` →
//! `forward` → `pool`, and back through `response_body`. Interim responses other than 100 (103 Early Hints) are not passed on, as
//! hyper cannot send them.
//!
//! ```no_run
//! use std::net::TcpListener;
//! use std::sync::Arc;
//!
//! use heapbeat_front::{Front, FrontConfig, NoOperatorRoutes, Upstream, UpstreamAddress};
//!
//! let listener = TcpListener::bind("[::]:8080")?;
//! let front = Front::start(FrontConfig::default(), vec![listener], Arc::new(NoOperatorRoutes))?;
//! let handle = front.handle();
//! // Requests wait until there is a copy of the program.
//! handle.activate(Upstream { id: 1, address: UpstreamAddress::Tcp(([127, 0, 0, 1], 3000).into()) });
//! // A replacement takes over; the copy before drains, and may be stopped when nothing is in flight to it.
//! handle.activate(Upstream { id: 2, address: UpstreamAddress::Tcp(([127, 0, 0, 1], 3001).into()) });
//! handle.drain(1);
//! let drained = handle.in_flight(1) == 0;
//! # std::io::Result::Ok(())
//! ```

mod accept;
mod admission;
mod body;
mod client_socket;
mod concurrency_limit;
mod config;
mod connection;
mod connection_limit;
mod dispatch;
mod eviction;
mod forward;
mod forwarded;
mod framed_socket;
mod framing;
mod handle;
mod headers;
mod hold;
mod memory;
mod open_requests;
mod operator;
mod pool;
mod preview;
mod probe;
mod problem;
mod progress;
mod read_budget;
mod relay;
mod response_body;
mod route_pattern;
mod shared;
mod shed;
mod stall;
mod statistics;
mod switch;
mod tcp;
mod tunnel;
mod turns;
mod upstream;
mod wait;

pub use config::{FrontConfig, FrontLimits, FrontMode, HoldLimits, PoolLimits};
pub use forwarded::{ForwardedTrust, ForwardedTrustError};
pub use handle::{Front, FrontHandle};
pub use hold::HoldStatistics;
pub use operator::{NoOperatorRoutes, OperatorResponse, OperatorRoutes};
pub use probe::{NotReady, ReadinessProbe, Ready, fetch_status, probe_ready};
pub use shed::{PatternError, Priorities, Priority};
pub use statistics::{FrontStatistics, LATENCY_BUCKETS, OUTCOMES, RouteStatistics};
pub use upstream::{Upstream, UpstreamAddress};
