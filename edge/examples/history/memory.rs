//! Memory of a process over its life: a level, a wave by day, noise, and before a death a climb to the limit.

use heapbeat_edge::domain::report::last_report::SampleRun;
use heapbeat_shared::series::{PAGE, Series};
use heapbeat_shared::{Bytes, InstanceId, Pressure, Sample, UnixMillis};

use crate::story::{Dice, Episode, What};
use crate::{DAY, HOUR};

/// The limit, and from when before a death memory climbs.
pub(crate) const LIMIT: Bytes = Bytes::from_mb(512);
const CLIMB: i64 = 5 * HOUR;

/// One run of the process.
#[derive(Clone, Debug)]
pub(crate) struct InstanceLifetime {
    pub(crate) instance: InstanceId,
    pub(crate) version: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Whether it ended for want of memory; else another version followed.
    pub(crate) died: bool,
}

/// The processes behind one monitor, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    index: u64,
    all: Vec<InstanceLifetime>,
}

impl Lives {
    /// A deploy every three days, and what the deaths among the episodes leave.
    pub(crate) fn new(index: usize, since: i64, until: i64, episodes: &[Episode]) -> Self {
        let index = index as u64;
        let deaths = episodes.iter().filter(|it| it.what == What::Death);
        let mut ends: Vec<(i64, i64, bool)> = deaths.map(|it| (it.from, it.to, true)).collect();
        let mut deploy = since - since.rem_euclid(DAY) + 3 * DAY + 10 * HOUR;
        while deploy < until {
            if ends.iter().all(|(from, _, died)| !died || (from - deploy).abs() > 6 * HOUR) {
                ends.push((deploy, deploy + 1000, false));
            }
            deploy += 3 * DAY;
        }
        ends.sort_unstable();
        ends.push((i64::MAX, i64::MAX, false));
        let mut dice = Dice::new(index, 7);
        let (mut all, mut from, mut version) = (Vec::new(), since - HOUR, 0);
        for (to, next, died) in ends {
            let name = format!("{:07x}", Dice::new(index, version).below(1 << 28));
            all.push(InstanceLifetime {
                instance: InstanceId(dice.below(u64::MAX)),
                version: name,
                from,
                to,
                died,
            });
            version += i64::from(!died);
            from = next;
        }
        Lives { index, all }
    }

    /// The one that lives at an instant, and the one before it.
    pub(crate) fn at(&self, at: i64) -> Option<(&InstanceLifetime, Option<&InstanceLifetime>)> {
        let place = self.all.iter().position(|life| life.from <= at && at < life.to)?;
        Some((&self.all[place], place.checked_sub(1).map(|before| &self.all[before])))
    }

    /// Samples from one instant to another, one every `step`, each of a run of its own life.
    pub(crate) fn runs(&self, from: i64, to: i64, step: i64) -> Vec<SampleRun> {
        let mut runs = Vec::new();
        for life in self.all.iter().filter(|life| life.from < to && from < life.to) {
            let first = (from.max(life.from) - life.from + step - 1).div_euclid(step);
            let last = (to.min(life.to) - life.from - 1).div_euclid(step);
            let samples: Vec<Sample> =
                (first..=last).map(|n| self.sample(life, life.from + n * step)).collect();
            if !samples.is_empty() {
                runs.push(SampleRun {
                    instance: life.instance,
                    series: Series { first: first.unsigned_abs(), samples },
                });
            }
        }
        runs
    }

    pub(crate) fn sample(&self, life: &InstanceLifetime, at: i64) -> Sample {
        let mut dice = Dice::new(self.index, at);
        // In pages.
        let level = 24_000 + self.index * 3_000;
        let wave = (at.rem_euclid(DAY) / 1000).abs_diff(43_200) / 12;
        let warm = u64::try_from(((at - life.from) / 1000).min(1800)).unwrap_or(0) * 2;
        let mut used = level + 3_600 - wave + warm + dice.below(160);
        if life.died && at > life.to - CLIMB {
            // Slowly at first: the square of the share of the climb.
            let share = 1.0 - (life.to - at) as f64 / CLIMB as f64;
            let room = (LIMIT.0 / PAGE - 2_700).saturating_sub(used) as f64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let climbed = (share * share * room) as u64;
            used += climbed;
        }
        let pages = |n: u64| Bytes(n * PAGE);
        Sample {
            at: UnixMillis(at),
            rss: pages(used + 2_600 + dice.below(8)),
            heap_used: pages(used),
            heap_total: pages(used + 500 + dice.below(8)),
            heap_resident: pages(used + 900 + dice.below(8)),
            working_set: pages(used + 2_400 + dice.below(8)),
        }
    }
}

/// Where the ladder stands at this much.
pub(crate) fn pressure(memory: Bytes) -> Pressure {
    match memory.0 * 1000 / LIMIT.0 {
        0..781 => Pressure::Calm,
        781..879 => Pressure::Alert,
        879..937 => Pressure::Purge,
        _ => Pressure::Recycle,
    }
}
