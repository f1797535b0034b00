//! Tables of conditions. The expected values come from Gatus's documentation and its evaluator. `tests/condition_reference.rs` compares
//! many more conditions with a second evaluator.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use super::*;

mod bodies;
mod costs;
mod possibility;
mod refusals;

/// The name, the condition, and its description if it does not hold; empty if it holds.
type ConditionCase = (&'static str, &'static str, &'static str);

fn outcome(status: u16, millis: u64) -> Outcome<'static> {
    let duration = Duration::from_millis(millis);
    Outcome { connected: true, status, duration, body: ObservedBody::Whole(b"") }
}

fn assert_case(outcome: Outcome<'_>, (name, text, description): ConditionCase) {
    let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
    let context = EvalContext::new(outcome);
    let result = condition.evaluate(&context);
    let expected = if description.is_empty() { text } else { description };
    assert_eq!((result.ok, result.description.as_str()), (description.is_empty(), expected), "{name}");
    assert_eq!(condition.holds(&context), result.ok, "{name}");
}

const STATUS_404: &[ConditionCase] = &[
    ("equal", "[STATUS] == 404", ""),
    ("equal, other", "[STATUS] == 200", "[STATUS] (404) == 200"),
    ("not equal", "[STATUS] != 200", ""),
    ("not equal, same", "[STATUS] != 404", "[STATUS] (404) != 404"),
    ("less", "[STATUS] < 405", ""),
    ("less, same", "[STATUS] < 404", "[STATUS] (404) < 404"),
    ("less or equal", "[STATUS] <= 404", ""),
    ("less or equal, more", "[STATUS] <= 403", "[STATUS] (404) <= 403"),
    ("greater", "[STATUS] > 403", ""),
    ("greater, same", "[STATUS] > 404", "[STATUS] (404) > 404"),
    ("greater or equal", "[STATUS] >= 404", ""),
    ("greater or equal, less", "[STATUS] >= 405", "[STATUS] (404) >= 405"),
    ("sides exchanged", "404 == [STATUS]", ""),
    ("sides exchanged, other", "200 == [STATUS]", "200 == [STATUS] (404)"),
    ("sides exchanged, ordered", "400 < [STATUS]", ""),
    ("lower case", "[status] == 404", ""),
    ("mixed case", "[Status] == 200", "[Status] (404) == 200"),
    ("space around", "  [STATUS]   ==   404  ", ""),
    ("space around, shown without", "  [STATUS]   ==   200  ", "[STATUS] (404) == 200"),
    ("hexadecimal", "[STATUS] == 0x194", ""),
    ("octal", "[STATUS] == 0624", ""),
    ("octal with its letter", "[STATUS] == 0o624", ""),
    ("binary", "[STATUS] == 0b110010100", ""),
    ("with a sign", "[STATUS] == +404", ""),
    ("a float is a text to ==", "[STATUS] == 404.0", "[STATUS] (404) == 404.0"),
    ("a float is its whole part to <=", "[STATUS] <= 404.9", ""),
    ("a float shows its whole part", "[STATUS] < 404.9", "[STATUS] (404) < 404.9 (404)"),
    ("an exponent", "[STATUS] < 1e3", ""),
    ("text is compared as text by ==", "[STATUS] == potato", "[STATUS] (404) == potato"),
    ("any, first", "[STATUS] == any(404, 200)", ""),
    ("any, last", "[STATUS] == any(200, 404)", ""),
    ("any, without spaces", "[STATUS] == any(200,404)", ""),
    ("any, none", "[STATUS] == any(200, 429)", "[STATUS] (404) == any(200, 429)"),
    ("any, on the left", "any(200, 404) == [STATUS]", ""),
    ("any, on the left, none", "any(200, 429) == [STATUS]", "any(200, 429) == [STATUS] (404)"),
    ("any, of one", "[STATUS] == any(404)", ""),
    ("any compares texts", "[STATUS] == any(0x194)", "[STATUS] (404) == any(0x194)"),
    ("none of", "[STATUS] != any(200, 429)", ""),
    ("none of, one", "[STATUS] != any(200, 404)", "[STATUS] (404) != any(200, 404)"),
    ("pattern", "[STATUS] == pat(4*)", ""),
    ("pattern, other", "[STATUS] == pat(2*)", "[STATUS] (404) == pat(2*)"),
    ("pattern, not", "[STATUS] != pat(5*)", ""),
    ("pattern, on the left", "pat(40?) == [STATUS]", ""),
    ("pattern with a set", "[STATUS] == pat([45]0[0-9])", ""),
    ("pattern with a set, not in it", "[STATUS] == pat([^45]0[0-9])", "[STATUS] (404) == pat([^45]0[0-9])"),
    ("two patterns", "pat(a*) == pat(a*)", ""),
    ("a pattern and a choice", "pat(any*) == any(a, b)", ""),
    ("two choices", "any(a, b) == any(a, b)", ""),
    ("length", "len([STATUS]) == 3", ""),
    ("length, other", "len([STATUS]) == 4", "len([STATUS]) (3) == 4"),
    ("has", "has([STATUS]) == true", ""),
    ("has of literal text", "has(potato) == false", ""),
    ("two placeholders", "[STATUS] > [RESPONSE_TIME]", ""),
    ("two placeholders, other", "[STATUS] == [RESPONSE_TIME]", "[STATUS] (404) == [RESPONSE_TIME] (50)"),
    ("two texts", "raw == raw", ""),
    ("two numbers written differently", "0x10 == 16", ""),
    ("the first comparison divides", "[STATUS] == a < b", "[STATUS] (404) == a < b"),
    ("a list is a text", "[1 2] == [1 2]", ""),
];

#[test]
fn conditions_on_the_status() {
    for case in STATUS_404 {
        assert_case(outcome(404, 50), *case);
    }
}

const TIME_750: &[ConditionCase] = &[
    ("milliseconds", "[RESPONSE_TIME] < 751", ""),
    ("milliseconds, same", "[RESPONSE_TIME] < 750", "[RESPONSE_TIME] (750) < 750"),
    ("or equal", "[RESPONSE_TIME] <= 750", ""),
    ("greater", "[RESPONSE_TIME] > 500", ""),
    ("greater or equal", "[RESPONSE_TIME] >= 751", "[RESPONSE_TIME] (750) >= 751"),
    ("equal", "[RESPONSE_TIME] == 750", ""),
    ("a second", "[RESPONSE_TIME] < 1s", ""),
    ("half a second", "[RESPONSE_TIME] < 0.5s", "[RESPONSE_TIME] (750ms) < 0.5s"),
    ("milliseconds with their unit", "[RESPONSE_TIME] < 500ms", "[RESPONSE_TIME] (750ms) < 500ms"),
    ("minutes", "[RESPONSE_TIME] > 1m", "[RESPONSE_TIME] (750ms) > 1m"),
    ("hours and minutes", "[RESPONSE_TIME] > 1h30m", "[RESPONSE_TIME] (750ms) > 1h30m"),
    ("below nothing", "[RESPONSE_TIME] < 0", "[RESPONSE_TIME] (750) < 0"),
    ("below less than nothing", "[RESPONSE_TIME] < -1h", "[RESPONSE_TIME] (750ms) < -1h"),
    ("a duration is a text to ==", "[RESPONSE_TIME] == 750ms", "[RESPONSE_TIME] (750) == 750ms"),
    ("length", "len([RESPONSE_TIME]) == 3", ""),
];

#[test]
fn conditions_on_the_response_time() {
    for case in TIME_750 {
        assert_case(outcome(200, 750), *case);
    }
}

const UNREACHED: &[ConditionCase] = &[
    ("connected", "[CONNECTED] == true", "[CONNECTED] (false) == true"),
    ("not connected", "[CONNECTED] == false", ""),
    ("connected is not true", "[CONNECTED] != true", ""),
    ("lower case", "[connected] == false", ""),
    ("connected is a word", "[CONNECTED] == 0", "[CONNECTED] (false) == 0"),
    ("the status is 0", "[STATUS] == 0", ""),
    ("no time has passed", "[RESPONSE_TIME] == 0", ""),
    ("there is no body", "[BODY] == ", ""),
    ("there is no body to have", "has([BODY]) == true", "has([BODY]) (false) == true"),
    ("no path leads anywhere", "[BODY].a == 1", "[BODY].a (INVALID) == 1"),
];

#[test]
fn conditions_on_a_target_that_did_not_respond() {
    for case in UNREACHED {
        assert_case(Outcome::UNREACHED, *case);
    }
    assert_case(outcome(200, 1), ("connected", "[CONNECTED] == true", ""));
}

#[test]
fn the_tables_have_at_least_150_cases() {
    let tables =
        STATUS_404.len() + TIME_750.len() + UNREACHED.len() + bodies::CASES.len() + refusals::CASES.len();
    assert!(tables >= 150, "{tables}");
}

#[test]
fn conditions_on_headers() {
    let mut headers = ObservedHeaders::new(UnixMillis(784_111_777_000 + 3_600_000));
    headers.insert("Content-Type", " application/json; charset=utf-8 ");
    headers.insert("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    headers.insert("X-Count", "12");
    let cases: &[ConditionCase] = &[
        ("a pattern", "[HEADER].content-type == pat(application/json*)", ""),
        ("any case", "[header].Content-TYPE == pat(*json*)", ""),
        (
            "other",
            "[HEADER].content-type == text/html",
            "[HEADER].content-type (application/json; charset=utf-8) == text/html",
        ),
        ("a number", "[HEADER].x-count > 11", ""),
        ("len", "len([HEADER].x-count) == 2", ""),
        ("has", "has([HEADER].x-count) == true", ""),
        ("has not", "has([HEADER].x-other) == false", ""),
        ("missing", "[HEADER].x-other == 1", "[HEADER].x-other (no such header) == 1"),
        ("missing differs", "[HEADER].x-other != 1", ""),
        ("age", "age([HEADER].last-modified) <= 1h", ""),
        ("too old", "age([HEADER].last-modified) < 30m", "age([HEADER].last-modified) (1h) < 30m"),
        (
            "no date is not young",
            "age([HEADER].x-other) < 24h",
            "age([HEADER].x-other) (no such header) < 24h",
        ),
        (
            "no date is not old",
            "age([HEADER].content-type) > 1s",
            "age([HEADER].content-type) (no date) > 1s",
        ),
    ];
    for (name, text, description) in cases {
        let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{name}: {text}: {error}"));
        let context = EvalContext::new(outcome(200, 5)).with_headers(&headers);
        let result = condition.evaluate(&context);
        let expected = if description.is_empty() { text } else { description };
        assert_eq!((result.ok, &*result.description), (description.is_empty(), *expected), "{name}");
        assert_eq!(condition.holds(&context), result.ok, "{name}");
    }
    let condition = Condition::parse("age([HEADER].Date) < [HEADER].x").unwrap();
    assert_eq!(condition.headers().collect::<Vec<_>>(), ["date", "x"]);
}
