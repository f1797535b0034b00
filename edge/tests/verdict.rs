//! The `verdict` example as a user runs it: lines in, lines out, an error a line.

use heapbeat_edge::verdict::evaluate_lines;

/// The answers, and whether none of them was an error.
fn answers(input: &[u8]) -> (Vec<String>, bool) {
    let mut output = Vec::new();
    let all_judged = evaluate_lines(&mut &*input, &mut output).expect("buffers do not fail");
    (String::from_utf8(output).expect("JSON is text").lines().map(str::to_owned).collect(), all_judged)
}

#[test]
fn answers_as_the_contract_has_them() {
    let (lines, all_judged) = answers(
        br#"{"conditions":["[STATUS] == 200"],"outcome":{"connected":true,"status":200,"duration_ms":50,"body":"ok","headers":{}}}

{"conditions":["[BODY].a == 1","[RESPONSE_TIME] < 50"],"outcome":{"connected":true,"status":200,"duration_ms":50.9,"body":"{\"a\":1}"}}
{"conditions":[],"outcome":{}}"#,
    );
    assert_eq!(
        lines,
        [
            r#"{"ok":true,"conditions":[{"condition":"[STATUS] == 200","ok":true,"shown":"[STATUS] == 200"}]}"#,
            r#"{"ok":false,"conditions":[{"condition":"[BODY].a == 1","ok":true,"shown":"[BODY].a == 1"},{"condition":"[RESPONSE_TIME] < 50","ok":false,"shown":"[RESPONSE_TIME] (50) < 50"}]}"#,
            r#"{"ok":true,"conditions":[]}"#,
        ]
    );
    assert!(all_judged, "a condition that does not hold is no error");
}

#[test]
fn what_cannot_be_read_is_an_error_and_the_next_line_is_read() {
    let mut input = br#"{"conditions":["[IP] == 1"],"outcome":{}}
{"conditions":["[STATUS]"],"outcome":{}}
garbage
{"conditions":["[STATUS] == 0"]}
{"conditions":"[STATUS] == 0","outcome":{}}
{"conditions":[],"outcome":{"status":70000}}
{"conditions":[],"outcome":{"duration_ms":-1}}
"#
    .to_vec();
    input.extend(b"\xff\xfe\n");
    input.extend(vec![b'x'; 5 << 20]);
    input.extend(b"\n{\"conditions\":[],\"outcome\":{}}\n");
    let (lines, all_judged) = answers(&input);
    assert_eq!(lines.len(), 10);
    for (line, part) in lines.iter().zip([
        "[IP] is not available in a Worker",
        "a condition is two values",
        "expected value",
        "missing field `outcome`",
        "invalid type",
        "70000",
        "outcome.duration_ms should be",
        "expected value",
        "is longer than 4194304 bytes",
    ]) {
        assert!(line.starts_with(r#"{"error":""#) && line.contains(part), "{line}");
    }
    assert_eq!(lines[9], r#"{"ok":true,"conditions":[]}"#);
    assert!(!all_judged);
}

#[test]
fn the_documented_example_has_the_documented_output() {
    let page = include_str!("../../docs/conditions.md");
    let mut lines = page.lines().skip_while(|line| !line.starts_with(r#"    {"conditions""#));
    let (input, expected) = (lines.next().unwrap().trim(), lines.next().unwrap().trim());
    let mut output = Vec::new();
    assert!(evaluate_lines(&mut input.as_bytes(), &mut output).unwrap());
    assert_eq!(String::from_utf8(output).unwrap().trim(), expected);
}
