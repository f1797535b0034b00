//! Invalid conditions, and conditions on properties that a Worker cannot observe.

use super::*;

/// The condition, and a part of the reason.
pub(super) const CASES: &[(&str, &str)] = &[
    ("", "two values with a comparison"),
    ("[STATUS]", "two values with a comparison"),
    ("[STATUS] ==", "two values with a comparison"),
    ("[STATUS]==201", "two values with a comparison"),
    ("[STATUS] ? 201", "`?` is not a comparison"),
    ("[STATUS] = 200", "`=` is not a comparison"),
    ("[STATUS] = = 201", "`=` is not a comparison"),
    ("[STATUS] === 200", "`===` is not a comparison"),
    ("[STATUS] ~= 200", "`~=` is not a comparison"),
    ("[STATUS] is 200", "two values with a comparison"),
    ("1 == 1 == 1", "`==` occurs more than once"),
    ("1 < 2 < 3", "`<` occurs more than once"),
    ("[IP] == 127.0.0.1", "[IP] is not available in a Worker"),
    ("[ip] == 127.0.0.1", "[IP] is not available in a Worker"),
    ("127.0.0.1 == [IP]", "[IP] is not available in a Worker"),
    ("len([IP]) > 3", "[IP] is not available in a Worker"),
    ("[IP] == pat(10.*)", "[IP] is not available in a Worker"),
    (
        "[CERTIFICATE_EXPIRATION] > 48h",
        "[CERTIFICATE_EXPIRATION] is not available in a Worker, which sees no",
    ),
    ("[DOMAIN_EXPIRY] > 720h", "unknown placeholder `[DOMAIN_EXPIRY]`"),
    ("[DNS_RCOD] == NOERROR", "did you mean [DNS_RCODE]?"),
    ("[CERTIFICATE_EXPIRATION] > 48h", "reports to a heartbeat monitor"),
    ("[CONTEXT].id == 1", "belongs to suites"),
    ("[STATSU] == 200", "unknown placeholder `[STATSU]`; did you mean [STATUS]?"),
    ("[RESPONSE-TIME] < 200", "did you mean [RESPONSE_TIME]?"),
    ("[RESPONSE TIME] < 200", "did you mean [RESPONSE_TIME]?"),
    ("[BOBY].a == 1", "did you mean [BODY]?"),
    ("[BODY]a == 1", "did you mean [BODY]?"),
    ("[Bdy] == 1", "unknown placeholder `[Bdy]`; did you mean [BODY]?"),
    ("[STATUS == 200", "`[STATUS` is text, not a placeholder; did you mean [STATUS]?"),
    ("STATUS] == 200", "`STATUS]` is text, not a placeholder; did you mean [STATUS]?"),
    ("STATUS == 200", "`STATUS` is text, not a placeholder; did you mean [STATUS]?"),
    ("body.state == UP", "`body` is text, not a placeholder; did you mean [BODY]?"),
    ("response_time < 800", "did you mean [RESPONSE_TIME]?"),
    ("[HEADERS].x == 1", "did you mean [HEADER]?"),
    ("[HEADER] == 1", "needs the name of a header"),
    ("[HEADER]. == 1", "needs the name of a header"),
    ("[HEADER].a b == 1", "needs the name of a header"),
    ("has([HEADER]) == true", "needs the name of a header"),
    ("age([BODY].date) < 24h", "age() is of a header"),
    ("age(x) < 24h", "age() is of a header"),
    ("age([HEADER].date) (5000) < 4s", "has a value in parentheses"),
    ("has([COOKIE].x) == true", "unknown placeholder `[COOKIE]`; the placeholders are [STATUS]"),
    ("length([BODY]) > 1", "`length()` is not a function"),
    ("length([BODY]) == 1", "`length()` is not a function"),
    ("LEN([BODY]) == 2", "`LEN()` is not a function"),
    ("[STATUS] == ", "empty; write the value to compare [STATUS] with"),
    ("len([BODY]) == ", "empty; write the value to compare len([BODY]) with"),
    ("[BODY].x == any()", "any() has no values"),
    ("[BODY].a[ == 1", "the path `[BODY].a[` has an invalid index"),
    ("[BODY].a[x] == 1", "invalid index"),
    ("[BODY].a] == 1", "invalid index"),
    ("[BODY][] == 1", "invalid index"),
    ("[BODY].status (DOWN) == UP", "has a value in parentheses"),
    ("[STATUS] (500) == 200", "has a value in parentheses"),
    ("len([BODY].items) (3) < 3", "has a value in parentheses"),
    ("5 == 6", "can never hold"),
    ("UP == DOWN", "can never hold"),
    ("len(potato) == 6", "can never hold"),
    ("a == pat([BODY])", "can never hold"),
    ("[RESPONSE_TIME] < fast", "`fast` is not a number or a duration"),
    ("[RESPONSE_TIME] < 1d", "`1d` is not a number or a duration"),
    ("len([BODY].users == 100", "`len(` is not closed"),
    ("has([BODY].users == true", "`has(` is not closed"),
    ("[BODY] == pat(a*", "`pat(` is not closed"),
    ("[BODY] == any(a, b", "`any(` is not closed"),
    ("[STATUS] < any(200, 300)", "can only be compared with == and !="),
    ("pat(2*) <= [STATUS]", "can only be compared with == and !="),
    ("[BODY] == pat([a)", "pattern in pat() is incomplete"),
    ("[BODY] == pat(a\\)", "pattern in pat() is incomplete"),
];

#[test]
fn an_invalid_condition_is_refused_with_the_reason() {
    for (text, reason) in CASES {
        let error = Condition::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn text_that_resembles_a_placeholder_is_a_value_beside_one() {
    for text in ["[BODY].state == CONNECTED", "[BODY].list == [a b]", "[BODY] == ", "[BODY].a[-1] == f(x)"] {
        assert_eq!(Condition::parse(text).err(), None, "{text}");
    }
}

#[test]
fn a_condition_over_the_limits_is_refused() {
    let long = format!("[BODY] == {}", "a".repeat(MAX_LENGTH));
    assert_eq!(Condition::parse(&long), Err(ConditionError::TooLong));
    let many = format!("[STATUS] == any({})", vec!["1"; operand::MAX_OPTIONS + 1].join(","));
    assert_eq!(Condition::parse(&many), Err(ConditionError::Options));
}

#[test]
fn a_condition_names_its_placeholders() {
    use Placeholder::{Body, Connected, ResponseTime, Status};
    let cases: [(&str, &[Placeholder]); 6] = [
        ("[STATUS] == 200", &[Status]),
        ("200 != [RESPONSE_TIME]", &[ResponseTime]),
        ("[CONNECTED] == true", &[Connected]),
        ("has([BODY].a) == true", &[Body]),
        ("len([BODY]) > [STATUS]", &[Body, Status]),
        ("a == pat(a*)", &[]),
    ];
    for (text, used) in cases {
        assert!(Condition::parse(text).unwrap().placeholders().eq(used.iter().copied()), "{text}");
    }
}
