use super::*;

fn show(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar(_, ScalarKind::Null) => serde_json::Value::Null,
        Value::Scalar(text, ScalarKind::Text) => text.clone().into(),
        Value::Scalar(text, _) => serde_json::from_str(text).unwrap(),
        Value::Code(code) => serde_json::json!({ "code": code }),
        Value::List(items) => items.iter().map(show).collect(),
        Value::Table(entries) => entries.iter().map(|(key, value)| (key.clone(), show(value))).collect(),
    }
}

#[test]
fn literals_are_read_and_nothing_is_run() {
    for (source, json) in [
        ("const a: T = { x: 1, 'y z': \"q\", [`k`]: 2 }", r#"{"code":"{ x: 1, 'y z': \"q\", [`k`]: 2 }"}"#),
        ("const a = { x: 60 * 1000, y: 'a' + 'b', z: -1, }", r#"{"x":60000,"y":"ab","z":-1}"#),
        ("const b = [1]\nconst a: T[] = [...b, 2] as const", "[1,2]"),
        (
            "const d = { x: 1, y: 2 }\nexport const a = { ...d, y: 3, d } satisfies T;",
            r#"{"x":1,"y":3,"d":{"x":1,"y":2}}"#,
        ),
        ("const a = `t\\u0041${process.env.X}u`", r#""tA${X}u""#),
        ("const a = `t${f()}`", r#"{"code":"`t${f()}`"}"#),
        (
            "const a = { f: async (x) => { return { y: [1, 2] } }, g: 1 }",
            r#"{"f":{"code":"async (x) => { return { y: [1, 2] } }"},"g":1}"#,
        ),
        (
            "const a = { async f(x: T): Promise<{ y: 1 }> { return /[}]/.test(x) }, g: 1 }",
            r#"{"f":{"code":"a function"},"g":1}"#,
        ),
        ("const a = { /* { */ x: 1, // }\n y: 'it\\'s' }", r#"{"x":1,"y":"it's"}"#),
        ("const a = { t: process.env.T, u: env.T ?? 'x' }", r#"{"t":"${T}","u":{"code":"env.T ?? 'x'"}}"#),
    ] {
        let constants = read_constants(source, &mut Budget::default()).unwrap();
        let expected: serde_json::Value = serde_json::from_str(json).unwrap();
        let shown = show(&constants["a"]).to_string().replace('\u{f5f0}', "${").replace('\u{f5f1}', "}");
        assert_eq!(shown, expected.to_string(), "{source}");
    }
}

#[test]
fn no_file_takes_too_much() {
    for source in [
        "const a = ".to_owned() + &"[".repeat(100_000),
        "const a = ".to_owned() + &"{a:".repeat(100_000),
        "`${".repeat(50_000),
        "(".repeat(100_000),
    ] {
        let _ = read_constants(&source, &mut Budget::default());
    }
    let bomb = (1..20).fold("const a0 = [1,1,1,1,1,1,1,1]\n".to_owned(), |text, level| {
        let before = level - 1;
        format!("{text}const a{level} = [{}]\n", vec![format!("a{before}"); 9].join(","))
    });
    let _ = read_constants(&bomb, &mut Budget::default());
}

#[test]
fn what_would_take_too_much_is_refused() {
    let doubled: Vec<String> = (1..40).map(|n| format!("const a{n} = a{} + a{}\n", n - 1, n - 1)).collect();
    let megabyte = "x".repeat(1 << 20);
    for (source, expected) in [
        (format!("const a0 = 'x'\n{}", doubled.concat()), "32 MB of text"),
        (format!("const a = '{megabyte}'\nconst b = [{}]", "a,".repeat(1000)), "32 MB of text"),
        (format!("const a = [{}]\nconst b = [{}]", "1,".repeat(1000), "a,".repeat(100_000)), "200000 values"),
        (";".repeat(600_000), "words and signs"),
    ] {
        let error = read_constants(&source, &mut Budget::default()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    // What is long but fits takes one pass: neither a key nor a part of a sum is looked at once for each other one.
    let keys: Vec<String> = (0..60_000).map(|key| format!("k{key}: 1,")).collect();
    let sum = format!("const a = '{megabyte}'{}\nconst b = {{ {} }}", " + 'x'".repeat(60_000), keys.concat());
    let constants = read_constants(&sum, &mut Budget::default()).unwrap();
    assert_eq!(text(&constants["a"]).unwrap().len(), (1 << 20) + 60_000);
    assert_eq!(constants["b"].entries().len(), 60_000);
}
