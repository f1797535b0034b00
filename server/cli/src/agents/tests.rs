use super::*;

#[test]
fn text_of_a_program_cannot_forge_lines_of_the_log() {
    assert_eq!(bounded("a\n\u{1b}[31mERROR\u{7f} ü"), "a[31mERROR ü");
    assert_eq!(bounded(&"x".repeat(9999)).len(), MAX_TEXT);
}

#[test]
fn a_duration_that_is_none_is_zero() {
    for ms in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
        let answer = PurgeAnswer { ms, ..PurgeAnswer::default() };
        assert_eq!(to_purge_report(&answer).took, Duration::ZERO);
    }
    let answer = PurgeAnswer { ms: 25.5, ..PurgeAnswer::default() };
    assert_eq!(to_purge_report(&answer).took, Duration::from_micros(25_500));
}

#[test]
fn the_young_generation_is_not_room_for_objects_that_stay() {
    assert_eq!(usable_limit("node", 248 << 20), Bytes::from_mb(200));
    assert_eq!(usable_limit("node", 112 << 20), Bytes::from_mb(56));
    assert_eq!(usable_limit("node", 64 << 20), Bytes::from_mb(28));
    assert_eq!(usable_limit("ruby", 248 << 20), Bytes::from_mb(248));
}
