//! Compares the memory of the present version with that of the version before it.
//!
//! A process grows as it ages, so two versions are compared at the same age. For each age the working set of the first sample at
//! or after it is kept, of the newest instance of the version that reached it. Ages without a sample stay empty.

use heapbeat_shared::{Bytes, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::report::last_report::{LastReport, SampleRun};

/// The ages that are compared, in seconds, from a minute to a day.
pub const AGES: [u64; 7] = [60, 300, 900, 3600, 10_800, 21_600, 86_400];

/// A sample may be later than an age by this fraction of it: a tenth.
const LATENESS_DIVISOR: u64 = 10;

/// The memory of one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VersionMemory {
    /// The version's name; empty if the server gives none.
    #[n(0)]
    pub name: String,
    /// When the first known instance of it started.
    #[n(1)]
    pub since: UnixMillis,
    /// The working set at each of [`AGES`]; `None` where it is not known.
    #[n(2)]
    pub by_age: Vec<Option<Bytes>>,
}

/// The present version and the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VersionComparison {
    /// Newest first, at most two.
    #[n(0)]
    pub versions: Vec<VersionMemory>,
}

impl VersionComparison {
    /// Adds the samples that came with a report.
    pub fn add_samples(&mut self, report: &LastReport, run: Option<&SampleRun>) {
        if self.versions.first().is_none_or(|version| version.name != report.version) {
            let by_age = vec![None; AGES.len()];
            self.versions
                .insert(0, VersionMemory { name: report.version.clone(), since: report.started, by_age });
            self.versions.truncate(2);
        }
        let (Some(version), Some(run)) = (self.versions.first_mut(), run) else { return };
        version.by_age.resize(AGES.len(), None);
        let samples = &run.series.samples;
        for (memory, age) in version.by_age.iter_mut().zip(AGES) {
            let age_at = |at: UnixMillis| at.since(report.started).as_secs();
            let at = samples.partition_point(|sample| age_at(sample.at) < age);
            // Before the first sample of a run samples may be missing, so it need not be the first of that age.
            let reached = samples.get(at).filter(|sample| age_at(sample.at) <= age + age / LATENESS_DIVISOR);
            if let Some(sample) = reached.filter(|_| at > 0) {
                *memory = Some(sample.working_set);
            }
        }
    }

    /// Returns the oldest age that both versions reached, in seconds, and their memory: the present version's, then the other's.
    pub fn compare(&self) -> Option<(u64, Bytes, Bytes)> {
        let [now, before] = self.versions.as_slice() else { return None };
        let both = AGES.iter().zip(now.by_age.iter().zip(&before.by_age));
        both.rev().find_map(|(age, (now, before))| Some((*age, (*now)?, (*before)?)))
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::series::Series;
    use heapbeat_shared::{InstanceId, Sample};

    use super::*;
    use crate::domain::report::last_report::tests::{report, signed};

    /// Adds minutes of one instance, a run each, with `base` MB and one more for each minute.
    fn add_minutes(
        comparison: &mut VersionComparison,
        version: &str,
        instance: u64,
        minutes: std::ops::Range<u64>,
        base: u64,
    ) {
        let at = UnixMillis(1_000_000_000);
        let last_report = LastReport {
            version: version.into(),
            started: at,
            ..LastReport::from_report(None, &signed(&report(instance, at, 0, 10)), at).0
        };
        for minute in minutes {
            let sample = |second: u64| Sample {
                at: UnixMillis(at.0 + (minute * 60 + second).cast_signed() * 1000),
                working_set: Bytes::from_mb(base + minute),
                ..Sample::default()
            };
            let series = Series { first: minute * 60, samples: (1..=60).map(sample).collect() };
            comparison.add_samples(&last_report, Some(&SampleRun { instance: InstanceId(instance), series }));
        }
    }

    #[test]
    fn two_versions_at_the_same_age() {
        let mut comparison = VersionComparison::default();
        add_minutes(&mut comparison, "v1", 1, 0..61, 100);
        assert_eq!(comparison.compare(), None, "there is nothing to compare with");
        add_minutes(&mut comparison, "v2", 2, 0..6, 150);
        // The sample at the end of a minute is the first that is so old.
        let (one, two) = (Bytes::from_mb(104), Bytes::from_mb(154));
        assert_eq!(comparison.compare(), Some((300, two, one)));
        add_minutes(&mut comparison, "v2", 2, 6..61, 150);
        assert_eq!(comparison.compare(), Some((3600, Bytes::from_mb(209), Bytes::from_mb(159))));
        add_minutes(&mut comparison, "v2", 3, 0..2, 300);
        assert_eq!(comparison.versions[0].by_age[0], Some(Bytes::from_mb(300)), "the newest instance counts");
        assert_eq!(comparison.compare().unwrap().0, 3600, "and what it has not reached yet is as it was");
        add_minutes(&mut comparison, "v3", 4, 0..1, 1);
        assert_eq!(comparison.versions.len(), 2);
        assert_eq!(comparison.compare(), Some((60, Bytes::from_mb(1), Bytes::from_mb(300))));
    }

    #[test]
    fn an_age_without_a_sample_stays_empty() {
        let mut comparison = VersionComparison::default();
        add_minutes(&mut comparison, "v1", 1, 10..30, 100);
        let seen: Vec<bool> = comparison.versions[0].by_age.iter().map(Option::is_some).collect();
        assert_eq!(seen, [false, false, true, false, false, false, false]);
    }
}
