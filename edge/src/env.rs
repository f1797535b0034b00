//! The Worker's bindings and variables, by name.

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::config::Config;

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

fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
