//! The engine as it is stored: loaded once when the object starts, and again after the store failed to store a change.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use worker::console_error;

use super::error::HubResult;
use super::quota_meter::QuotaMeter;
use super::store_handle::StoreHandle;
use crate::domain::engine::Engine;
use crate::domain::incident::Incident;
use crate::hub_api::HubError;
use crate::platform::clock::wall_clock;
use crate::store::StoredHub;

/// The engine, unless it is not loaded.
#[derive(Debug)]
pub(super) struct EngineState {
    store: StoreHandle,
    quota: Rc<QuotaMeter>,
    engine: RefCell<Option<Engine>>,
}

impl EngineState {
    /// Creates the state, which is loaded from `store` together with the quota used today.
    pub(super) fn new(store: StoreHandle, quota: Rc<QuotaMeter>) -> Self {
        EngineState { store, quota, engine: RefCell::new(None) }
    }

    /// Returns the engine.
    pub(super) fn loaded(&self) -> HubResult<Ref<'_, Engine>> {
        if self.engine.borrow().is_none() {
            *self.engine.borrow_mut() = Some(self.load()?);
        }
        Ref::filter_map(self.engine.borrow(), Option::as_ref)
            .map_err(|_| HubError::Store("the engine is not loaded".to_owned()))
    }

    /// Returns the present instant by the engine's clock.
    pub(super) fn now(&self) -> HubResult<UnixMillis> {
        Ok(self.loaded()?.clock(wall_clock()))
    }

    /// Takes the engine out to change it. It is put back once the change is stored; otherwise it is loaded again.
    pub(super) fn take_out(&self) -> HubResult<Engine> {
        match self.engine.take() {
            Some(engine) => Ok(engine),
            None => self.load(),
        }
    }

    /// Puts the engine back after its change was stored.
    pub(super) fn put_back(&self, engine: Engine) {
        *self.engine.borrow_mut() = Some(engine);
    }

    /// Replaces an incident that was changed and stored.
    pub(super) fn update_incident(&self, incident: Incident) {
        if let Some(engine) = &mut *self.engine.borrow_mut() {
            engine.replace_incident(incident);
        }
    }

    /// Discards the engine, so that it is loaded again when it is needed next.
    pub(super) fn invalidate(&self) {
        *self.engine.borrow_mut() = None;
    }

    fn load(&self) -> HubResult<Engine> {
        let store = self.store.opened()?;
        let StoredHub { last, persisted_states, ledgers, incidents, usage } = store.load()?;
        let mut engine = Engine::restore(last, persisted_states, ledgers);
        if store.for_each_tick(|at, readings| engine.restore_tick(at, &readings))? {
            engine.mark_lost_ticks();
        }
        for superseded in engine.restore_incidents(incidents) {
            // A full store must not keep the hub from answering; it is closed again with the next start.
            if let Err(error) = store.update_incident(&superseded) {
                console_error!("could not store the end of an incident that a later one supersedes: {error}");
            }
        }
        self.quota.set_usage(usage);
        engine.set_min_interval(usage.min_interval());
        Ok(engine)
    }
}
