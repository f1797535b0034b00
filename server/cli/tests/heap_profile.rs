//! `GET /debug/heap` of the real program: it names the function that leaks, and only the owner may read it.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use heapbeat_test_support::pprof::Profile;
use heapbeat_test_support::{Server, owner};

const OURS: &str = "a secret of the owner's";
const MB: i64 = 1 << 20;

/// Returns the bytes of all samples whose stack contains `function`.
fn bytes_held_by(profile: &Profile, function: &str) -> i64 {
    let named = |stack: &[(&str, &str, i64)]| stack.iter().any(|(name, ..)| name.contains(function));
    profile.sample.iter().filter(|sample| named(&profile.stack(sample))).map(|sample| sample.value[1]).sum()
}

#[test]
fn a_profile_names_the_function_that_leaks() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(server.get("/demo/leak?mb=100").status, 200);
    assert_eq!(server.get("/demo/churn?mb=50").status, 200);
    let response = owner::get_signed(&server, OURS, "/debug/heap");
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/octet-stream")));
    assert!(response.header(heapbeat_shared::signing::HEADER).is_some());
    let profile = Profile::decode_bytes(&response.body);
    let leaked = bytes_held_by(&profile, "heapbeat_demo::routes::leak");
    // Each of the 100 objects of 1 MB is sampled with probability 0.865, so the standard error is 4 MB; four of them are allowed.
    assert!((leaked - 100 * MB).abs() < 16 * MB, "{leaked}");
    assert_eq!(
        bytes_held_by(&profile, "heapbeat_demo::routes::churn"),
        0,
        "freed memory is not in the profile"
    );
    let largest = profile.sample.iter().max_by_key(|sample| sample.value[1]).unwrap();
    let stack = profile.stack(largest);
    let (function, file, line) =
        stack.iter().find(|(name, ..)| name.contains("heapbeat_demo::routes::")).unwrap();
    // Without debug information only names are known.
    let has_position = file.ends_with("routes.rs") && *line > 0 || file.is_empty() && *line == 0;
    assert!(function.contains("filled") && has_position, "{function} {file}:{line}");
    assert!(
        !stack[0].0.contains("heapbeat::allocator") && !stack[0].0.contains("__rust_alloc"),
        "{stack:#?}"
    );
    assert_eq!(profile.route(largest), "GET /demo/leak");
}

#[test]
fn a_window_contains_only_allocations_made_in_it() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS)]);
    assert_eq!(server.get("/demo/leak?mb=64").status, 200);
    let off = owner::get_signed(&server, OURS, "/debug/heap");
    assert_eq!(off.status, 409, "{}", off.text());
    assert!(off.text().contains("?seconds=30"), "{}", off.text());
    assert_eq!(owner::get_signed(&server, OURS, "/debug/heap?seconds=0").status, 400);

    let profile = std::thread::scope(|scope| {
        // Only one window is open at a time, so a request that is refused with 409 is repeated.
        let recording = scope.spawn(|| {
            heapbeat_test_support::wait_for("a window of its own", || {
                Some(owner::get_signed(&server, OURS, "/debug/heap?seconds=3"))
                    .filter(|response| response.status != 409)
            })
        });
        heapbeat_test_support::wait_for("the window to open", || {
            (owner::get_signed(&server, OURS, "/debug/heap?seconds=1").status == 409).then_some(())
        });
        assert_eq!(server.get("/demo/leak?mb=32").status, 200);
        recording.join().unwrap()
    });
    assert_eq!(profile.status, 200);
    let profile = Profile::decode_bytes(&profile.body);
    let leaked = bytes_held_by(&profile, "heapbeat_demo::routes::leak");
    assert!((leaked - 32 * MB).abs() < 10 * MB, "{leaked}");
    assert!(profile.duration_nanos >= 2_900_000_000, "{}", profile.duration_nanos);
}

#[test]
fn requests_without_a_valid_signature_are_refused() {
    let server = Server::start(&[("HEAPBEAT_SECRET", OURS), ("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(server.get("/debug/heap").status, 401);
    assert_eq!(server.get("/debug/heap?seconds=1").status, 401);
    assert_eq!(owner::get_signed(&server, "somebody else's secret", "/debug/heap").status, 401);
    assert_eq!(server.request("POST", "/debug/heap").status, 405);
    let open = Server::start(&[("HEAPBEAT_HEAP_PROFILE", "on")]);
    assert_eq!(open.get("/debug/heap").status, 404, "without a secret the route does not exist");
}
