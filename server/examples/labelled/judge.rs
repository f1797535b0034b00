//! Judges a series as it would have been judged as it came, and counts.
#![allow(dead_code)]

use heapbeat_forecast::{Forecaster, Point, Verdict};
use heapbeat_shared::series;
use heapbeat_shared::series::SeriesError;

use super::process::Scenario;

/// Seconds between two looks; in the first minute there is one every second.
const EVERY: usize = 5;

/// One scenario over all seeds.
#[derive(Debug, Default)]
pub(crate) struct Row {
    runs: usize,
    /// In the order of [`Verdict::ALL`].
    verdicts: [usize; 5],
    pub(crate) right: usize,
    /// Second of the first `leaking`, per run that had one.
    pub(crate) first: Vec<usize>,
}

impl Row {
    pub(crate) const HEAD: &str = "| scenario | steady | growing | leaking | fragmenting | unknown | right | ever leaking (first at) |\n\
                                   |---|---|---|---|---|---|---|---|";

    /// Takes in one run; `block` is the series as the report carries it.
    pub(crate) fn judge(&mut self, scenario: &Scenario, block: &[u8]) -> Result<Verdict, SeriesError> {
        let samples = series::decode(block)?.samples;
        let (mut forecaster, mut first) = (Forecaster::new(), None);
        for (second, sample) in samples.iter().enumerate() {
            forecaster.push(Point::from(sample));
            let look = second < 60 || second % EVERY == 0;
            if look && first.is_none() && forecaster.assess(scenario.limit).verdict == Verdict::Leaking {
                first = Some(second);
            }
        }
        let last = forecaster.assess(scenario.limit).verdict;
        self.runs += 1;
        self.verdicts[Verdict::ALL.iter().position(|verdict| *verdict == last).unwrap_or_default()] += 1;
        self.right += usize::from(scenario.right.contains(&last));
        self.first.extend(first);
        Ok(last)
    }

    /// A line of the table.
    pub(crate) fn told(&mut self, scenario: &Scenario) -> String {
        let [steady, growing, leaking, fragmenting, unknown] = self.verdicts;
        self.first.sort_unstable();
        let first = match &self.first[..] {
            [] => String::new(),
            first => format!(" ({} s, median {} s)", first[0], first[first.len() / 2]),
        };
        format!(
            "| {} | {steady} | {growing} | {leaking} | {fragmenting} | {unknown} | {}/{} | {}{first} |",
            scenario.name,
            self.right,
            self.runs,
            self.first.len()
        )
    }
}
