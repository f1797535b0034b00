use super::*;

/// Formats a tree as JSON, all scalars as text.
fn show(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar(_, ScalarKind::Null) => serde_json::Value::Null,
        Value::Scalar(text, _) | Value::Code(text) => text.clone().into(),
        Value::List(items) => items.iter().map(show).collect(),
        Value::Table(entries) => entries.iter().map(|(key, value)| (key.clone(), show(value))).collect(),
    }
}

#[test]
fn anchors_and_merge_keys_are_expanded() {
    for (text, json) in [
        ("a: &a {x: 1}\nb: *a", r#"{"a":{"x":"1"},"b":{"x":"1"}}"#),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}", r#"{"a":{"x":"1","y":"2"},"b":{"x":"3","y":"2"}}"#),
        ("b: {x: 3, <<: {x: 1, y: 2}}", r#"{"b":{"x":"3","y":"2"}}"#),
        (
            "l: [&a {x: 1}, &b {x: 2, y: 2}]\nb: {<<: [*a, *b]}",
            r#"{"b":{"x":"1","y":"2"},"l":[{"x":"1"},{"x":"2","y":"2"}]}"#,
        ),
        (
            "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}",
            r#"{"a":{"x":"1"},"b":{"x":"1","y":"2"},"c":{"x":"1","y":"2"}}"#,
        ),
        ("a: !!str 5\nb: ", r#"{"a":"5","b":null}"#),
        ("\u{feff}a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
    ] {
        let documents = parse_documents(text, &mut Budget::default()).unwrap();
        assert_eq!(
            documents.iter().map(show).collect::<Vec<_>>(),
            [serde_json::from_str::<serde_json::Value>(json).unwrap()],
            "{text}"
        );
    }
    assert_eq!(parse_documents("a: 1\n---\nb: 2\n", &mut Budget::default()).unwrap().len(), 2);
}

#[test]
fn what_would_take_too_much_is_refused() {
    let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let before = level - 1;
        format!("{text}a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 9].join(", "))
    });
    let deep = "[".repeat(100_000);
    let items = "- ".repeat(100_000);
    let keys = "? - ".repeat(50_000);
    // A megabyte that is used a thousand times, and one that sixty anchors around it would keep.
    let megabyte = "x".repeat(1 << 20);
    let long = format!("a: &a {megabyte}\nb: [{}]", "*a, ".repeat(1000));
    let nested = (0..60).fold(megabyte, |text, level| format!("&a{level} [{text}]"));
    for (text, expected) in [
        ("endpoints: &a\n  - *a\n", "contains itself"),
        ("a: {<<: 5}", "needs a table"),
        (&*long, "more than 32 MB of text"),
        (&*nested, "more than 32 MB of text"),
        (&*bomb, "more than 200000 values"),
        (&*deep, "recursion limit"),
        (&*items, "nested too deeply"),
        (&*keys, "nested too deeply"),
        ("a: [", "not YAML"),
        ("a:\n  {{- range .Values.x }}\n  - b", "template"),
    ] {
        let error = parse_documents(text, &mut Budget::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{}: {error}", text.chars().take(40).collect::<String>());
    }
}

#[test]
fn tables_of_many_keys_are_merged_in_one_pass() {
    let keys =
        |prefix: char| (0..20_000).map(|key| format!("  {prefix}{key}: 1\n")).collect::<Vec<_>>().concat();
    let text = format!("a: &a\n{}b:\n  <<: *a\n{}{}", keys('x'), "  <<: {z: 1}\n".repeat(10_000), keys('y'));
    let mut budget = Budget::default();
    let documents = parse_documents(&text, &mut budget).unwrap();
    assert_eq!(documents[0].get("b").unwrap().entries().len(), 40_001);
    assert!(!budget.is_exhausted());
    let error = parse_documents(&text, &mut budget).unwrap_err();
    assert!(matches!(error, YamlError::Size(_)), "the texts of one input share a budget");
}
