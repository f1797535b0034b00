//! The flight recorder: the last state of a process, in a file that outlives it.
//!
//! The file is mapped into memory, so a write is a store, and the kernel keeps what was stored when the process is killed. The file
//! has a fixed size and is never grown. Each record has a checksum, so a record that the exit cut in half is recognized and skipped.
//! A power loss can lose what the kernel had not written back yet, about the last half minute.
//!
//! The layout is heapbeat's own, not that of a serialization format: a record must be written by plain stores into a fixed place,
//! without an allocation, on the sampler's thread and inside a panic, and must be readable after a partial write. Only the rare
//! payloads (header, notes, events) are JSON.
//!
//! Only a supervised process records. In any other process the functions here do nothing.

pub(crate) mod directory;
mod layout;
mod map;
mod orphaned_samples;
mod previous_runs;
mod reader;
mod sample_record;
mod writer;

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use heapbeat_shared::event::Event;
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, UnixMillis};
use serde::{Deserialize, Serialize};

pub(crate) use directory::{RecorderDirectory, RecorderLocation};
pub(crate) use layout::MAX_ROUTES;
pub(crate) use orphaned_samples::{OrphanedSamples, fits_one_message, last_samples};
pub(crate) use previous_runs::PreviousRuns;
pub(crate) use reader::Recording;
pub use sample_record::SampleSlot;
pub(crate) use writer::FlightRecorder;

static RECORDER: OnceLock<FlightRecorder> = OnceLock::new();

/// The instance that records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordingHeader {
    pub(crate) instance: InstanceId,
    pub(crate) version: String,
    pub(crate) started: UnixMillis,
    /// The kernel's id of this boot of the machine.
    pub(crate) boot: String,
}

/// A note about something that happens once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedNote {
    pub(crate) at: UnixMillis,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) stack: String,
}

/// Starts to record into the file at `path`, which a [`RecorderDirectory`] created.
pub(crate) fn start(path: &Path, header: &RecordingHeader) -> io::Result<()> {
    RECORDER.set(open_recorder(path, header)?).map_err(|_| io::Error::other("this process records already"))
}

/// Opens a recorder on the file at `path` on behalf of another process.
pub(crate) fn open_recorder(path: &Path, header: &RecordingHeader) -> io::Result<FlightRecorder> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    FlightRecorder::create(&file, header)
}

/// Where the telemetry of an instance is recorded.
#[derive(Debug)]
pub(crate) enum InstanceRecorder {
    /// In the recorder of this process, if it has one.
    ThisProcess,
    /// In a recorder that this process writes on behalf of another one, if there is one.
    OtherProcess(Option<FlightRecorder>),
}

impl InstanceRecorder {
    /// Records a sample and its slot in the history.
    pub(crate) fn record_sample(&self, sample: &Sample, slot: SampleSlot, pressure: Pressure, limit: Bytes) {
        self.with(|recorder| recorder.sample(sample, slot, pressure, limit));
    }

    /// Records an event.
    pub(crate) fn record_event(&self, event: &Event) {
        self.with(|recorder| recorder.event(event));
    }

    /// Records that the process was asked to stop.
    pub(crate) fn record_stop(&self, at: UnixMillis, by: &str) {
        let note = RecordedNote { at, text: by.to_owned(), stack: String::new() };
        self.with(|recorder| recorder.note(layout::STOP, &note));
    }

    /// Records that the process has finished its work and is about to exit.
    pub(crate) fn record_finished(&self, at: UnixMillis) {
        self.with(|recorder| {
            recorder.note(layout::FINISHED, &RecordedNote { at, ..RecordedNote::default() });
        });
    }

    fn with(&self, record: impl FnOnce(&FlightRecorder)) {
        match self {
            InstanceRecorder::ThisProcess => with(record),
            InstanceRecorder::OtherProcess(Some(recorder)) => record(recorder),
            InstanceRecorder::OtherProcess(None) => {}
        }
    }
}

/// Records the panic that ends the process.
pub(crate) fn record_panic(note: &RecordedNote) {
    with(|recorder| recorder.note(layout::PANIC, note));
}

/// Records the state of a process that hangs.
pub(crate) fn record_hang(note: &RecordedNote) {
    with(|recorder| recorder.note(layout::HANG, note));
}

/// Records that a request of a route starts. `route` is the route's number, below [`MAX_ROUTES`]; `label` is called once per route.
#[inline]
pub(crate) fn request_started(route: usize, label: impl FnOnce() -> &'static str) {
    with(|recorder| recorder.request_started(route, label));
}

/// Records that a request of a route has ended.
#[inline]
pub(crate) fn request_ended(tag: usize) {
    with(|recorder| recorder.request_ended(tag));
}

#[inline]
fn with(record: impl FnOnce(&FlightRecorder)) {
    if let Some(recorder) = RECORDER.get() {
        record(recorder);
    }
}

/// Returns the kernel's id of this boot; empty if it is not available.
pub(crate) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
