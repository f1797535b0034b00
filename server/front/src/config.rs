//! The configuration of the front. All bounds have defaults that fit a machine with 512 MB.

use std::time::Duration;

use crate::forwarded::ForwardedTrust;
use crate::shed::Priorities;

/// What the front forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrontMode {
    /// HTTP/1.1 requests.
    #[default]
    Http,
    /// The bytes of each connection.
    Tcp,
}

/// The configuration of a front.
#[derive(Clone, Debug, Default)]
pub struct FrontConfig {
    /// What is forwarded.
    pub mode: FrontMode,
    /// Limits on clients.
    pub limits: FrontLimits,
    /// Bounds on requests that wait for a program.
    pub hold: HoldLimits,
    /// Bounds on the connections to a program.
    pub pool: PoolLimits,
    /// The peers whose word about the client is passed on.
    pub trust: ForwardedTrust,
    /// Which requests are shed first.
    pub priorities: Priorities,
}

/// Limits on clients. They are those of heapbeat's own server, except that bodies and responses have no limit by default, because
/// the front does not know what the program is for.
#[derive(Clone, Debug)]
pub struct FrontLimits {
    /// Connections at the same time. Beyond them, idle ones are closed, and a few more are accepted for operator routes alone.
    pub max_connections: usize,
    /// Memory in bytes for the requests that are being worked on: their heads, the buffers and tasks of both connections. A request that
    /// finds no room waits in the kernel's buffer, as one that waits for the program does. The default has room for some 800.
    pub memory: usize,
    /// Largest request head in bytes; a larger one is answered with 431.
    pub max_header: usize,
    /// Largest request body in bytes; a larger one is answered with 413.
    pub max_body: Option<u64>,
    /// Time for a complete request head.
    pub header_timeout: Duration,
    /// Longest wait for the next part of a request body; then the answer is 408.
    pub body_timeout: Duration,
    /// Longest wait for the head of the program's response; then the answer is 504.
    pub response_timeout: Option<Duration>,
    /// Longest time that a connection waits for its next request.
    pub idle_timeout: Duration,
    /// Longest time that a client may accept no part of a response.
    pub write_timeout: Duration,
    /// Least bytes a second that a client sends of a body and takes of a response, on average over the time for which it lets the front
    /// wait. It begins to count after `body_timeout` and `write_timeout`. 0: any.
    pub least_rate: u64,
}

impl Default for FrontLimits {
    fn default() -> Self {
        FrontLimits {
            max_connections: 4096,
            memory: 40 << 20,
            max_header: 16 << 10,
            max_body: None,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            response_timeout: None,
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            least_rate: 1024,
        }
    }
}

/// Bounds on requests that wait for a program, and on what is kept to repeat one.
#[derive(Clone, Debug)]
pub struct HoldLimits {
    /// Longest wait; then the answer is 503. Zero answers at once, for a program that does not listen at all.
    pub time: Duration,
    /// Requests that may wait at the same time. By default nearly as many as there may be connections: 19 s of 200 a second.
    pub requests: usize,
    /// Bytes of one request body that are kept to repeat it.
    pub repeat_body: usize,
    /// Bytes of all request bodies that are kept, together.
    pub repeat_total: usize,
    /// `Retry-After` of requests that could not wait or waited too long.
    pub retry_after: Duration,
}

impl Default for HoldLimits {
    fn default() -> Self {
        HoldLimits {
            time: Duration::from_secs(30),
            requests: 3800,
            repeat_body: 64 << 10,
            repeat_total: 4 << 20,
            retry_after: Duration::from_secs(5),
        }
    }
}

/// Bounds on the connections to one copy of the program.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// Idle connections that are kept. A program on one thread answers in bursts, after which all its connections are idle for a
    /// moment; those that find no room here are opened again at once.
    pub idle: usize,
    /// Time that an idle connection is kept. It should be shorter than the program's own (5 s in Node, 2 s in gunicorn), or requests
    /// are sent into connections that are being closed.
    pub idle_timeout: Duration,
    /// Longest wait for a connection to be accepted.
    pub connect_timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        PoolLimits {
            idle: 256,
            idle_timeout: Duration::from_millis(1500),
            connect_timeout: Duration::from_secs(5),
        }
    }
}
