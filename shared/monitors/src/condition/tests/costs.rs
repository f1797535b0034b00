//! The cost of the worst bodies and patterns is bounded.

use super::*;

fn evaluate(text: &str, body: &[u8]) -> ConditionResult {
    let outcome = Outcome { body: ObservedBody::Whole(body), ..outcome(200, 1) };
    Condition::parse(text).unwrap().evaluate(&EvalContext::new(outcome))
}

#[test]
fn json_that_is_nested_too_deeply_is_invalid() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(evaluate("has([BODY][0]) == true", deep(100).as_bytes()).ok);
    assert!(evaluate("has([BODY][0]) == false", deep(100_000).as_bytes()).ok);
    assert!(evaluate("has([BODY].a) == false", "{\"a\":".repeat(50_000).as_bytes()).ok);
}

#[test]
fn a_long_value_is_truncated_in_the_description() {
    let result = evaluate("[BODY] == x", &vec![b'y'; 1 << 20]);
    assert_eq!(result.description, format!("[BODY] ({}...(truncated)) == x", "y".repeat(MAX_VALUE_CHARS)));
}

/// These patterns take exponential time with full backtracking, and quadratic time with backtracking of the last star.
#[test]
fn patterns_are_matched_in_one_pass() {
    let body = vec![b'a'; 4 << 20];
    for pattern in [
        "*a*a*a*a*a*a*a*a*b",
        "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab*",
        "*[a][a][a][a][a][a][a][a]?b*",
        "*?*?*?*b",
    ] {
        assert!(!evaluate(&format!("[BODY] == pat({pattern})"), &body).ok, "{pattern}");
    }
}
