//! What a piece of work allocates, counted exactly: jemalloc's counter of this thread around each poll.
//!
//! A [`Scope`] is open while a route's code runs on this thread. It sets the tag that samples are booked to, and its
//! end, by return or by unwinding, restores the one before. Scopes nest: each byte is counted once, by the innermost.

use std::cell::Cell;

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp};

use super::tag::Tag;
use super::thread_state;

/// The open scope of a thread.
#[derive(Clone, Copy)]
struct Open {
    /// The thread's counter when the scope was entered.
    start: u64,
    /// Bytes counted for the same work in earlier scopes.
    earlier: u64,
    /// Bytes since `start` that inner scopes counted.
    inner: u64,
    /// Where the work's budget ends.
    limit: u64,
}

thread_local! {
    static COUNTER: Cell<Option<ThreadLocal<u64>>> = const { Cell::new(None) };
    static OPEN: Cell<Open> = const { Cell::new(Open { start: 0, earlier: 0, inner: 0, limit: u64::MAX }) };
}

/// Bytes that this thread ever allocated, by size class, without what sampling added. 0 where jemalloc is not in use.
///
/// The pointer to jemalloc's counter is asked for once per thread; a read then costs less than a nanosecond.
fn allocated() -> u64 {
    COUNTER.with(|counter| {
        if counter.get().is_none() {
            counter.set(allocatedp::read().ok());
        }
        counter.get().map_or(0, ThreadLocal::get).wrapping_sub(thread_state::excess())
    })
}

/// While it lives, this thread works for `tag`; what it allocates is added to `spent`.
pub(super) struct Scope<'a> {
    spent: &'a mut u64,
    tag_before: Tag,
    open_before: Open,
}

impl<'a> Scope<'a> {
    #[inline]
    pub(super) fn enter(tag: Tag, spent: &'a mut u64, limit: u64) -> Self {
        let open = Open { start: allocated(), earlier: *spent, inner: 0, limit };
        Self { spent, tag_before: thread_state::swap_tag(tag), open_before: OPEN.replace(open) }
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        let open = OPEN.get();
        let all = allocated().wrapping_sub(open.start);
        *self.spent += all.saturating_sub(open.inner);
        let mut before = self.open_before;
        before.inner += all;
        OPEN.set(before);
        thread_state::swap_tag(self.tag_before);
    }
}

/// Bytes that the work being polled on this thread has allocated so far, and its limit.
pub(super) fn so_far() -> (u64, u64) {
    let open = OPEN.get();
    (open.earlier + allocated().wrapping_sub(open.start).saturating_sub(open.inner), open.limit)
}
