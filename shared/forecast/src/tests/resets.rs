//! What discards a series, and what the state takes.

use super::*;

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
fn the_state_has_the_size_that_the_documentation_names() {
    assert!((50_000..60_000).contains(&Forecaster::state_bytes()), "{}", Forecaster::state_bytes());
}
