//! The previous instances as a worker knows them: their exits, and their samples that were not reported yet.
//!
//! The supervisor sends both at any time; the report reads them. The exit of an instance that drains beside this one is known later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use heapbeat_shared::report::{EarlierInstances, LastSamples, MAX_EARLIER_EXITS};
use heapbeat_shared::{Cursor, Exit};

use super::OrphanedSamples;

/// The previous instances.
#[derive(Debug, Default)]
pub(crate) struct PreviousRuns {
    exit: ArcSwapOption<Exit>,
    earlier: Mutex<EarlierInstances>,
    samples: Mutex<OrphanedSamples>,
}

impl PreviousRuns {
    /// Sets how the last instance ended.
    pub(crate) fn set_exit(&self, exit: Exit) {
        self.exit.store(Some(Arc::new(exit)));
    }

    /// Adds the exit of an instance other than the last one.
    pub(crate) fn add_earlier_exit(&self, exit: Exit) {
        let mut earlier = self.earlier_lock();
        earlier.exits.push(exit);
        let excess = earlier.exits.len().saturating_sub(MAX_EARLIER_EXITS);
        earlier.exits.drain(..excess);
    }

    /// Sets the number of earlier instances that still run.
    pub(crate) fn set_earlier_running(&self, running: u32) {
        self.earlier_lock().running = running;
    }

    /// Returns the instances before the last one, and the number of earlier ones that still run.
    pub(crate) fn earlier(&self) -> EarlierInstances {
        self.earlier_lock().clone()
    }

    fn earlier_lock(&self) -> MutexGuard<'_, EarlierInstances> {
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds samples of an instance that ended.
    pub(crate) fn add_samples(&self, samples: LastSamples) {
        self.samples().add(samples);
    }

    /// Returns how the last instance ended, once that is known.
    pub(crate) fn exit(&self) -> Option<Arc<Exit>> {
        self.exit.load_full()
    }

    /// Returns the samples after `cursor`, if it is a cursor of an earlier instance that has more.
    pub(crate) fn samples_after(&self, cursor: Cursor) -> Option<LastSamples> {
        self.samples().after(cursor)
    }

    fn samples(&self) -> MutexGuard<'_, OrphanedSamples> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
