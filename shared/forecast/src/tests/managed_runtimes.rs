//! Programs whose collector fills a heap up to its maximum.

use super::*;

#[test]
fn the_resident_set_of_a_managed_runtime_is_no_leak_below_its_maximum() {
    // The resident set of a healthy `java -Xmx256m`, by the minute.
    let minutes =
        [6.0, 66.0, 83.0, 91.0, 100.0, 107.0, 132.0, 135.0, 142.0, 154.0, 175.0, 196.0, 217.0, 241.0];
    let mut forecaster = Forecaster::new();
    forecaster.set_runtime_max(Some(Bytes::from_mb(256)));
    for second in 0..13 * 60 {
        let (minute, share) = (usize::try_from(second / 60).unwrap(), (second % 60) as f64 / 60.0);
        let mb = minutes[minute] + (minutes[minute + 1] - minutes[minute]) * share;
        forecaster.push(Point::single(UnixMillis(second * 1000), megabytes(mb)));
        let assessment = forecaster.assess(LIMIT);
        assert!(!assessment.verdict.is_leak() && assessment.time_to_limit.is_none(), "{assessment:?}");
    }
    let straight = series(900, |s| slow_leak(s) - 5e7);
    let mut leak = Forecaster::of(straight.clone());
    assert_eq!(leak.assess(LIMIT).verdict, Verdict::Leaking);
    let mut below = Forecaster::of(straight.clone());
    below.set_runtime_max(Some(Bytes::from_mb(256)));
    let assessment = below.assess(LIMIT);
    assert_eq!((assessment.verdict, assessment.basis), (Verdict::Growing, Basis::HeapMayFill));
    assert!(assessment.to_string().contains("its collector may still be filling the heap"), "{assessment}");
    let mut above = Forecaster::of(straight);
    above.set_runtime_max(Some(Bytes::from_mb(32)));
    assert_eq!(above.assess(LIMIT).verdict, Verdict::Leaking);
    let mut steady = Forecaster::of(series(900, |_| 1e8));
    steady.set_runtime_max(Some(Bytes::from_mb(256)));
    let sentence = steady.assess(LIMIT).to_string();
    assert!(sentence.contains("a leak inside the heap of the runtime cannot be seen"), "{sentence}");
}

/// Feeds a JVM with `-Xmx256m`, whose resident heap and other memory are these MB at a second, and returns the assessments.
fn assess_jvm(
    seconds: i64,
    heap: impl Fn(f64) -> f64,
    outside: impl Fn(f64) -> f64,
) -> Vec<(i64, Assessment)> {
    let mut forecaster = Forecaster::new();
    forecaster.set_runtime_max(Some(Bytes::from_mb(256)));
    let mut assess = |second: i64| {
        let (at, resident) = (second as f64, megabytes(heap(second as f64)));
        let total = Bytes(resident.0 + megabytes(outside(at) + 0.05 * (at * 1.7).sin()).0);
        forecaster.push(Point { at: UnixMillis(second * 1000), total, heap: Some(Heap::managed(resident)) });
        (second, forecaster.assess(LIMIT))
    };
    (0..seconds).map(&mut assess).step_by(5).collect()
}

#[test]
fn a_jvm_whose_heap_fills_beyond_its_maximum_in_the_resident_set_is_no_leak() {
    // As a cache that filled the heap of a `-Xmx256m` in eleven minutes: the resident set ended at 281 MB.
    let filling = |t: f64| (20.0 + 22.0 * t / 60.0).min(256.0);
    let assessments = assess_jvm(1500, filling, |_| 40.0);
    let leak = first(&assessments, |it| it.verdict.is_leak() || it.reaches_limit_within(SOON));
    assert_eq!(leak, None);
    let fills = first(&assessments, |it| it.basis == Basis::HeapMayFill && it.verdict == Verdict::Growing);
    assert!(fills.is_some());
    let timed = first(&assessments, |it| it.time_to_limit.is_some());
    assert_eq!(timed, None, "the full heap and what is outside of it are below the limit");
    let last = assessments.last().unwrap().1;
    assert_eq!((last.verdict, last.part), (Verdict::Steady, MemoryPart::OutsideHeap));
    assert!(last.to_string().contains("a leak inside the heap of the runtime cannot be seen"), "{last}");
    // Where they are not, the heap that fills reaches it.
    let near = assess_jvm(600, filling, |_| 300.0);
    assert!(first(&near, |it| it.basis == Basis::HeapMayFill && it.time_to_limit.is_some()).is_some());
}

#[test]
fn a_leak_outside_of_the_heap_of_a_jvm_is_found_below_its_maximum() {
    let direct = |t: f64| 40.0 + 3.0 * t / 60.0;
    for heap in [|_| 16.0, |t: f64| (20.0 + 8.0 * t / 60.0).min(256.0)] {
        let assessments = assess_jvm(1200, heap, direct);
        let leak = |it: &Assessment| it.verdict == Verdict::Leaking && it.part == MemoryPart::OutsideHeap;
        let found = first(&assessments, leak).unwrap();
        assert!(found < 960, "{found}");
        let last = assessments.last().unwrap().1;
        let rate = last.slope.unwrap().expected.0 * 60.0 / 1_048_576.0;
        assert!((2.9..3.1).contains(&rate), "{rate}");
        // 512 MB less what is held, at 3 MB a minute: the heap will be full.
        let held = heap(1200.0) + direct(1200.0);
        let truth = (512.0 - held) / 3.0 * 60.0;
        let expected = last.time_to_limit.unwrap().expected.as_secs_f64();
        assert!((0.9..1.1).contains(&(expected / truth)), "{expected} {truth}");
    }
}
