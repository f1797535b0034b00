//! Invalid conditions, and conditions about what a Worker cannot observe.

use super::*;

/// The text, and a part of the reason.
pub(super) const CASES: &[(&str, &str)] = &[
    ("", "two values with a comparison"),
    ("[STATUS]", "two values with a comparison"),
    ("[STATUS] ==", "two values with a comparison"),
    ("[STATUS]==201", "two values with a comparison"),
    ("[STATUS] ? 201", "`?` is no comparison"),
    ("[STATUS] = 200", "`=` is no comparison"),
    ("[STATUS] = = 201", "`=` is no comparison"),
    ("[STATUS] === 200", "`===` is no comparison"),
    ("[STATUS] ~= 200", "`~=` is no comparison"),
    ("[STATUS] is 200", "two values with a comparison"),
    ("1 == 1 == 1", "`==` stands in it more than once"),
    ("1 < 2 < 3", "`<` stands in it more than once"),
    ("[IP] == 127.0.0.1", "[IP] is what a Worker cannot see"),
    ("[ip] == 127.0.0.1", "[IP] is what a Worker cannot see"),
    ("127.0.0.1 == [IP]", "[IP] is what a Worker cannot see"),
    ("len([IP]) > 3", "[IP] is what a Worker cannot see"),
    ("[IP] == pat(10.*)", "[IP] is what a Worker cannot see"),
    ("[CERTIFICATE_EXPIRATION] > 48h", "[CERTIFICATE_EXPIRATION] is what a Worker cannot see"),
    ("[DOMAIN_EXPIRATION] > 720h", "would take a WHOIS query"),
    ("[DNS_RCODE] == NOERROR", "the answer to a DNS query of one's own"),
    ("[CONTEXT].id == 1", "belongs to suites"),
    ("[STATSU] == 200", "no placeholder `[STATSU]`; did you mean [STATUS]?"),
    ("[RESPONSE-TIME] < 200", "did you mean [RESPONSE_TIME]?"),
    ("[RESPONSE TIME] < 200", "did you mean [RESPONSE_TIME]?"),
    ("[BOBY].a == 1", "did you mean [BODY]?"),
    ("[BODY]a == 1", "did you mean [BODY]?"),
    ("len([BODY].users == 100", "`len(` is not closed"),
    ("has([BODY].users == true", "`has(` is not closed"),
    ("[BODY] == pat(a*", "`pat(` is not closed"),
    ("[BODY] == any(a, b", "`any(` is not closed"),
    ("[STATUS] < any(200, 300)", "go with == and != only"),
    ("pat(2*) <= [STATUS]", "go with == and != only"),
    ("[BODY] == pat([a)", "a pattern that is not complete"),
    ("[BODY] == pat(a\\)", "a pattern that is not complete"),
];

#[test]
fn an_invalid_condition_is_refused_with_the_reason() {
    for (text, reason) in CASES {
        let error = Condition::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_condition_over_the_limits_is_refused() {
    let long = format!("[BODY] == {}", "a".repeat(LONGEST));
    assert_eq!(Condition::parse(&long), Err(ConditionError::TooLong));
    let many = format!("[STATUS] == any({})", vec!["1"; element::MOST_OPTIONS + 1].join(","));
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
        ("a == pat([BODY])", &[]),
    ];
    for (text, asked) in cases {
        assert!(Condition::parse(text).unwrap().placeholders().eq(asked.iter().copied()), "{text}");
    }
}
