//! What an instance sampled and did not live to tell, told by the next one: every sample once, to the byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::Path;

use heapbeat_shared::series::Series;
use heapbeat_shared::{Cursor, InstanceId};
use heapbeat_test_support::owner::{now, report};
use heapbeat_test_support::{Server, signal, until};

const SECRET: &str = "a secret of the owner's";

fn start(flight: &Path) -> Server {
    Server::start(&[
        ("HEAPBEAT_SECRET", SECRET),
        ("HEAPBEAT_FLIGHT_DIR", flight.to_str().unwrap()),
        ("HEAPBEAT_DRAIN_WINDOW", "0s"),
    ])
}

/// Who serves, and all of its samples, once there are as many as `count`.
fn heard(server: &Server, count: usize) -> (InstanceId, Series) {
    until("samples", || {
        let (report, series) = report(server, SECRET, "");
        (series.samples.len() >= count).then_some((report.instance, series))
    })
}

/// What whoever serves now tells to somebody who has read `instance` up to `sequence`: samples missing before, samples.
fn rest(server: &Server, instance: InstanceId, sequence: u64) -> Option<(u64, Series)> {
    let query = format!("?after={}", Cursor { instance, sequence });
    let told = report(server, SECRET, &query).0.last_samples?;
    assert_eq!(told.instance, instance);
    Some((told.samples.lost, told.samples.series().unwrap()))
}

/// Another worker than `before` serves.
fn another(server: &Server, before: InstanceId) -> InstanceId {
    until("another instance", || {
        let instance = report(server, SECRET, "").0.instance;
        (instance != before).then_some(instance)
    })
}

#[test]
fn every_sample_of_a_worker_that_was_killed_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(&directory.path().join("flight"));
    let (first, living) = heard(&server, 3);
    assert_eq!(living.first, 0);
    assert_eq!(rest(&server, first, 0), None, "it lives");

    let killed = now();
    signal(server.worker(), "KILL");
    let second = another(&server, first);
    let (missing, left) = rest(&server, first, 0).unwrap();
    assert_eq!((missing, left.first), (0, 1));
    assert_eq!(
        left.samples[..living.samples.len() - 1],
        living.samples[1..],
        "what it had told itself, to the byte"
    );
    // Up to the second in which it died, give or take one that came late on a busy machine.
    let newest = left.samples.last().unwrap();
    assert!(killed.0 - newest.at.0 <= 2000, "killed at {killed:?}, last seen at {:?}", newest.at);
    assert!(left.samples.is_sorted_by(|a, b| a.at.0.div_euclid(1000) < b.at.0.div_euclid(1000)), "{left:?}");

    let number = left.samples.len() as u64;
    let (missing, one) = rest(&server, first, number - 1).unwrap();
    assert_eq!((missing, one.first, &one.samples[..]), (0, number, std::slice::from_ref(newest)));
    let nothing = [("nothing more", first, number), ("its own", second, 0), ("nobody's", InstanceId(1), 0)];
    for (name, instance, sequence) in nothing {
        assert_eq!(rest(&server, instance, sequence), None, "{name}");
    }
    assert_eq!(report(&server, SECRET, "").0.last_samples, None, "nobody asked for it");
}

#[test]
fn several_deaths_and_a_new_server_later_it_is_still_told_whose_samples_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let flight = directory.path().join("flight");
    let mut server = start(&flight);
    let mut gone = Vec::new();
    for _ in 0..2 {
        let (instance, living) = heard(&server, 2);
        signal(server.worker(), "KILL");
        another(&server, instance);
        gone.push((instance, living));
    }
    let asked = |server: &Server, gone: &[(InstanceId, Series)]| {
        for (instance, living) in gone {
            let (missing, left) = rest(server, *instance, 0).unwrap();
            assert_eq!((missing, left.first), (0, 1), "{instance}");
            assert_eq!(left.samples[..living.samples.len() - 1], living.samples[1..], "{instance}");
        }
    };
    asked(&server, &gone);

    // In order, by a worker that takes over, and by a server that was stopped and started.
    let (instance, living) = heard(&server, 2);
    server.recycle();
    another(&server, instance);
    gone.push((instance, living));
    until("the old one to leave", || rest(&server, instance, 0));
    gone.push(heard(&server, 2));
    server.signal("TERM");
    server.wait();
    let mut server = start(&flight);
    asked(&server, &gone);

    gone.push(heard(&server, 2));
    server.kill_whole();
    asked(&start(&flight), &gone);
}
