//! A route's name inside the allocator: one small number, so that a thread can carry it and a table can hold it.

/// How many tags there are; whoever comes later is [`Tag::OTHER`].
pub(crate) const TAGS: usize = crate::flight_recorder::MAX_ROUTES;

/// Who an allocation is booked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u16);

impl Tag {
    /// Made while no route was polled: start-up, connections, timers, tasks that did not carry their tag on.
    pub(crate) const UNTAGGED: Self = Self(0);
    /// Routes beyond the bound.
    pub(crate) const OTHER: Self = Self(1);
    /// Requests that matched no route.
    pub(crate) const UNMATCHED: Self = Self(2);
    /// The first number that a route can have.
    pub(crate) const FIRST_ROUTE: usize = 3;

    /// Numbers beyond the bound are [`Tag::OTHER`].
    pub(crate) const fn from_number(number: u16) -> Self {
        if (number as usize) < TAGS { Self(number) } else { Self::OTHER }
    }

    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    /// Below [`TAGS`].
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}
