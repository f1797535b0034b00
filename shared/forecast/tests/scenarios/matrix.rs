//! The confusion matrix over all scenarios.
#![allow(dead_code)]

use std::fmt;

use heapbeat_forecast::{Forecaster, Verdict};
use heapbeat_shared::Bytes;

use super::scenarios::{SCENARIOS, Scenario, single};

/// One scenario over all seeds.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) leaks: bool,
    /// Runs that ended in each verdict, in the order of [`Verdict::ALL`].
    pub(crate) verdicts: [usize; 5],
    /// Runs whose last verdict is among the right ones.
    pub(crate) right: usize,
    /// Runs that were called leaking at any look.
    pub(crate) ever_leaking: usize,
    /// Second of the first `leaking`, per run that had one.
    pub(crate) first: Vec<u64>,
    /// Looks, and those of them that said leaking.
    pub(crate) looks: (usize, usize),
}

/// All of them.
pub(crate) struct Matrix {
    pub(crate) seeds: u64,
    pub(crate) rows: Vec<Row>,
}

impl Matrix {
    /// A look every `every` seconds, every second of the first minute, and one at the end.
    pub(crate) fn run(seeds: u64, every: u64, one_figure: bool) -> Matrix {
        Matrix {
            seeds,
            rows: SCENARIOS.iter().map(|scenario| row(scenario, seeds, every, one_figure)).collect(),
        }
    }
}

fn row(scenario: &Scenario, seeds: u64, every: u64, one_figure: bool) -> Row {
    let mut row = Row {
        name: scenario.name,
        leaks: scenario.leaks,
        verdicts: [0; 5],
        right: 0,
        ever_leaking: 0,
        first: Vec::new(),
        looks: (0, 0),
    };
    let limit = Bytes::from_mb(scenario.limit_mb);
    // Where memory grows is not to be told from one figure; that it does is right.
    let unsplit = [Verdict::Leaking, Verdict::Growing];
    let split = scenario.right == [Verdict::Fragmenting] || scenario.right == [Verdict::Growing];
    let right = if one_figure && split { &unsplit } else { scenario.right };
    for seed in 0..seeds {
        let mut process = (scenario.process)(seed);
        let mut forecaster = Forecaster::new();
        let mut first = None;
        let end = (scenario.seconds)(seed);
        for second in 0..=end {
            let point = process.at(second as f64);
            forecaster.push(if one_figure { single(point) } else { point });
            if second % every == 0 || second < 60 {
                let leaking = forecaster.assess(limit).verdict == Verdict::Leaking;
                row.looks.0 += 1;
                row.looks.1 += usize::from(leaking);
                if leaking {
                    first.get_or_insert(second);
                }
            }
        }
        let last = forecaster.assess(limit).verdict;
        row.verdicts[Verdict::ALL.iter().position(|verdict| *verdict == last).unwrap_or_default()] += 1;
        row.right += usize::from(right.contains(&last));
        row.ever_leaking += usize::from(first.is_some());
        row.first.extend(first);
    }
    row.first.sort_unstable();
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
            let first = match row.first.as_slice() {
                [] => String::new(),
                first => format!(
                    " ({} s, median {} s, {:.2} % of looks)",
                    first[0],
                    first[first.len() / 2],
                    100.0 * row.looks.1 as f64 / row.looks.0 as f64
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
