//! The capacity of an edge, which bounds the lists that are parsed here: hubs, and monitors of each hub.

/// The maximum number of monitors of one hub, so that a tick stays within the platform's 50 requests.
pub const MONITORS_PER_HUB: usize = 40;

/// The maximum number of hubs, so that an invocation that requests every hub stays within the platform's 50 requests. With a tick per
/// minute they use 65 % of the free plan's daily requests and rows.
pub const MAX_HUBS: usize = 45;

/// The maximum number of monitors of one edge.
pub const MAX_MONITORS: usize = MONITORS_PER_HUB * MAX_HUBS;
