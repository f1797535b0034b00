//! All that the hub remembers about one monitor, and what one more probe makes of it.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::{HealthMemory, Statement, UnixMillis};
use minicbor::{Decode, Encode};

use super::incident::{IncidentTracker, RECORDED};
use super::{ProbeSkipped, State};
use crate::config::Monitor;
use crate::domain::check::flap;
use crate::domain::check::flap::FlapDetector;
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::quorum::{RegionVerdict, outcome};
use crate::domain::check::schedule;
use crate::domain::check::threshold::ThresholdState;
use crate::domain::check::verdict::{Evaluation, Verdict, evaluate};
use crate::domain::history::days;
use crate::domain::history::days::Day;
use crate::domain::history::latency::RecentLatency;
use crate::domain::history::ledger::{Ledger, LedgerChanges, Validity};
use crate::domain::history::memory_chart::MemoryChart;
use crate::domain::history::uptime;
use crate::domain::history::uptime::WINDOWS;
use crate::domain::report::last_report::{LastReport, ReportDelta, SampleRun};
use crate::domain::report::restart::{REMEMBERED, UptimeReading};
use crate::domain::report::verification::VerifiedReport;
use crate::domain::report::version_comparison::VersionComparison;
use crate::domain::snapshot::{ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot};

/// The part that changes with every probe; the hub stores that of all monitors in one row.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct PersistedState {
    /// Where it stands between two probes.
    #[n(0)]
    pub standing: ThresholdState,
    /// The last probe's word.
    #[n(1)]
    pub word: Option<Validity>,
    /// The last probe's verdict.
    #[n(2)]
    pub verdict: Option<Verdict>,
    /// How long the last answer took, in milliseconds.
    #[n(3)]
    pub latency_ms: Option<u32>,
    /// The last memory figures, and the tick that read them.
    #[n(4)]
    pub memory: Option<(HealthMemory, UnixMillis)>,
    /// The last uptime that was told.
    #[n(5)]
    pub heard: Option<UptimeReading>,
    /// When the present process started, by the tick's clock.
    #[n(6)]
    pub started: Option<UnixMillis>,
    /// Restarts that were seen, oldest first, at most [`REMEMBERED`].
    #[n(7)]
    pub restarts: VecDeque<UnixMillis>,
    /// The last signed report.
    #[n(8)]
    pub told: Option<LastReport>,
    /// How the instance before the present one ended.
    #[n(9)]
    pub ending: Option<ExitSummary>,
    /// The first of the ticks, up to the last one, in which the edge could not see.
    #[n(10)]
    pub blind: Option<UnixMillis>,
    /// Its turns between serving and down.
    #[n(11)]
    pub flaps: Option<FlapDetector>,
    /// When instances ended that nobody had asked to, oldest first, at most [`REMEMBERED`].
    #[n(12)]
    pub crashes: Option<VecDeque<UnixMillis>>,
    /// Memory of this version and the one before.
    #[n(13)]
    pub growth: Option<VersionComparison>,
    /// How the last instances ended, oldest first, at most [`REMEMBERED`].
    #[n(14)]
    pub endings: Option<VecDeque<ExitRecord>>,
}

/// That an instance ended: what of an [`Exit`] is kept of those before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ExitRecord {
    /// When it was last heard of.
    #[n(0)]
    pub at: UnixMillis,
    /// How.
    #[n(1)]
    pub kind: ExitKind,
    /// Whether the evidence decides.
    #[n(2)]
    pub sure: bool,
}

/// One monitor: its memo, its ledger and its chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MonitorState {
    /// What changes with every probe.
    pub memo: PersistedState,
    /// Which state held when.
    pub ledger: Ledger,
    /// Memory over the last day.
    pub chart: MemoryChart,
    /// Latencies of the last day.
    pub lately: RecentLatency,
    /// Its incident, open or closed lately.
    pub incidents: IncidentTracker,
    /// The samples of the last minutes, for the recording before an incident.
    pub recent: VecDeque<SampleRun>,
    /// What the eyes found last; not kept, as the next probe brings it again.
    pub voices: Vec<RegionVerdict>,
}

/// What a probe came to.
#[derive(Clone, Debug, PartialEq)]
pub struct StateUpdate {
    /// The verdict and the figures.
    pub evaluation: Evaluation,
    /// What the ledger asks the store to write.
    pub changes: LedgerChanges,
    /// Whether the process that answered is another one than before.
    pub restarted: bool,
    /// What is new in its report, where it signed one.
    pub news: ReportDelta,
}

impl MonitorState {
    /// Takes in what the probe of the tick at `at` brought back. `announced`: it was announced that somebody works on it.
    /// `floor`: nothing is probed more often than this at present.
    pub fn take(
        &mut self,
        monitor: &Monitor,
        probed: &ProbeResult,
        at: UnixMillis,
        announced: bool,
        floor: Duration,
    ) -> StateUpdate {
        let mut evaluation = evaluate(monitor, &probed.result);
        self.voices.retain(|voice| monitor.regions.contains(&voice.region));
        evaluation.verdict = outcome(evaluation.verdict, &self.voices);
        self.memo.verdict = Some(evaluation.verdict);
        let blind = evaluation.verdict == Verdict::Skipped(ProbeSkipped::EdgeOffline);
        self.memo.blind = blind.then(|| self.memo.blind.unwrap_or(at));
        let Some(vote) = evaluation.verdict.vote() else {
            return StateUpdate {
                evaluation,
                changes: self.ledger.lapse(at),
                restarted: false,
                news: ReportDelta::default(),
            };
        };
        let worked_on = self.ledger.current(at).is_some_and(|entry| entry.state == State::Maintenance);
        if !announced {
            let gap = self.ledger.lapsed(at) || worked_on;
            self.memo.standing = self.memo.standing.next(vote, gap, monitor.thresholds);
        }
        let state = if announced { State::Maintenance } else { self.memo.standing.state() };
        let word = Validity { at, until: at.plus(schedule::vouching(monitor.interval.max(floor))) };
        let mut changes = self.ledger.record(word, state);
        self.memo.word = self.ledger.word();
        self.memo.flaps.get_or_insert_default().take(state, at);
        self.memo.latency_ms = evaluation.latency_ms;
        self.answered(at, evaluation.latency_ms);
        let (mut restarted, mut news) = (false, ReportDelta::default());
        if let Some(health) = evaluation.health {
            self.memo.memory = Some((health.memory, at));
            let heard = UptimeReading { at: probed.heard, uptime: health.uptime };
            if let Some(signed) = probed.result.as_ref().ok().and_then(|answer| answer.report.as_deref()) {
                (restarted, news) = self.hear_report(signed, at);
                self.memo.heard = Some(heard);
                for stretch in &news.away {
                    changes = changes.and(self.ledger.amend(*stretch));
                }
            } else {
                restarted = self.hear(heard, at);
            }
            self.draw(at, health.memory, &news.runs);
        }
        StateUpdate { evaluation, changes, restarted, news }
    }

    /// Takes in a signed report; says whether it is another instance's than the last.
    fn hear_report(&mut self, signed: &VerifiedReport, at: UnixMillis) -> (bool, ReportDelta) {
        let (told, news) = LastReport::hear(self.memo.told.as_ref(), signed, at);
        let restarted = news.ending.is_some();
        if restarted {
            remember(&mut self.memo.restarts, told.started);
        }
        let before_our_time = || {
            let previous = signed.report.previous_exit.clone()?;
            Some(Exit { at: UnixMillis(previous.at.0.saturating_add(told.shift)), ..previous })
        };
        if restarted || self.memo.ending.is_none() {
            self.memo.ending = news.ending.clone().or_else(before_our_time).as_ref().map(ExitSummary::from);
        }
        if let Some(&Exit { at, kind, sure, .. }) = news.ending.as_ref() {
            remember(self.memo.endings.get_or_insert_default(), ExitRecord { at, kind, sure });
            if kind.is_failure() {
                remember(self.memo.crashes.get_or_insert_default(), at);
            }
        }
        let growth = self.memo.growth.get_or_insert_default();
        let own = |run: &&SampleRun| run.instance == told.instance;
        if let (Some(last), Some(left)) = (&self.memo.told, news.runs.iter().find(|run| !own(run))) {
            growth.take(last, Some(left));
        }
        growth.take(&told, news.runs.iter().find(own));
        self.memo.started = Some(told.started);
        self.memo.told = Some(told);
        (restarted, news)
    }

    /// Takes figures into the chart: every sample of a report, or what the answer told.
    pub fn draw(&mut self, at: UnixMillis, memory: HealthMemory, runs: &[SampleRun]) {
        if runs.is_empty() {
            self.chart.add(at, memory);
        }
        for run in runs {
            self.recent.push_back(run.clone());
            let old = at.minus(RECORDED.saturating_mul(2));
            self.recent.retain(|run| run.series.samples.last().is_some_and(|last| last.at >= old));
            run.series.samples.iter().for_each(|sample| self.chart.add(sample.at, sample.to_health_memory()));
        }
    }

    /// Takes in how long the answer of the tick at `at` took, where there was one.
    pub fn answered(&mut self, at: UnixMillis, latency_ms: Option<u32>) {
        if let Some(ms) = latency_ms {
            self.lately.add(at, ms);
        }
    }

    /// Since when it flaps.
    pub fn flapping(&self) -> Option<UnixMillis> {
        self.memo.flaps.as_ref()?.since
    }

    /// Takes in an uptime; says whether it is that of another process than before.
    fn hear(&mut self, heard: UptimeReading, at: UnixMillis) -> bool {
        let started = at.minus(Duration::from_secs(heard.uptime));
        let restarted = self.memo.heard.is_some_and(|before| heard.restarted_since(before));
        if restarted {
            remember(&mut self.memo.restarts, started);
        }
        if restarted || self.memo.started.is_none() {
            self.memo.started = Some(started);
        }
        self.memo.heard = Some(heard);
        restarted
    }

    /// What there is to say about the state. Once the last probe's word has run out, what that probe found is
    /// no longer the reason of anything; what keeps us from looking is.
    fn reason(&self, now: UnixMillis) -> Option<Statement> {
        let verdict = self.memo.verdict?;
        if self.ledger.current(now).is_some_and(|entry| entry.state == State::Maintenance) {
            return Some(Statement::under_maintenance());
        }
        if self.ledger.lapsed(now) && verdict.vote().is_some() {
            return Some(Statement::no_recent_data());
        }
        verdict.statement().or_else(|| self.flapping().map(|_| flap::statement()))
    }

    /// The last 90 days at `now`, oldest first.
    pub fn days(&self, now: UnixMillis) -> Vec<Day> {
        days::days(self.ledger.segments(now), now)
    }

    /// What the public sees of it at `now`.
    pub fn view(&self, monitor: &Monitor, now: UnixMillis) -> MonitorSnapshot {
        let current = self.ledger.current(now);
        let state = match current.map_or(State::Unobserved, |entry| entry.state) {
            State::Up if self.flapping().is_some() => State::Degraded,
            state => state,
        };
        MonitorSnapshot {
            id: monitor.id.as_str().to_owned(),
            name: monitor.name.clone(),
            group: monitor.group.clone(),
            state,
            since: current.map_or(now, |entry| entry.from),
            reason: self.reason(now),
            latency_ms: self.memo.latency_ms,
            uptime: WINDOWS
                .iter()
                .map(|(name, window)| uptime::over(name, *window, self.ledger.segments(now), now))
                .collect(),
            latencies: self.lately.points(now),
            days: self.days(now),
            memory: self.memo.memory.map(|(figures, at)| MemorySnapshot {
                figures,
                limit: self.memo.told.as_ref().map(|told| told.limit.to_megabytes()),
                pressure: self.memo.told.as_ref().map(|told| told.pressure),
                at,
            }),
            started: self.memo.started,
            restarts: self.memo.restarts.iter().copied().collect(),
            last_exit: self.memo.ending.clone(),
            forecast: self.memo.told.as_ref().map(ForecastSnapshot::from),
            chart: self.chart.points(now),
            voices: self.voices.clone(),
        }
    }
}

/// Keeps the last [`REMEMBERED`].
fn remember<T>(list: &mut VecDeque<T>, item: T) {
    list.push_back(item);
    while list.len() > REMEMBERED {
        list.pop_front();
    }
}
