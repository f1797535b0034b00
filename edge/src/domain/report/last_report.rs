//! What a heapbeat server told in its last signed report, and what is new in the next one.
//!
//! Continuity is proven, not assumed: a sample belongs to an instance and has a number in it, so what is missing
//! between two reports is known to be missing, what comes twice is dropped, and another instance is a restart even
//! though both probes found everything in order.

use std::time::Duration;

use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::forecast::Assessment;
use heapbeat_shared::report::describe_top_route;
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, Cursor, InstanceId, Pressure, Sample, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::history::ledger::StateSegment;
use crate::domain::report::exit;
use crate::domain::report::restart_gap::{InstanceLifetime, away};
use crate::domain::report::verification::VerifiedReport;

/// How far the server's clock may be from the tick's before its times are moved. A signed answer proves that the two
/// clocks are within a minute; a cron may come late by some minutes more. Beyond that the tick's clock is a test's.
const CLOCKS_APART: Duration = Duration::from_secs(15 * 60);

/// Longest version that is kept, in bytes: a commit has 40.
const LONGEST_VERSION: usize = 64;

/// The last report, as far as it is worth keeping. All instants are the tick's clock.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct LastReport {
    /// The tick that heard it.
    #[n(0)]
    pub at: UnixMillis,
    /// Who answered.
    #[n(1)]
    pub instance: InstanceId,
    /// Which build.
    #[n(2)]
    pub version: String,
    /// When the instance started.
    #[n(3)]
    pub started: UnixMillis,
    /// What was added to the server's clock to give the tick's, in milliseconds; nearly always 0.
    #[n(4)]
    pub shift: i64,
    /// The last sample that we hold.
    #[n(5)]
    pub cursor: Option<Cursor>,
    /// The memory limit in force.
    #[n(6)]
    pub limit: Bytes,
    /// Where the ladder stands.
    #[n(7)]
    pub pressure: Pressure,
    /// Since when.
    #[n(8)]
    pub pressure_since: UnixMillis,
    /// Whether it leaks.
    #[n(9)]
    pub forecast: Assessment,
    /// The last reading.
    #[n(10)]
    pub latest: Sample,
    /// The newest event that was seen.
    #[n(11)]
    pub seen: UnixMillis,
    /// The last event that says that this instance is about to end.
    #[n(12)]
    pub leaving: Option<Event>,
    /// The route that explains why memory grows, where one does: `POST /upload, 24 MB/h`.
    #[n(13)]
    pub grows: Option<String>,
}

/// Consecutive samples of one instance; times are the tick's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRun {
    /// Whose.
    pub instance: InstanceId,
    /// The samples and the number of the first.
    pub series: Series,
}

/// What is new in a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportDelta {
    /// Samples that we did not hold, oldest first: those that the instance before did not live to tell, then this one's.
    pub runs: Vec<SampleRun>,
    /// Samples that are missing right before them, in the same instance.
    pub missing: u64,
    /// Events that we did not know, oldest first; times are the tick's clock.
    pub events: Vec<Event>,
    /// How the instance before ended, where this report is another's than the last.
    pub ending: Option<Exit>,
    /// Time in which it was away, or may have been, as far as the two sides of a restart prove it.
    pub away: Vec<StateSegment>,
}

impl LastReport {
    /// Takes in a report heard by the tick at `at`. `before`: the last one.
    pub fn hear(
        before: Option<&LastReport>,
        signed: &VerifiedReport,
        at: UnixMillis,
    ) -> (LastReport, ReportDelta) {
        let report = &signed.report;
        let shift = shift(before.map_or(0, |told| told.shift), report.now, at);
        let move_clock = |instant| moved(instant, shift);
        let same = before.filter(|told| told.instance == report.instance);
        let ended = before.filter(|told| told.instance != report.instance);
        let mut news = ReportDelta::default();
        if let (Some(last), Some(left)) = (ended, &report.last_samples)
            && left.instance == last.instance
            && let Ok(series) = left.samples.series()
        {
            news.add(last.cursor, last.instance, series, shift);
        }
        news.add(same.and_then(|told| told.cursor), report.instance, signed.series.clone(), shift);

        // In the server's own clock, which an event keeps whatever the tick's does.
        let seen = before.map(|told| told.seen.0.saturating_sub(told.shift));
        news.events = report
            .events
            .iter()
            .filter(|event| seen.is_none_or(|seen| event.at.0 > seen))
            .map(|event| Event { at: move_clock(event.at), kind: event.kind.clone() })
            .collect();
        let mut told = LastReport {
            at,
            instance: report.instance,
            version: report.version[..report.version.floor_char_boundary(LONGEST_VERSION)].to_owned(),
            started: move_clock(report.started),
            shift,
            cursor: report.cursor().or(same.and_then(|told| told.cursor)),
            limit: report.limit.bytes,
            pressure: report.pressure.level,
            pressure_since: move_clock(report.pressure.since),
            forecast: report.forecast,
            latest: Sample { at: move_clock(report.latest.at), ..report.latest },
            seen: UnixMillis(0),
            leaving: same.and_then(|told| told.leaving.clone()),
            grows: describe_top_route(&report.routes),
        };
        let known = UnixMillis(seen.unwrap_or(i64::MIN / 2).saturating_add(shift));
        told.seen = news.events.iter().map(|event| event.at).fold(known, UnixMillis::max);
        if let Some(leaving) = news.events.iter().rev().find(|event| leaves(&event.kind)) {
            told.leaving = Some(leaving.clone());
        }
        news.ending = ended.map(|last| match &report.previous_exit {
            Some(previous) if previous.kind != ExitKind::Unknown => {
                Exit { at: move_clock(previous.at), ..previous.clone() }
            }
            _ => exit::infer(last, &told),
        });
        let previous = report.previous_exit.as_ref().map(|it| InstanceLifetime {
            instance: it.instance,
            started: it.started.map(move_clock),
            ended: move_clock(it.at),
        });
        if let (Some(last), Some(ending)) = (ended, &news.ending) {
            let left = news.runs.iter().filter(|run| run.instance == last.instance);
            let left = left.filter_map(|run| run.series.samples.last()).map(|sample| sample.at);
            let alive = left.fold(last.latest.at, UnixMillis::max);
            news.away = away(last.instance, alive, previous, told.started, ending.kind.is_failure());
        }
        (told, news)
    }
}

impl ReportDelta {
    /// Adds those of an instance's samples that come after `cursor`, and counts what is missing before them. `shift`: what is
    /// added to its clock.
    fn add(&mut self, cursor: Option<Cursor>, instance: InstanceId, mut series: Series, shift: i64) {
        let missing = cursor.map_or(0, |cursor| series.keep_after(cursor.sequence));
        self.missing = self.missing.saturating_add(missing);
        for sample in &mut series.samples {
            sample.at = moved(sample.at, shift);
        }
        if !series.samples.is_empty() {
            self.runs.push(SampleRun { instance, series });
        }
    }
}

/// Whether an event says that its instance is about to end.
fn leaves(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Stop { .. } | EventKind::Recycle { .. } | EventKind::Leave)
}

fn moved(instant: UnixMillis, shift: i64) -> UnixMillis {
    UnixMillis(instant.0.saturating_add(shift))
}

/// What has to be added to the server's clock: what it was, for as long as that is good enough.
fn shift(before: i64, server: UnixMillis, tick: UnixMillis) -> i64 {
    let apart = tick.0.saturating_sub(server.0);
    let good = apart.saturating_sub(before).unsigned_abs();
    if u128::from(good) <= CLOCKS_APART.as_millis() { before } else { apart }
}

#[cfg(test)]
pub(crate) mod tests;
