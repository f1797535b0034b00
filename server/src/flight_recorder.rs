//! The flight recorder: what a process was doing when it ended, in a file that outlives it.
//!
//! The file is mapped into memory, so that writing is storing, and whatever was stored is the kernel's to keep when the
//! process is killed. It has one fixed size, is never grown, and each record carries a checksum: one that was cut in
//! half by the end is recognised and passed over. A power loss can take what the kernel had not written back yet, about
//! the last half minute.
//!
//! The layout is heapbeat's own, not a serialization format's: a record must be written by plain stores into a fixed place,
//! without an allocation, on the sampler's way and inside a panic, and be readable after a write that was cut in half. Only
//! the payloads that are rare (header, notes, events) are JSON.
//!
//! Only a supervised process records. In every other one the functions here do nothing.

mod directory;
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
pub(crate) use orphaned_samples::{OrphanedSamples, fits_one_message};
pub(crate) use previous_runs::PreviousRuns;
pub(crate) use reader::Recording;
pub use sample_record::SampleSlot;
pub(crate) use writer::FlightRecorder;

static RECORDER: OnceLock<FlightRecorder> = OnceLock::new();

/// Who records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordingHeader {
    pub(crate) instance: InstanceId,
    pub(crate) version: String,
    pub(crate) started: UnixMillis,
    /// The kernel's id of this boot of the machine.
    pub(crate) boot: String,
}

/// Something that happened once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedNote {
    pub(crate) at: UnixMillis,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) stack: String,
}

/// Records from now on into the file at `path`, which a [`RecorderDirectory`] made.
pub(crate) fn begin(path: &Path, head: &RecordingHeader) -> io::Result<()> {
    RECORDER.set(recorder(path, head)?).map_err(|_| io::Error::other("this process records already"))
}

/// What records into the file at `path` for somebody else, who does not do so himself.
pub(crate) fn recorder(path: &Path, head: &RecordingHeader) -> io::Result<FlightRecorder> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    FlightRecorder::begin(&file, head)
}

/// A look at memory, and where it went in the history.
pub(crate) fn sample(sample: &Sample, seat: SampleSlot, pressure: Pressure, limit: Bytes) {
    with(|recorder| recorder.sample(sample, seat, pressure, limit));
}

/// Something happened.
pub(crate) fn event(event: &Event) {
    with(|recorder| recorder.event(event));
}

/// The process was asked to stop.
pub(crate) fn stopping(at: UnixMillis, by: &str) {
    with(|recorder| {
        recorder.note(layout::STOP, &RecordedNote { at, text: by.to_owned(), stack: String::new() });
    });
}

/// Everything is done; what follows is the end.
pub(crate) fn finished(at: UnixMillis) {
    with(|recorder| recorder.note(layout::FINISHED, &RecordedNote { at, ..RecordedNote::default() }));
}

/// The process dies of this panic.
pub(crate) fn panicked(note: &RecordedNote) {
    with(|recorder| recorder.note(layout::PANIC, note));
}

/// The process was found hanging, doing this.
pub(crate) fn hung(note: &RecordedNote) {
    with(|recorder| recorder.note(layout::HANG, note));
}

/// Records that a request of a route begins. `route` is the route's number, below [`MAX_ROUTES`]; its label is asked for
/// once.
#[inline]
pub(crate) fn entered(route: usize, label: impl FnOnce() -> &'static str) {
    with(|recorder| recorder.enter(route, label));
}

/// A request of a route is over.
#[inline]
pub(crate) fn left(tag: usize) {
    with(|recorder| recorder.leave(tag));
}

#[inline]
fn with(record: impl FnOnce(&FlightRecorder)) {
    if let Some(recorder) = RECORDER.get() {
        record(recorder);
    }
}

/// The kernel's id of this boot; empty where it does not tell.
pub(crate) fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

#[cfg(test)]
mod tests;
