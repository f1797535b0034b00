//! What happened to whom: outages, slow hours, announced work, deaths, and the time in which nobody looked.

use heapbeat_edge::config::{Kind, Monitor, MonitorId};
use heapbeat_edge::domain::Failure;

use crate::memory::Lives;
use crate::{DAY, HOUR, MINUTE, Wanted, last_day};

/// What held for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It failed like this.
    Down(Failure),
    /// It served, but failed its `degraded` conditions.
    Slow(u32),
    /// Somebody worked on it, as announced.
    MaintenanceWindow,
    /// It was starting.
    Waking,
    /// The edge did not come.
    Nobody,
    /// Memory ran full: killed at the beginning, back at the end, between two ticks.
    Death,
}

/// A stretch of time, in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) what: What,
}

/// One monitor's.
pub(crate) struct Story {
    pub(crate) id: MonitorId,
    pub(crate) kind: Kind,
    /// Its place among all.
    pub(crate) index: usize,
    /// Since when it is watched.
    pub(crate) since: i64,
    /// What happened, oldest first; no two at once.
    pub(crate) episodes: Vec<Episode>,
    /// The processes behind it, where it signs reports.
    pub(crate) lives: Option<Lives>,
}

impl Story {
    /// What holds at an instant; `None`: all is well.
    pub(crate) fn at(&self, at: i64) -> Option<Episode> {
        self.episodes.iter().copied().find(|it| it.from <= at && at < it.to)
    }

    /// How long an answer takes in milliseconds: another base for everybody, slower by day, and now and then a slow one.
    pub(crate) fn latency(&self, at: i64) -> u32 {
        let mut dice = Dice::new(self.index as u64, at);
        let base = 12 + (self.index as u64 * 37) % 180;
        let by_day = if (7..19).contains(&(at.rem_euclid(DAY) / HOUR)) { base / 3 } else { 0 };
        let tail = if dice.below(25) == 0 { base * 2 } else { 0 };
        u32::try_from(base + by_day + tail + dice.below(base / 4 + 3)).unwrap_or(u32::MAX)
    }
}

/// Numbers that are the same for the same beginning (`SplitMix64`).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, at: i64) -> Self {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at.unsigned_abs().rotate_left(17))
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most.max(1)
    }
}

/// How many days apart trouble is, by a monitor's place: some are solid, some are not.
const EVERY: [u64; 6] = [45, 7, 18, 3, 30, 11];

/// Everybody's story.
pub(crate) fn all(wanted: &Wanted) -> Vec<Story> {
    let mut reports = 0;
    let mut stories = Vec::new();
    for (index, monitor) in wanted.config.monitors.iter().enumerate() {
        let signs = monitor.kind() == Kind::Heapbeat && reports < wanted.memory;
        reports += usize::from(signs);
        stories.push(story(index, monitor, signs, wanted.span));
    }
    stories
}

fn story(index: usize, monitor: &Monitor, signs: bool, (start, until): (i64, i64)) -> Story {
    // Every seventh is new.
    let since = if index % 7 == 6 { start.max(until - 21 * DAY + 7 * HOUR) } else { start };
    let mut episodes = nobody(start, until);
    let mut add = |from: i64, length: i64, what| {
        let it = Episode { from, to: from + length, what };
        let free =
            episodes.iter().all(|other: &Episode| it.to + HOUR <= other.from || other.to + HOUR <= it.from);
        if free && it.from >= since + HOUR && it.from <= until {
            episodes.push(it);
        }
    };
    let minutes = |n: i64| n * MINUTE;
    for (at, length, what) in lately(index, signs, until) {
        add(at, length, what);
    }
    let day = |n: i64| start - start.rem_euclid(DAY) + n * DAY;
    for n in 0..(until - start) / DAY {
        if day(n) + DAY > last_day::begins((start, until)) {
            continue;
        }
        if index.is_multiple_of(2) && n % 28 == 5 {
            add(day(n) + 2 * HOUR, minutes(60), What::MaintenanceWindow);
        }
        if signs && (n + i64::try_from(index).unwrap_or(0)) % 9 == 4 {
            add(day(n) + 15 * HOUR + minutes(3) + 15_000, 20_000, What::Death);
        }
        let mut dice = Dice::new(index as u64, n);
        if dice.below(EVERY[index % EVERY.len()]) != 0 {
            continue;
        }
        let at = day(n) + minutes(240 + i64::try_from(dice.below(900)).unwrap_or(0));
        let length = minutes(2 + i64::try_from(dice.below(88)).unwrap_or(0));
        // What a connection can fail with, and what only an answer can.
        let failures = [
            Failure::Refused,
            Failure::Timeout,
            Failure::Dns,
            Failure::Status(503),
            Failure::Status(500),
            Failure::Tls,
        ];
        let most = if monitor.kind() == Kind::Tcp { 3 } else { 6 };
        let failure = failures[usize::try_from(dice.below(most)).unwrap_or(0)];
        match dice.below(5) {
            0 | 1 => add(at, length, What::Slow(900 + u32::try_from(dice.below(2000)).unwrap_or(0))),
            2 if monitor.kind() == Kind::Heapbeat => add(at, minutes(2), What::Waking),
            _ => add(at, length, What::Down(failure)),
        }
    }
    episodes.sort_by_key(|it| it.from);
    let lives = signs.then(|| Lives::new(index, since, until, &episodes));
    Story { id: monitor.id.clone(), kind: monitor.kind(), index, since, episodes, lives }
}

/// The edge was away, for everybody.
fn nobody(start: i64, until: i64) -> Vec<Episode> {
    let mut all = Vec::new();
    for (before, length) in
        [(61 * DAY, 12 * HOUR), (33 * DAY, 40 * MINUTE), (12 * DAY, 7 * MINUTE), (9 * HOUR, 6 * MINUTE)]
    {
        let from = until - before;
        if from > start {
            all.push(Episode { from, to: from + length, what: What::Nobody });
        }
    }
    all
}

/// What the last day has for the first few, so that there is something of everything to see.
fn lately(index: usize, signs: bool, until: i64) -> Vec<(i64, i64, What)> {
    let ago = |hours: i64, minutes: i64| until - hours * HOUR - minutes * MINUTE;
    match index % 10 {
        0 if signs => vec![(ago(7, 0) + 15_000, 20_000, What::Death)],
        1 => vec![(ago(5, 0), 40 * MINUTE, What::Slow(1450))],
        2 if index < 10 => vec![(ago(0, 25), HOUR, What::Down(Failure::Refused))],
        3 => vec![(ago(11, 0), 12 * MINUTE, What::Down(Failure::Timeout))],
        4 => vec![(ago(15, 0), HOUR, What::MaintenanceWindow)],
        5 if index < 10 => vec![(ago(0, 8), HOUR, What::Slow(2100))],
        _ => Vec::new(),
    }
}
