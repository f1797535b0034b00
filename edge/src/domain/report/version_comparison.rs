//! Memory per version: what this deploy holds at an age at which the last one held so much.
//!
//! A process grows as it ages, so two versions are compared at the same age after their start and not at the same hour. For
//! each age the working set of the first sample at or after it is kept, of the newest instance of a version that got
//! so old. Ages whose samples were never told stay empty.

use heapbeat_shared::{Bytes, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::report::last_report::{LastReport, SampleRun};

/// The ages that are compared, in seconds: a minute to a day.
pub const AGES: [u64; 7] = [60, 300, 900, 3600, 10_800, 21_600, 86_400];

/// A sample so many seconds after an age still stands for it, as a share of the age.
const LATE: u64 = 10;

/// What one version held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Version {
    /// Its name; empty where the server tells none.
    #[n(0)]
    pub name: String,
    /// When its first instance that we saw started.
    #[n(1)]
    pub since: UnixMillis,
    /// The working set at each of [`AGES`], as far as it got.
    #[n(2)]
    pub marks: Vec<Option<Bytes>>,
}

/// The present version and the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VersionComparison {
    /// Newest first, at most two.
    #[n(0)]
    pub versions: Vec<Version>,
}

impl VersionComparison {
    /// Takes in the samples that came with a report.
    pub fn take(&mut self, told: &LastReport, run: Option<&SampleRun>) {
        if self.versions.first().is_none_or(|version| version.name != told.version) {
            let marks = vec![None; AGES.len()];
            self.versions.insert(0, Version { name: told.version.clone(), since: told.started, marks });
            self.versions.truncate(2);
        }
        let (Some(version), Some(run)) = (self.versions.first_mut(), run) else { return };
        version.marks.resize(AGES.len(), None);
        let samples = &run.series.samples;
        for (mark, age) in version.marks.iter_mut().zip(AGES) {
            let old = |at: UnixMillis| at.since(told.started).as_secs();
            let at = samples.partition_point(|sample| old(sample.at) < age);
            // The sample before it is of another run where this is the first: then it is not known to be the first so old.
            let reached = samples.get(at).filter(|sample| old(sample.at) <= age + age / LATE);
            if let Some(sample) = reached.filter(|_| at > 0) {
                *mark = Some(sample.working_set);
            }
        }
    }

    /// The oldest age that both versions reached: its seconds, now and before.
    pub fn compared(&self) -> Option<(u64, Bytes, Bytes)> {
        let [now, before] = self.versions.as_slice() else { return None };
        let both = AGES.iter().zip(now.marks.iter().zip(&before.marks));
        both.rev().find_map(|(age, (now, before))| Some((*age, (*now)?, (*before)?)))
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::series::Series;
    use heapbeat_shared::{InstanceId, Sample};

    use super::*;
    use crate::domain::report::last_report::tests::{report, signed};

    /// Minutes of one instance's life, a run a minute, with `base` MB and one more for each minute.
    fn live(
        growth: &mut VersionComparison,
        version: &str,
        instance: u64,
        minutes: std::ops::Range<u64>,
        base: u64,
    ) {
        let at = UnixMillis(1_000_000_000);
        let told = LastReport {
            version: version.into(),
            started: at,
            ..LastReport::hear(None, &signed(&report(instance, at, 0, 10)), at).0
        };
        for minute in minutes {
            let sample = |second: u64| Sample {
                at: UnixMillis(at.0 + (minute * 60 + second).cast_signed() * 1000),
                working_set: Bytes::from_mb(base + minute),
                ..Sample::default()
            };
            let series = Series { first: minute * 60, samples: (1..=60).map(sample).collect() };
            growth.take(&told, Some(&SampleRun { instance: InstanceId(instance), series }));
        }
    }

    #[test]
    fn two_versions_at_the_same_age() {
        let mut growth = VersionComparison::default();
        live(&mut growth, "v1", 1, 0..61, 100);
        assert_eq!(growth.compared(), None, "there is nothing to compare with");
        live(&mut growth, "v2", 2, 0..6, 150);
        // The sample at the end of a minute is the first that is so old.
        let (one, two) = (Bytes::from_mb(104), Bytes::from_mb(154));
        assert_eq!(growth.compared(), Some((300, two, one)));
        live(&mut growth, "v2", 2, 6..61, 150);
        assert_eq!(growth.compared(), Some((3600, Bytes::from_mb(209), Bytes::from_mb(159))));
        live(&mut growth, "v2", 3, 0..2, 300);
        assert_eq!(growth.versions[0].marks[0], Some(Bytes::from_mb(300)), "the newest instance counts");
        assert_eq!(growth.compared().unwrap().0, 3600, "and what it has not reached yet is as it was");
        live(&mut growth, "v3", 4, 0..1, 1);
        assert_eq!(growth.versions.len(), 2);
        assert_eq!(growth.compared(), Some((60, Bytes::from_mb(1), Bytes::from_mb(300))));
    }

    #[test]
    fn an_age_that_nobody_saw_stays_empty() {
        let mut growth = VersionComparison::default();
        live(&mut growth, "v1", 1, 10..30, 100);
        let seen: Vec<bool> = growth.versions[0].marks.iter().map(Option::is_some).collect();
        assert_eq!(seen, [false, false, true, false, false, false, false]);
    }
}
