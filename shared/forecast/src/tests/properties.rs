//! Properties that hold for any series.

use proptest::prelude::*;

use super::*;

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
        let _ = (assessment.report(Bytes(limit / 2)), assessment.to_json(Bytes(limit / 2)));
    }

    #[test]
    fn ordered_extremes_do_not_make_it_panic(
        figures in proptest::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 100..500),
        every in prop_oneof![Just(0i64), Just(1), 50..2000i64, Just(1 << 40)],
    ) {
        let points = figures.iter().zip(0i64..).map(|(total, i)| Point::single(UnixMillis(i * every), Bytes(*total)));
        let assessment = Forecaster::of(points).assess(Bytes(u64::MAX));
        let _ = (assessment.report(Bytes(0)), assessment.to_json(Bytes(u64::MAX)));
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
