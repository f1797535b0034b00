//! The store that the parts of the hub share, and values that are loaded from it once.

use std::cell::RefCell;
use std::rc::Rc;

use super::error::HubResult;
use crate::hub_api::HubError;
use crate::store::{Store, StoreError};

/// The store, or why it could not be opened.
#[derive(Clone, Debug)]
pub(super) struct StoreHandle(Rc<Result<Store, StoreError>>);

impl StoreHandle {
    /// Creates a handle of a store.
    pub(super) fn new(opened: Result<Store, StoreError>) -> Self {
        StoreHandle(Rc::new(opened))
    }

    /// Returns the store. Fails if it could not be opened.
    pub(super) fn opened(&self) -> HubResult<&Store> {
        self.0.as_ref().as_ref().map_err(HubError::from)
    }
}

/// A value that is loaded from the store when it is needed first, and again after it was discarded.
#[derive(Debug)]
pub(super) struct Cached<T>(RefCell<Option<Rc<T>>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Cached(RefCell::new(None))
    }
}

impl<T> Cached<T> {
    /// Returns the value, which `load` loads if needed.
    pub(super) fn get_or_load(&self, load: impl FnOnce() -> HubResult<T>) -> HubResult<Rc<T>> {
        if let Some(value) = &*self.0.borrow() {
            return Ok(Rc::clone(value));
        }
        let value = Rc::new(load()?);
        *self.0.borrow_mut() = Some(Rc::clone(&value));
        Ok(value)
    }

    /// Replaces the value after it was stored.
    pub(super) fn set(&self, value: T) {
        *self.0.borrow_mut() = Some(Rc::new(value));
    }

    /// Discards the value, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        *self.0.borrow_mut() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_loaded_once_until_it_is_discarded() {
        let cached = Cached::default();
        assert_eq!(*cached.get_or_load(|| Ok(1)).unwrap(), 1);
        assert_eq!(*cached.get_or_load(|| Ok(2)).unwrap(), 1);
        cached.set(3);
        assert_eq!(*cached.get_or_load(|| Ok(4)).unwrap(), 3);
        cached.invalidate();
        let failed = HubError::Store("x".to_owned());
        assert_eq!(cached.get_or_load(|| Err(failed.clone())), Err(failed));
        assert_eq!(*cached.get_or_load(|| Ok(5)).unwrap(), 5);
    }
}
