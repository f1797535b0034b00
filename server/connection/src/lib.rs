//! What bounds the connections of clients, for heapbeat's own server and for the front of `heapbeat run`.
//!
//! Each phase of a connection has a timeout against one attack by slow clients, which hold a connection and its memory at no cost:
//!
//! - `Head`: slowloris, a request head that arrives byte by byte.
//! - `Idle`: connections that are kept open and never used again. hyper's `header_read_timeout` (1.12) begins as soon as the
//!   previous response is sent, so both would have the same length; a head may take ten seconds, an idle connection two minutes.
//! - stalled writes: a client that requests a large response and does not read it, or so slowly that it never ends. hyper has no write
//!   timeout, and tower-http's `TimeoutBody` does not help, as it is not polled while the socket accepts nothing.
//! - `Linger`: a client that goes on sending the body of a request that was refused.
//!
//! [`ConnectionClock`] knows the phase and its deadline, [`TrackedSocket`] tells it what the socket does, and [`RefusalGate`] decides which
//! requests are refused when memory is short.

mod clock;
mod refusal;
mod tracked_socket;

pub use clock::{AtomicInstant, ClientTimeouts, ConnectionClock, Phase, remaining_wait};
pub use refusal::{Priority, RefusalGate};
pub use tracked_socket::TrackedSocket;
