//! The confusion matrix of all scenarios.

use std::fmt;

use heapbeat_forecast::{Forecaster, Verdict};
use heapbeat_shared::Bytes;

use crate::process::{SCENARIOS, Scenario, without_heap};

/// The verdicts on one scenario with all seeds.
pub struct MatrixRow {
    /// The name of the scenario.
    pub name: &'static str,
    /// Number of runs by their last verdict, in the order of [`Verdict::ALL`].
    verdicts: [usize; 5],
    /// Number of runs whose last verdict is right.
    pub right: usize,
    /// Number of runs that were ever called leaking.
    pub ever_leaking: usize,
    /// Second of the first verdict `leaking`, for each run that had one.
    first_leaking: Vec<u64>,
    /// Number of assessments, and of those with the verdict `leaking`.
    assessments: (usize, usize),
}

/// The confusion matrix.
pub struct Matrix {
    seeds: u64,
    /// A row per scenario.
    pub rows: Vec<MatrixRow>,
}

impl Matrix {
    /// Runs all scenarios with an assessment every `interval` seconds, every second of the first minute, and at the end. `total_only`
    /// hides the figures of the heap.
    pub fn measure(seeds: u64, interval: u64, total_only: bool) -> Matrix {
        Matrix {
            seeds,
            rows: SCENARIOS
                .iter()
                .map(|scenario| measure_scenario(scenario, seeds, interval, total_only))
                .collect(),
        }
    }
}

fn measure_scenario(scenario: &Scenario, seeds: u64, interval: u64, total_only: bool) -> MatrixRow {
    let mut row = MatrixRow {
        name: scenario.name,
        verdicts: [0; 5],
        right: 0,
        ever_leaking: 0,
        first_leaking: Vec::new(),
        assessments: (0, 0),
    };
    let limit = Bytes::from_mb(scenario.limit_mb);
    // The total alone does not show which part grows, so that both verdicts on growth are right.
    let unsplit = [Verdict::Leaking, Verdict::Growing];
    let split = scenario.right == [Verdict::Fragmenting] || scenario.right == [Verdict::Growing];
    let right = if total_only && split { &unsplit } else { scenario.right };
    for seed in 0..seeds {
        let mut process = (scenario.process)(seed);
        let mut forecaster = Forecaster::new();
        let mut first = None;
        let end = (scenario.seconds)(seed);
        for second in 0..=end {
            let point = process.point_at(second as f64);
            forecaster.push(if total_only { without_heap(point) } else { point });
            if second % interval == 0 || second < 60 {
                let leaking = forecaster.assess(limit).verdict == Verdict::Leaking;
                row.assessments.0 += 1;
                row.assessments.1 += usize::from(leaking);
                if leaking {
                    first.get_or_insert(second);
                }
            }
        }
        let last = forecaster.assess(limit).verdict;
        row.verdicts[Verdict::ALL.iter().position(|verdict| *verdict == last).unwrap_or_default()] += 1;
        row.right += usize::from(right.contains(&last));
        row.ever_leaking += usize::from(first.is_some());
        row.first_leaking.extend(first);
    }
    row.first_leaking.sort_unstable();
    row
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Verdict::ALL.map(Verdict::as_str);
        writeln!(f, "| {:30} | {} | right | ever leaking (first at) |", "scenario", words.join(" | "))?;
        writeln!(f, "|{}|", ["---"; 8].join("|"))?;
        for row in &self.rows {
            let counts: Vec<String> = row
                .verdicts
                .iter()
                .zip(words)
                .map(|(count, word)| format!("{count:>width$}", width = word.len()))
                .collect();
            let first = match row.first_leaking.as_slice() {
                [] => String::new(),
                first => format!(
                    " ({} s, median {} s, {:.2} % of assessments)",
                    first[0],
                    first[first.len() / 2],
                    100.0 * row.assessments.1 as f64 / row.assessments.0 as f64
                ),
            };
            writeln!(
                f,
                "| {:30} | {} | {:>2}/{} | {:>3}{first} |",
                row.name,
                counts.join(" | "),
                row.right,
                self.seeds,
                row.ever_leaking
            )?;
        }
        Ok(())
    }
}
