//! `GET /api/v1/monitors/{id}/memory`: one row for each sample, figures in bytes, instants in Unix milliseconds.

use heapbeat_shared::{Bytes, Sample, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

use crate::domain::history::rollup::{MemoryLine, Tier};

/// The columns of a [`SampleRow`].
pub const SAMPLE_COLUMNS: [&str; 6] = ["at", "rss", "heapUsed", "heapTotal", "external", "workingSet"];

/// Returns the names of the columns of a row.
pub(super) fn sample_columns() -> Vec<String> {
    SAMPLE_COLUMNS.map(str::to_owned).to_vec()
}

/// One sample in the order of `columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampleRow(
    /// When it was taken.
    #[schemars(with = "schema::Instant")]
    pub UnixMillis,
    /// The resident set.
    #[schemars(with = "u64")]
    pub Bytes,
    /// The live heap; `null` if it is not known.
    #[schemars(with = "Option<u64>")]
    pub Option<Bytes>,
    /// The heap that the allocator holds; `null` if it is not known.
    #[schemars(with = "Option<u64>")]
    pub Option<Bytes>,
    /// Resident memory that is not the allocator's.
    #[schemars(with = "u64")]
    pub Bytes,
    /// The working set.
    #[schemars(with = "u64")]
    pub Bytes,
);

impl From<&Sample> for SampleRow {
    fn from(sample: &Sample) -> Self {
        let Sample { at, rss, heap_used, heap_total, working_set, .. } = *sample;
        SampleRow(at, rss, heap_used.known(), heap_total.known(), sample.external(), working_set)
    }
}

/// Memory of a monitor in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MemoryHistory")]
pub struct MemoryHistoryView {
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub monitor: String,
    /// The time of a row: one sample, or the highest of a minute or of an hour.
    #[schemars(schema_with = "schema::tier")]
    pub resolution: String,
    /// The first instant of the window.
    #[schemars(with = "schema::Instant")]
    pub from: UnixMillis,
    /// The end of the window.
    #[schemars(with = "schema::Instant")]
    pub to: UnixMillis,
    /// The names of the columns of `samples`; figures of memory are bytes, those of latency milliseconds.
    #[schemars(schema_with = "schema::sample_columns")]
    pub columns: Vec<String>,
    /// The samples, oldest first.
    pub samples: Vec<SampleRow>,
    /// The instants of samples with which another instance begins.
    #[schemars(with = "Vec<schema::Instant>")]
    pub instances: Vec<UnixMillis>,
    /// Intervals whose samples were taken but never received.
    pub gaps: Vec<MemoryGapView>,
}

impl MemoryHistoryView {
    /// Builds the history of `monitor` from the points of a tier.
    pub fn new(monitor: &str, tier: Tier, (from, to): (UnixMillis, UnixMillis), line: &MemoryLine) -> Self {
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

/// An interval whose samples were taken but never received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MemoryGap")]
pub struct MemoryGapView {
    /// The last sample before it.
    #[schemars(with = "schema::Instant")]
    pub from: UnixMillis,
    /// The first sample after it.
    #[schemars(with = "schema::Instant")]
    pub to: UnixMillis,
    /// How many samples are missing.
    pub missing: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_that_is_not_known_is_null_and_not_zero() {
        let mb = Bytes::from_mb;
        let sample =
            |heap_used, heap_total| Sample { rss: mb(9), heap_used, heap_total, ..Sample::default() };
        // Used and total bytes of a sample: of a program without an agent, of Python, of Node.
        let cases = [
            (mb(0), mb(0), "[0,9437184,null,null,9437184,0]"),
            (mb(0), mb(3), "[0,9437184,null,3145728,9437184,0]"),
            (mb(2), mb(3), "[0,9437184,2097152,3145728,9437184,0]"),
        ];
        for (used, total, expected) in cases {
            let row = SampleRow::from(&sample(used, total));
            assert_eq!(serde_json::to_string(&row).unwrap(), expected);
            assert_eq!(serde_json::from_str::<SampleRow>(expected).unwrap(), row);
        }
    }
}
