//! `heapbeat run`: a program that hangs, and several instances.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::collections::BTreeSet;
use std::io::Write;

use heapbeat_test_support::guarded_node::GuardedNode;
use heapbeat_test_support::load::{Load, LoadPlan};
use heapbeat_test_support::{connect, send_signal, wait_for};

/// Answers with its process id; `/hang` blocks it for ever. Each second it leaks `LEAK` MB.
const NODE: &str = "const kept = [];
if (process.env.LEAK) setInterval(() => kept.push(Buffer.alloc(process.env.LEAK * 100000, 1)), 100);
require('http').createServer((request, response) => {
  if (request.url === '/hang') for (;;);
  response.end(String(process.pid));
}).listen(process.env.PORT);
";

fn start(options: &[&str], variables: &[(&str, &str)]) -> Option<GuardedNode> {
    GuardedNode::start(NODE, options, variables)
}

/// Returns the process ids that answer until there are so many.
fn wait_for_answers_of(guarded: &GuardedNode, count: usize) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    wait_for("answers of several instances", || {
        seen.insert(guarded.get("/"));
        (seen.len() >= count).then_some(())
    });
    seen
}

#[test]
fn a_program_that_hangs_is_killed_and_another_one_answers() {
    let Some(guarded) = start(&["--hang-timeout", "3s"], &[]) else { return };
    let first = guarded.get("/");
    let mut stuck = connect(guarded.address());
    stuck.write_all(b"POST /hang HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n").unwrap();
    let exit = guarded.server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "hang", "{exit}");
    let message = exit["message"].as_str().unwrap();
    assert!(message.contains("in flight: 1 x POST /hang"), "{exit}");
    assert_ne!(guarded.get("/"), first);
}

#[test]
fn several_instances_share_the_requests_and_are_replaced_one_by_one() {
    let Some(guarded) = start(&["--instances", "2", "--limit", "512MB"], &[]) else { return };
    let first = wait_for_answers_of(&guarded, 2);
    send_signal(first.first().unwrap().parse().unwrap(), "KILL");
    let second = wait_for_answers_of(&guarded, 2);
    assert_eq!(guarded.server.exit_kinds(), ["crash"]);
    guarded.server.send_signal("USR2");
    wait_for("both replacements", || {
        (guarded.server.log_events("recycled: instance").len() >= 2).then_some(())
    });
    let third = wait_for_answers_of(&guarded, 2);
    assert!(third.is_disjoint(&first) && third.is_disjoint(&second), "{first:?} {second:?} {third:?}");
}

/// Each of the two instances stays far below the limit that they share.
#[test]
fn several_instances_are_judged_by_their_sum_and_the_one_that_has_grown_is_replaced() {
    let options = ["--instances", "2", "--limit", "200MB"];
    let Some(guarded) = start(&options, &[("LEAK", "8")]) else { return };
    wait_for_answers_of(&guarded, 2);
    let load =
        Load::start(guarded.address(), LoadPlan { clients: 2, rate: 20, keep_alive: true, path: |_| "/" });
    wait_for("a replacement because of memory", || {
        (!guarded.server.log_events("recycled: instance").is_empty()).then_some(())
    });
    let counts = load.stop();
    assert_eq!(counts.succeeded, counts.sent, "{counts:?}");
    let alerts = guarded.server.log_events("memory is at");
    let text = alerts[0]["message"].as_str().unwrap();
    let judged: f64 = text["memory is at ".len()..].split(' ').next().unwrap().parse().unwrap();
    assert!(judged > 120.0, "{text}");
    let exit = guarded.server.wait_for_exit(0);
    let share = exit["message"].as_str().unwrap();
    assert_eq!(exit["heapbeat.exit.kind"], "recycle", "{share}");
}
