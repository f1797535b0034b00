//! The memory of an instance: a level, a daily wave, noise, and growth to the limit before a crash.

use heapbeat_edge::domain::report::last_report::SampleRun;
use heapbeat_shared::series::{PAGE, Series};
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, UnixMillis};

use crate::scenario::{Episode, EpisodeKind, seeded_random};
use crate::{DAY, HOUR};

/// The memory limit.
pub(crate) const LIMIT: Bytes = Bytes::from_mb(512);
/// How long before a crash memory grows.
const GROWTH_TIME: i64 = 5 * HOUR;

/// One instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) version: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Whether the kernel killed it; otherwise another version followed.
    pub(crate) killed: bool,
}

/// The instances behind one monitor, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Instances {
    index: u64,
    all: Vec<Instance>,
}

impl Instances {
    /// Generates instances with a deploy every three days and the crashes among the episodes.
    pub(crate) fn new(index: usize, since: i64, until: i64, episodes: &[Episode]) -> Self {
        let index = index as u64;
        let deaths = episodes.iter().filter(|it| it.kind == EpisodeKind::Crash);
        let mut ends: Vec<(i64, i64, bool)> = deaths.map(|it| (it.from, it.to, true)).collect();
        let mut deploy = since - since.rem_euclid(DAY) + 3 * DAY + 10 * HOUR;
        while deploy < until {
            if ends.iter().all(|(from, _, killed)| !killed || (from - deploy).abs() > 6 * HOUR) {
                ends.push((deploy, deploy + 1000, false));
            }
            deploy += 3 * DAY;
        }
        ends.sort_unstable();
        ends.push((i64::MAX, i64::MAX, false));
        let mut random = seeded_random(index, 7);
        let (mut all, mut from, mut version) = (Vec::new(), since - HOUR, 0);
        for (to, next, killed) in ends {
            let name = format!("{:07x}", seeded_random(index, version).u64(..1 << 28));
            all.push(Instance { id: InstanceId(random.u64(..)), version: name, from, to, killed });
            version += i64::from(!killed);
            from = next;
        }
        Instances { index, all }
    }

    /// Returns the instance at an instant, and the one before it.
    pub(crate) fn instance_at(&self, at: i64) -> Option<(&Instance, Option<&Instance>)> {
        let place = self.all.iter().position(|instance| instance.from <= at && at < instance.to)?;
        Some((&self.all[place], place.checked_sub(1).map(|before| &self.all[before])))
    }

    /// Returns samples from one instant to another, one every `step`, as a run for each instance.
    pub(crate) fn runs(&self, from: i64, to: i64, step: i64) -> Vec<SampleRun> {
        let mut runs = Vec::new();
        for instance in self.all.iter().filter(|instance| instance.from < to && from < instance.to) {
            let first = (from.max(instance.from) - instance.from + step - 1).div_euclid(step);
            let last = (to.min(instance.to) - instance.from - 1).div_euclid(step);
            let samples: Vec<Sample> =
                (first..=last).map(|n| self.sample(instance, instance.from + n * step)).collect();
            if !samples.is_empty() {
                runs.push(SampleRun {
                    instance: instance.id,
                    series: Series { first: first.unsigned_abs(), samples },
                });
            }
        }
        runs
    }

    pub(crate) fn sample(&self, instance: &Instance, at: i64) -> Sample {
        let mut random = seeded_random(self.index, at);
        // In pages.
        let level = 24_000 + self.index * 3_000;
        let wave = (at.rem_euclid(DAY) / 1000).abs_diff(43_200) / 12;
        let warm = u64::try_from(((at - instance.from) / 1000).min(1800)).unwrap_or(0) * 2;
        let mut used = level + 3_600 - wave + warm + random.u64(..160);
        if instance.killed && at > instance.to - GROWTH_TIME {
            // The growth is slow at first: it is quadratic.
            let share = 1.0 - (instance.to - at) as f64 / GROWTH_TIME as f64;
            let room = (LIMIT.0 / PAGE - 2_700).saturating_sub(used) as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let grown = (share * share * room) as u64;
            used += grown;
        }
        let pages = |n: u64| Bytes(n * PAGE);
        Sample {
            at: UnixMillis(at),
            rss: pages(used + 2_600 + random.u64(..8)),
            heap_used: pages(used),
            heap_total: pages(used + 500 + random.u64(..8)),
            heap_resident: pages(used + 900 + random.u64(..8)),
            working_set: pages(used + 2_400 + random.u64(..8)),
        }
    }
}

/// Returns the pressure at this working set.
pub(crate) fn pressure(memory: Bytes) -> Pressure {
    match memory.0 * 1000 / LIMIT.0 {
        0..781 => Pressure::Calm,
        781..879 => Pressure::Alert,
        879..937 => Pressure::Purge,
        _ => Pressure::Recycle,
    }
}
