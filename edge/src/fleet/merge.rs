//! One answer out of those of many hubs. Pure.
//!
//! The hubs' answers are finished JSON, and a thousand monitors are a megabyte of it: so it is not read and written again,
//! but cut where its fields and items begin and put together anew. What an item holds, nobody looks at.

use crate::domain::State;
use crate::domain::check::state::worst;

/// Figures that are the largest of all hubs', and not their sum.
const LARGEST: [&str; 6] = [
    "\"now\":",
    "\"ticks\":",
    "\"ticks_missed\":",
    "\"latest_tick_ms\":",
    "\"busiest_tick_subrequests\":",
    "\"interval_floor_seconds\":",
];

/// The answers as one, with the fields of the first: monitors one hub after the other, every other list without what is in
/// it already, the worst status, the latest instant, the sum of figures.
pub(crate) fn merge(answers: &[String]) -> String {
    let mut all = Vec::new();
    for answer in answers {
        all.push(items(answer));
    }
    let mut out = String::from("{");
    join(&mut out, &all);
    out.push('}');
    out
}

/// Puts the fields of objects together, each of them cut into its fields.
fn join(out: &mut String, objects: &[Vec<&str>]) {
    let Some(first) = objects.first() else { return };
    for field in first {
        // A name of ours has no colon in it.
        let name = &field[..field.find(':').map_or(0, |colon| colon + 1)];
        let mut values = Vec::new();
        for object in objects {
            values.extend(object.iter().find_map(|field| field.strip_prefix(name)));
        }
        comma(out);
        out.push_str(name);
        match (values[0].as_bytes().first(), name) {
            (Some(b'['), "\"monitors\":") => {
                out.push('[');
                values.iter().filter(|list| list.len() > 2).for_each(|list| put(out, inside(list)));
                out.push(']');
            }
            (Some(b'['), "\"maintenance\":") => {
                let mut works = Vec::new();
                for work in values.into_iter().flat_map(items) {
                    announce(&mut works, work);
                }
                out.push('[');
                for work in &works {
                    put(out, work);
                }
                out.push(']');
            }
            (Some(b'['), _) => {
                out.push('[');
                let mut already = Vec::new();
                for list in values {
                    for item in items(list) {
                        if !already.contains(&item) {
                            put(out, item);
                            already.push(item);
                        }
                    }
                }
                out.push(']');
            }
            (Some(b'{'), _) => {
                let mut parts = Vec::new();
                for object in values {
                    parts.push(items(object));
                }
                out.push('{');
                join(out, &parts);
                out.push('}');
            }
            (Some(b'0'..=b'9'), _) => {
                let mut sum = 0_u64;
                for number in values.iter().filter_map(|value| value.parse().ok()) {
                    sum = if LARGEST.contains(&name) { sum.max(number) } else { sum.saturating_add(number) };
                }
                out.push_str(&sum.to_string());
            }
            (_, "\"status\":") => {
                let known = values.iter().filter_map(|value| State::of(inside(value)));
                out.extend(["\"", worst(known).as_str(), "\""]);
            }
            // Instants are RFC 3339 in UTC, which as text has the order of time.
            _ => out.push_str(values.iter().filter(|value| **value != "null").max().unwrap_or(&"null")),
        }
    }
}

/// Adds announced work, of which each hub tells as far as it concerns its own monitors: the same work from the same instant is
/// one, that concerns all of them. Its fields are those of [`crate::web::api`]: id, title, monitors, from, to.
fn announce(works: &mut Vec<String>, work: &str) {
    let [id, _, monitors, from, _] = items(work)[..] else { return };
    for known in works.iter_mut() {
        let [same, title, before, when, _] = items(known)[..] else { continue };
        if same != id || when != from {
            continue;
        }
        // Behind the last of those that are known: a bracket, two commas, and the fields before.
        let at = 1 + same.len() + 1 + title.len() + 1 + before.len() - 1;
        if let Some(more) = monitors.strip_prefix("\"monitors\":[") {
            known.insert_str(at, &[",", more.trim_end_matches(']')].concat());
        }
        return;
    }
    works.push(work.to_owned());
}

fn put(out: &mut String, item: &str) {
    comma(out);
    out.push_str(item);
}

/// A comma, where something stands before.
fn comma(out: &mut String) {
    if !out.ends_with(['[', '{']) {
        out.push(',');
    }
}

/// What stands between the brackets, or the quotes.
fn inside(text: &str) -> &str {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

/// What stands between the brackets, cut at its commas.
pub(crate) fn items(list: &str) -> Vec<&str> {
    let text = inside(list);
    let (mut items, mut begin, mut depth, mut quoted, mut escaped) = (Vec::new(), 0, 0_u32, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                items.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    items.extend(text.get(begin..).filter(|rest| !rest.is_empty()));
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_status_of_three_hubs() {
        let one = |status: &str, updated: Value, ids: &[&str], rows: u64, ticks: u64| {
            json!({
                "status": status, "updated": updated,
                "monitors": ids.iter().map(|id| json!({"id": id, "reason": "\"},{[\\"})).collect::<Vec<_>>(),
                "problems": [{"position": "ALERTS.ops", "reason": "refused"}],
                "notices": if rows > 1 { vec!["a, b"] } else { vec![] },
                "edge": {"day": "2026-01-01", "ticks": ticks, "rows_written": rows, "hubs": 1},
                "more": ids.len(),
            })
            .to_string()
        };
        let answers = [
            one("up", json!("2026-01-01T00:01:00Z"), &["a", "b"], 3, 10),
            one("down", json!("2026-01-01T00:02:00Z"), &["c"], 4, 12),
            one("unobserved", Value::Null, &[], 0, 0),
        ];
        let merged = value(&merge(&answers));
        let ids: Vec<_> =
            merged["monitors"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(merged["monitors"][2]["reason"], "\"},{[\\");
        assert_eq!(
            (merged["status"].as_str(), merged["updated"].as_str()),
            (Some("down"), Some("2026-01-01T00:02:00Z"))
        );
        assert_eq!(merged["problems"].as_array().unwrap().len(), 1);
        assert_eq!(merged["notices"], json!(["a, b"]));
        assert_eq!(merged["edge"], json!({"day": "2026-01-01", "ticks": 12, "rows_written": 7, "hubs": 3}));
        assert_eq!(merged["more"], 3);
    }

    #[test]
    fn announced_work_is_told_once_for_all_whom_it_concerns() {
        let work = |id: &str, monitors: &str, from: &str| {
            format!(r#"{{"id":"{id}","title":"a],b","monitors":{monitors},"from":"{from}","to":"x"}}"#)
        };
        let one = |works: &[String]| format!(r#"{{"maintenance":[{}]}}"#, works.join(","));
        let merged = merge(&[
            one(&[work("both", r#"["a","b"]"#, "1"), work("all", "null", "1")]),
            one(&[]),
            one(&[work("all", "null", "1"), work("both", r#"["c"]"#, "1"), work("both", r#"["c"]"#, "2")]),
        ]);
        let expected =
            [work("both", r#"["a","b","c"]"#, "1"), work("all", "null", "1"), work("both", r#"["c"]"#, "2")];
        assert_eq!(merged, one(&expected));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,5}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Against a reader that reads everything.
        #[test]
        fn cut_where_items_begin(items_in in proptest::collection::vec(any_json(), 0..8)) {
            let text = Value::from(items_in.clone()).to_string();
            let cut: Vec<Value> = items(&text).into_iter().map(value).collect();
            prop_assert_eq!(&cut, &items_in);
        }

        /// Nothing that a hub says makes it panic.
        #[test]
        fn any_text(texts in proptest::collection::vec(".{0,60}", 0..4)) {
            let _ = merge(&texts);
        }
    }
}
