//! Properties that hold for any series, and the texts of verdicts.

use proptest::prelude::*;

use super::*;

const LIMIT: Bytes = Bytes::from_mb(512);

/// Returns points one second apart, with `f(second)` bytes.
fn series(seconds: i64, f: impl Fn(f64) -> f64) -> Vec<Point> {
    (0..seconds).map(|s| Point::single(UnixMillis(s * 1000), megabytes(f(s as f64) / 1_048_576.0))).collect()
}

/// Returns the bytes of a leak of 1 MB per minute from 100 MB on, with a ripple of 0.2 MB.
fn slow_leak(second: f64) -> f64 {
    (100.0 + second / 60.0 + 0.1 * (second * 1.7).sin()) * 1_048_576.0
}

#[test]
fn a_slow_leak_is_found_with_its_slope_and_time_within_ten_minutes() {
    let assessment = Forecaster::of(series(600, slow_leak)).assess(LIMIT);
    assert_eq!((assessment.verdict, assessment.basis), (Verdict::Leaking, Basis::SustainedGrowth));
    let slope = assessment.slope.unwrap();
    assert!((slope.expected.0 * 60.0 / 1_048_576.0 - 1.0).abs() < 0.05, "{slope:?}");
    let minutes = assessment.time_to_limit.unwrap().expected.as_secs_f64() / 60.0;
    assert!((minutes / 402.0 - 1.0).abs() < 0.05, "{minutes}");
}

#[test]
fn the_verdict_is_unknown_before_there_is_evidence() {
    for seconds in [0, 1, 2, 7, 30, 120, 200] {
        let flat = Forecaster::of(series(seconds, |_| 1e8)).assess(LIMIT);
        assert_eq!((flat.verdict, flat.slope), (Verdict::Unknown, None), "{seconds} s, flat");
    }
    for seconds in [0, 1, 2, 7] {
        let steep = Forecaster::of(series(seconds, |s| 1e8 + 2e7 * s)).assess(LIMIT);
        assert_eq!(steep.verdict, Verdict::Unknown, "{seconds} s, steep");
    }
    let flat = Forecaster::of(series(300, |_| 1e8)).assess(LIMIT);
    assert_eq!((flat.verdict, flat.basis), (Verdict::Steady, Basis::NoGrowth));
    assert!(flat.detectable.unwrap() > Rate(0.0));
}

#[test]
fn growth_that_could_be_a_daily_rhythm_is_not_called_a_leak() {
    let mb = 1_048_576.0;
    let creeping = |s: f64| (100.0 + 0.1 * s / 60.0 + 0.01 * (s * 1.7).sin()) * mb;
    let day = Forecaster::of(series(7200, creeping)).assess(LIMIT);
    assert_eq!((day.verdict, day.basis), (Verdict::Growing, Basis::LimitFarAway));
    assert_eq!(day.time_to_limit, None, "a rise that may turn is no forecast");
    let days = Forecaster::of(series(3 * 86_400, creeping)).assess(LIMIT);
    assert_eq!(days.verdict, Verdict::Leaking);
}

#[test]
fn the_growing_part_decides_the_verdict() {
    let run = |used: f64, resident: f64, total: f64| {
        let bytes = |base: f64, rate: f64, s: i64| megabytes(base + rate * s as f64 / 60.0);
        let points = (0..900).map(|s| Point {
            at: UnixMillis(s * 1000),
            total: bytes(120.0, total, s),
            heap: Some(Heap {
                used: Some(bytes(60.0, used, s)),
                resident: Some(bytes(90.0, resident, s)),
                external: None,
            }),
        });
        let found = Forecaster::of(points).assess(LIMIT);
        (found.verdict, found.part)
    };
    assert_eq!(run(2.0, 2.0, 2.0), (Verdict::Leaking, MemoryPart::LiveHeap));
    assert_eq!(run(0.0, 2.0, 2.0), (Verdict::Fragmenting, MemoryPart::AllocatorOverhead));
    assert_eq!(run(0.0, 0.0, 2.0), (Verdict::Growing, MemoryPart::OutsideHeap));
    assert_eq!(run(0.0, 0.0, 0.0), (Verdict::Steady, MemoryPart::LiveHeap));
    // A leak beside a gap that grows fourteen times as fast is not the main problem.
    assert_eq!(run(0.2, 3.0, 3.0), (Verdict::Fragmenting, MemoryPart::AllocatorOverhead));
    // A gap that grows with the heap is not fragmentation.
    assert_eq!(run(2.0, 2.2, 2.2), (Verdict::Leaking, MemoryPart::LiveHeap));
}

/// Feeds the megabytes of each second, and returns the assessment at every fifth.
fn assess_often(seconds: i64, limit: Bytes, f: impl Fn(f64) -> f64) -> Vec<(i64, Assessment)> {
    let mut forecaster = Forecaster::new();
    let mut assessments = Vec::new();
    for second in 0..seconds {
        let ripple = 0.05 * (second as f64 * 1.7).sin();
        forecaster.push(Point::single(UnixMillis(second * 1000), megabytes(f(second as f64) + ripple)));
        if second % 5 == 0 {
            assessments.push((second, forecaster.assess(limit)));
        }
    }
    assessments
}

fn first(assessments: &[(i64, Assessment)], found: impl Fn(&Assessment) -> bool) -> Option<i64> {
    assessments.iter().find(|(_, assessment)| found(assessment)).map(|(second, _)| *second)
}

const SOON: Duration = Duration::from_secs(3600);

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
fn a_hump_of_the_past_does_not_hide_a_leak() {
    let hump = |t: f64| if t < 3600.0 { 300.0 } else { 100.0 + 2.0 * (t - 3600.0) / 60.0 };
    let assessments = assess_often(3600 + 1200, LIMIT, hump);
    let found = first(&assessments, |it| it.verdict == Verdict::Leaking).unwrap();
    assert!(found < 3600 + 900, "{found}");
}

#[test]
fn a_warm_up_that_slows_down_is_no_leak() {
    let assessments = assess_often(4 * 3600, LIMIT, |t| 80.0 + 30.0 * (t / 60.0).ln_1p());
    let leaks = assessments.iter().filter(|(_, it)| it.verdict.is_leak()).count();
    assert_eq!(leaks, 0, "first at {:?} s", first(&assessments, |it| it.verdict.is_leak()));
}

#[test]
fn growth_that_accelerates_is_found_long_before_its_end() {
    let assessments = assess_often(3190, LIMIT, |t| 100.0 + 2.0 * (t / 600.0).exp());
    let end = 600.0 * 206f64.ln();
    let leak =
        first(&assessments, |it| it.basis == Basis::AcceleratingGrowth && it.verdict.is_leak()).unwrap();
    assert!(end - leak as f64 > 25.0 * 60.0, "found {leak} s after the start, the limit comes after {end} s");
    let critical = first(&assessments, |it| it.reaches_limit_within(SOON)).unwrap();
    assert!(end - critical as f64 > 5.0 * 60.0, "critical after {critical} s, the limit comes after {end} s");
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
fn the_latest_time_of_growth_that_slows_down_is_later() {
    // From 10 MB a minute to 6.6 within ten minutes, which no test calls slowing: the recent half is 1.1 times as slow as the whole, and
    // past errors alone make the latest time 1.2 times the expected one.
    let slowing = |t: f64| megabytes(100.0 + (10.0 * t - 4.0 * t * t / 1400.0) / 60.0).0 as f64;
    let found = Forecaster::of(series(600, slowing)).assess(Bytes::from_mb(1024));
    let time = found.time_to_limit.unwrap();
    let latest = time.latest.as_secs_f64() / time.expected.as_secs_f64();
    assert!(found.verdict == Verdict::Leaking && (1.26..1.6).contains(&latest), "{latest}: {found:?}");
}

#[test]
fn buffers_outside_the_heap_are_external_growth() {
    let points = (0..900).map(|s| {
        let held = megabytes(2.0 * s as f64 / 60.0);
        let total = Bytes(megabytes(80.0).0 + held.0);
        let heap = Heap { used: Some(megabytes(20.0)), resident: None, external: Some(Bytes(held.0 + 1)) };
        Point { at: UnixMillis(s * 1000), total, heap: Some(heap) }
    });
    let found = Forecaster::of(points).assess(LIMIT);
    assert_eq!((found.verdict, found.part), (Verdict::Leaking, MemoryPart::External));
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
fn growth_below_the_resolution_of_a_series_is_not_seen() {
    // 0.1 MB/min, measured in whole steps of 1 % of 200 MB, with a fluctuation that turns the last step at every other reading.
    let whole = |step: f64| {
        move |t: f64| ((100.0 + t / 600.0 + 0.3 * (t / 7.0).sin()) / step).round() * step * 1_048_576.0
    };
    let coarse = Forecaster::of(series(1500, whole(2.0))).assess(LIMIT);
    assert_eq!(coarse.verdict, Verdict::Steady, "{coarse:?}");
    let fine = Forecaster::of(series(1500, whole(0.01))).assess(LIMIT);
    assert_eq!(fine.verdict, Verdict::Growing, "{fine:?}");
    let within = |assessment: Assessment| assessment.detectable.unwrap().0 * 1500.0 / 1_048_576.0;
    assert!(within(coarse) >= 2.0 && within(fine) < 1.5, "{} {}", within(coarse), within(fine));
}

#[test]
fn a_verdict_changes_only_once_another_one_has_lasted() {
    // Growth at the bound of what can be told from the fluctuation.
    let wander = |t: f64| 100.0 + t / 600.0 + 2.0 * (t / 37.0).sin() * (t / 101.0).cos();
    let assessments = assess_often(1500, LIMIT, wander);
    let changes = assessments.windows(2).filter(|pair| pair[0].1.verdict != pair[1].1.verdict).count();
    assert!(changes <= 6, "{changes} changes in 25 minutes");
}

fn megabytes(mb: f64) -> Bytes {
    // Test series are positive and small.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Bytes((mb * 1_048_576.0) as u64)
}

#[test]
fn a_reset_discards_the_series_and_keeps_its_reason() {
    let mut forecaster = Forecaster::of(series(600, slow_leak));
    assert_eq!((forecaster.last_reset(), forecaster.assess(LIMIT).verdict), (None, Verdict::Leaking));
    forecaster.reset(Reset::Purge);
    assert_eq!(
        (forecaster.last_reset(), forecaster.assess(LIMIT).verdict),
        (Some(Reset::Purge), Verdict::Unknown)
    );
    assert_eq!(forecaster.time_to_limit_within(LIMIT, Duration::MAX), None);
}

#[test]
fn a_late_point_is_dropped_and_a_clock_set_back_resets() {
    let all = series(600, slow_leak);
    let mut disturbed = Forecaster::new();
    for point in &all {
        disturbed.push(*point);
        disturbed.push(Point::single(point.at.minus(Duration::from_secs(20)), Bytes(1)));
    }
    assert_eq!(disturbed.assess(LIMIT), Forecaster::of(all).assess(LIMIT));
    disturbed.push(Point::single(UnixMillis(1000), Bytes(1)));
    assert_eq!(disturbed.last_reset(), Some(Reset::TimeWentBack));
    disturbed.push(Point {
        heap: Some(Heap { used: Some(Bytes(1)), resident: None, external: None }),
        ..Point::single(UnixMillis(2000), Bytes(1))
    });
    assert_eq!(disturbed.last_reset(), Some(Reset::OtherFigures));
}

#[test]
fn an_assessment_is_formatted_as_sentence_report_and_json() {
    let leak = Forecaster::of(series(600, slow_leak)).assess(LIMIT);
    let sentence = leak.to_string();
    assert!(
        sentence.starts_with(
            "Memory leaks 1.00 MB/min: none of the growth was given back; it reaches 512.0 MB in 6 h"
        ),
        "{sentence}"
    );
    let report = leak.report();
    for part in [
        "verdict      leaking\n",
        "slope        1.00 MB/min (",
        "limit        512.0 MB in 6 h",
        "observed     9 min 59 s (",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    let steady = Forecaster::of(series(600, |_| 1e8)).assess(LIMIT).to_string();
    assert!(steady.starts_with("Memory is steady: its lowest values do not rise (growth below"), "{steady}");
    let nothing = Forecaster::new().assess(LIMIT).to_string();
    assert_eq!(nothing, "No verdict on memory: not enough data yet.");

    let json: serde_json::Value = serde_json::from_str(&leak.to_json()).unwrap();
    assert_eq!(
        (&json["verdict"], &json["basis"], &json["part"]),
        (&"leaking".into(), &"sustained_growth".into(), &"total".into())
    );
    assert_eq!(json["observed_seconds"], 599.0);
    assert_eq!(json["sentence"], sentence);
    for field in ["expected_seconds", "earliest_seconds", "latest_seconds"] {
        assert!(json["time_to_limit"][field].as_f64().unwrap() > 20_000.0, "{field}");
    }
    assert_eq!(serde_json::from_value::<Assessment>(json).unwrap().verdict, Verdict::Leaking);
}

#[test]
fn rates_are_formatted_in_a_suitable_unit() {
    let mb = 1_048_576.0;
    let cases = [
        (20.0 * mb, "20.0 MB/s"),
        (mb / 60.0, "1.00 MB/min"),
        (mb / 600.0, "6.00 MB/h"),
        (-mb / 60.0, "-1.00 MB/min"),
        (mb / 60.0 * 0.99, "0.99 MB/min"),
        (1.0, "3.5 kB/h"),
        (0.0, "0 B/h"),
    ];
    for (rate, shown) in cases {
        assert_eq!(Rate(rate).to_string(), shown);
    }
}

#[test]
fn the_state_has_the_size_that_the_documentation_names() {
    assert!((50_000..60_000).contains(&Forecaster::state_bytes()), "{}", Forecaster::state_bytes());
}

/// Generates any point that the types allow.
fn any_point() -> impl Strategy<Value = Point> {
    let time = prop_oneof![any::<i64>(), 0i64..1_000_000, Just(i64::MIN), Just(i64::MAX), Just(0)];
    let bytes = || prop_oneof![any::<u64>(), 0u64..1 << 30, Just(0), Just(u64::MAX)];
    let known = || proptest::option::of(bytes());
    let heap = proptest::option::of((known(), known(), known()));
    (time, bytes(), heap).prop_map(|(at, total, heap)| Point {
        at: UnixMillis(at),
        total: Bytes(total),
        heap: heap.map(|(used, resident, external)| Heap {
            used: used.map(Bytes),
            resident: resident.map(Bytes),
            external: external.map(Bytes),
        }),
    })
}

/// Returns a noisy series with a trend.
fn noisy(steps: &[(u32, u32)], slope: u32) -> Vec<Point> {
    let mut at = 0;
    steps
        .iter()
        .enumerate()
        .map(|(i, (gap, noise))| {
            at += i64::from(*gap);
            Point::single(UnixMillis(at), Bytes(50_000_000 + u64::from(slope) * i as u64 + u64::from(*noise)))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_series_makes_the_forecaster_panic(points in proptest::collection::vec(any_point(), 0..400), limit in any::<u64>()) {
        let mut forecaster = Forecaster::new();
        for point in points {
            forecaster.push(point);
            let _ = forecaster.time_to_limit_within(Bytes(limit), Duration::MAX);
        }
        let assessment = forecaster.assess(Bytes(limit));
        let _ = (assessment.report(), assessment.to_json());
    }

    #[test]
    fn ordered_extremes_do_not_make_it_panic(
        figures in proptest::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 100..500),
        every in prop_oneof![Just(0i64), Just(1), 50..2000i64, Just(1 << 40)],
    ) {
        let points = figures.iter().zip(0i64..).map(|(total, i)| Point::single(UnixMillis(i * every), Bytes(*total)));
        let assessment = Forecaster::of(points).assess(Bytes(u64::MAX));
        let _ = (assessment.report(), assessment.to_json());
        if let Some(time) = assessment.time_to_limit {
            prop_assert!(time.earliest <= time.expected && time.expected <= time.latest);
        }
        if let Some(slope) = assessment.slope {
            prop_assert!(slope.low <= slope.expected && slope.expected <= slope.high);
        }
    }

    #[test]
    fn only_differences_of_time_count(
        steps in proptest::collection::vec((100u32..2000, 0u32..2_000_000), 300..600),
        slope in 0u32..60_000,
        shift in -1_000_000_000_000i64..1_000_000_000_000,
    ) {
        let points = noisy(&steps, slope);
        let shifted = points.iter().map(|point| Point { at: UnixMillis(point.at.0 + shift), ..*point });
        prop_assert_eq!(Forecaster::of(shifted).assess(LIMIT), Forecaster::of(points.iter().copied()).assess(LIMIT));
    }

    #[test]
    fn a_larger_process_leaks_in_proportion(
        steps in proptest::collection::vec((100u32..2000, 0u32..2_000_000), 300..600),
        slope in 0u32..60_000,
        power in 1u32..10,
    ) {
        // A power of two scales floating point exactly.
        let scale = 1u64 << power;
        let points = noisy(&steps, slope);
        let larger = points.iter().map(|point| Point { total: Bytes(point.total.0 * scale), ..*point });
        let one = Forecaster::of(points.iter().copied()).assess(LIMIT);
        let many = Forecaster::of(larger).assess(Bytes(LIMIT.0 * scale));
        prop_assert_eq!((one.verdict, one.basis, one.window), (many.verdict, many.basis, many.window));
        prop_assert_eq!(one.time_to_limit, many.time_to_limit);
        let scaled = |rate: Rate| rate.0 * scale as f64;
        let expected = one.slope.map(|slope| scaled(slope.expected));
        prop_assert_eq!(expected, many.slope.map(|slope| slope.expected.0));
        prop_assert_eq!(one.detectable.map(scaled), many.detectable.map(|rate| rate.0));
    }
}
