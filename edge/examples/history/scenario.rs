//! Scenarios: the outages, slow hours, maintenance, crashes and unobserved time of each monitor.

use fastrand::Rng;
use heapbeat_edge::domain::Failure;
use heapbeat_edge::monitor_config::{Monitor, MonitorId, MonitorKind};

use crate::memory::Instances;
use crate::{DAY, HOUR, HistoryRequest, MINUTE, last_day};

/// The kind of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EpisodeKind {
    /// Probes fail like this.
    Down(Failure),
    /// A `degraded` condition fails, with this latency in milliseconds.
    Slow(u32),
    /// The monitor is under announced maintenance.
    Maintenance,
    /// The backend is starting.
    Waking,
    /// There are no ticks.
    Unobserved,
    /// Memory runs full: the instance is killed at the beginning and restarted at the end, between two ticks.
    Crash,
}

/// An episode, in Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) kind: EpisodeKind,
}

/// The scenario of one monitor.
pub(crate) struct Scenario {
    pub(crate) id: MonitorId,
    pub(crate) kind: MonitorKind,
    /// The monitor's index.
    pub(crate) index: usize,
    /// Since when it is monitored.
    pub(crate) since: i64,
    /// The episodes, oldest first, without overlap.
    pub(crate) episodes: Vec<Episode>,
    /// The instances behind it, if it signs reports.
    pub(crate) instances: Option<Instances>,
}

impl Scenario {
    /// Returns the episode at an instant; `None` if all is well.
    pub(crate) fn episode_at(&self, at: i64) -> Option<Episode> {
        self.episodes.iter().copied().find(|it| it.from <= at && at < it.to)
    }

    /// Returns the latency at an instant in milliseconds: every monitor has another base, days are slower, and some responses are slow.
    pub(crate) fn latency(&self, at: i64) -> u32 {
        let mut random = seeded_random(self.index as u64, at);
        let base = 12 + (self.index as u64 * 37) % 180;
        let by_day = if (7..19).contains(&(at.rem_euclid(DAY) / HOUR)) { base / 3 } else { 0 };
        let tail = if random.u64(..25) == 0 { base * 2 } else { 0 };
        u32::try_from(base + by_day + tail + random.u64(..base / 4 + 3)).unwrap_or(u32::MAX)
    }
}

/// Makes a generator whose numbers depend on a monitor's index and an instant only.
pub(crate) fn seeded_random(index: u64, at: i64) -> Rng {
    Rng::with_seed(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ at.unsigned_abs().rotate_left(17))
}

/// The mean number of days between two episodes, by the monitor's index.
const DAYS_BETWEEN_EPISODES: [u64; 6] = [45, 7, 18, 3, 30, 11];

/// Generates the scenarios of all monitors.
pub(crate) fn generate_all(request: &HistoryRequest) -> Vec<Scenario> {
    let mut reports = 0;
    let mut scenarios = Vec::new();
    for (index, monitor) in request.config.monitors.iter().enumerate() {
        let signs = monitor.kind() == MonitorKind::Heapbeat && reports < request.memory;
        reports += usize::from(signs);
        scenarios.push(generate(index, monitor, signs, request.span));
    }
    scenarios
}

/// Generates the scenario of one monitor.
fn generate(index: usize, monitor: &Monitor, signs: bool, (start, until): (i64, i64)) -> Scenario {
    // Every seventh monitor is new.
    let since = if index % 7 == 6 { start.max(until - 21 * DAY + 7 * HOUR) } else { start };
    let mut episodes = unobserved_time(start, until);
    let mut add = |from: i64, length: i64, kind| {
        let it = Episode { from, to: from + length, kind };
        let free =
            episodes.iter().all(|other: &Episode| it.to + HOUR <= other.from || other.to + HOUR <= it.from);
        if free && it.from >= since + HOUR && it.from <= until {
            episodes.push(it);
        }
    };
    let minutes = |n: i64| n * MINUTE;
    for (at, length, kind) in recent_episodes(index, signs, until) {
        add(at, length, kind);
    }
    let day = |n: i64| start - start.rem_euclid(DAY) + n * DAY;
    for n in 0..(until - start) / DAY {
        if day(n) + DAY > last_day::first_tick((start, until)) {
            continue;
        }
        if index.is_multiple_of(2) && n % 28 == 5 {
            add(day(n) + 2 * HOUR, minutes(60), EpisodeKind::Maintenance);
        }
        if signs && (n + i64::try_from(index).unwrap_or(0)) % 9 == 4 {
            add(day(n) + 15 * HOUR + minutes(3) + 15_000, 20_000, EpisodeKind::Crash);
        }
        let mut random = seeded_random(index as u64, n);
        if random.u64(..DAYS_BETWEEN_EPISODES[index % DAYS_BETWEEN_EPISODES.len()]) != 0 {
            continue;
        }
        let at = day(n) + minutes(240 + random.i64(0..900));
        let length = minutes(2 + random.i64(0..88));
        // Failures of a connection come first, then those of a response.
        let failures = [
            Failure::ConnectionRefused,
            Failure::Timeout,
            Failure::Dns,
            Failure::Status(503),
            Failure::Status(500),
            Failure::Tls,
        ];
        let most = if monitor.kind() == MonitorKind::Tcp { 3 } else { 6 };
        let failure = failures[random.usize(..most)];
        match random.u64(..5) {
            0 | 1 => add(at, length, EpisodeKind::Slow(random.u32(900..2900))),
            2 if monitor.kind() == MonitorKind::Heapbeat => add(at, minutes(2), EpisodeKind::Waking),
            _ => add(at, length, EpisodeKind::Down(failure)),
        }
    }
    episodes.sort_by_key(|it| it.from);
    let instances = signs.then(|| Instances::new(index, since, until, &episodes));
    Scenario { id: monitor.id.clone(), kind: monitor.kind(), index, since, episodes, instances }
}

/// Unobserved time of all monitors.
fn unobserved_time(start: i64, until: i64) -> Vec<Episode> {
    let mut all = Vec::new();
    for (before, length) in
        [(61 * DAY, 12 * HOUR), (33 * DAY, 40 * MINUTE), (12 * DAY, 7 * MINUTE), (9 * HOUR, 6 * MINUTE)]
    {
        let from = until - before;
        if from > start {
            all.push(Episode { from, to: from + length, kind: EpisodeKind::Unobserved });
        }
    }
    all
}

/// Episodes of the last day of the first monitors, so that every kind is shown.
fn recent_episodes(index: usize, signs: bool, until: i64) -> Vec<(i64, i64, EpisodeKind)> {
    let ago = |hours: i64, minutes: i64| until - hours * HOUR - minutes * MINUTE;
    match index % 10 {
        0 if signs => vec![(ago(7, 0) + 15_000, 20_000, EpisodeKind::Crash)],
        1 => vec![(ago(5, 0), 40 * MINUTE, EpisodeKind::Slow(1450))],
        2 if index < 10 => vec![(ago(0, 25), HOUR, EpisodeKind::Down(Failure::ConnectionRefused))],
        3 => vec![(ago(11, 0), 12 * MINUTE, EpisodeKind::Down(Failure::Timeout))],
        4 => vec![(ago(15, 0), HOUR, EpisodeKind::Maintenance)],
        5 if index < 10 => vec![(ago(0, 8), HOUR, EpisodeKind::Slow(2100))],
        _ => Vec::new(),
    }
}
