//! How long a verdict lasts, and when it is critical.

use super::*;

#[test]
fn a_verdict_ends_with_its_memory() {
    let day = 86_400.0;
    // 100 MB to 460 MB in a day, then a fall to 100 MB.
    let fall = |t: f64| if t < day { 100.0 + 360.0 * t / day } else { 100.0 };
    let mut forecaster = Forecaster::new();
    let mut push = |second: i64| {
        forecaster.push(Point::single(UnixMillis(second * 1000), megabytes(fall(second as f64))));
        forecaster.clone()
    };
    (0..86_400).step_by(10).for_each(|second| drop(push(second)));
    let mut before = push(86_399);
    let assessment = before.assess(LIMIT);
    assert!(assessment.verdict == Verdict::Leaking && assessment.time_to_limit.is_some(), "{assessment:?}");
    let mut after = push(86_401);
    let assessment = after.assess(LIMIT);
    assert_eq!((assessment.verdict, assessment.basis), (Verdict::Steady, Basis::GivenBack));
    assert_eq!((assessment.slope, assessment.time_to_limit), (None, None));
}

#[test]
fn a_verdict_of_long_ago_does_not_stay() {
    let mut forecaster = Forecaster::of(series(600, slow_leak));
    assert_eq!(forecaster.assess(LIMIT).verdict, Verdict::Leaking);
    let held = slow_leak(600.0);
    let flat =
        (600..7200).map(|second| Point::single(UnixMillis(second * 1000), megabytes(held / 1_048_576.0)));
    flat.for_each(|point| forecaster.push(point));
    assert_eq!(forecaster.assess(LIMIT).verdict, Verdict::Steady);
}

#[test]
fn a_verdict_changes_only_once_another_one_has_lasted() {
    // Growth at the bound of what can be told from the fluctuation.
    let wander = |t: f64| 100.0 + t / 600.0 + 2.0 * (t / 37.0).sin() * (t / 101.0).cos();
    let assessments = assess_often(1500, LIMIT, wander);
    let changes = assessments.windows(2).filter(|pair| pair[0].1.verdict != pair[1].1.verdict).count();
    assert!(changes <= 6, "{changes} changes in 25 minutes");
}

#[test]
fn a_leak_of_which_the_heap_is_known_is_confirmed_earlier() {
    let found = |knows_heap: bool| {
        let mut forecaster = Forecaster::new();
        (0..1200).step_by(2).find(|second| {
            let total = megabytes(100.0 + 3.0 * *second as f64 / 60.0);
            let heap =
                Heap { used: Some(megabytes(3.0 * *second as f64 / 60.0)), resident: None, external: None };
            let heap = Some(heap).filter(|_| knows_heap);
            forecaster.push(Point { at: UnixMillis(second * 1000), total, heap });
            forecaster.assess(LIMIT).verdict == Verdict::Leaking
        })
    };
    let (known, unknown) = (found(true).unwrap(), found(false).unwrap());
    assert!(known < 460 && (known + 15..500).contains(&unknown), "{known} {unknown}");
}

#[test]
fn a_cache_that_fills_is_not_critical_before_it_can_be_judged() {
    // 10.5 MB/min for eight minutes, as a page cache, then flat.
    let assessments = assess_often(1800, Bytes::from_mb(700), |t| 200.0 + 10.5 * t.min(330.0) / 60.0);
    assert_eq!(first(&assessments, |it| it.reaches_limit_within(SOON)), None);
    // Near the limit, it is, whatever the verdict is called.
    let near = assess_often(330, Bytes::from_mb(258), |t| 200.0 + 10.5 * t / 60.0);
    assert!(first(&near, |it| it.reaches_limit_within(SOON)).is_some());
}

#[test]
fn a_leak_is_critical_once_it_has_lasted_for_half_of_what_is_left() {
    // 10 MB a minute reach 512 MB after 43 minutes, which is within an hour at once.
    let assessments = assess_often(2000, LIMIT, |t| 80.0 + 10.0 * t / 60.0);
    let leak = first(&assessments, |it| it.verdict == Verdict::Leaking).unwrap();
    assert!(leak < 600, "{leak}");
    let critical = first(&assessments, |it| it.reaches_limit_within(SOON)).unwrap();
    // After a third of the time, and the warm-up.
    assert!((900..1200).contains(&critical), "{critical}");
}
