//! The cost of the worst bodies and patterns is bounded.

use super::*;

fn check(text: &str, body: &[u8]) -> ConditionResult {
    let seen = Outcome { body: ObservedBody::Whole(body), ..outcome(200, 1) };
    Condition::parse(text).unwrap().check(&EvalContext::new(seen))
}

#[test]
fn deep_json_is_no_json() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(check("has([BODY][0]) == true", deep(100).as_bytes()).ok);
    assert!(check("has([BODY][0]) == false", deep(100_000).as_bytes()).ok);
    assert!(check("has([BODY].a) == false", "{\"a\":".repeat(50_000).as_bytes()).ok);
}

#[test]
fn the_shown_value_is_short() {
    let checked = check("[BODY] == x", &vec![b'y'; 1 << 20]);
    assert_eq!(checked.shown, format!("[BODY] ({}...(truncated)) == x", "y".repeat(MOST_SHOWN)));
}

/// A pattern that takes exponential time when tried blindly, and quadratic time when only the last star is.
#[test]
fn patterns_are_matched_in_one_pass() {
    let body = vec![b'a'; 4 << 20];
    for pattern in [
        "*a*a*a*a*a*a*a*a*b",
        "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*",
        "*[a][a][a][a][a][a][a][a]?b*",
        "*?*?*?*b",
    ] {
        assert!(!check(&format!("[BODY] == pat({pattern})"), &body).ok, "{pattern}");
    }
}
