//! Conditions on the body, and on paths into it.

use super::*;

/// The name, the body, the condition, and its description if it does not hold; empty if it holds.
type BodyCase = (&'static str, &'static str, &'static str, &'static str);

const HTML: &str = r#"<!DOCTYPE html><html lang="en"><body><div id="user">john.doe</div></body></html>"#;

pub(super) const CASES: &[BodyCase] = &[
    // The body itself.
    ("equal", "test", "[BODY] == test", ""),
    ("other", "rest", "[BODY] == test", "[BODY] (rest) == test"),
    ("space around it does not count", " test\r\n", "[BODY] == test", ""),
    ("a number", "123", "[BODY] == 123", ""),
    ("a number written differently", "0x7b", "[BODY] == 123", ""),
    ("a number, less", "123", "[BODY] < 124", ""),
    ("a number, not greater", "100", "[BODY] > 123", "[BODY] (100) > 123"),
    ("a duration in the body", "90s", "[BODY] == 90s", ""),
    ("a duration in the body, ordered", "90s", "[BODY] > 1m", ""),
    ("empty", "", "[BODY] == ", ""),
    ("not empty", "x", "[BODY] == ", "[BODY] (x) == "),
    ("lower case", "test", "[body] == test", ""),
    ("a body that looks like a pattern is none", "pat(*)", "[BODY] == test", "[BODY] (pat(*)) == test"),
    (
        "a body that looks like a choice is none",
        "any(test, x)",
        "[BODY] == test",
        "[BODY] (any(test, x)) == test",
    ),
    ("a body that names a placeholder", "[STATUS]", "[BODY] == 200", "[BODY] ([STATUS]) == 200"),
    // Paths.
    ("path", r#"{"status":"UP"}"#, "[BODY].status == UP", ""),
    ("path, other", r#"{"status":"DOWN"}"#, "[BODY].status == UP", "[BODY].status (DOWN) == UP"),
    ("path, not", r#"{"status":"UP"}"#, "[BODY].status != DOWN", ""),
    ("a deeper path", r#"{"data": {"id": 1, "name": "john"}}"#, "[BODY].data.name == john", ""),
    ("a path keeps its case", r#"{"Name":"john"}"#, "[BODY].name == john", "[BODY].name (INVALID) == john"),
    ("the placeholder does not", r#"{"Name":"john"}"#, "[body].Name == john", ""),
    (
        "a missing key",
        r#"{"data": {"id": 1}}"#,
        "[BODY].data.name == john",
        "[BODY].data.name (INVALID) == john",
    ),
    ("what is missing differs from all", "{}", "[BODY].status != DOWN", ""),
    ("what is missing is 0 to <", "{}", "[BODY].errors < 5", ""),
    ("what is missing is 0 to >", "{}", "[BODY].count > 0", "[BODY].count (0) > 0"),
    ("no JSON", "john.doe", "[BODY].name == john", "[BODY].name (not JSON: john.doe) == john"),
    ("JSON and more", r#"{"data": 1}""#, "[BODY].data == 1", r#"[BODY].data (not JSON: {"data": 1}") == 1"#),
    (
        "no JSON, long, in one line and without parentheses",
        "<html>\n<b>(503) Service Unavailable</b>",
        "[BODY].n > 1",
        "[BODY].n (not JSON: <html> <b> 503  Service …) > 1",
    ),
    ("a byte order mark before JSON", "\u{feff}{\"a\": 1}", "[BODY].a == 1", ""),
    ("a byte order mark is no text", "\u{feff}ok", "[BODY] == ok", ""),
    ("a byte order mark is not counted", "\u{feff}ok", "len([BODY]) == 2", ""),
    ("a key with dots", r#"{"status": {"core.key_3": "x"}}"#, r#"[BODY].status["core.key_3"] == x"#, ""),
    ("a key with parentheses", r#"{"a (b)": 1}"#, r#"[BODY]["a (b)"] == 1"#, ""),
    ("len of a key with brackets", r#"{"a[0]": [1, 2]}"#, r#"len([BODY]["a[0]"]) == 2"#, ""),
    ("null", r#"{"data": null}"#, "[BODY].data == OK", "[BODY].data (INVALID) == OK"),
    ("null in a list", r#"{"items": [null]}"#, "[BODY].items[0] == OK", "[BODY].items[0] (INVALID) == OK"),
    ("null as the body", "null", "[BODY].data == OK", "[BODY].data (INVALID) == OK"),
    ("two paths", r#"{"a":"john","b":"doe"}"#, "[BODY].a != [BODY].b", ""),
    (
        "two paths, other",
        r#"{"a":"john","b":"doe"}"#,
        "[BODY].a == [BODY].b",
        "[BODY].a (john) == [BODY].b (doe)",
    ),
    ("two paths of numbers", r#"{"age":1,"id":1}"#, "[BODY].age == [BODY].id", ""),
    ("a path and the status", r#"{"code":200}"#, "[BODY].code == [STATUS]", ""),
    ("a body that is a list", r#"[{"id": 1}, {"id": 2}]"#, "[BODY][0].id == 1", ""),
    ("a list that is none", r#"{"code": 500}"#, "[BODY][0].name == test", "[BODY][0].name (INVALID) == test"),
    ("an index", r#"{"data": [{"id": 1}, {"id": 2}]}"#, "[BODY].data[1].id == 2", ""),
    ("an index past the end", r#"{"data": [1]}"#, "[BODY].data[1] == 1", "[BODY].data[1] (INVALID) == 1"),
    ("a negative index", r#"{"data": [1]}"#, "[BODY].data[-1] == 1", "[BODY].data[-1] (INVALID) == 1"),
    ("a list of lists", "[[1], [2, 3]]", "[BODY][1][0] == 2", ""),
    ("past a text", r#"{"a": {"b": "c"}}"#, "[BODY].a.b.c == d", "[BODY].a.b.c (INVALID) == d"),
    ("past a number", r#"{"a": 5}"#, "[BODY].a.b == 5", "[BODY].a.b (INVALID) == 5"),
    ("a number", r#"{"data": {"id": 1}}"#, "[BODY].data.id == 1", ""),
    ("a number, greater", r#"{"data": {"id": 1}}"#, "[BODY].data.id > 0", ""),
    ("a number, not greater", r#"{"data": {"id": 1}}"#, "[BODY].data.id > 5", "[BODY].data.id (1) > 5"),
    ("a number, not less", r#"{"data": {"id": 10}}"#, "[BODY].data.id < 5", "[BODY].data.id (10) < 5"),
    ("a negative number", r#"{"t": -4}"#, "[BODY].t < 0", ""),
    ("a large number", r#"{"time": 1700000000}"#, "[BODY].time == 1700000000", ""),
    ("a very large number", r#"{"id": 9007199254740993}"#, "[BODY].id == 9007199254740993", ""),
    ("a hexadecimal text", r#"{"data": "0x1"}"#, "[BODY].data > 0", ""),
    ("a hexadecimal text, equal", r#"{"data": "0xC0ff33"}"#, "[BODY].data == 12648243", ""),
    ("a hexadecimal text on both sides", r#"{"data": "0x01"}"#, "[BODY].data == 0x1", ""),
    ("an octal text", r#"{"data": "0o2"}"#, "[BODY].data == 2", ""),
    ("a binary text", r#"{"data": "0b0010"}"#, "[BODY].data == 0b10", ""),
    ("a float as a text", r#"{"balance": "123.40000000000005"}"#, "[BODY].balance > 100", ""),
    ("a float is cut to compare", r#"{"load": 0.85}"#, "[BODY].load < 1", ""),
    (
        "a float is cut to compare, both",
        r#"{"load": 0.85}"#,
        "[BODY].load < 0.9",
        "[BODY].load (0) < 0.9 (0)",
    ),
    ("a float, equal", r#"{"load": 0.85}"#, "[BODY].load == 0.85", ""),
    ("a whole float", r#"{"load": 2.0}"#, "[BODY].load == 2", ""),
    ("true", r#"{"ok": true}"#, "[BODY].ok == true", ""),
    ("false", r#"{"ok": false}"#, "[BODY].ok == true", "[BODY].ok (false) == true"),
    ("an object", r#"{"a": { "c": 1, "b": "x" }}"#, r#"[BODY].a == {"b":"x","c":1}"#, ""),
    ("a list", r#"{"a": ["x", 1, true]}"#, "[BODY].a == [x 1 true]", ""),
    ("a duration in a path", r#"{"age": "25h"}"#, "[BODY].age < 24h", "[BODY].age (90000000) < 24h"),
    ("a dot and no key", r#"{"":1}"#, "[BODY]. == 1", "[BODY]. ({\"\":1}) == 1"),
    // len
    ("len of a text", r#"{"data": {"name": "john"}}"#, "len([BODY].data.name) == 4", ""),
    ("len counts bytes", r#"{"name": "jürgen"}"#, "len([BODY].name) == 7", ""),
    ("len of a number", r#"{"age":18}"#, "len([BODY].age) == 2", ""),
    ("len of a truth", r#"{"adult":true}"#, "len([BODY].adult) == 4", ""),
    ("len of a list", r#"{"data": [1, 2, 3]}"#, "len([BODY].data) == 3", ""),
    ("len of a list, ordered", r#"{"data": [1]}"#, "len([BODY].data) < 5", ""),
    ("len of a list, too long", r#"{"data": [1, 2]}"#, "len([BODY].data) < 2", "len([BODY].data) (2) < 2"),
    ("len of an object", r#"{"a": { "b" : 1 }}"#, "len([BODY].a) == 7", ""),
    ("len of an object in a list", r#"[{"age":18,"adult":true}]"#, "len([BODY][0]) == 23", ""),
    ("len of the body, a list", r#"[{"id": 1}, {"id": 2}, {"id": 3}]"#, "len([BODY]) == 3", ""),
    ("len of the body, a text", "john.doe", "len([BODY]) == 8", ""),
    ("len of the body, an object as it came", r#"{"name": "john.doe"}"#, "len([BODY]) == 20", ""),
    ("len of the body, no list after all", "[1, 2", "len([BODY]) == 5", ""),
    ("len of the body, a broken list", "[1, x]", "len([BODY]) == 6", ""),
    ("len of the empty body", "", "len([BODY]) == 0", ""),
    ("len of what is missing", "{}", "len([BODY].a) == 8", "len([BODY].a) (INVALID) == 8"),
    ("len of what is missing, ordered", "{}", "len([BODY].a) > 0", "len([BODY].a) (0) > 0"),
    // has
    ("has not", "{}", "has([BODY].errors) == false", ""),
    ("has", r#"{"errors": ["1"]}"#, "has([BODY].errors) == false", "has([BODY].errors) (true) == false"),
    ("has an empty list", r#"{"users": []}"#, "has([BODY].users) == true", ""),
    ("has an object", r#"{"article": {"id": 123}}"#, "has([BODY].article) == true", ""),
    ("has an item", r#"{"users": [{"name": "a"}]}"#, "has([BODY].users[0].name) == true", ""),
    ("has null", r#"{"a": null}"#, "has([BODY].a) == false", ""),
    ("has an empty text", r#"{"a": ""}"#, "has([BODY].a) == true", ""),
    ("has false", r#"{"a": false}"#, "has([BODY].a) == true", ""),
    ("has no JSON", "<html>", "has([BODY].errors) == false", ""),
    ("has an error in a list", "[1]", "has([BODY].errors) == false", ""),
    ("has a body", "x", "has([BODY]) == true", ""),
    // pat
    ("pat", r#"{"name": "john.doe"}"#, "[BODY].name == pat(john*)", ""),
    (
        "pat, other",
        r#"{"name": "john.doe"}"#,
        "[BODY].name == pat(bob*)",
        "[BODY].name (john.doe) == pat(bob*)",
    ),
    ("pat in the body", r#"{"name": "john.doe"}"#, "[BODY] == pat(*john*)", ""),
    ("pat in a page", HTML, r#"[BODY] == pat(*<div id="user">john.doe</div>*)"#, ""),
    (
        "pat in a page, other",
        HTML,
        r#"[BODY] == pat(*<div id="user">jane.doe</div>*)"#,
        r#"[BODY] (<!DOCTYPE html><html lang...(truncated)) == pat(*<div id="user">jane.doe</div>*)"#,
    ),
    (
        "pat in a page, on the left",
        HTML,
        r#"pat(*<div id="user">jane.doe</div>*) == [BODY]"#,
        r#"pat(*<div id="user">jane.doe</div>*) == [BODY] (<!DOCTYPE html><html lang...(truncated))"#,
    ),
    ("pat in a list", r#"{"data": ["hello", "world", "Whatever"]}"#, "[BODY].data == pat(*Whatever*)", ""),
    ("pat knows no /", "a/b/c", "[BODY] == pat(*bc)", ""),
    ("pat keeps case", "UP", "[BODY] == pat(u*)", "[BODY] (UP) == pat(u*)"),
    ("pat over lines", "one\ntwo\n", "[BODY] == pat(one*two)", ""),
    ("pat of what is missing", "{}", "[BODY].a == pat(x*)", "[BODY].a (INVALID) == pat(x*)"),
    // any
    ("any", r#"{"name": "jane.doe"}"#, "[BODY].name == any(john.doe, jane.doe)", ""),
    (
        "any, none",
        r#"{"name": "bob"}"#,
        "[BODY].name == any(john, jane)",
        "[BODY].name (bob) == any(john, jane)",
    ),
    ("any of numbers", r#"{"id": 2}"#, "[BODY].id == any(1, 2)", ""),
    ("any may hold a space", "not found", "[BODY] == any(found, not found)", ""),
];

#[test]
fn conditions_on_the_body() {
    for (name, body, text, description) in CASES {
        let outcome = Outcome { body: ObservedBody::Whole(body.as_bytes()), ..outcome(200, 50) };
        assert_case(outcome, (name, text, description));
    }
}

#[test]
fn invalid_utf_8_in_a_body_is_replaced_before_comparison() {
    let outcome = Outcome { body: ObservedBody::Whole(b"\xff ok"), ..outcome(200, 1) };
    assert_case(outcome, ("found", "[BODY] == pat(* ok)", ""));
    assert_case(outcome, ("shown", "[BODY] == ok", "[BODY] (\u{fffd} ok) == ok"));
    assert_case(outcome, ("no JSON", "has([BODY].a) == false", ""));
    assert_case(outcome, ("its bytes", "len([BODY]) == 4", ""));
}

#[test]
fn no_condition_holds_on_a_body_that_is_not_usable() {
    let outcome = Outcome { body: ObservedBody::Unusable, ..outcome(200, 1) };
    assert_case(outcome, ("whole", "[BODY] == ok", "[BODY] (INVALID) == ok"));
    assert_case(outcome, ("path", "[BODY].a == ok", "[BODY].a (INVALID) == ok"));
    assert_case(outcome, ("has", "has([BODY].a) == false", "has([BODY].a) (INVALID) == false"));
    assert_case(outcome, ("len", "len([BODY]) == 0", "len([BODY]) (INVALID) == 0"));
    assert_case(outcome, ("no pattern", "[BODY] != pat(*error*)", "[BODY] (INVALID) != pat(*error*)"));
    assert_case(outcome, ("not equal", "[BODY].a != 5", "[BODY].a (INVALID) != 5"));
    assert_case(outcome, ("the status is seen", "[STATUS] == 200", ""));
}
