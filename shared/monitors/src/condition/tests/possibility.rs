//! Which conditions can hold, by the values that each placeholder can have.

use std::time::Duration;

use super::*;
use crate::condition::{ValueLimits, find_impossible};

const LIMITS: ValueLimits = ValueLimits { response_time: Duration::from_secs(10), without_response: true };

fn reason(texts: &[&str], limits: ValueLimits) -> String {
    let conditions: Vec<_> = texts.iter().map(|text| Condition::parse(text).expect(text)).collect();
    let references: Vec<_> = conditions.iter().collect();
    find_impossible(&references, limits)
        .map_or_else(String::new, |found| format!("{}: {}", found.position, found.reason))
}

/// Each placeholder and function, conditions on it that never hold, and conditions that may hold.
type Kind = (&'static str, &'static [&'static str], &'static [&'static str]);

const KINDS: &[Kind] = &[
    (
        "[STATUS]",
        &[
            "== 99999",
            "== 99",
            "== 1000",
            "== -1",
            "< 0",
            "<= -1",
            "> 999",
            ">= 1000",
            "== OK",
            "== 200.0",
            "== 2xx",
            "== any(0200, ok)",
            "== pat(2*0*0*0)",
            "== pat(9???)",
            "== 200ms",
        ],
        &[
            "== 200",
            "== 0",
            "== 0x194",
            "!= 200",
            "< 100",
            "> 99",
            ">= 999",
            "== any(1000, 200)",
            "== pat(2*)",
            "!= pat(5*)",
            "!= potato",
            "< 4e2",
        ],
    ),
    (
        "[RESPONSE_TIME]",
        &["< 0", "== -1", "> 10s", "> 10000", ">= 11000", "== 500ms", "== fast", "== any(1s, 2s)"],
        &[
            "< 800",
            "> 0",
            ">= 0",
            "== 0",
            "<= 0",
            "< 1",
            "> 9999",
            ">= 10s",
            "!= 5",
            "== pat(1??)",
            "== any(5, x)",
        ],
    ),
    (
        "[CONNECTED]",
        &[
            "== True",
            "== yes",
            "== 1",
            "== any(yes, no)",
            "!= any(true, false)",
            "> 0",
            "< 0",
            "== pat(y*)",
            "!= pat(*e)",
        ],
        &["== true", "== false", "!= true", "== any(true, x)", "<= 0", "== pat(t*)"],
    ),
    ("has([BODY].a)", &["== 1", "== TRUE", "!= pat(*)", "> 5"], &["== true", "== false", "!= true", "< 5"]),
    ("has([HEADER].x)", &["== yes"], &["== true", "== false"]),
    ("has([STATUS])", &["== false", "!= true"], &["== true"]),
    (
        "len([BODY])",
        &["< 0", "== -5", "> 524288", "== many", "== 1.5"],
        &["== 0", "> 0", "< 1", ">= 524288", "!= 0", "== any(1, 2)", "== pat(1*)"],
    ),
    ("len([BODY].a)", &["< 0", "== -1", "> 9999999", "== x"], &["== 0", "> 5", "!= 5"]),
    ("len([HEADER].x)", &["< 0", "> 4096"], &["== 3", "> 4095"]),
    ("len([STATUS])", &["== 2", "> 3"], &["== 3", "== 1"]),
    ("len([CONNECTED])", &["== 3", "> 5"], &["== 4", "== 5"]),
    ("len([RESPONSE_TIME])", &["== 0", "> 5"], &["== 5", "== 1"]),
    (
        "age([HEADER].date)",
        &["== 5000", "== any(1, 2)"],
        &["< 24h", "> 5", "< 0", "== 5000ms", "!= 5", "< -1h"],
    ),
    (
        "[DNS_RCODE]",
        &["== OK", "== 0", "== noerror", "== any(a, b)", "== pat(X*)"],
        &["== NOERROR", "!= NOERROR", "== pat(N*)"],
    ),
    ("[DOMAIN_EXPIRATION]", &["== 720h", "== soon"], &["> 720h", "< 0", "!= 5", "== 5"]),
    ("[BODY]", &[], &["== ", "== x", "!= x", "< 0", "> 9999999999", "== pat(*)", "!= pat(*)"]),
    ("[BODY].a", &[], &["== UP", "!= UP", "< -5", "> 5", "== any(a, b)", "== pat(a*)"]),
    ("[HEADER].x", &[], &["== nginx", "!= nginx", "> 5", "== pat(text/*)"]),
];

#[test]
fn a_condition_can_hold_if_its_placeholder_can_have_such_a_value() {
    for (operand, never, sometimes) in KINDS {
        for rest in *never {
            let found = reason(&[&format!("{operand} {rest}")], LIMITS);
            assert!(found.starts_with("0: can never hold"), "{operand} {rest}: {found}");
        }
        for rest in *sometimes {
            assert_eq!(reason(&[&format!("{operand} {rest}")], LIMITS), "", "{operand} {rest}");
        }
    }
}

#[test]
fn the_sides_may_be_exchanged() {
    assert_eq!(
        reason(&["0 > [RESPONSE_TIME]"], LIMITS),
        "0: can never hold: [RESPONSE_TIME] is a whole number from 0 to 10000"
    );
    assert_eq!(
        reason(&["any(yes, no) == [CONNECTED]"], LIMITS),
        "0: can never hold: [CONNECTED] is true or false"
    );
    assert_eq!(
        reason(&["99999 == [STATUS]"], LIMITS),
        "0: can never hold: [STATUS] is 0 or a whole number from 100 to 999"
    );
    assert_eq!(reason(&["5 < [STATUS]"], LIMITS), "");
}

#[test]
fn a_response_limits_the_values() {
    let responded = ValueLimits { without_response: false, ..LIMITS };
    for text in [
        "[STATUS] == 0",
        "[STATUS] < 100",
        "[CONNECTED] == false",
        "[CONNECTED] != true",
        "len([STATUS]) == 1",
    ] {
        assert_eq!(reason(&[text], LIMITS), "", "{text}");
        assert!(reason(&[text], responded).contains("can never hold"), "{text}");
    }
    let patient = ValueLimits { response_time: Duration::from_secs(7 * 86_400), ..LIMITS };
    assert_eq!(reason(&["[RESPONSE_TIME] > 10h"], patient), "");
}

#[test]
fn a_placeholder_never_differs_from_itself() {
    for text in ["[STATUS] != [status]", "[BODY].a < [BODY].a", "len([BODY]) > len([BODY])"] {
        assert!(reason(&[text], LIMITS).contains("both sides are always equal"), "{text}");
    }
    for text in
        ["[STATUS] == [STATUS]", "[BODY].a != [BODY].b", "[STATUS] <= [STATUS]", "[BODY].code == [STATUS]"]
    {
        assert_eq!(reason(&[text], LIMITS), "", "{text}");
    }
}

#[test]
fn conditions_are_tried_together() {
    let never: [&[&str]; 10] = [
        &["[STATUS] == 200", "[STATUS] == 201"],
        &["[STATUS] >= 300", "[STATUS] < 300"],
        &["[STATUS] > 200", "[STATUS] < 201"],
        &["[STATUS] == any(200, 204)", "[BODY] == ok", "[STATUS] == any(301, 302)"],
        &["[STATUS] == pat(2*)", "[STATUS] == pat(3*)"],
        &["[STATUS] != 200", "200 == [STATUS]"],
        &["[BODY].status == UP", "[BODY].status == ok"],
        &["[BODY].n < 5", "[BODY].n > 5"],
        &["has([BODY].a) == true", "has([BODY].a) == false"],
        &["[CONNECTED] == true", "[CONNECTED] != true"],
    ];
    for texts in never {
        let found = reason(texts, LIMITS);
        assert!(
            found.starts_with(&format!("{}: can never hold together with `", texts.len() - 1)),
            "{texts:?}: {found}"
        );
    }
    let sometimes: [&[&str]; 8] = [
        &["[STATUS] >= 200", "[STATUS] <= 299"],
        &["[STATUS] > 200", "[STATUS] != 201", "[STATUS] != 202", "[STATUS] < 204"],
        &["[BODY].n > 5", "[BODY].n < 7", "[BODY].n != 6"],
        &["[BODY].n == 1", "[BODY].n == 0x1"],
        &["[BODY].a == UP", "[BODY].b == DOWN"],
        &["[BODY] == pat(*a*)", "[BODY] == pat(*b*)"],
        &["[STATUS] == any(200, 204)", "[STATUS] == any(204, 301)"],
        &["len([BODY].a) > 5", "[BODY].a == x"],
    ];
    for texts in sometimes {
        assert_eq!(reason(texts, LIMITS), "", "{texts:?}");
    }
}

proptest::proptest! {
    #[test]
    fn what_holds_for_some_status_is_never_called_impossible(
        status in proptest::sample::select(vec![0_u16, 100, 200, 204, 299, 404, 500, 999]),
        rests in proptest::collection::vec(("==|!=|<|<=|>|>=", -2_i64..1002), 1..4),
    ) {
        let conditions: Vec<_> = rests
            .iter()
            .map(|(operator, number)| Condition::parse(&format!("[STATUS] {operator} {number}")).unwrap())
            .collect();
        let context = EvalContext::new(Outcome { connected: status > 0, status, ..Outcome::UNREACHED });
        let references: Vec<_> = conditions.iter().collect();
        let found = find_impossible(&references, LIMITS);
        if conditions.iter().all(|condition| condition.holds(&context)) {
            proptest::prop_assert_eq!(found, None);
        } else if found.is_none() {
            let holds = |status: u16| {
                let context = EvalContext::new(Outcome { connected: status > 0, status, ..Outcome::UNREACHED });
                conditions.iter().all(|condition| condition.holds(&context))
            };
            proptest::prop_assert!(holds(0) || (100..1000).any(holds), "nothing holds, and it was not found");
        }
    }
}
