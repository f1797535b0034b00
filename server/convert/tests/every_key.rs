//! Every key of an input is converted, or there is a note that names it: also keys that nobody thought of, wherever they are.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

use heapbeat_convert::{InputFile, Options, Source, convert};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A configuration with a table at each place where Gatus has one.
fn sample() -> Value {
    json!({
        "alerting": { "slack": { "webhook-url": "https://a.example/x", "default-alert": { "failure-threshold": 2 },
            "overrides": [{ "group": "g", "webhook-url": "https://a.example/y" }] } },
        "maintenance": { "start": "23:00", "duration": "1h", "every": ["Monday"] },
        "endpoints": [
            { "name": "a", "group": "g", "url": "https://example.com/", "conditions": ["[STATUS] == 200"], "method": "POST",
              "body": "x", "client": { "timeout": "5s" }, "ui": { "hide-url": true },
              "alerts": [{ "type": "slack", "success-threshold": 3 }],
              "maintenance-windows": [{ "start": "01:00", "duration": "1h" }] },
            { "name": "b", "url": "tcp://example.com:443", "conditions": ["[CONNECTED] == true"] },
        ],
        "external-endpoints": [{ "name": "c", "token": "t", "heartbeat": { "interval": "1h" }, "alerts": [{ "type": "slack" }] }],
    })
}

/// Inserts an entry into the table at this number, counted in order.
fn insert(value: &mut Value, number: &mut usize, key: &str, entry: &Value) {
    if let Value::Object(table) = value {
        if *number == 0 {
            table.insert(key.to_owned(), entry.clone());
        }
        *number = number.wrapping_sub(1);
    }
    match value {
        Value::Object(table) => table
            .iter_mut()
            .filter(|(known, _)| *known != key)
            .for_each(|(_, inner)| insert(inner, number, key, entry)),
        Value::Array(items) => items.iter_mut().for_each(|inner| insert(inner, number, key, entry)),
        _ => {}
    }
}

fn count_tables(value: &Value) -> usize {
    match value {
        Value::Object(table) => 1 + table.values().map(count_tables).sum::<usize>(),
        Value::Array(items) => items.iter().map(count_tables).sum(),
        _ => 0,
    }
}

fn count_scalars(value: &Value) -> usize {
    match value {
        Value::Object(table) => table.values().map(count_scalars).sum(),
        Value::Array(items) => items.iter().map(count_scalars).sum(),
        _ => 1,
    }
}

fn notes_of(source: Source, text: String) -> String {
    let file = InputFile { name: "f".to_owned(), text };
    let converted = convert(source, &[file], &Options::default()).unwrap();
    converted.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

proptest! {
    #[test]
    fn a_key_that_nobody_knows_is_named_in_a_note(place in 0usize..100, key in "zz[a-z]{1,8}", kind in 0usize..5) {
        let entry = [json!("text"), json!(5), json!(true), json!({ "x": [1] }), json!([{ "y": "z" }])][kind].clone();
        let mut input = sample();
        let mut number = place % count_tables(&input);
        insert(&mut input, &mut number, &key, &entry);
        let notes = notes_of(Source::Gatus, input.to_string());
        prop_assert!(notes.contains(&key), "{input}\n{notes}");
    }

    #[test]
    fn a_value_of_another_type_is_noted(place in 0usize..200, kind in 0usize..2) {
        // Every scalar that becomes a list or a table is noted with its key, or its monitor is left out.
        let mut input = sample();
        let entry = [json!(["unexpected"]), json!({ "unexpected": 1 })][kind].clone();
        let mut path = String::new();
        let mut number = place % count_scalars(&input);
        replace_scalar(&mut input, &mut number, "", &entry, &mut path);
        let notes = notes_of(Source::Gatus, input.to_string());
        let plain = notes_of(Source::Gatus, sample().to_string());
        prop_assert!(notes != plain, "{path}: {input}\n{notes}");
    }
}

/// Replaces the scalar at this number, and writes its path.
fn replace_scalar(value: &mut Value, number: &mut usize, path: &str, entry: &Value, found: &mut String) {
    match value {
        Value::Object(table) => {
            for (key, inner) in table.iter_mut() {
                replace_scalar(inner, number, &format!("{path}.{key}"), entry, found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter_mut().enumerate() {
                replace_scalar(inner, number, &format!("{path}[{index}]"), entry, found);
            }
        }
        scalar if found.is_empty() => {
            if *number == 0 {
                *scalar = entry.clone();
                path.clone_into(found);
            }
            *number = number.wrapping_sub(1);
        }
        _ => {}
    }
}
