//! `heapbeat run --recycle-signal` with a real gunicorn, if one is installed: in `target/programs`, where the benchmarks put it, or in the
//! path of the tests.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use heapbeat_test_support::load::{Load, LoadPlan};
use heapbeat_test_support::privileged::report_skipped;
use heapbeat_test_support::programs::{PATH, start_in_directory};
use heapbeat_test_support::{child_pids, is_alive, wait_for};

/// Each request leaks half a megabyte in its worker.
const APP: &str = "kept = []
def app(environ, start_response):
    kept.append(bytearray(b'x') * (512 * 1024))
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '2')])
    return [b'ok']
";

fn find_gunicorn() -> Option<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/programs/flask/venv/bin");
    let directories = [installed].into_iter().chain(PATH.split(':').map(PathBuf::from));
    let found = directories.map(|directory| directory.join("gunicorn")).find(|path| path.exists());
    if found.is_none() {
        report_skipped("gunicorn is not installed");
    }
    found
}

#[test]
fn gunicorn_renews_its_workers_without_a_failed_request() {
    let Some(gunicorn) = find_gunicorn() else { return };
    let gunicorn = gunicorn.to_str().unwrap();
    let guard =
        ["run", "--side-port", "0", "--port", "0", "--limit", "400MB", "--recycle-signal", "HUP", "--"];
    let command = [&guard[..], &[gunicorn, "-w", "2", "app:app"]].concat();
    let variables = [
        ("HEAPBEAT_AGENT", "off"),
        ("HEAPBEAT_DRAIN_WINDOW", "0s"),
        ("HEAPBEAT_ALERT_AT", "40%"),
        ("HEAPBEAT_PURGE_AT", "45%"),
        ("HEAPBEAT_RECYCLE_AT", "50%"),
    ];
    let (_directory, server) = start_in_directory(&[("app.py", APP)], &command, &variables);
    let port = server.wait_for_log("requests: listening")["heapbeat.front.port"].as_u64().unwrap();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), u16::try_from(port).unwrap());
    server.wait_for_log("instance 1 is ready");
    let master =
        wait_for("gunicorn", || child_pids(server.pid()).into_iter().find(|pid| child_pids(*pid).len() == 2));
    let workers = child_pids(master);
    let load = Load::start(address, LoadPlan { clients: 4, rate: 20, keep_alive: true, path: |_| "/" });
    server.wait_for_log("to renew itself");
    wait_for("new workers", || workers.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let counts = load.stop();
    assert!(counts.sent > 0 && counts.succeeded == counts.sent, "{counts:?}");
    assert!(is_alive(master) && server.exit_kinds().is_empty(), "it was not replaced");
    assert!(server.log_events("can renew its workers").is_empty(), "there is nothing to propose");
}

#[test]
fn a_renewal_is_proposed_for_gunicorn() {
    let Some(gunicorn) = find_gunicorn() else { return };
    let command = ["run", "--side-port", "0", "--port", "0", "--", gunicorn.to_str().unwrap(), "app:app"];
    let (_directory, server) = start_in_directory(&[("app.py", APP)], &command, &[("HEAPBEAT_AGENT", "off")]);
    let proposal = server.wait_for_log("can renew its workers")["message"].to_string();
    assert!(proposal.contains("--recycle-signal HUP"), "{proposal}");
}
