use super::*;
use crate::supervisor::agent_link::ProcessHeap;
use crate::supervisor::agent_link::fake::{FakeAgents, function, heap};

const MB: u64 = 1 << 20;

fn freed(megabytes: u64) -> PurgeReport {
    PurgeReport {
        freed: Bytes(megabytes * MB),
        used: None,
        resident_freed: Some(Bytes(MB)),
        took: Duration::from_millis(10 * megabytes),
        refused: None,
    }
}

#[test]
fn a_purge_is_finished_by_the_answers_of_the_processes_that_were_asked() {
    let now = Instant::now();
    let mut agents =
        FakeAgents { heaps: vec![heap(1, 9, 99, now), heap(2, 9, 99, now)], ..FakeAgents::default() };
    let mut monitor = HeapMonitor::default();
    monitor.request_purge(&mut agents, &[1, 2, 3], Bytes(500 * MB), now);
    assert_eq!(agents.purges, [1, 2, 3]);
    monitor.record_answer(7, &freed(100), now);
    monitor.record_answer(1, &freed(20), now);
    monitor.record_answer(1, &freed(100), now);
    assert_eq!(monitor.finish_purge(now), None);
    monitor.record_answer(2, &freed(30), now);
    let result = PurgeResult { before: Bytes(500 * MB), after: Bytes(450 * MB) };
    assert_eq!(monitor.finish_purge(now), Some(result));
    assert_eq!(monitor.finish_purge(now), None);
}

#[test]
fn a_purge_that_nobody_answers_or_carries_out_has_no_result() {
    let now = Instant::now();
    let mut agents = FakeAgents { heaps: vec![heap(1, 9, 99, now)], ..FakeAgents::default() };
    let mut monitor = HeapMonitor::default();
    monitor.request_purge(&mut agents, &[1], Bytes(500 * MB), now);
    assert_eq!(monitor.finish_purge(now + Duration::from_secs(9)), None);
    assert!(monitor.purge.is_some());
    assert_eq!(monitor.finish_purge(now + Duration::from_secs(10)), None);
    assert!(monitor.purge.is_none());
    monitor.request_purge(&mut agents, &[1], Bytes(500 * MB), now);
    monitor.record_answer(1, &PurgeReport { refused: Some("not now".into()), ..freed(9) }, now);
    assert_eq!(monitor.finish_purge(now), None);
    // Without agents nothing is requested.
    monitor.request_purge(&mut FakeAgents::default(), &[1], Bytes(500 * MB), now);
    assert!(monitor.purge.is_none());
}

#[test]
fn a_function_is_named_only_after_an_alert_and_only_once() {
    let now = Instant::now();
    let mut agents =
        FakeAgents { growing: vec![function(1, "listOrders", "/app/orders.js")], ..FakeAgents::default() };
    let mut monitor = HeapMonitor::default();
    monitor.observe(&mut agents, &[1], now);
    assert_eq!(monitor.name_function(now), None);
    let text = monitor.begin_naming(&mut agents, &[1], None, now).unwrap();
    assert_eq!(
        text,
        "Live memory grows: listOrders (/app/orders.js:12) by 80.0 MB within 40 s in process 1."
    );
    let event = EventKind::Growth {
        function: "listOrders (orders.js:12)".into(),
        growth: Bytes(80 * MB),
        duration_ms: 40_000,
    };
    assert_eq!(monitor.name_function(now), Some(event));
    // The same function in another process is the same.
    agents.growing[0].pid = 2;
    monitor.observe(&mut agents, &[1, 2], now);
    assert_eq!(monitor.name_function(now), None);
    agents.growing.insert(0, function(1, "(anonymous)", ""));
    monitor.observe(&mut agents, &[1, 2], now);
    let late = now + NAMING_TIME;
    assert!(monitor.name_function(now).is_some_and(
        |event| matches!(event, EventKind::Growth { function, .. } if function == "(anonymous)")
    ));
    assert_eq!(monitor.functions().len(), 2);
    agents.growing.clear();
    monitor.observe(&mut agents, &[1, 2], late);
    assert_eq!(monitor.name_function(late), None);
}

#[test]
fn a_function_that_is_not_found_again_is_named_by_the_instance_before() {
    let now = Instant::now();
    let mut agents =
        FakeAgents { growing: vec![function(1, "listOrders", "/app/orders.js")], ..FakeAgents::default() };
    let mut monitor = HeapMonitor::default();
    monitor.observe(&mut agents, &[1], now);
    monitor.begin_naming(&mut agents, &[1], None, now);
    agents.growing.clear();
    // What is no longer seen at the end was found all the same.
    monitor.observe(&mut agents, &[1], now);
    for pid in 2..4 {
        monitor = monitor.next();
        monitor.observe(&mut agents, &[pid], now);
        let text = monitor.begin_naming(&mut agents, &[pid], None, now).unwrap();
        assert_eq!(
            text,
            "In an instance before, live memory grew: listOrders (/app/orders.js:12) by 80.0 MB within 40 s in process 1."
        );
        assert_eq!(monitor.name_function(now), None, "it is no event of this instance");
    }
}

#[test]
fn growth_within_less_than_a_second_has_a_time() {
    let grown = GrowingFunction { span: Duration::from_millis(420), ..function(1, "f", "/app/f.py") };
    assert_eq!(describe_growing(&[grown]), "f (/app/f.py:12) by 80.0 MB within 0.4 s in process 1");
}

#[test]
fn recordings_are_requested_rarely_and_end_before_the_program_is_replaced() {
    let now = Instant::now();
    let mut agents = FakeAgents::default();
    let mut monitor = HeapMonitor::default();
    for (second, left) in [(0, None), (5, None), (60, Some(9)), (120, Some(1)), (180, Some(3600))] {
        let left = left.map(Duration::from_secs);
        monitor.begin_naming(&mut agents, &[1, 2], left, now + Duration::from_secs(second));
    }
    assert_eq!(agents.holders, [(1, 10), (2, 10), (1, 3), (2, 3), (1, 2), (2, 2), (1, 10), (2, 10)]);
}

#[test]
fn types_of_which_there_are_more_objects_are_named_until_a_function_is() {
    let now = Instant::now();
    let more = |pid, name: &str, growth| GrowingType { pid, name: name.into(), count: 9 * growth, growth };
    let types = vec![more(1, "builtins.dict", 20), more(1, "app.Order", 300), more(3, "app.Other", 999)];
    let mut agents = FakeAgents { types, ..FakeAgents::default() };
    let text = HeapMonitor::default().begin_naming(&mut agents, &[1], None, now).unwrap();
    assert_eq!(
        text,
        "Objects became more: app.Order by 300 to 2700 in process 1, builtins.dict by 20 to 180 in process 1."
    );
    agents.types.clear();
    assert_eq!(HeapMonitor::default().begin_naming(&mut agents, &[1], None, now), None);
}

#[test]
fn limits_of_runtimes_that_do_not_fit_are_said_once() {
    let (now, limit) = (Instant::now(), Bytes::from_mb(512));
    let totals = |limits: &[u64]| {
        let heaps: Vec<ProcessHeap> = limits.iter().map(|limit| heap(1, 9, *limit, now)).collect();
        HeapTotals::of(&heaps)
    };
    let old = LIMITS_CHECKED_AT;
    let check = |limits: &[u64]| HeapMonitor::default().check_limits(totals(limits).as_ref(), old, limit);
    assert_eq!(check(&[512]), None, "what the guard sets itself");
    assert_eq!(check(&[300, 300]), None);
    assert_eq!(check(&[]), None);
    let text = check(&[2048]).unwrap();
    assert!(text.starts_with("the heap limit of the program's runtime is 2.00 GB, more than"), "{text}");
    assert!(text.ends_with("NODE_OPTIONS=--max-old-space-size=512"), "{text}");
    let text = check(&[576; 4]).unwrap();
    assert!(text.starts_with("the heap limits of 4 processes add up to 2.25 GB"), "{text}");
    let advice =
        "run fewer, or set NODE_OPTIONS=--max-old-space-size=128, at which one that needs more gives up";
    assert!(text.ends_with(advice), "{text}");
    // A cap with which V8 gives up long before the guard acts is not proposed.
    let text = check(&[576; 5]).unwrap();
    assert!(text.ends_with("run fewer, or raise --limit"), "{text}");
    let mut monitor = HeapMonitor::default();
    let totals = totals(&[2048]);
    assert_eq!(monitor.check_limits(totals.as_ref(), Duration::ZERO, limit), None, "too early");
    assert!(monitor.check_limits(totals.as_ref(), old, limit).is_some());
    assert_eq!(monitor.check_limits(totals.as_ref(), old, limit), None, "said already");
}
