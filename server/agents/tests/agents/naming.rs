//! How often the leaking function is named first, after how much memory, and whether healthy programs are accused: `make bench
//! BENCH=agent-naming`. It takes minutes, so it is no test. Each run is noted in a file below `target`, so that a measurement that was
//! interrupted goes on where it ended, unless the agents, the rule or the programs have changed meanwhile.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::shapes::{NODE_HEALTHY, NODE_LEAKS, PYTHON_HEALTHY, PYTHON_LEAKS};
use super::support::{Guard, nodes, program, pythons};

/// Runs of each program.
const RUNS: usize = 20;

/// Time for a verdict.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured of one runtime.
struct Suite {
    runtime: PathBuf,
    file: &'static str,
    leaks: &'static [(&'static str, &'static str)],
    healthy: &'static [&'static str],
    healthy_file: &'static str,
    /// Length of a recording; 0 for an agent that records always.
    seconds: u32,
    /// Requests for holders from each healthy program in each run.
    requests: usize,
}

/// The runs that are done: a line each, its fields separated by tabs.
struct Notes {
    path: PathBuf,
    lines: Vec<Vec<String>>,
}

impl Notes {
    /// Reads the notes of the same agents, rule and programs.
    fn read(runtime: &Path) -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut hasher = DefaultHasher::new();
        runtime.hash(&mut hasher);
        for file in [
            "node/heapbeat-agent.cjs",
            "python/heapbeat_agent.py",
            "src/growth.rs",
            "src/growth/rule.rs",
            "tests/programs/leaks.cjs",
            "tests/programs/healthy.cjs",
            "tests/programs/leaks.py",
            "tests/programs/healthy.py",
        ] {
            fs::read(package.join(file)).unwrap().hash(&mut hasher);
        }
        let folder = package.join("../../target/agent-naming");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{:016x}.tsv", hasher.finish()));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
        Notes { path, lines }
    }

    fn add(&mut self, fields: Vec<String>) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        writeln!(file, "{}", fields.join("\t")).unwrap();
        eprintln!("{}", fields.join(" "));
        self.lines.push(fields);
    }

    /// The lines of one program.
    fn of(&self, kind: &str, shape: &str) -> Vec<&[String]> {
        self.lines.iter().map(Vec::as_slice).filter(|line| line[0] == kind && line[1] == shape).collect()
    }
}

/// Runs leaking programs side by side until each has a function named, and notes for each: what was named, the megabytes that the program
/// held then, and the seconds since the first request.
fn measure_leaks(suite: &Suite, notes: &mut Notes) {
    let mut guard = Guard::new();
    let mut waiting = Vec::new();
    for (shape, function) in suite.leaks {
        if notes.of("leak", shape).len() < RUNS {
            let pid = guard.spawn(guard.command(&suite.runtime, &[&program(suite.file), shape]));
            waiting.push((pid, *shape, *function));
        }
    }
    for (pid, ..) in &waiting {
        guard.wait_for_sample(*pid);
        guard.server.as_mut().unwrap().request_holders(*pid, suite.seconds);
    }
    let begun = Instant::now();
    while !waiting.is_empty() && begun.elapsed() < PATIENCE {
        guard.serve(Duration::from_millis(50));
        waiting.retain(|(pid, shape, function)| {
            let Some(process) = guard.registry.process(*pid) else { return true };
            let Some(named) = process.growing(Instant::now()).into_iter().next() else { return true };
            let is_right = named.function.ends_with(*function) && named.file.ends_with(suite.file);
            let verdict = if is_right { "first".to_owned() } else { named.function.clone() };
            let held = process.sample.as_ref().and_then(|(sample, _)| {
                let objects = sample.heap_used.zip(sample.array_buffers);
                objects.map(|(heap, buffers)| heap + buffers).or(sample.rss)
            });
            let megabytes = (held.unwrap_or(0) >> 20).to_string();
            let seconds = format!("{:.1}", begun.elapsed().as_secs_f64());
            notes.add(vec!["leak".into(), (*shape).into(), verdict, megabytes, seconds]);
            false
        });
    }
    for (_, shape, _) in waiting {
        notes.add(vec!["leak".into(), shape.into(), "nobody".into(), "0".into(), "0".into()]);
    }
}

/// Runs healthy programs side by side, and notes for each whom it was accused of, if anybody.
fn measure_healthy(suite: &Suite, notes: &mut Notes) {
    let mut guard = Guard::new();
    let missing = suite.healthy.iter().filter(|shape| notes.of("healthy", shape).len() < RUNS);
    let shapes: Vec<&str> = missing.copied().collect();
    let mut pids = Vec::new();
    for shape in &shapes {
        pids.push(guard.spawn(guard.command(&suite.runtime, &[&program(suite.healthy_file), shape])));
    }
    guard.wait_until_loaded(&pids);
    let mut accused = vec!["nobody".to_owned(); pids.len()];
    for _ in 0..suite.requests {
        for pid in &pids {
            guard.server.as_mut().unwrap().request_holders(*pid, suite.seconds);
        }
        guard.serve_for(Duration::from_millis(700) + Duration::from_secs(suite.seconds.into()).mul_f64(1.5));
        for (pid, accused) in pids.iter().zip(&mut accused) {
            let process = guard.registry.process(*pid).unwrap();
            if let Some(named) = process.growing(Instant::now()).into_iter().next() {
                *accused = named.function;
            }
        }
    }
    for (shape, accused) in shapes.into_iter().zip(accused) {
        notes.add(vec!["healthy".into(), shape.into(), accused]);
    }
}

fn measure(suite: &Suite) {
    let mut notes = Notes::read(&suite.runtime);
    while suite.leaks.iter().any(|(shape, _)| notes.of("leak", shape).len() < RUNS) {
        measure_leaks(suite, &mut notes);
    }
    while suite.healthy.iter().any(|shape| notes.of("healthy", shape).len() < RUNS) {
        measure_healthy(suite, &mut notes);
    }
    let version = Command::new(&suite.runtime).arg("--version").output().unwrap();
    println!("{} {}", suite.runtime.display(), String::from_utf8_lossy(&version.stdout).trim());
    for (shape, _) in suite.leaks {
        let lines = notes.of("leak", shape);
        let count = |verdict: &dyn Fn(&str) -> bool| lines.iter().filter(|line| verdict(&line[2])).count();
        let nobody = count(&|verdict| verdict == "nobody");
        let first = count(&|verdict| verdict == "first");
        let figures = |field: usize| {
            let named = lines.iter().filter(|line| line[2] != "nobody");
            let mut figures: Vec<f64> = named.map(|line| line[field].parse().unwrap()).collect();
            figures.sort_unstable_by(f64::total_cmp);
            let median = figures.get(figures.len() / 2).copied().unwrap_or_default();
            (median, figures.last().copied().unwrap_or_default())
        };
        let ((megabytes, most), (seconds, _)) = (figures(3), figures(4));
        println!(
            "  {shape:<11} named first {first:>2} of {}, another function {}, nobody {nobody}; at {megabytes:>3.0} MB (median), {most:>3.0} MB (most), {seconds:>4.1} s",
            lines.len(),
            lines.len() - first - nobody,
        );
    }
    let runs = suite.healthy.iter().flat_map(|shape| notes.of("healthy", shape)).collect::<Vec<_>>();
    let accused: Vec<String> =
        runs.iter().filter(|line| line[2] != "nobody").map(|line| line[1..].join(" ")).collect();
    println!(
        "  healthy: {} of {} runs of {} programs accused {}",
        accused.len(),
        runs.len(),
        suite.healthy.len(),
        accused.join(", ")
    );
}

#[test]
#[ignore = "a measurement of several minutes"]
fn naming_in_node() {
    println!("samples every 0.1 s instead of every second, and so reports 0.5 s apart instead of 5 s");
    measure(&Suite {
        runtime: nodes().first().unwrap().clone(),
        file: "leaks.cjs",
        leaks: &NODE_LEAKS,
        healthy: &NODE_HEALTHY,
        healthy_file: "healthy.cjs",
        seconds: 0,
        requests: 8,
    });
}

#[test]
#[ignore = "a measurement of several minutes"]
fn naming_in_python() {
    let pythons = pythons();
    println!("recordings of 4 s");
    measure(&Suite {
        runtime: pythons.get(pythons.len() / 2).unwrap().clone(),
        file: "leaks.py",
        leaks: &PYTHON_LEAKS,
        healthy: &PYTHON_HEALTHY,
        healthy_file: "healthy.py",
        seconds: 4,
        requests: 1,
    });
}
