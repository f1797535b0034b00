//! `/debug/heap` of the real binary: the guilty function by name, for the owner alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use heapbeat_test_support::pprof::Profile;
use heapbeat_test_support::{Server, owner};

const OURS: &str = "a secret of the owner's";
const MB: i64 = 1 << 20;

/// Bytes of all samples whose stack names `function`.
fn held_by(profile: &Profile, function: &str) -> i64 {
    let named = |stack: &[(&str, &str, i64)]| stack.iter().any(|(name, ..)| name.contains(function));
    profile.sample.iter().filter(|sample| named(&profile.stack(sample))).map(|sample| sample.value[1]).sum()
}

#[test]
fn it_names_the_line_that_leaks() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(server.get("/demo/leak?mb=100").status, 200);
    assert_eq!(server.get("/demo/churn?mb=50").status, 200);
    let reply = owner::get(&server, OURS, "/debug/heap");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/octet-stream")));
    assert!(reply.header(heapbeat_shared::signing::HEADER).is_some());
    let profile = Profile::read(&reply.body);
    let leaked = held_by(&profile, "heapbeat_demo::routes::leak");
    // 100 objects of 1 MB, each in the sample with probability 0.865: within four standard errors of 4 MB.
    assert!((leaked - 100 * MB).abs() < 16 * MB, "{leaked}");
    assert_eq!(held_by(&profile, "heapbeat_demo::routes::churn"), 0, "what was given back is not held");
    let most = profile.sample.iter().max_by_key(|sample| sample.value[1]).unwrap();
    let stack = profile.stack(most);
    let (function, file, line) =
        stack.iter().find(|(name, ..)| name.contains("heapbeat_demo::routes::")).unwrap();
    // Without debug information there are names only.
    let placed = file.ends_with("routes.rs") && *line > 0 || file.is_empty() && *line == 0;
    assert!(function.contains("filled") && placed, "{function} {file}:{line}");
    assert!(
        !stack[0].0.contains("heapbeat::allocator") && !stack[0].0.contains("__rust_alloc"),
        "{stack:#?}"
    );
    assert_eq!(profile.route(most), "GET /demo/leak");
}

#[test]
fn a_window_shows_only_what_was_allocated_in_it() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS)]);
    assert_eq!(server.get("/demo/leak?mb=64").status, 200);
    let off = owner::get(&server, OURS, "/debug/heap");
    assert_eq!(off.status, 409, "{}", off.text());
    assert!(off.text().contains("?seconds=30"), "{}", off.text());
    assert_eq!(owner::get(&server, OURS, "/debug/heap?seconds=0").status, 400);

    let profile = std::thread::scope(|scope| {
        // There is one window at a time: who is refused knows that another is open, and asks again.
        let asked = scope.spawn(|| {
            heapbeat_test_support::until("its own window", || {
                Some(owner::get(&server, OURS, "/debug/heap?seconds=3")).filter(|reply| reply.status != 409)
            })
        });
        heapbeat_test_support::until("the window", || {
            (owner::get(&server, OURS, "/debug/heap?seconds=1").status == 409).then_some(())
        });
        assert_eq!(server.get("/demo/leak?mb=32").status, 200);
        asked.join().unwrap()
    });
    assert_eq!(profile.status, 200);
    let profile = Profile::read(&profile.body);
    let leaked = held_by(&profile, "heapbeat_demo::routes::leak");
    assert!((leaked - 32 * MB).abs() < 10 * MB, "{leaked}");
    assert!(profile.duration_nanos >= 2_900_000_000, "{}", profile.duration_nanos);
}

#[test]
fn strangers_get_no_byte_of_it() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(server.get("/debug/heap").status, 401);
    assert_eq!(server.get("/debug/heap?seconds=1").status, 401);
    assert_eq!(owner::get(&server, "somebody else's secret", "/debug/heap").status, 401);
    assert_eq!(server.ask("POST", "/debug/heap").status, 405);
    let open = Server::start(&[("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(open.get("/debug/heap").status, 404, "without a secret nobody is the owner");
}
