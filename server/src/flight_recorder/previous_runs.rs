//! The previous instances as a worker knows them: the exit of the last one, and their samples that were not reported yet.
//!
//! The supervisor sends both at any time; the report reads them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use heapbeat_shared::report::LastSamples;
use heapbeat_shared::{Cursor, Exit};

use super::OrphanedSamples;

/// The previous instances.
#[derive(Debug, Default)]
pub(crate) struct PreviousRuns {
    exit: ArcSwapOption<Exit>,
    samples: Mutex<OrphanedSamples>,
}

impl PreviousRuns {
    /// Sets how the last instance ended.
    pub(crate) fn set_exit(&self, exit: Exit) {
        self.exit.store(Some(Arc::new(exit)));
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
