//! What the forecaster says of real processes whose truth is known: the table of `docs/forecast.md`.
//!
//! `cargo run --release -p heapbeat --example labelled_runs [SEEDS [SCENARIO...]]` (scenarios by number) starts a process for each scenario and seed, reads
//! its series as the report carries it, and judges it as it would have been judged as it came.

#[path = "labelled/judge.rs"]
mod judge;
#[path = "labelled/process.rs"]
mod process;

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};

use judge::Row;
use process::{MALLOC_CONF, SCENARIOS, live};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Processes at the same time.
const AT_ONCE: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, scenario, seed] = &arguments[..]
        && child == "child"
    {
        let block = live(&SCENARIOS[scenario.parse::<usize>()?], seed.parse()?);
        return Ok(std::io::stdout().write_all(&block)?);
    }
    let seeds: u64 = arguments.first().map_or(Ok(20), |text| text.parse())?;
    let wanted: Vec<usize> = arguments.iter().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    println!("{}", Row::HEAD);
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        if !wanted.is_empty() && !wanted.contains(&index) {
            continue;
        }
        let mut row = Row::default();
        let all: Vec<u64> = (0..seeds).collect();
        for some in all.chunks(AT_ONCE) {
            let children = some.iter().map(|seed| start(index, *seed)).collect::<Result<Vec<_>, _>>()?;
            for child in children {
                let output = child.wait_with_output()?;
                if !output.status.success() {
                    return Err(format!("{}: a process ended with {}", scenario.name, output.status).into());
                }
                row.judge(scenario, &output.stdout)?;
            }
        }
        println!("{}", row.told(scenario));
    }
    Ok(())
}

fn start(scenario: usize, seed: u64) -> std::io::Result<std::process::Child> {
    Command::new(std::env::current_exe()?)
        .args(["child", &scenario.to_string(), &seed.to_string()])
        .env("_RJEM_MALLOC_CONF", MALLOC_CONF)
        .stdout(Stdio::piped())
        .spawn()
}
