//! The memory account of one request, from its call to the end of its body. When it is dropped, its bytes are added to the route,
//! however the request ended.

use super::allocation_counter::CountingScope;
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
        flight_recorder::request_started(tag.index(), || &route(tag).label);
        Self { tag, spent: 0, budget }
    }

    /// Runs a part of the request's work under the tag of its route. A panic passes through; the state stays consistent.
    #[inline]
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let _scope = CountingScope::enter(self.tag, &mut self.spent, self.budget.request);
        work()
    }

    /// Checks whether the request may start.
    pub(super) fn check_start(&self) -> Option<OverBudget> {
        self.report_over_budget(self.budget.check_route(self.tag))
    }

    /// Checks whether the request may go on.
    #[inline]
    pub(super) fn check(&self) -> Option<OverBudget> {
        if self.spent <= self.budget.request {
            None
        } else {
            self.report_over_budget(self.budget.check_request(self.spent))
        }
    }

    fn report_over_budget(&self, over: Option<OverBudget>) -> Option<OverBudget> {
        let over = over?;
        let route = route(self.tag);
        route.add_over_budget();
        tracing::warn!(route = &*route.label, "{over}");
        Some(over)
    }
}

impl Drop for RequestAccount {
    fn drop(&mut self) {
        flight_recorder::request_ended(self.tag.index());
        route(self.tag).add_request(self.spent);
    }
}
