//! Real processes whose truth is known, judged from the report's own encoding of what they read about themselves: a small
//! form of `cargo run --release -p heapbeat --example labelled_runs`, whose table is in `docs/forecast.md`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../examples/labelled/judge.rs"]
mod judge;
#[path = "../examples/labelled/process.rs"]
mod process;

use std::process::Command;

use heapbeat_forecast::Verdict;
use judge::Row;
use process::{MALLOC_CONF, SCENARIOS, live};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Tells this program, started anew, what to be: a scenario, a seed, and a file for the series.
const LIFE: &str = "LABELLED_LIFE";

/// Not a test but the process of one: jemalloc's figures are those of a whole process.
#[test]
fn a_life() {
    let Ok(told) = std::env::var(LIFE) else { return };
    let [scenario, seed, path] = told.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{told}") };
    let block = live(&SCENARIOS[scenario.parse::<usize>().unwrap()], seed.parse().unwrap());
    std::fs::write(path, block).unwrap();
}

#[test]
fn a_leak_is_called_one_and_a_steady_process_is_not() {
    let directory = tempfile::tempdir().unwrap();
    for (name, leaks) in [("steady", false), ("slow leak, 1 MB/min", true), ("fast leak, 20 MB/s", true)] {
        let index = SCENARIOS.iter().position(|scenario| scenario.name == name).unwrap();
        let path = directory.path().join(index.to_string());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_life"])
            .env(LIFE, format!("{index} 0 {}", path.display()))
            .env("_RJEM_MALLOC_CONF", MALLOC_CONF)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{name}");
        let mut row = Row::default();
        let last = row.judge(&SCENARIOS[index], &std::fs::read(&path).unwrap()).unwrap();
        println!("{}", row.told(&SCENARIOS[index]));
        assert_eq!((last == Verdict::Leaking, !row.first.is_empty()), (leaks, leaks), "{name}: {last:?}");
    }
}
