//! What a request may allocate before it is ended, so that one request does not take the process down.
//!
//! The budget is looked at between polls. It stops what grows from poll to poll: a body read without a limit, rows
//! collected from a database, a loop that awaits. It cannot stop an allocation while it happens: a single huge one, or
//! a long computation between two awaits, is seen when it is over. Such code can ask [`check_budget`] as it goes.

use http::StatusCode;

use super::allocation_counter;
use super::live_bytes;
use super::tag::Tag;

/// Limits of one request. Without a limit, nothing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub(super) request: u64,
    route_holds: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl Budget {
    /// No limit.
    pub const fn unlimited() -> Self {
        Self { request: u64::MAX, route_holds: u64::MAX }
    }

    /// A request ends when it has allocated more than `bytes` in all, freed or not.
    ///
    /// That counts a long stream by its length, although it holds little: give such a route a budget of its own.
    #[must_use]
    pub const fn per_request(self, bytes: u64) -> Self {
        Self { request: bytes, ..self }
    }

    /// Requests are refused while their route holds more than `bytes` of live memory, beyond the sampling error
    /// (two standard errors). Needs [`crate::Allocator`].
    #[must_use]
    pub const fn held_by_route(self, bytes: u64) -> Self {
        Self { route_holds: bytes, ..self }
    }

    /// Why a request of `tag` may not start now.
    pub(super) fn before(self, tag: Tag) -> Option<OverBudget> {
        if self.route_holds == u64::MAX {
            return None;
        }
        let held = live_bytes::of(tag);
        let over = held.bytes as f64 - 2.0 * held.standard_error > self.route_holds as f64;
        over.then_some(OverBudget::Route { held: held.bytes, limit: self.route_holds })
    }

    /// Why a request that has allocated `spent` bytes may not go on.
    pub(super) fn after(self, spent: u64) -> Option<OverBudget> {
        (spent > self.request).then_some(OverBudget::Request { spent, limit: self.request })
    }
}

/// A budget was used up. The message is for logs and handlers; a client is told [`OverBudget::told`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// The request itself.
    #[error("the request allocated {spent} bytes, its budget is {limit}")]
    Request {
        /// Bytes allocated.
        spent: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// Its route, before it began.
    #[error("the route holds about {held} bytes of live memory, its budget is {limit}")]
    Route {
        /// Estimated live bytes.
        held: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

impl OverBudget {
    /// 507 for a request that was under way: the server could not store what it takes to complete it, and by RFC 4918,
    /// section 11.5, a client must not repeat it unasked; a proxy repeats a 503, and the damage. 503 with
    /// `Retry-After` for one that was not begun.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Request { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Route { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One line for the client.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Request { .. } => {
                "This request needed more memory than it may use and was ended. Ask for less.\n"
            }
            Self::Route { .. } => "This route holds as much memory as it may. Try again later.\n",
        }
    }
}

/// For code that runs long without awaiting: whether the request being served on this thread is still within its
/// budget. `Ok` outside of a request.
pub fn check_budget() -> Result<(), OverBudget> {
    let (spent, limit) = allocation_counter::so_far();
    if spent > limit { Err(OverBudget::Request { spent, limit }) } else { Ok(()) }
}
