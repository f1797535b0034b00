//! Tags: small numbers that stand for routes inside the allocator, so that a thread and a table can hold them.

/// Number of tags. Routes beyond it share [`Tag::OTHER`].
pub(crate) const TAGS: usize = crate::flight_recorder::MAX_ROUTES;

/// The route that an allocation is attributed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u16);

impl Tag {
    /// Allocations made while no route was polled: at start, by connections and timers, by tasks spawned without their tag.
    pub(crate) const UNTAGGED: Self = Self(0);
    /// Routes beyond the limit.
    pub(crate) const OTHER: Self = Self(1);
    /// Requests that matched no route.
    pub(crate) const UNMATCHED: Self = Self(2);
    /// The first number that a route can have.
    pub(crate) const FIRST_ROUTE: usize = 3;

    /// Returns the tag with this number, or [`Tag::OTHER`] if there is none.
    pub(crate) const fn from_number(number: u16) -> Self {
        if (number as usize) < TAGS { Self(number) } else { Self::OTHER }
    }

    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    /// Returns the number as an index below [`TAGS`].
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}
