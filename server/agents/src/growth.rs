//! From reports of holders to the functions whose memory grows.
//!
//! A report holds the live bytes of the largest functions after a full collection, and how many of them survived from the report before;
//! `rule` decides from the survivors. They are judged only as long as reports keep coming, as agents report while memory grows.
//!
//! A sampler sees only what is allocated after its start. A cache that was full by then and replaces its entries seems to grow until all of
//! them are sampled; so a function does not grow where the process as a whole does not.
//!
//! Where an agent records allocations for a while, one report is enough: it holds what was allocated meanwhile and is still held, and
//! the agent corrects its growth by what the process as a whole grew.

mod rule;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use self::rule::{FunctionMemory, MIN_VALUES, judge};
use crate::protocol::{Holder, HolderReport};

/// Number of reports that are kept, so that what a function held and let go is known for a while.
const WINDOW: usize = 64;

/// Maximum number of functions that are kept; those that held least are dropped.
const MAX_PLACES: usize = 64;

/// Maximum number of functions of one report that are kept.
const MAX_HOLDERS: usize = 16;

/// Longest name of a function, and longest path, that is kept; in characters.
const MAX_TEXT: usize = 300;

/// Least growth of the process, as a share of the growth of the function. It is measured between the lowest values of the two halves of
/// a run, which is at least half of it if it is even.
const MIN_PROCESS_SHARE: f64 = 0.25;

/// Time after the last report until its verdict expires; twice the longest pause between the last reports if that is longer.
const VALIDITY: Duration = Duration::from_secs(30);

/// Least growth in bytes for each second of a recording, up to the seconds given: a busy program is recorded for half a second only. And the
/// least growth as a share of the bytes recorded.
const MIN_RECORDED_RATE: f64 = (256 << 10) as f64;
const MAX_RECORDED_SECONDS: f64 = 4.0;
const MIN_RECORDED_SHARE: f64 = 0.25;

/// A function by its place in the source.
type Place = (String, String, u32);

/// When a report arrived, and the bytes of the process if they are known.
#[derive(Debug)]
struct KeptReport {
    at: Instant,
    held: Option<u64>,
}

/// The memory of one function at each report that is kept. A report that leaves a function out counts as 0: it held less than those
/// in it.
type Series = VecDeque<FunctionMemory>;

/// A function whose live memory grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowingHolder {
    /// The function's name.
    pub function: String,
    /// Path of its file; empty for the runtime's own code.
    pub file: String,
    /// Line in that file, from 1; 0 if unknown.
    pub line: u32,
    /// Live bytes at the last report.
    pub bytes: u64,
    /// Growth over the reports.
    pub growth: u64,
    /// Time over which it grew.
    pub span: Duration,
}

/// The last reports of one process.
#[derive(Debug, Default)]
pub struct HolderHistory {
    reports: VecDeque<KeptReport>,
    functions: HashMap<Place, Series>,
    recorded: Option<(Instant, Vec<GrowingHolder>)>,
}

impl HolderHistory {
    /// Records a report.
    pub fn record(&mut self, report: &HolderReport, now: Instant) {
        if let Some(seconds) = report.seconds {
            self.recorded = Some((now, growing_in_recording(&report.holders, seconds)));
            return;
        }
        if report.holders.is_empty() {
            return;
        }
        if self.reports.len() == WINDOW {
            self.reports.pop_front();
            for series in self.functions.values_mut() {
                series.pop_front();
            }
        }
        self.add_values(&report.holders);
        self.reports.push_back(KeptReport { at: now, held: report.held });
        self.forget_small_functions();
    }

    fn add_values(&mut self, holders: &[Holder]) {
        for series in self.functions.values_mut() {
            series.push_back(FunctionMemory::default());
        }
        for holder in holders.iter().take(MAX_HOLDERS) {
            let place = (cut(&holder.function), cut(&holder.file), holder.line);
            let count = self.reports.len() + 1;
            let missing = || std::iter::repeat_n(FunctionMemory::default(), count).collect();
            if let Some(last) = self.functions.entry(place).or_insert_with(missing).back_mut() {
                last.live += holder.bytes as f64;
                last.survived += holder.survived.unwrap_or(holder.bytes) as f64;
            }
        }
    }

    fn forget_small_functions(&mut self) {
        let largest = |series: &Series| series.iter().map(|it| it.live).fold(0.0, f64::max);
        self.functions.retain(|_, series| largest(series) > 0.0);
        while self.functions.len() > MAX_PLACES {
            let smallest = self.functions.iter().min_by(|(_, a), (_, b)| largest(a).total_cmp(&largest(b)));
            let Some(place) = smallest.map(|(place, _)| place.clone()) else { break };
            self.functions.remove(&place);
        }
    }

    /// Returns the functions that grow, the fastest first.
    pub fn growing(&self, now: Instant) -> Vec<GrowingHolder> {
        if let Some((at, growing)) = &self.recorded
            && now.saturating_duration_since(*at) <= VALIDITY
        {
            return growing.clone();
        }
        let Some(last) = self.reports.back().map(|report| report.at) else { return Vec::new() };
        if now.saturating_duration_since(last) > self.validity() {
            return Vec::new();
        }
        let mut growing: Vec<GrowingHolder> =
            self.functions.iter().filter_map(|(place, series)| self.growth_of(place, series, last)).collect();
        growing.sort_by(|a, b| b.growth.cmp(&a.growth).then_with(|| a.function.cmp(&b.function)));
        growing
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and from integers"
    )]
    fn growth_of(&self, place: &Place, series: &Series, last: Instant) -> Option<GrowingHolder> {
        let series: Vec<FunctionMemory> = series.iter().copied().collect();
        let (growth, length) = judge(&series)?;
        let begin = self.reports.len() - length;
        if self.process_growth(begin).is_some_and(|process| process < MIN_PROCESS_SHARE * growth) {
            return None;
        }
        let (function, file, line) = place.clone();
        let span = last - self.reports.get(begin)?.at;
        let bytes = series.last()?.live as u64;
        Some(GrowingHolder { function, file, line, bytes, growth: growth as u64, span })
    }

    /// How much the process has grown since the report at `begin`, as far as it is known: from the least that it held in the first half of
    /// the reports to the least in the second, as other memory of it may come and go.
    fn process_growth(&self, begin: usize) -> Option<f64> {
        let held: Option<Vec<u64>> = self.reports.iter().skip(begin).map(|report| report.held).collect();
        let held = held?;
        let (first, second) = held.split_at(held.len() / 2);
        Some(*second.iter().min()? as f64 - *first.iter().min()? as f64)
    }

    /// Time after the last report until its verdict expires.
    fn validity(&self) -> Duration {
        let times = || self.reports.iter().rev().take(MIN_VALUES).map(|report| report.at);
        let longest = times().zip(times().skip(1)).map(|(after, before)| after - before).max();
        longest.map_or(VALIDITY, |pause| VALIDITY.max(2 * pause))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

fn growing_in_recording(holders: &[Holder], seconds: f64) -> Vec<GrowingHolder> {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let least = MIN_RECORDED_RATE * seconds.clamp(0.0, MAX_RECORDED_SECONDS);
    let is_growing = |holder: &&Holder| {
        holder.growth as f64 >= least.max(1.0)
            && holder.growth as f64 >= MIN_RECORDED_SHARE * holder.bytes as f64
    };
    let mut growing: Vec<GrowingHolder> = holders
        .iter()
        .take(MAX_HOLDERS)
        .filter(is_growing)
        .map(|holder| GrowingHolder {
            function: cut(&holder.function),
            file: cut(&holder.file),
            line: holder.line,
            bytes: holder.bytes,
            growth: holder.growth.unsigned_abs(),
            span,
        })
        .collect();
    growing.sort_by_key(|holder| std::cmp::Reverse(holder.growth));
    growing
}

#[cfg(test)]
mod tests;
