//! All of it or nothing.
//!
//! Without an `await` between them, writes of a Durable Object are committed together; but when the second of
//! three fails, the first is committed alone. `storage.transactionSync` rolls it back. The crate `worker` does
//! not offer it, so it is called by name here.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};

use super::sqlite::StoreError;

/// The object's `ctx.storage`.
#[derive(Clone, Debug)]
pub(super) struct Storage(pub(super) JsValue);

impl Storage {
    /// Runs `work` in a transaction: an error, of ours or of SQLite, leaves the store as it was.
    pub(super) fn transaction(
        &self,
        work: impl FnOnce() -> Result<(), StoreError> + 'static,
    ) -> Result<(), StoreError> {
        let failed = Rc::new(RefCell::new(None));
        let report = Rc::clone(&failed);
        let callback = Closure::once(move || {
            work().map_err(|error| {
                let thrown = JsValue::from_str(&error.to_string());
                *report.borrow_mut() = Some(error);
                thrown
            })
        });
        let outcome = js_sys::Reflect::get(&self.0, &"transactionSync".into())
            .and_then(JsCast::dyn_into::<js_sys::Function>)
            .and_then(|function| function.call1(&self.0, callback.as_ref()));
        match (failed.take(), outcome) {
            (Some(error), _) => Err(error),
            (None, Err(thrown)) => Err(StoreError::from(worker::Error::from(thrown))),
            (None, Ok(_)) => Ok(()),
        }
    }
}
