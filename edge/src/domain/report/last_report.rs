//! The last signed report of a heapbeat server, and what is new in the next one.
//!
//! Continuity is proven, not assumed. A sample belongs to an instance and has a sequence number, so samples that are missing
//! between two reports are known to be missing, and duplicates are dropped. Another instance means a restart, even if both probes
//! found everything in order.

use std::time::Duration;

use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::forecast::Assessment;
use heapbeat_shared::report::describe_top_route;
use heapbeat_shared::series::{MAX_SAMPLES, Series};
use heapbeat_shared::{Bytes, Cursor, InstanceId, Pressure, Sample, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::history::ledger::StateSegment;
use crate::domain::history::rollup::Tier;
use crate::domain::report::exit_matching::{InstanceExit, KnownExits, OpenRestart, PreviousInstance};
use crate::domain::report::traffic::TrafficSummary;
use crate::domain::report::verification::VerifiedReport;

/// How far the server's clock may be from the tick's before its times are shifted. A signed response proves that the server's clock
/// and the edge's are within a minute; a cron may come some minutes late. Beyond that the tick's clock is that of a test.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(15 * 60);

/// The maximum length of a version that is kept, in bytes; a commit has 40.
const MAX_VERSION: usize = 64;

/// The shortest time between two samples: that of a server under the highest pressure.
const MIN_SAMPLE_INTERVAL: Duration = Duration::from_millis(50);

/// The samples that a report may have beyond those of the time since the report before it, as responses are not equally late.
const EXTRA_SAMPLES: usize = 600;

/// The part of the last report that is kept. All instants are of the tick's clock.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LastReport {
    /// The instant of the tick that received it.
    #[n(0)]
    pub at: UnixMillis,
    /// The instance.
    #[n(1)]
    pub instance: InstanceId,
    /// The version of the build.
    #[n(2)]
    pub version: String,
    /// When the instance started.
    #[n(3)]
    pub started: UnixMillis,
    /// What is added to the server's clock to give the tick's, in milliseconds; nearly always 0.
    #[n(4)]
    pub clock_shift: i64,
    /// The last sample that the edge has.
    #[n(5)]
    pub cursor: Option<Cursor>,
    /// The memory limit in force.
    #[n(6)]
    pub limit: Bytes,
    /// The memory pressure.
    #[n(7)]
    pub pressure: Pressure,
    /// Since when this pressure holds.
    #[n(8)]
    pub pressure_since: UnixMillis,
    /// The leak verdict and forecast.
    #[n(9)]
    pub forecast: Assessment,
    /// The last sample.
    #[n(10)]
    pub latest: Sample,
    /// The instant of the newest known event.
    #[n(11)]
    pub newest_event: UnixMillis,
    /// The last event that announces the end of this instance.
    #[n(12)]
    pub shutdown_event: Option<Event>,
    /// The route that explains most of the growth of memory, if one does: `POST /upload, 24 MB/h`.
    #[n(13)]
    pub top_route: Option<String>,
    /// The restarts whose exit is not known yet, as the previous instance still drains; oldest first.
    #[n(14)]
    pub open_restarts: Option<Vec<OpenRestart>>,
    /// The requests to a guarded program.
    #[n(15)]
    pub traffic: Option<TrafficSummary>,
}

/// Consecutive samples of one instance. All instants are of the tick's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRun {
    /// The instance.
    pub instance: InstanceId,
    /// The samples, and the sequence number of the first.
    pub series: Series,
}

/// What is new in a report. All instants are of the tick's clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportDelta {
    /// New samples, oldest first: those that the previous instance could not report any more, then those of this one.
    pub runs: Vec<SampleRun>,
    /// The number of samples that are missing before them.
    pub missing: u64,
    /// New events, oldest first.
    pub events: Vec<Event>,
    /// The starts of other instances since the last report, oldest first.
    pub restarts: Vec<UnixMillis>,
    /// The exits that this report made known, each with its restart, in the order of time.
    pub exits: Vec<InstanceExit>,
    /// Time between two instances that the reports prove to be down or unobserved.
    pub gaps: Vec<StateSegment>,
}

impl LastReport {
    /// Converts a report that the tick at `at` received, and compares it with the report `before` it.
    pub fn from_report(
        before: Option<&LastReport>,
        verified: &VerifiedReport,
        at: UnixMillis,
    ) -> (LastReport, ReportDelta) {
        let report = &verified.report;
        let clock_shift = clock_shift(before.map_or(0, |last| last.clock_shift), report.now, at);
        let to_tick_clock = |instant| shifted(instant, clock_shift);
        let same = before.filter(|last| last.instance == report.instance);
        let ended = before.filter(|last| last.instance != report.instance);
        let mut delta = ReportDelta::default();
        let cursor = same.and_then(|last| last.cursor);
        let mut own = delta.select_new(cursor, verified.series.clone(), clock_shift, at);
        let max_samples = max_samples(before, at);
        delta.keep_newest(&mut own, max_samples);
        if let (Some(last), Some(left)) = (ended, &report.last_samples)
            && left.instance == last.instance
            && let Ok(series) = left.samples.series()
        {
            let mut series = delta.select_new(last.cursor, series, clock_shift, at);
            delta.keep_newest(&mut series, max_samples - own.samples.len());
            delta.add_run(last.instance, series);
        }
        delta.add_run(report.instance, own);

        // By the server's own clock, so that an event is new once even if the shift changes.
        let newest = before.map(|last| last.newest_event.0.saturating_sub(last.clock_shift));
        delta.events = report
            .events
            .iter()
            .filter(|event| newest.is_none_or(|newest| event.at.0 > newest))
            .map(|event| Event { at: to_tick_clock(event.at), kind: event.kind.clone() })
            .collect();
        let mut last_report = LastReport {
            at,
            instance: report.instance,
            version: report.version[..report.version.floor_char_boundary(MAX_VERSION)].to_owned(),
            started: to_tick_clock(report.started),
            clock_shift,
            cursor: report.cursor().or(cursor),
            limit: report.limit.bytes,
            pressure: report.pressure.level,
            pressure_since: to_tick_clock(report.pressure.since),
            forecast: report.forecast,
            latest: Sample { at: to_tick_clock(report.latest.at), ..report.latest },
            newest_event: UnixMillis(0),
            shutdown_event: same.and_then(|last| last.shutdown_event.clone()),
            top_route: describe_top_route(&report.routes),
            open_restarts: None,
            traffic: report.traffic.as_ref().map(TrafficSummary::from),
        };
        let known = UnixMillis(newest.unwrap_or(i64::MIN / 2).saturating_add(clock_shift));
        last_report.newest_event = delta.events.iter().map(|event| event.at).fold(known, UnixMillis::max);
        let mut events = delta.events.iter().rev();
        if let Some(event) = events.find(|event| announces_shutdown(&event.kind)) {
            last_report.shutdown_event = Some(event.clone());
        }
        let known = KnownExits::of(report, clock_shift);
        let open = before.and_then(|last| last.open_restarts.clone()).unwrap_or_default();
        let (mut open, late) = known.settle(open);
        delta.exits = late;
        if let Some(last) = ended {
            let runs = delta.runs.iter().filter(|run| run.instance == last.instance);
            let samples = runs.filter_map(|run| run.series.samples.last()).map(|sample| sample.at);
            let last_alive = samples.fold(last.last_alive(), UnixMillis::max);
            let previous = PreviousInstance { report: last, last_alive };
            known.add_restart(previous, &last_report, &mut open, &mut delta);
        }
        delta.exits.sort_by_key(|it| it.exit.at);
        last_report.open_restarts = Some(open).filter(|open| !open.is_empty());
        (last_report, delta)
    }

    /// Returns the last instant at which the instance is known to have run: an instance that was not measured yet had just started.
    pub fn last_alive(&self) -> UnixMillis {
        if self.latest.is_absent() { self.started } else { self.latest.at }
    }
}

impl ReportDelta {
    /// Returns the samples that come after `cursor`, by the tick's clock, and counts those that are missing before them. Samples of the
    /// future, or older than the history, count as missing.
    fn select_new(
        &mut self,
        cursor: Option<Cursor>,
        mut series: Series,
        clock_shift: i64,
        at: UnixMillis,
    ) -> Series {
        let missing = cursor.map_or(0, |cursor| series.keep_after(cursor.sequence));
        self.missing = self.missing.saturating_add(missing);
        for sample in &mut series.samples {
            sample.at = shifted(sample.at, clock_shift);
        }
        let plausible = at.minus(Tier::Second.retention())..=at.plus(MAX_CLOCK_DIFFERENCE);
        if !series.samples.iter().all(|sample| plausible.contains(&sample.at)) {
            self.keep_newest(&mut series, 0);
        }
        series
    }

    /// Drops the oldest samples beyond `count`; they count as missing.
    fn keep_newest(&mut self, series: &mut Series, count: usize) {
        let dropped = series.samples.len().saturating_sub(count);
        series.skip(dropped);
        self.missing = self.missing.saturating_add(dropped as u64);
    }

    fn add_run(&mut self, instance: InstanceId, series: Series) {
        if !series.samples.is_empty() {
            self.runs.push(SampleRun { instance, series });
        }
    }
}

/// Returns the most samples that the time since the report `before` allows. More are those of a server that lies: the history of a day
/// would not fit into the memory of the hub.
fn max_samples(before: Option<&LastReport>, at: UnixMillis) -> usize {
    let Some(before) = before else { return MAX_SAMPLES };
    let taken = at.since(before.at).as_millis() / MIN_SAMPLE_INTERVAL.as_millis();
    usize::try_from(taken).unwrap_or(usize::MAX).saturating_add(EXTRA_SAMPLES).min(2 * MAX_SAMPLES)
}

/// Whether an event announces the end of its instance.
fn announces_shutdown(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Stop { .. } | EventKind::Recycle { .. } | EventKind::Shutdown)
}

fn shifted(instant: UnixMillis, clock_shift: i64) -> UnixMillis {
    UnixMillis(instant.0.saturating_add(clock_shift))
}

/// What has to be added to the server's clock to give the tick's. The shift `before` stays for as long as it is near enough.
fn clock_shift(before: i64, server: UnixMillis, tick: UnixMillis) -> i64 {
    let difference = tick.0.saturating_sub(server.0);
    let error = difference.saturating_sub(before).unsigned_abs();
    if u128::from(error) <= MAX_CLOCK_DIFFERENCE.as_millis() { before } else { difference }
}

#[cfg(test)]
pub(crate) mod tests;
