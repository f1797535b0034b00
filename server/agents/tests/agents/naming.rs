//! How often the leaking function is named first, after how much memory, and whether healthy programs are accused: `make bench
//! BENCH=agent-naming`. It takes minutes, so it is no test.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::shapes::{NODE_HEALTHY, NODE_LEAKS, PYTHON_HEALTHY, PYTHON_LEAKS};
use super::support::{Guard, nodes, program, pythons};

/// Runs of each program.
const RUNS: usize = 20;

/// Time for a verdict.
const PATIENCE: Duration = Duration::from_secs(60);

/// Length of a recording of the Python agent.
const RECORDING_SECONDS: u32 = 4;

/// Requests for holders from each healthy Node program in each run.
const REQUESTS: usize = 8;

/// The results of one shape.
#[derive(Default)]
struct Tally {
    first: usize,
    other: usize,
    nothing: usize,
    /// Megabytes that the program held when the function was named, and seconds since its start.
    megabytes: Vec<u64>,
    seconds: Vec<f64>,
}

impl Tally {
    fn print(&mut self, runtime: &str, shape: &str) {
        self.megabytes.sort_unstable();
        self.seconds.sort_unstable_by(f64::total_cmp);
        let middle = self.megabytes.len() / 2;
        let largest = self.megabytes.last().copied().unwrap_or(0);
        println!(
            "{runtime:<8}{shape:<12}named first {:>2} of {RUNS}, another function {}, none {}; at {:>3} MB (median), {largest:>3} MB (most), {:>4.1} s",
            self.first,
            self.other,
            self.nothing,
            self.megabytes.get(middle).copied().unwrap_or(0),
            self.seconds.get(middle).copied().unwrap_or(0.0),
        );
    }
}

/// Runs all leaking programs of a runtime side by side, until each has a function named.
fn measure_leaks(
    runtime: &Path,
    file: &str,
    leaks: &[(&'static str, &'static str)],
    tallies: &mut BTreeMap<&'static str, Tally>,
) {
    let mut guard = Guard::new();
    let mut pids = BTreeMap::new();
    for (shape, function) in leaks {
        let pid = guard.spawn(guard.command(runtime, &[&program(file), shape]));
        guard.wait_for_sample(pid);
        guard.server.as_mut().unwrap().request_holders(pid, RECORDING_SECONDS);
        pids.insert(pid, (*shape, *function));
    }
    let begun = Instant::now();
    while !pids.is_empty() && begun.elapsed() < PATIENCE {
        guard.serve(Duration::from_millis(50));
        pids.retain(|pid, (shape, function)| {
            let Some(process) = guard.registry.process(*pid) else { return true };
            let Some(named) = process.growing(Instant::now()).into_iter().next() else { return true };
            let tally = tallies.entry(*shape).or_default();
            if named.function.ends_with(*function) && named.file.ends_with(file) {
                tally.first += 1;
            } else {
                println!("{shape}: {named:?}");
                tally.other += 1;
            }
            let held = process.sample.as_ref().and_then(|(sample, _)| {
                let objects =
                    sample.heap_used.zip(sample.array_buffers).map(|(heap, buffers)| heap + buffers);
                objects.or(sample.rss)
            });
            tally.megabytes.push(held.unwrap_or(0) >> 20);
            tally.seconds.push(begun.elapsed().as_secs_f64());
            false
        });
    }
    for (shape, _) in pids.values() {
        tallies.entry(*shape).or_default().nothing += 1;
    }
}

/// Runs all healthy programs of a runtime side by side, and returns how many were accused.
fn measure_healthy(runtime: &Path, file: &str, shapes: &[&str], requests: usize, seconds: u32) -> usize {
    let mut guard = Guard::new();
    let pids: Vec<(u32, &str)> = shapes
        .iter()
        .map(|shape| (guard.spawn(guard.command(runtime, &[&program(file), shape])), *shape))
        .collect();
    for (pid, _) in &pids {
        guard.wait_for_sample(*pid);
        // A program that is still loading its data grows.
        let mut before = 0;
        while guard.resident(*pid).abs_diff(before) > 1 << 20 {
            before = guard.resident(*pid);
            guard.serve_for(Duration::from_secs(1));
        }
    }
    let mut accused = BTreeMap::new();
    for _ in 0..requests {
        for (pid, _) in &pids {
            guard.server.as_mut().unwrap().request_holders(*pid, seconds);
        }
        guard.serve_for(Duration::from_millis(700) + Duration::from_secs(seconds.into()));
        for (pid, shape) in &pids {
            let process = guard.registry.process(*pid).unwrap();
            if let Some(named) = process.growing(Instant::now()).into_iter().next() {
                accused.insert(*shape, named);
            }
        }
    }
    if !accused.is_empty() {
        println!("accused: {accused:?}");
    }
    accused.len()
}

#[test]
#[ignore = "a measurement of several minutes"]
fn naming_in_node() {
    let nodes = nodes();
    let node = nodes.first().unwrap();
    println!("{}, samples every 0.1 s instead of every second", node.display());
    let (mut tallies, mut accused) = (BTreeMap::new(), 0);
    for _ in 0..RUNS {
        measure_leaks(node, "leaks.cjs", &NODE_LEAKS, &mut tallies);
        accused += measure_healthy(node, "healthy.cjs", &NODE_HEALTHY, REQUESTS, 0);
    }
    for (shape, tally) in &mut tallies {
        tally.print("Node", shape);
    }
    println!("Node    healthy: {accused} of {} runs of ten programs accused", RUNS * NODE_HEALTHY.len());
}

#[test]
#[ignore = "a measurement of several minutes"]
fn naming_in_python() {
    let pythons = pythons();
    // That of the middle of the range.
    let python = pythons.get(pythons.len() / 2).unwrap();
    println!("{}, recordings of {RECORDING_SECONDS} s", python.display());
    let (mut tallies, mut accused) = (BTreeMap::new(), 0);
    for _ in 0..RUNS {
        measure_leaks(python, "leaks.py", &PYTHON_LEAKS, &mut tallies);
        accused += measure_healthy(python, "healthy.py", &PYTHON_HEALTHY, 1, RECORDING_SECONDS);
    }
    for (shape, tally) in &mut tallies {
        tally.print("Python", shape);
    }
    println!("Python  healthy: {accused} of {} runs of three programs accused", RUNS * PYTHON_HEALTHY.len());
}
