//! Agents inside of a program under `heapbeat run`: its heap, the function that leaks, profiles, and what is left on disk.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::fs;

use heapbeat_test_support::owner::{fetch_report, get_signed};
use heapbeat_test_support::pprof::Profile;
use heapbeat_test_support::programs::{is_installed, start_in_directory};
use heapbeat_test_support::{Server, wait_for};

const SECRET: &str = "a secret for tests of run";

/// Leaks about 10 MB a second in `listOrders`, up to 100 MB.
const LEAK: &str = "const orders = [];
function listOrders() {
  for (let i = 0; i < 400; i++) orders.push({ id: i, items: new Array(24).fill(i + 0.5) });
}
setInterval(() => { if (orders.length < 400_000) listOrders(); }, 10);
";

struct Guarded {
    directory: tempfile::TempDir,
    server: Server,
}

impl Guarded {
    /// Starts the leak behind a shell; `None` if Node is not installed.
    fn start(limit: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if !is_installed("node") {
            return None;
        }
        let run = ["run", "--front", "off", "--side-port", "0", "--limit", limit];
        let run: Vec<&str> = run.into_iter().chain(["--", "sh", "-c", "node leak.js; exit $?"]).collect();
        let given = [("HEAPBEAT_SECRET", SECRET), ("HEAPBEAT_AGENT_INTERVAL", "100")];
        let (directory, server) =
            start_in_directory(&[("leak.js", LEAK)], &run, &[&given, variables].concat());
        Some(Guarded { directory, server })
    }

    /// The heap of `/health` in MB, once it is ready.
    fn heap_used(&self) -> Option<u64> {
        let health = serde_json::from_slice::<serde_json::Value>(&self.server.get("/health").body).ok()?;
        health["memory"]["heapUsed"].as_u64()
    }

    /// The run directories of agents.
    fn run_directories(&self) -> usize {
        let entries = fs::read_dir(self.directory.path()).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("heapbeat-agents-")).count()
    }
}

#[test]
fn the_function_that_leaks_is_named_and_profiled_and_nothing_is_left_behind() {
    let Some(mut guarded) = Guarded::start("170MB", &[]) else { return };
    wait_for("the agents' files", || (guarded.run_directories() == 1).then_some(()));
    let alert = guarded.server.wait_for_log("listOrders (");
    assert!(alert["message"].as_str().unwrap().contains("leak.js:2"), "{alert}");
    let report = wait_for("the function in the report", || {
        let (report, _) = fetch_report(&guarded.server, SECRET, "");
        (!report.functions.is_empty()).then_some(report)
    });
    assert_eq!(report.functions[0].place(), "listOrders (leak.js:2)");
    wait_for("the heap", || (guarded.heap_used()? > 20).then_some(()));

    let profile = wait_for("a profile", || {
        let response = get_signed(&guarded.server, SECRET, "/debug/heap");
        (response.status == 200).then_some(response)
    });
    let profile = Profile::decode_bytes(&profile.body);
    let largest = profile.sample.iter().max_by_key(|sample| sample.value[1]).unwrap();
    assert_eq!(profile.stack(largest)[0].0, "listOrders");
    assert_eq!(guarded.server.get("/debug/heap").status, 401);
    assert_eq!(get_signed(&guarded.server, SECRET, "/debug/heap?seconds=0").status, 400);

    guarded.server.send_signal("TERM");
    guarded.server.wait();
    assert_eq!(guarded.run_directories(), 0);
}

#[test]
fn without_agents_the_heap_is_not_known() {
    let Some(guarded) = Guarded::start("512MB", &[("HEAPBEAT_AGENT", "off")]) else { return };
    wait_for("a measurement", || (guarded.heap_used()? == 0).then_some(()));
    assert_eq!(guarded.run_directories(), 0);
    let response = wait_for("a program that is ready", || {
        let response = get_signed(&guarded.server, SECRET, "/debug/heap");
        (response.status != 503).then_some(response)
    });
    assert_eq!(response.status, 501, "{}", response.text());
}
