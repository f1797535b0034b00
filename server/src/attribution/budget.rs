//! Memory budgets of requests: the bytes that a request may allocate before it is ended, so that one request cannot bring the
//! process down.
//!
//! The budget is checked between polls. It stops growth from poll to poll: a body read without a limit, rows collected from a
//! database, a loop that awaits. It cannot stop a single huge allocation or a long computation between two awaits, which it notices
//! only afterwards; such code can call [`check_budget`] itself.

use http::StatusCode;

use super::allocation_counter;
use super::live_bytes;
use super::tag::Tag;

/// Memory limits of one request.
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
    /// Returns a budget without limits.
    pub const fn unlimited() -> Self {
        Self { request: u64::MAX, route_holds: u64::MAX }
    }

    /// Ends a request once it has allocated more than `bytes` in total, freed or not.
    ///
    /// A long stream counts by its length although it holds little; give such a route a budget of its own.
    #[must_use]
    pub const fn per_request(self, bytes: u64) -> Self {
        Self { request: bytes, ..self }
    }

    /// Refuses requests while their route holds more than `bytes` of live memory by more than the sampling error (two standard
    /// errors). Needs [`crate::Allocator`].
    #[must_use]
    pub const fn held_by_route(self, bytes: u64) -> Self {
        Self { route_holds: bytes, ..self }
    }

    /// Returns why a request of `tag` may not start now, if it may not.
    pub(super) fn check_route(self, tag: Tag) -> Option<OverBudget> {
        if self.route_holds == u64::MAX {
            return None;
        }
        let held = live_bytes::estimate_live_bytes(tag);
        let over = held.bytes as f64 - 2.0 * held.standard_error > self.route_holds as f64;
        over.then_some(OverBudget::Route { held: held.bytes, limit: self.route_holds })
    }

    /// Returns why a request that has allocated `spent` bytes may not go on, if it may not.
    pub(super) fn check_request(self, spent: u64) -> Option<OverBudget> {
        (spent > self.request).then_some(OverBudget::Request { spent, limit: self.request })
    }
}

/// A budget is exceeded. The message is for logs and handlers; clients get [`OverBudget::client_message`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverBudget {
    /// The request has allocated too much.
    #[error("the request allocated {spent} bytes; its budget is {limit} bytes")]
    Request {
        /// Bytes that the request allocated.
        spent: u64,
        /// The budget in bytes.
        limit: u64,
    },
    /// The route held too much before the request started.
    #[error("the route holds about {held} bytes of live memory; its budget is {limit} bytes")]
    Route {
        /// Estimated live bytes of the route.
        held: u64,
        /// The budget in bytes.
        limit: u64,
    },
}

impl OverBudget {
    /// Returns the status of the response: 507 for a request that had started, as RFC 4918, section 11.5, forbids clients to repeat
    /// it automatically (a proxy would repeat a 503, and the damage), and 503 with `Retry-After` for one that had not.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Request { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::Route { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the message for the client, one line.
    pub const fn client_message(self) -> &'static str {
        match self {
            Self::Request { .. } => {
                "This request exceeded its memory budget and was ended. Request less data.\n"
            }
            Self::Route { .. } => "This route has used up its memory budget. Try again later.\n",
        }
    }
}

/// Checks the budget of the request being served on this thread, for code that runs long without awaiting. `Ok` outside of a
/// request.
pub fn check_budget() -> Result<(), OverBudget> {
    let (spent, limit) = allocation_counter::spent_and_limit();
    if spent > limit { Err(OverBudget::Request { spent, limit }) } else { Ok(()) }
}
