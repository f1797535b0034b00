//! `GET /api/v1/monitors/{id}/versions`: memory of the present version and of the one before.

use heapbeat_shared::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Timestamp, schema};
use crate::domain::report::version_comparison::{AGES, VersionComparison, VersionMemory};

/// Memory of the present version and of the one before at the same ages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Versions")]
pub struct VersionsView {
    /// The monitor's id.
    #[schemars(with = "schema::MonitorId")]
    pub monitor: String,
    /// The ages after the start that are compared, in seconds.
    pub ages_seconds: Vec<u64>,
    /// The versions, newest first, at most two.
    pub versions: Vec<VersionView>,
    /// Both versions at the oldest age that both have reached; `null` without such an age.
    pub compared: Option<ComparisonView>,
}

impl VersionsView {
    /// Builds the comparison of the versions of `monitor`.
    pub fn new(monitor: &str, growth: Option<&VersionComparison>) -> Self {
        VersionsView {
            monitor: monitor.to_owned(),
            ages_seconds: AGES.to_vec(),
            versions: growth.into_iter().flat_map(|growth| &growth.versions).map(VersionView::from).collect(),
            compared: growth.and_then(ComparisonView::of),
        }
    }
}

/// Memory of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Version")]
pub struct VersionView {
    /// The name of the version; empty if the server does not report it.
    pub version: String,
    /// When its first known instance started.
    pub since: Timestamp,
    /// The working set in bytes at each of `ages_seconds` after a start; `null` for an age that it has not reached.
    #[schemars(with = "Vec<Option<u64>>")]
    pub working_set: Vec<Option<Bytes>>,
}

impl From<&VersionMemory> for VersionView {
    fn from(version: &VersionMemory) -> Self {
        VersionView {
            version: version.name.clone(),
            since: Timestamp(version.since),
            working_set: version.by_age.clone(),
        }
    }
}

/// Working sets of two versions at the same age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Comparison")]
pub struct ComparisonView {
    /// The oldest age that both have reached, in seconds.
    pub age_seconds: u64,
    /// Bytes of the present version at that age.
    #[schemars(with = "u64")]
    pub now: Bytes,
    /// Bytes of the version before at that age.
    #[schemars(with = "u64")]
    pub before: Bytes,
}

impl ComparisonView {
    /// Compares both versions; `None` if there is no age that both have reached.
    pub fn of(growth: &VersionComparison) -> Option<Self> {
        growth.compare().map(|(age_seconds, now, before)| ComparisonView { age_seconds, now, before })
    }
}
