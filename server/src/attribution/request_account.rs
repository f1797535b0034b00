//! The books of one request, from its call to the end of its body; booked to its route when dropped, whatever happened.

use super::allocation_counter::Scope;
use super::budget::{Budget, OverBudget};
use super::route::route;
use super::tag::Tag;
use crate::flight_recorder;

pub(super) struct RequestAccount {
    tag: Tag,
    spent: u64,
    budget: Budget,
}

impl RequestAccount {
    pub(super) fn open(tag: Tag, budget: Budget) -> Self {
        flight_recorder::entered(tag.index(), || &route(tag).label);
        Self { tag, spent: 0, budget }
    }

    /// Does a part of the request's work. A panic passes through, with everything in order.
    #[inline]
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let _scope = Scope::enter(self.tag, &mut self.spent, self.budget.request);
        work()
    }

    /// Whether the request may begin.
    pub(super) fn check_before(&self) -> Option<OverBudget> {
        self.note(self.budget.before(self.tag))
    }

    /// Whether the request may go on.
    #[inline]
    pub(super) fn check(&self) -> Option<OverBudget> {
        if self.spent <= self.budget.request { None } else { self.note(self.budget.after(self.spent)) }
    }

    fn note(&self, over: Option<OverBudget>) -> Option<OverBudget> {
        let over = over?;
        let route = route(self.tag);
        route.add_over_budget();
        tracing::warn!(route = &*route.label, "{over}");
        Some(over)
    }
}

impl Drop for RequestAccount {
    fn drop(&mut self) {
        flight_recorder::left(self.tag.index());
        route(self.tag).add_request(self.spent);
    }
}
