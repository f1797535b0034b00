//! Exact counts of allocated bytes, by jemalloc's counter of this thread before and after each poll.
//!
//! A [`CountingScope`] is open while code of a route runs on this thread. It sets the thread's tag, and restores the previous one
//! when it ends by return or by unwinding. Scopes nest: each byte is counted once, by the innermost scope.

use std::cell::Cell;

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp};

use super::tag::Tag;
use super::thread_state;

/// State of the innermost open scope of a thread.
#[derive(Clone, Copy)]
struct OpenScope {
    /// The thread's counter when the scope was entered.
    start: u64,
    /// Bytes counted for the same request in earlier scopes.
    earlier: u64,
    /// Bytes since `start` that inner scopes counted.
    inner: u64,
    /// The budget of the request, in bytes.
    limit: u64,
}

thread_local! {
    static COUNTER: Cell<Option<ThreadLocal<u64>>> = const { Cell::new(None) };
    static OPEN: Cell<OpenScope> = const { Cell::new(OpenScope { start: 0, earlier: 0, inner: 0, limit: u64::MAX }) };
}

/// Returns the bytes that this thread has allocated, by size class, without those that sampling added; 0 without jemalloc.
///
/// The pointer to jemalloc's counter is looked up once per thread; a read then costs less than a nanosecond.
fn allocated_bytes() -> u64 {
    COUNTER.with(|counter| {
        if counter.get().is_none() {
            counter.set(allocatedp::read().ok());
        }
        counter.get().map_or(0, ThreadLocal::get).wrapping_sub(thread_state::counter_excess())
    })
}

/// Until it is dropped, allocations of this thread are attributed to a tag and added to `spent`.
pub(super) struct CountingScope<'a> {
    spent: &'a mut u64,
    tag_before: Tag,
    open_before: OpenScope,
}

impl<'a> CountingScope<'a> {
    #[inline]
    pub(super) fn enter(tag: Tag, spent: &'a mut u64, limit: u64) -> Self {
        let open = OpenScope { start: allocated_bytes(), earlier: *spent, inner: 0, limit };
        Self { spent, tag_before: thread_state::swap_tag(tag), open_before: OPEN.replace(open) }
    }
}

impl Drop for CountingScope<'_> {
    #[inline]
    fn drop(&mut self) {
        let open = OPEN.get();
        let all = allocated_bytes().wrapping_sub(open.start);
        *self.spent += all.saturating_sub(open.inner);
        let mut before = self.open_before;
        before.inner += all;
        OPEN.set(before);
        thread_state::swap_tag(self.tag_before);
    }
}

/// Returns the bytes that the request being polled on this thread has allocated so far, and its limit.
pub(super) fn spent_and_limit() -> (u64, u64) {
    let open = OPEN.get();
    (open.earlier + allocated_bytes().wrapping_sub(open.start).saturating_sub(open.inner), open.limit)
}
