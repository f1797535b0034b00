//! `heapbeat run`: a program that hangs, and several instances.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use heapbeat_test_support::programs::{is_installed, start_in_directory};
use heapbeat_test_support::{Server, connect, send_request, send_signal, wait_for};

/// Answers with its process id; `/hang` blocks it for ever.
const NODE: &str = "require('http').createServer((request, response) => {
  if (request.url === '/hang') for (;;);
  response.end(String(process.pid));
}).listen(process.env.PORT);
";

struct Guarded {
    _directory: tempfile::TempDir,
    server: Server,
    address: SocketAddr,
}

impl Guarded {
    fn start(options: &[&str]) -> Option<Self> {
        if !is_installed("node") {
            return None;
        }
        let run: Vec<&str> =
            [&["run", "--side-port", "0", "--port", "0"], options, &["--", "node", "server.js"]].concat();
        let variables = [("HEAPBEAT_DRAIN_WINDOW", "0s"), ("HEAPBEAT_AGENT", "off")];
        let (directory, server) = start_in_directory(&[("server.js", NODE)], &run, &variables);
        let port = server.wait_for_log("requests: listening")["heapbeat.front.port"].as_u64().unwrap();
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap());
        Some(Guarded { _directory: directory, server, address })
    }

    fn get(&self) -> String {
        send_request(connect(self.address), "GET", b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").text().to_owned()
    }

    /// Returns the process ids that answer until there are so many.
    fn wait_for_answers_of(&self, count: usize) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        wait_for("answers of several instances", || {
            seen.insert(self.get());
            (seen.len() >= count).then_some(())
        });
        seen
    }
}

#[test]
fn a_program_that_hangs_is_killed_and_another_one_answers() {
    let Some(guarded) = Guarded::start(&["--hang-timeout", "3s"]) else { return };
    let first = guarded.get();
    let mut stuck = connect(guarded.address);
    stuck.write_all(b"POST /hang HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n").unwrap();
    let exit = guarded.server.wait_for_exit(0);
    assert_eq!(exit["heapbeat.exit.kind"], "hang", "{exit}");
    let message = exit["message"].as_str().unwrap();
    assert!(message.contains("in flight: 1 x POST /hang"), "{exit}");
    assert_ne!(guarded.get(), first);
}

#[test]
fn several_instances_share_the_requests_and_are_replaced_one_by_one() {
    let Some(guarded) = Guarded::start(&["--instances", "2", "--limit", "512MB"]) else { return };
    let first = guarded.wait_for_answers_of(2);
    send_signal(first.first().unwrap().parse().unwrap(), "KILL");
    let second = guarded.wait_for_answers_of(2);
    assert_eq!(guarded.server.exit_kinds(), ["crash"]);
    guarded.server.send_signal("USR2");
    wait_for("both replacements", || {
        (guarded.server.log_events("recycled: instance").len() >= 2).then_some(())
    });
    let third = guarded.wait_for_answers_of(2);
    assert!(third.is_disjoint(&first) && third.is_disjoint(&second), "{first:?} {second:?} {third:?}");
}
