//! From reports of holders to the functions whose memory grows.
//!
//! A report holds the live bytes of the largest functions after a full collection. Sampling makes them uncertain: the standard
//! deviation of `b` bytes sampled at a mean distance `d` is about `sqrt(b * d)`. A function is growing if its bytes rose from report
//! to report by more than that, over at least three reports, and rose at the end as well; and only as long as reports keep coming,
//! as agents report while memory grows.
//!
//! A sampler sees only what is allocated after its start. A cache that was full by then and replaces its entries seems to grow until all of
//! them are sampled; so a function does not grow where the process as a whole does not.
//!
//! Where an agent records allocations for a while, one report is enough: it holds what was allocated meanwhile and is still held, and
//! the agent corrects its growth by what the process as a whole grew.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::protocol::{Holder, HolderReport};

/// Number of reports that are kept.
const WINDOW: usize = 8;

/// Number of reports from which on a function can be named.
const MIN_REPORTS: usize = 3;

/// Mean distance between two samples of an agent, in bytes.
const SAMPLE_INTERVAL: f64 = 512.0 * 1024.0;

/// Growth in standard deviations of sampling, below which it may be chance.
const SIGNIFICANCE: f64 = 4.0;

/// Least growth in bytes.
const MIN_GROWTH: f64 = 8.0 * 1024.0 * 1024.0;

/// Share of the growth that the last report must have added, per report, compared with the mean.
const MIN_LAST_SHARE: f64 = 0.25;

/// Least growth of the process, as a share of the growth of the function.
const MIN_PROCESS_SHARE: f64 = 0.5;

/// Time after the last report until its verdict expires; twice the longest pause between reports if that is longer.
const VALIDITY: Duration = Duration::from_secs(30);

/// Least growth in bytes within one recording, and as a share of the bytes recorded.
const MIN_RECORDED_GROWTH: i64 = 1 << 20;
const MIN_RECORDED_SHARE: f64 = 0.25;

/// A function by its place in the source.
type Place = (String, String, u32);

/// A report: the bytes of each function, and those of the process if they are known.
#[derive(Debug)]
struct KeptReport {
    at: Instant,
    bytes: HashMap<Place, u64>,
    held: Option<u64>,
}

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
    recorded: Option<(Instant, Vec<GrowingHolder>)>,
}

impl HolderHistory {
    /// Records a report.
    pub fn record(&mut self, report: &HolderReport, now: Instant) {
        if let Some(seconds) = report.seconds {
            self.recorded = Some((now, growing_in_recording(&report.holders, seconds)));
            return;
        }
        let holders = &report.holders;
        if holders.is_empty() {
            return;
        }
        let mut bytes = HashMap::new();
        for holder in holders {
            let place = (holder.function.clone(), holder.file.clone(), holder.line);
            let sum: &mut u64 = bytes.entry(place).or_default();
            *sum = sum.saturating_add(holder.bytes);
        }
        self.reports.push_back(KeptReport { at: now, bytes, held: report.held });
        if self.reports.len() > WINDOW {
            self.reports.pop_front();
        }
    }

    /// Returns the functions that grow, the fastest first.
    pub fn growing(&self, now: Instant) -> Vec<GrowingHolder> {
        if let Some((at, growing)) = &self.recorded
            && now.saturating_duration_since(*at) <= VALIDITY
        {
            return growing.clone();
        }
        let (Some(first), Some(last)) = (self.reports.front(), self.reports.back()) else {
            return Vec::new();
        };
        let times = self.reports.iter().map(|report| report.at);
        let longest = times.clone().zip(times.skip(1)).map(|(before, after)| after - before).max();
        let validity = longest.map_or(VALIDITY, |pause| VALIDITY.max(2 * pause));
        if self.reports.len() < MIN_REPORTS || now.saturating_duration_since(last.at) > validity {
            return Vec::new();
        }
        let process_growth = first.held.zip(last.held).map(|(before, after)| after.saturating_sub(before));
        let mut growing: Vec<GrowingHolder> = last
            .bytes
            .iter()
            .filter_map(|(place, &bytes)| {
                let growth = judge(&self.series(place))?;
                if process_growth.is_some_and(|process| (process as f64) < MIN_PROCESS_SHARE * growth as f64)
                {
                    return None;
                }
                let (function, file, line) = place.clone();
                Some(GrowingHolder { function, file, line, bytes, growth, span: last.at - first.at })
            })
            .collect();
        growing.sort_by(|a, b| b.growth.cmp(&a.growth).then_with(|| a.function.cmp(&b.function)));
        growing
    }

    /// The bytes of a function in all reports. One that a report leaves out held less than those in it: 0.
    fn series(&self, place: &Place) -> Vec<f64> {
        self.reports.iter().map(|report| report.bytes.get(place).map_or(0.0, |bytes| *bytes as f64)).collect()
    }
}

fn growing_in_recording(holders: &[Holder], seconds: f64) -> Vec<GrowingHolder> {
    let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let is_growing = |holder: &&Holder| {
        holder.growth >= MIN_RECORDED_GROWTH
            && holder.growth as f64 >= MIN_RECORDED_SHARE * holder.bytes as f64
    };
    let mut growing: Vec<GrowingHolder> = holders
        .iter()
        .filter(is_growing)
        .map(|holder| GrowingHolder {
            function: holder.function.clone(),
            file: holder.file.clone(),
            line: holder.line,
            bytes: holder.bytes,
            growth: holder.growth.unsigned_abs(),
            span,
        })
        .collect();
    growing.sort_by_key(|holder| std::cmp::Reverse(holder.growth));
    growing
}

/// Returns the growth of a series in bytes if it is growing.
fn judge(series: &[f64]) -> Option<u64> {
    let (&first, &last, &before_last) = (series.first()?, series.last()?, series.get(series.len() - 2)?);
    let growth = last - first;
    let noise = |bytes: f64| (bytes * SAMPLE_INTERVAL).sqrt();
    let rises = series.windows(2).all(|step| step[1] - step[0] >= -noise(step[0]));
    let mean_step = growth / (series.len() - 1) as f64;
    let is_growing = growth >= MIN_GROWTH.max(SIGNIFICANCE * noise(last))
        && rises
        && last - before_last >= MIN_LAST_SHARE * mean_step;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and from integers"
    )]
    is_growing.then_some(growth as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(reports: &[&[(&str, u64)]], age: u64) -> Vec<String> {
        let begun = Instant::now();
        let mut history = HolderHistory::default();
        let mut now = begun;
        for report in reports {
            let holders: Vec<Holder> = report
                .iter()
                .map(|(function, megabytes)| Holder {
                    function: (*function).into(),
                    file: "a.js".into(),
                    line: 1,
                    bytes: megabytes << 20,
                    growth: 0,
                })
                .collect();
            history.record(&HolderReport { holders, held: None, seconds: None }, now);
            now += Duration::from_secs(10);
        }
        let now = now + Duration::from_secs(age);
        history.growing(now).into_iter().map(|it| it.function).collect()
    }

    #[test]
    fn the_function_that_grows_fastest_comes_first() {
        let reports: &[&[(&str, u64)]] =
            &[&[("cache", 50)], &[("cache", 51), ("slow", 9), ("fast", 20)], &[("fast", 40), ("slow", 18)]];
        assert_eq!(names(reports, 0), ["fast", "slow"]);
    }

    #[test]
    fn a_function_that_holds_much_and_does_not_grow_is_not_named() {
        assert!(
            names(&[&[("cache", 100)], &[("cache", 104)], &[("cache", 102)], &[("cache", 108)]], 0)
                .is_empty()
        );
    }

    #[test]
    fn a_warm_up_that_has_ended_is_not_named() {
        let reports: &[&[(&str, u64)]] =
            &[&[("load", 20)], &[("load", 80)], &[("load", 120)], &[("load", 121)], &[("load", 121)]];
        assert!(names(reports, 0).is_empty());
    }

    #[test]
    fn a_sawtooth_is_not_named() {
        let reports: &[&[(&str, u64)]] =
            &[&[("batch", 10)], &[("batch", 60)], &[("batch", 12)], &[("batch", 40)], &[("batch", 70)]];
        assert!(names(reports, 0).is_empty());
    }

    #[test]
    fn two_reports_name_nobody() {
        assert!(names(&[&[("load", 20)], &[("load", 80)]], 0).is_empty());
    }

    #[test]
    fn one_recording_names_what_the_process_as_a_whole_grew_by() {
        let holder = |function: &str, bytes, growth| Holder {
            function: function.into(),
            file: "a.py".into(),
            line: 1,
            bytes,
            growth,
        };
        let begun = Instant::now();
        let mut history = HolderHistory::default();
        let holders = vec![holder("cache", 50 << 20, 1 << 20), holder("leak", 9 << 20, 8 << 20)];
        history.record(&HolderReport { holders, held: None, seconds: Some(30.0) }, begun);
        let names = |now| history.growing(now).into_iter().map(|it| it.function).collect::<Vec<_>>();
        assert_eq!(names(begun), ["leak"]);
        assert!(names(begun + Duration::from_secs(31)).is_empty());
    }

    #[test]
    fn a_verdict_expires_when_reports_stop() {
        let reports: &[&[(&str, u64)]] = &[&[("leak", 20)], &[("leak", 40)], &[("leak", 60)]];
        assert_eq!(names(reports, 0), ["leak"]);
        assert!(names(reports, 60).is_empty());
    }

    #[test]
    fn a_function_does_not_grow_where_the_process_does_not() {
        let begun = Instant::now();
        for (process_grows, expected) in [(false, 0), (true, 1)] {
            let mut history = HolderHistory::default();
            for n in 0..4u64 {
                let holder = Holder {
                    function: "cache".into(),
                    file: "app.js".into(),
                    line: 1,
                    bytes: (n * 10) << 20,
                    growth: 0,
                };
                let held = Some((100 + if process_grows { n * 10 } else { n % 2 }) << 20);
                history.record(&HolderReport { holders: vec![holder], held, seconds: None }, begun);
            }
            assert_eq!(history.growing(begun).len(), expected, "{process_grows}");
        }
    }
}
