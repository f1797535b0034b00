//! What a page needs besides what the hubs told: the headline, groups, and what is around it.

use serde_json::{Map, Value};

use super::{Reader, assets};

/// States that are worth the headline, worst first.
const NEWS: [&str; 4] = ["down", "degraded", "waking", "maintenance"];

type Fields = Map<String, Value>;

/// The model of `/`.
pub(super) fn status(mut fields: Fields) -> Fields {
    let monitors = list(&mut fields, "monitors");
    if let Some(Value::Array(all)) = fields.get_mut("maintenance") {
        for work in all {
            name(work, &monitors);
        }
    }
    let looked = fields.get("updated").is_some_and(Value::is_string);
    set(&mut fields, "headline", headline(&monitors, looked));
    set(&mut fields, "first", !looked);
    set(&mut fields, "empty", monitors.is_empty());
    set(&mut fields, "groups", groups(monitors));
    for (name, over) in [("open", false), ("past", true)] {
        let all = fields.get("incidents").and_then(Value::as_array);
        let those = all.into_iter().flatten().filter(|it| it["closed"].is_null() != over);
        let those: Vec<Value> = those.cloned().collect();
        set(&mut fields, name, those);
    }
    fields
}

/// The model of `/` where the hub did not answer.
pub(super) fn failed() -> Fields {
    let mut fields = Map::new();
    set(&mut fields, "status", "unobserved");
    set(&mut fields, "headline", said("failed", 0, 0));
    set(&mut fields, "failed", true);
    fields
}

/// What every page has around it.
pub(super) fn framed(mut fields: Fields, page: &str, reader: &Reader) -> Value {
    set(&mut fields, "page", page);
    set(&mut fields, "lang", reader.messages.language());
    set(&mut fields, "query", reader.query.as_str());
    set(&mut fields, "also", reader.query.replace('?', "&"));
    set(&mut fields, "stale", reader.stale);
    set(&mut fields, "site", reader.site.0.clone());
    set(&mut fields, "push", reader.push.as_deref());
    set(&mut fields, "origin", reader.origin.as_str());
    set(&mut fields, "stylesheet", assets::stylesheet());
    set(&mut fields, "script", assets::script());
    Value::Object(fields)
}

/// Puts the names of the monitors that work concerns beside their ids.
fn name(work: &mut Value, monitors: &[Value]) {
    for id in work["monitors"].as_array_mut().into_iter().flatten() {
        let name = monitors.iter().find(|it| it["id"] == *id).map_or(&*id, |it| &it["name"]);
        let mut fields = Map::new();
        set(&mut fields, "name", name.clone());
        set(&mut fields, "id", id.take());
        *id = Value::Object(fields);
    }
}

/// One sentence that answers "is it up?": the message that says it, and what stands in it.
fn headline(monitors: &[Value], looked: bool) -> Value {
    let total = monitors.len();
    let one = |key: &str, monitor: &Value| {
        let mut fields = Map::new();
        set(&mut fields, "key", key);
        set(&mut fields, "name", monitor["name"].clone());
        set(&mut fields, "since", if key == "up" { Value::Null } else { monitor["since"].clone() });
        Value::Object(fields)
    };
    let of = |state: &str| {
        let mut those = monitors.iter().filter(|it| it["state"] == *state);
        (those.clone().count(), those.next())
    };
    if total == 0 {
        return said("nothing", 0, 0);
    }
    for state in NEWS {
        match of(state) {
            (1, Some(monitor)) => return one(state, monitor),
            (count @ 1.., _) => {
                let kind = if count == total { ".all" } else { ".some" };
                return said(&[state, kind].concat(), count, total);
            }
            _ => {}
        }
    }
    match of("unobserved").0 {
        0 if total == 1 => one("up", &monitors[0]),
        0 => said("up.all", total, total),
        unseen if unseen == total => said(if looked { "unobserved.all" } else { "first" }, 0, total),
        unseen => said("unobserved.some", total - unseen, total),
    }
}

fn said(key: &str, count: usize, total: usize) -> Value {
    let mut fields = Map::new();
    set(&mut fields, "key", key);
    set(&mut fields, "count", count);
    set(&mut fields, "total", total);
    Value::Object(fields)
}

/// Monitors by group, groups in the order in which they first appear; those without one come first.
fn groups(monitors: Vec<Value>) -> Vec<Value> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    for monitor in monitors {
        let name = monitor["group"].clone();
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, those)) => those.push(monitor),
            None if name.is_null() => groups.insert(0, (name, vec![monitor])),
            None => groups.push((name, vec![monitor])),
        }
    }
    let group = |(name, monitors): (Value, Vec<Value>)| {
        let mut fields = Map::new();
        set(&mut fields, "name", name);
        set(&mut fields, "monitors", monitors);
        Value::Object(fields)
    };
    groups.into_iter().map(group).collect()
}

fn list(fields: &mut Fields, name: &str) -> Vec<Value> {
    match fields.remove(name) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn set(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    fields.insert(name.to_owned(), value.into());
}
