//! The Worker's bindings and variables, by name.

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::config::{Config, DEFAULT_SECRET, Kind, Monitor};
use crate::watch::Blindness;
use heapbeat_shared::signing::Secret;

/// The Durable Object namespace of the hub.
pub(crate) const BINDING_HUB: &str = "HUB";

/// The list of monitors: `[[vars.MONITORS]]`, or the same as JSON in a text.
const MONITORS: &str = "MONITORS";

/// `"true"` allows targets on private addresses; for local runs.
const ALLOW_PRIVATE_TARGETS: &str = "ALLOW_PRIVATE_TARGETS";

/// The configuration, and whether private addresses may be probed.
pub(crate) fn config(env: &Env) -> (Config, bool) {
    let allow_private = variable(env, ALLOW_PRIVATE_TARGETS)
        .is_some_and(|value| value == JsValue::TRUE || value.as_string().as_deref() == Some("true"));
    let monitors = variable(env, MONITORS).and_then(|value| match value.as_string() {
        Some(text) => Some(text),
        None => JSON::stringify(&value).ok()?.as_string(),
    });
    (Config::parse(monitors.as_deref(), allow_private), allow_private)
}

/// The secret that `monitor` is asked with and whether every answer has to be signed with it; `None` where it is asked
/// without.
pub(crate) fn secret_of(env: &Env, monitor: &Monitor) -> Option<(Result<Secret, Blindness>, bool)> {
    if monitor.kind != Kind::Heapbeat {
        return None;
    }
    let name = monitor.secret.as_ref().map_or(DEFAULT_SECRET, |name| name.as_str());
    let text = variable(env, name).and_then(|value| value.as_string());
    let secret = text.map(|text| Secret::new(&text).map_err(|_| Blindness::Secret));
    match (secret, &monitor.secret) {
        (Some(secret), named) => Some((secret, named.is_some())),
        (None, Some(_)) => Some((Err(Blindness::Secret), true)),
        (None, None) => None,
    }
}

fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
