//! Assesses a recorded series second by second, and counts the verdicts.

use heapbeat_forecast::{Forecaster, Point, Verdict};
use heapbeat_shared::series::{self, SeriesError};

use crate::process::Scenario;

/// Seconds between two assessments. In the first minute there is one every second.
const INTERVAL: usize = 5;

/// The head of the table whose rows [`VerdictCounts::format_row`] formats.
pub const TABLE_HEAD: &str = "| scenario | steady | growing | leaking | fragmenting | unknown | right | ever leaking (first at) |\n\
                              |---|---|---|---|---|---|---|---|";

/// The verdicts of all runs of one scenario.
#[derive(Debug, Default)]
pub struct VerdictCounts {
    runs: usize,
    /// Number of runs by their last verdict, in the order of [`Verdict::ALL`].
    verdicts: [usize; 5],
    /// Number of runs whose last verdict is right.
    right: usize,
    /// Second of the first verdict `leaking`, for each run that had one.
    first_leaking: Vec<usize>,
}

impl VerdictCounts {
    /// Adds a run, and returns its last verdict. `block` is the series as the report encodes it.
    ///
    /// # Errors
    /// Returns an error if the series cannot be decoded.
    pub fn add_run(&mut self, scenario: &Scenario, block: &[u8]) -> Result<Verdict, SeriesError> {
        let samples = series::decode(block)?.samples;
        let (mut forecaster, mut first) = (Forecaster::new(), None);
        for (second, sample) in samples.iter().enumerate() {
            forecaster.push(Point::from(sample));
            let due = second < 60 || second % INTERVAL == 0;
            if due && first.is_none() && forecaster.assess(scenario.limit).verdict == Verdict::Leaking {
                first = Some(second);
            }
        }
        let last = forecaster.assess(scenario.limit).verdict;
        self.runs += 1;
        self.verdicts[Verdict::ALL.iter().position(|verdict| *verdict == last).unwrap_or_default()] += 1;
        self.right += usize::from(scenario.expected.contains(&last));
        self.first_leaking.extend(first);
        self.first_leaking.sort_unstable();
        Ok(last)
    }

    /// Returns the second of the earliest verdict `leaking`, if there was one.
    pub fn first_leaking(&self) -> Option<usize> {
        self.first_leaking.first().copied()
    }

    /// Formats a row of the table.
    pub fn format_row(&self, scenario: &Scenario) -> String {
        let [steady, growing, leaking, fragmenting, unknown] = self.verdicts;
        let first = match &self.first_leaking[..] {
            [] => String::new(),
            first => format!(" ({} s, median {} s)", first[0], first[first.len() / 2]),
        };
        format!(
            "| {} | {steady} | {growing} | {leaking} | {fragmenting} | {unknown} | {}/{} | {}{first} |",
            scenario.name,
            self.right,
            self.runs,
            self.first_leaking.len()
        )
    }
}
