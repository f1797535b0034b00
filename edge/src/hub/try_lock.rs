//! A lock for work that must not overlap: a second caller does not wait, but leaves it out.

use std::cell::Cell;

/// Whether the work is under way.
#[derive(Debug, Default)]
pub(super) struct TryLock(Cell<bool>);

/// The lock is held as long as this lives.
#[derive(Debug)]
pub(super) struct TryLockGuard<'l>(&'l Cell<bool>);

impl TryLock {
    /// Takes the lock; `None` while it is held.
    pub(super) fn try_lock(&self) -> Option<TryLockGuard<'_>> {
        (!self.0.replace(true)).then_some(TryLockGuard(&self.0))
    }

    /// Whether the lock is held.
    pub(super) fn is_locked(&self) -> bool {
        self.0.get()
    }
}

impl Drop for TryLockGuard<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_released_when_its_guard_is_dropped() {
        let lock = TryLock::default();
        let guard = lock.try_lock();
        assert!(guard.is_some() && lock.is_locked() && lock.try_lock().is_none());
        drop(guard);
        assert!(!lock.is_locked() && lock.try_lock().is_some());
    }
}
