//! `GET /api/v1/monitors/{id}/memory`: one row for each sample, figures in bytes, instants in Unix milliseconds.

use heapbeat_shared::{Bytes, Sample, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::domain::history::rollup::{Line, Tier};

/// The columns of a [`SampleRow`].
pub const SAMPLE_COLUMNS: [&str; 6] = ["at", "rss", "heapUsed", "heapTotal", "external", "workingSet"];

/// The names of the columns, as a row of samples has them.
pub(super) fn sample_columns() -> Vec<String> {
    SAMPLE_COLUMNS.map(str::to_owned).to_vec()
}

/// A sample as a row in the order of [`SAMPLE_COLUMNS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRow(
    /// When it was taken.
    pub UnixMillis,
    /// Resident set.
    pub Bytes,
    /// Live heap.
    pub Bytes,
    /// Heap that is held.
    pub Bytes,
    /// What is resident and not the allocator's.
    pub Bytes,
    /// Working set.
    pub Bytes,
);

impl From<&Sample> for SampleRow {
    fn from(sample: &Sample) -> Self {
        let Sample { at, rss, heap_used, heap_total, working_set, .. } = *sample;
        SampleRow(at, rss, heap_used, heap_total, sample.external(), working_set)
    }
}

/// Memory of a monitor in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryHistoryView {
    /// The monitor's id.
    pub monitor: String,
    /// How finely: `1s`, `1m` or `1h`.
    pub resolution: String,
    /// The first instant of the window.
    pub from: UnixMillis,
    /// The end of the window.
    pub to: UnixMillis,
    /// The names of the columns of `samples`.
    pub columns: Vec<String>,
    /// The samples, oldest first.
    pub samples: Vec<SampleRow>,
    /// Instants of the samples with which another instance begins.
    pub instances: Vec<UnixMillis>,
    /// Stretches whose samples were taken and never received.
    pub gaps: Vec<MemoryGapView>,
}

impl MemoryHistoryView {
    /// Of what the store holds of `monitor`.
    pub fn new(monitor: &str, tier: Tier, (from, to): (UnixMillis, UnixMillis), line: &Line) -> Self {
        let begins = line.samples.iter().filter(|(_, begins)| *begins);
        MemoryHistoryView {
            monitor: monitor.to_owned(),
            resolution: tier.as_str().to_owned(),
            from,
            to,
            columns: sample_columns(),
            samples: line.samples.iter().map(|(sample, _)| SampleRow::from(sample)).collect(),
            instances: begins.map(|(sample, _)| sample.at).collect(),
            gaps: line.gaps.iter().map(|&(from, to, missing)| MemoryGapView { from, to, missing }).collect(),
        }
    }
}

/// A stretch whose samples were taken and never received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryGapView {
    /// The last sample before it.
    pub from: UnixMillis,
    /// The first sample after it.
    pub to: UnixMillis,
    /// How many samples are missing.
    pub missing: u64,
}
