//! Three of the scenarios of `cargo run --release -p heapbeat-labeled-runs`.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::process::{Command, Stdio};

use heapbeat_forecast::Verdict;
use heapbeat_labeled_runs::process::{MALLOC_CONF, SCENARIOS, run_scenario};
use heapbeat_labeled_runs::verdict_counts::VerdictCounts;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Variable that makes this test program the process of a scenario: its index, the seed, and the file for the series.
const CHILD: &str = "LABELED_RUN";

/// The process of a scenario. It is a test only because it has to run in a process of its own, as jemalloc's figures are those of a whole
/// process.
#[test]
fn child_process() {
    let Ok(value) = std::env::var(CHILD) else { return };
    let [scenario, seed, path] = value.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{value}") };
    let block = run_scenario(&SCENARIOS[scenario.parse::<usize>().unwrap()], seed.parse().unwrap());
    std::fs::write(path, block).unwrap();
}

#[test]
fn leaking_processes_are_called_leaking_and_a_steady_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    for (name, leaks) in [("steady", false), ("slow leak, 1 MB/min", true), ("fast leak, 20 MB/s", true)] {
        let index = SCENARIOS.iter().position(|scenario| scenario.name == name).unwrap();
        let path = directory.path().join(index.to_string());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process"])
            .env(CHILD, format!("{index} 0 {}", path.display()))
            .env("_RJEM_MALLOC_CONF", MALLOC_CONF)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        let mut counts = VerdictCounts::default();
        let last = counts.add_run(&SCENARIOS[index], &std::fs::read(&path).unwrap()).unwrap();
        println!("{}", counts.format_row(&SCENARIOS[index]));
        let ever_leaking = counts.first_leaking().is_some();
        assert_eq!((last == Verdict::Leaking, ever_leaking), (leaks, leaks), "{name}: {last:?}");
    }
}
