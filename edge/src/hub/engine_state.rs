//! The engine as it is stored: read once when the object starts, and read anew where the store did not take a change.

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use heapbeat_shared::UnixMillis;

use super::error::HubResult;
use super::outbox::Outbox;
use super::quota_meter::QuotaMeter;
use super::store_handle::StoreHandle;
use crate::domain::engine::Engine;
use crate::domain::incident::Incident;
use crate::hub_api::HubError;
use crate::platform::clock::wall_clock;
use crate::store::StoredHub;

/// The engine, or nothing yet.
#[derive(Debug)]
pub(super) struct EngineState {
    store: StoreHandle,
    outbox: Rc<Outbox>,
    quota: Rc<QuotaMeter>,
    engine: RefCell<Option<Engine>>,
}

impl EngineState {
    /// Reads from `store`; what waits in the outbox and what the day has cost come along.
    pub(super) fn new(store: StoreHandle, outbox: Rc<Outbox>, quota: Rc<QuotaMeter>) -> Self {
        EngineState { store, outbox, quota, engine: RefCell::new(None) }
    }

    /// The engine.
    pub(super) fn get(&self) -> HubResult<Ref<'_, Engine>> {
        if self.engine.borrow().is_none() {
            *self.engine.borrow_mut() = Some(self.read()?);
        }
        Ref::filter_map(self.engine.borrow(), Option::as_ref)
            .map_err(|_| HubError::Store("there is no engine".to_owned()))
    }

    /// The engine's clock.
    pub(super) fn now(&self) -> HubResult<UnixMillis> {
        Ok(self.get()?.clock(wall_clock()))
    }

    /// Takes the engine out, to be changed and put back once the store has taken the change; without that it is read anew.
    pub(super) fn take(&self) -> HubResult<Engine> {
        match self.engine.take() {
            Some(engine) => Ok(engine),
            None => self.read(),
        }
    }

    /// Puts the engine back, as it is stored now.
    pub(super) fn put_back(&self, engine: Engine) {
        *self.engine.borrow_mut() = Some(engine);
    }

    /// Takes over an incident that somebody changed, once it is stored.
    pub(super) fn update_incident(&self, incident: Incident) {
        if let Some(engine) = &mut *self.engine.borrow_mut() {
            engine.replace_incident(incident);
        }
    }

    /// Reads anew when it is needed next.
    pub(super) fn forget(&self) {
        *self.engine.borrow_mut() = None;
    }

    fn read(&self) -> HubResult<Engine> {
        let StoredHub { last, persisted_states, ledgers, ticks, incidents, outbox, usage } =
            self.store.get()?.load(wall_clock())?;
        let mut engine = Engine::restore(last, persisted_states, ledgers);
        for (at, readings) in &ticks {
            engine.restore_tick(*at, readings);
        }
        engine.restore_incidents(incidents);
        self.outbox.load_rows(outbox);
        self.quota.set_usage(usage);
        engine.set_interval_floor(usage.interval_floor());
        Ok(engine)
    }
}
