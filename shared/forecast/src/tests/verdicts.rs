//! Verdicts on series of every kind.

use super::*;

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
fn the_latest_time_of_growth_that_slows_down_is_later() {
    // From 10 MB a minute to 6.6 within ten minutes, which no test calls slowing: the recent half is 1.1 times as slow as the whole, and
    // past errors alone make the latest time 1.2 times the expected one.
    let slowing = |t: f64| megabytes(100.0 + (10.0 * t - 4.0 * t * t / 1400.0) / 60.0).0 as f64;
    let found = Forecaster::of(series(600, slowing)).assess(Bytes::from_mb(1024));
    let time = found.time_to_limit.unwrap();
    let latest = time.latest.as_secs_f64() / time.expected.as_secs_f64();
    assert!(found.verdict == Verdict::Leaking && (1.26..1.6).contains(&latest), "{latest}: {found:?}");
}

/// Returns noise between 0 and 1 for a second, the same for the same seed.
fn noise(seed: u64, second: f64) -> f64 {
    let state = (second.to_bits() ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (state >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn nothing_is_said_to_have_grown_in_flat_memory_with_noise() {
    let flat = |seed: u64| move |second: f64| (100.0 + 8.0 * noise(seed, second)) * 1_048_576.0;
    for seconds in [400, 600, 1300] {
        let bases: Vec<Basis> =
            (0..20).map(|seed| Forecaster::of(series(seconds, flat(seed))).assess(LIMIT).basis).collect();
        assert_eq!(bases, [Basis::NoGrowth; 20], "{seconds} s");
    }
}

#[test]
fn memory_that_grew_is_said_to_have_grown() {
    type Shape = fn(f64) -> f64;
    let shapes: [(Basis, Shape); 3] = [
        (Basis::GivenBack, |t| if t < 900.0 { 100.0 + t / 10.0 } else { 110.0 }),
        (Basis::SingleStep, |t| if t < 500.0 { 100.0 } else { 150.0 }),
        (Basis::GrowthStopped, |t| 100.0 + t.min(600.0) / 10.0),
    ];
    for (basis, shape) in shapes {
        let noisy = |t: f64| (shape(t) + 4.0 * noise(7, t)) * 1_048_576.0;
        let found = Forecaster::of(series(1000, noisy)).assess(LIMIT);
        assert_eq!((found.verdict, found.basis), (Verdict::Steady, basis), "{found:?}");
    }
}

/// Returns the megabytes of a cache without a bound, by the second: 120 requests a second for 60,000 values of 5 kB, the n-th one of
/// which is asked for n times as rarely as the first.
fn cache_of_zipf(seconds: u32) -> impl Fn(f64) -> f64 {
    let requests = 120.0 / 60_000_f64.ln();
    let seen = |second: u32| {
        let expected = |rank: u32| 1.0 - (-requests * f64::from(second) / f64::from(rank)).exp();
        (1..60_000).step_by(50).map(expected).sum::<f64>() * 50.0
    };
    let held: Vec<f64> = (0..=seconds).map(|second| 14.0 + seen(second) * 5.0 / 1024.0).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    move |second| held[second as usize]
}

#[test]
fn a_cache_that_fills_more_and_more_slowly_is_no_leak() {
    let cache = cache_of_zipf(7200);
    let leaks = |limit: u64| {
        let assessments = assess_often(7200, Bytes::from_mb(limit), &cache);
        first(&assessments, |it| it.verdict.is_leak())
    };
    assert_eq!(leaks(512), None);
    // It reaches 120 MB after eleven minutes.
    assert!(leaks(120).is_some_and(|second| second < 600), "{:?}", leaks(120));
}

#[test]
fn a_leak_beside_a_cache_that_fills_is_found() {
    let cache = cache_of_zipf(7200);
    let full_after = |seconds: f64| move |t: f64| 30.0 + 100.0 * (1.0 - (-t / seconds).exp());
    let found = |seconds: i64, cache: &dyn Fn(f64) -> f64, rate: f64| {
        let assessments = assess_often(seconds, LIMIT, |t| cache(t) + rate * t / 60.0);
        first(&assessments, |it| it.verdict == Verdict::Leaking).unwrap_or(seconds)
    };
    let beside_zipf = found(1800, &cache, 3.0);
    assert!(beside_zipf < 1500, "{beside_zipf}");
    for (time_constant, rate, at_most) in [(100.0, 1.0, 1200), (225.0, 3.0, 1800), (450.0, 1.0, 3600)] {
        let second = found(at_most + 300, &full_after(time_constant), rate);
        assert!(second <= at_most, "{rate} MB/min beside a cache of {time_constant} s: {second}");
    }
}
