//! Samples of an instance that exited before the edge collected them: the next instance reports each of them once, unchanged.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use std::path::Path;

use heapbeat_shared::series::Series;
use heapbeat_shared::{Cursor, InstanceId};
use heapbeat_test_support::owner::{fetch_report, now};
use heapbeat_test_support::{Server, send_signal, wait_for};

const SECRET: &str = "a secret of the owner's";

fn start(flight: &Path) -> Server {
    Server::start(&[
        ("HEAPBEAT_SECRET", SECRET),
        ("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()),
        ("HEAPBEAT_DRAIN_WINDOW", "0s"),
    ])
}

/// Waits until the serving instance has at least `count` samples, and returns its id and all of its samples.
fn wait_for_samples(server: &Server, count: usize) -> (InstanceId, Series) {
    wait_for("samples", || {
        let (report, series) = fetch_report(server, SECRET, "");
        (series.samples.len() >= count).then_some((report.instance, series))
    })
}

/// Requests the samples of a previous `instance` after `sequence`. Returns the number of lost samples and the samples that are left.
fn remaining_samples(server: &Server, instance: InstanceId, sequence: u64) -> Option<(u64, Series)> {
    let query = format!("?after={}", Cursor { instance, sequence });
    let last_samples = fetch_report(server, SECRET, &query).0.last_samples?;
    assert_eq!(last_samples.instance, instance);
    Some((last_samples.samples.dropped, last_samples.samples.series().unwrap()))
}

/// Waits until another instance than `before` serves, and returns its id.
fn wait_for_other_instance(server: &Server, before: InstanceId) -> InstanceId {
    wait_for("another instance", || {
        let instance = fetch_report(server, SECRET, "").0.instance;
        (instance != before).then_some(instance)
    })
}

#[test]
fn every_sample_of_a_killed_worker_is_reported_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory.path().join("flight"));
    let (first, living) = wait_for_samples(&server, 3);
    assert_eq!(living.first, 0);
    assert_eq!(remaining_samples(&server, first, 0), None, "the instance is still running");

    let killed = now();
    send_signal(server.worker_pid(), "KILL");
    let second = wait_for_other_instance(&server, first);
    let (lost, left) = remaining_samples(&server, first, 0).unwrap();
    assert_eq!((lost, left.first), (0, 1));
    assert_eq!(
        left.samples[..living.samples.len() - 1],
        living.samples[1..],
        "the samples must equal those that the instance reported itself"
    );
    // The newest sample is at most two seconds older than the kill, as a sample may be late on a busy machine.
    let newest = left.samples.last().unwrap();
    assert!(killed.0 - newest.at.0 <= 2000, "killed at {killed:?}, last sampled at {:?}", newest.at);
    assert!(left.samples.is_sorted_by(|a, b| a.at.0.div_euclid(1000) < b.at.0.div_euclid(1000)), "{left:?}");

    let number = left.samples.len() as u64;
    let (lost, one) = remaining_samples(&server, first, number - 1).unwrap();
    assert_eq!((lost, one.first, &one.samples[..]), (0, number, std::slice::from_ref(newest)));
    let nothing = [
        ("read completely", first, number),
        ("the running instance", second, 0),
        ("an unknown instance", InstanceId(1), 0),
    ];
    for (name, instance, sequence) in nothing {
        assert_eq!(remaining_samples(&server, instance, sequence), None, "{name}");
    }
    assert_eq!(
        fetch_report(&server, SECRET, "").0.last_samples,
        None,
        "a report without a cursor has no samples of previous instances"
    );
}

#[test]
fn samples_of_several_instances_are_kept_across_kills_recycles_and_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let mut server = start(&flight);
    let mut exited = Vec::new();
    for _ in 0..2 {
        let (instance, living) = wait_for_samples(&server, 2);
        send_signal(server.worker_pid(), "KILL");
        wait_for_other_instance(&server, instance);
        exited.push((instance, living));
    }
    let assert_samples_left = |server: &Server, exited: &[(InstanceId, Series)]| {
        for (instance, living) in exited {
            let (lost, left) = remaining_samples(server, *instance, 0).unwrap();
            assert_eq!((lost, left.first), (0, 1), "{instance}");
            assert_eq!(left.samples[..living.samples.len() - 1], living.samples[1..], "{instance}");
        }
    };
    assert_samples_left(&server, &exited);

    // One instance is recycled, and one is stopped with its server, which starts again.
    let (instance, living) = wait_for_samples(&server, 2);
    server.recycle();
    wait_for_other_instance(&server, instance);
    exited.push((instance, living));
    wait_for("the old worker to exit", || remaining_samples(&server, instance, 0));
    exited.push(wait_for_samples(&server, 2));
    server.send_signal("TERM");
    server.wait();
    let mut server = start(&flight);
    assert_samples_left(&server, &exited);

    exited.push(wait_for_samples(&server, 2));
    server.kill_all();
    assert_samples_left(&start(&flight), &exited);
}
