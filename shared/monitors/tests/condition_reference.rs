//! Compares the evaluator with a second one, which is written for clarity from Gatus's documentation: it matches patterns by backtracking,
//! follows paths as text, and parses numbers by other means. Both must agree on thousands of generated conditions and bodies, and no input
//! may make the evaluator panic.

use std::time::Duration;

use heapbeat_monitors::condition::{Condition, ConditionError, EvalContext, ObservedBody, Outcome};
use proptest::prelude::*;
use serde_json::Value;

mod reference {
    use super::{ObservedBody, Outcome, Value};

    /// Returns whether the condition holds, and its description.
    pub(super) fn evaluate(text: &str, outcome: &Outcome<'_>) -> (bool, String) {
        for sign in ["==", "!=", "<=", ">=", ">", "<"] {
            if let Some((left, right)) = text.split_once(&format!(" {sign} ")) {
                let (left, right) = (left.trim(), right.trim());
                let (a, b) = (resolve(left, outcome), resolve(right, outcome));
                let (ok, a, b) = match sign {
                    "==" => (equal((left, &a), (right, &b)), a, b),
                    "!=" => (!equal((left, &a), (right, &b)), a, b),
                    _ => {
                        let (x, y) = (number(&a), number(&b));
                        let ok = match sign {
                            "<=" => x <= y,
                            ">=" => x >= y,
                            ">" => x > y,
                            _ => x < y,
                        };
                        (ok, shown_number(left, x, right), shown_number(right, y, left))
                    }
                };
                if ok {
                    return (true, text.to_owned());
                }
                return (false, format!("{} {sign} {}", side(left, &a, right), side(right, &b, left)));
            }
        }
        panic!("{text} has no comparison");
    }

    fn side(written: &str, found: &str, other: &str) -> String {
        if found == format!("{written} (INVALID)") {
            return found.to_owned();
        }
        let found = if other.starts_with("pat(") && found.len() > 25 {
            format!("{}...(truncated)", found.chars().take(25).collect::<String>())
        } else {
            found.to_owned()
        };
        if found == written { found } else { format!("{written} ({found})") }
    }

    fn shown_number(written: &str, value: i64, other: &str) -> String {
        let literal_duration = millis(written).is_some() || written.trim_start_matches(['-', '+']) == "0";
        if literal_duration {
            written.to_owned()
        } else if written.eq_ignore_ascii_case("[RESPONSE_TIME]") && millis(other).unwrap_or(0) != 0 {
            shown_time(value)
        } else {
            value.to_string()
        }
    }

    /// Up to an hour; no response takes longer here.
    fn shown_time(millis: i64) -> String {
        let minutes = if millis < 60_000 { String::new() } else { format!("{}m", millis / 60_000) };
        let seconds = millis % 60_000;
        match seconds {
            0 if !minutes.is_empty() => minutes,
            0..1000 if minutes.is_empty() => format!("{seconds}ms"),
            _ => {
                let text = format!("{}.{:03}", seconds / 1000, seconds % 1000);
                format!("{minutes}{}s", text.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }

    fn resolve(written: &str, outcome: &Outcome<'_>) -> String {
        let invalid = format!("{written} (INVALID)");
        for function in ["len", "has"] {
            let Some(inner) = written.strip_prefix(&format!("{function}(")) else { continue };
            let inner = &inner[..inner.len() - 1];
            let found = value(inner, outcome);
            return match (function, found) {
                // An empty body is none; an empty text at the end of a path is there.
                ("has", found) => found
                    .is_some_and(|value| inner.len() > "[BODY]".len() || value != Found::Text(String::new()))
                    .to_string(),
                (_, None) => invalid,
                (_, Some(Found::Text(text))) => text.len().to_string(),
                (_, Some(Found::List(items, _))) => items.to_string(),
            };
        }
        if !written.to_uppercase().starts_with('[') || !is_placeholder(written) {
            return written.to_owned();
        }
        match value(written, outcome) {
            None => invalid,
            Some(Found::Text(text) | Found::List(_, text)) => text,
        }
    }

    #[derive(PartialEq)]
    enum Found {
        Text(String),
        List(usize, String),
    }

    fn is_placeholder(written: &str) -> bool {
        let upper = written.to_uppercase();
        ["[STATUS]", "[RESPONSE_TIME]", "[CONNECTED]", "[BODY]"].contains(&upper.as_str())
            || upper.starts_with("[BODY].")
            || upper.starts_with("[BODY][")
    }

    fn value(written: &str, outcome: &Outcome<'_>) -> Option<Found> {
        let ObservedBody::Whole(bytes) = outcome.body else { return None };
        let body = std::str::from_utf8(bytes).expect("the generator makes text");
        match written.to_uppercase().as_str() {
            "[STATUS]" => return Some(Found::Text(outcome.status.to_string())),
            "[RESPONSE_TIME]" => return Some(Found::Text(outcome.duration.as_millis().to_string())),
            "[CONNECTED]" => return Some(Found::Text(outcome.connected.to_string())),
            "[BODY]" => return Some(Found::Text(body.trim().to_owned())),
            _ => {}
        }
        let json: Value = serde_json::from_str(body).ok()?;
        walk(&json, written[6..].strip_prefix('.').unwrap_or(&written[6..])).map(found)
    }

    /// Follows the path from the left, one key or index at a time.
    fn walk<'v>(json: &'v Value, path: &str) -> Option<&'v Value> {
        if path.is_empty() {
            return if json.is_null() { None } else { Some(json) };
        }
        if let Some(rest) = path.strip_prefix('[') {
            let (index, rest) = rest.split_once(']')?;
            let item = json.as_array()?.get(index.parse::<usize>().ok()?)?;
            return walk(item, rest.strip_prefix('.').unwrap_or(rest));
        }
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let next = json.as_object()?.get(&path[..end])?;
        walk(next, path[end..].strip_prefix('.').unwrap_or(&path[end..]))
    }

    fn found(json: &Value) -> Found {
        match json {
            // The generator makes no text that Go would escape.
            Value::Object(_) => Found::Text(json.to_string()),
            Value::Array(items) => Found::List(items.len(), printed(json)),
            _ => Found::Text(printed(json)),
        }
    }

    fn printed(json: &Value) -> String {
        match json {
            Value::Null => "<nil>".to_owned(),
            Value::String(text) => text.clone(),
            Value::Array(items) => format!("[{}]", items.iter().map(printed).collect::<Vec<_>>().join(" ")),
            Value::Object(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(key, value)| format!("{key}:{}", printed(value))).collect();
                format!("map[{}]", fields.join(" "))
            }
            other => other.to_string(),
        }
    }

    fn equal(left: (&str, &str), right: (&str, &str)) -> bool {
        let argument = |written: &str, function: &str| {
            written.strip_prefix(function).and_then(|rest| rest.strip_suffix(')')).map(str::to_owned)
        };
        for ((written, _), (other, found)) in [(left, right), (right, left)] {
            let choice = other.starts_with("pat(") || other.starts_with("any(");
            if let (Some(pattern), false) = (argument(written, "pat("), choice) {
                return fits(&pattern.replace('/', ""), &found.replace('/', ""));
            }
            if let (Some(options), false) = (argument(written, "any("), choice) {
                return options.split(',').any(|option| option.trim() == found);
            }
        }
        match (whole(left.1), whole(right.1)) {
            (Some(a), Some(b)) => a == b,
            _ => left.1 == right.1,
        }
    }

    /// Tries everything.
    fn fits(pattern: &str, text: &str) -> bool {
        let mut rest = pattern.chars();
        match rest.next() {
            None => text.is_empty(),
            Some('*') => {
                let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                ends.into_iter().any(|at| fits(rest.as_str(), &text[at..]))
            }
            Some(one) => {
                let mut chars = text.chars();
                chars.next().is_some_and(|c| one == '?' || one == c) && fits(rest.as_str(), chars.as_str())
            }
        }
    }

    fn whole(text: &str) -> Option<i64> {
        let digits = text.trim_start_matches('-');
        if text.len() - digits.len() > 1 {
            return None;
        }
        let value = match digits.get(..2) {
            Some("0x") => i64::from_str_radix(&digits[2..], 16),
            Some(two) if two.starts_with('0') => i64::from_str_radix(&digits[1..], 8),
            _ => digits.parse(),
        };
        value.ok().map(|value| if digits == text { value } else { -value })
    }

    fn millis(text: &str) -> Option<i64> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        digits.parse::<i64>().ok().map(|number| number * unit)
    }

    fn number(text: &str) -> i64 {
        #[allow(clippy::cast_possible_truncation)] // that is what is asked for
        let float = || text.parse::<f64>().ok().map(|float| float.trunc() as i64);
        millis(text).or_else(|| whole(text)).or_else(float).unwrap_or(0)
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2000_i64..2000).prop_map(Value::from),
        "[abc]{0,4}".prop_map(Value::from),
        prop_oneof![
            Just("200"),
            Just("0x10"),
            Just("017"),
            Just("1.5"),
            Just("30s"),
            Just("1h"),
            Just("pat(*)"),
            Just("any(a)")
        ]
        .prop_map(Value::from),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abc]", inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => json().prop_map(|json| json.to_string()),
        1 => "[abc/ ]{0,40}",
        1 => Just("<html>".to_owned()),
        1 => Just(String::new()),
    ]
}

fn placeholder() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        3 => "\\.[abc]",
        2 => "\\[[0-3]\\]",
        1 => Just("[-1]".to_owned()),
    ];
    prop_oneof![
        1 => Just("[STATUS]".to_owned()),
        1 => Just("[Response_Time]".to_owned()),
        1 => Just("[connected]".to_owned()),
        1 => Just("[BODY]".to_owned()),
        6 => proptest::collection::vec(step, 1..4).prop_map(|steps| format!("[BODY]{}", steps.concat())),
    ]
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        "[abc]{1,4}",
        "-?[0-9]{1,4}",
        "0x[0-9a-f]{1,4}",
        "[0-9]{1,3}(ms|s|m|h)",
        "[0-9]\\.[0-9]",
        "(true|false)"
    ]
}

/// Returns literals that `<` accepts.
fn ordered_literal() -> impl Strategy<Value = String> {
    prop_oneof!["-?[0-9]{1,4}", "0x[0-9a-f]{1,4}", "[0-9]{1,3}(ms|s|m|h)", "[0-9]\\.[0-9]"]
        .prop_filter("a number", |text| Condition::parse(&format!("[STATUS] < {text}")).is_ok())
}

fn side(choices: bool) -> BoxedStrategy<String> {
    // `len([BODY])` counts what came, not what it means; the table has its cases.
    let counted = placeholder().prop_filter("not the body itself", |inner| inner != "[BODY]");
    let plain = prop_oneof![
        4 => placeholder(),
        2 => counted.prop_map(|inner| format!("len({inner})")),
        2 => placeholder().prop_map(|inner| format!("has({inner})")),
        4 => if choices { literal().boxed() } else { ordered_literal().boxed() },
    ];
    if !choices {
        return plain.boxed();
    }
    prop_oneof![
        4 => plain,
        1 => "pat\\([abc?*/]{0,8}\\)",
        1 => proptest::collection::vec(literal(), 1..4).prop_map(|values| format!("any({})", values.join(", "))),
    ]
    .boxed()
}

fn condition() -> impl Strategy<Value = String> {
    let equality = (side(true), "(==|!=)", side(true));
    let order = (side(false), "(<|<=|>|>=)", side(false));
    prop_oneof![equality, order].prop_map(|(left, sign, right)| format!("{left} {sign} {right}"))
}

/// Returns whether a condition compares two choices with each other, which is not specified.
fn has_two_choices(text: &str) -> bool {
    text.matches("pat(").count() + text.matches("any(").count() > 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree(
        text in condition().prop_filter("one choice", |text| !has_two_choices(text)),
        body in body(),
        status in 0_u16..600,
        millis in 0_u64..5000,
        connected: bool,
    ) {
        let body = ObservedBody::Whole(body.as_bytes());
        let outcome = Outcome { connected, status, duration: Duration::from_millis(millis), body };
        let parsed = Condition::parse(&text);
        prop_assume!(parsed != Err(ConditionError::NeverHolds));
        let result = parsed.unwrap().evaluate(&EvalContext::new(outcome));
        let (ok, description) = reference::evaluate(&text, &outcome);
        prop_assert_eq!(result.ok, ok, "{}", text);
        // The reference does not know that a body is not JSON.
        if !result.description.contains("(not JSON: ") {
            prop_assert_eq!(result.description, description, "{}", text);
        }
    }

    #[test]
    fn no_text_and_no_body_makes_the_evaluator_panic(
        text in prop_oneof![".{0,60}", "[\\[\\]BODYan(),.*?\\\\0-9a-c =<>!^-]{0,60}", "\\[BODY\\][.\\[\\]0-9a]{0,20} (==|<) .{0,20}"],
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(condition) = Condition::parse(&text) {
            let outcome = Outcome {
                connected: true,
                status: 200,
                duration: Duration::from_millis(5),
                body: ObservedBody::Whole(&body),
            };
            let context = EvalContext::new(outcome);
            prop_assert_eq!(condition.evaluate(&context).ok, condition.holds(&context));
        }
    }
}
