//! Prints a table of `docs/forecast.md`: `cargo run --release -p heapbeat-labeled-runs [SEEDS [SCENARIO...]]`.
//!
//! It starts a process for each scenario and seed. The process writes the series of its own memory, encoded as in the report, to standard
//! output. The series is then assessed second by second. Scenarios are selected by number.

use std::error::Error;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use heapbeat_labeled_runs::process::{MALLOC_CONF, SCENARIOS, run_scenario};
use heapbeat_labeled_runs::verdict_counts::{TABLE_HEAD, VerdictCounts};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Number of processes that run at the same time.
const CONCURRENCY: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, scenario, seed] = &arguments[..]
        && child == "child"
    {
        let block = run_scenario(&SCENARIOS[scenario.parse::<usize>()?], seed.parse()?);
        return Ok(std::io::stdout().write_all(&block)?);
    }
    let seeds: u64 = arguments.first().map_or(Ok(20), |text| text.parse())?;
    let selected: Vec<usize> = arguments.iter().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    println!("{TABLE_HEAD}");
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        if !selected.is_empty() && !selected.contains(&index) {
            continue;
        }
        let mut counts = VerdictCounts::default();
        let seeds: Vec<u64> = (0..seeds).collect();
        for batch in seeds.chunks(CONCURRENCY) {
            let children =
                batch.iter().map(|seed| start_child(index, *seed)).collect::<Result<Vec<_>, _>>()?;
            for child in children {
                let output = child.wait_with_output()?;
                if !output.status.success() {
                    return Err(format!("{}: a process exited with {}", scenario.name, output.status).into());
                }
                counts.add_run(scenario, &output.stdout)?;
            }
        }
        println!("{}", counts.format_row(scenario));
    }
    Ok(())
}

/// Starts this program again as the process of a scenario, as jemalloc's figures are those of a whole process.
fn start_child(scenario: usize, seed: u64) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["child", &scenario.to_string(), &seed.to_string()])
        .env("_RJEM_MALLOC_CONF", MALLOC_CONF)
        .stdout(Stdio::piped())
        .spawn()
}
