//! The Worker's bindings and variables, by name.

use js_sys::{JSON, Reflect};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::alert::Channels;
use crate::config::{Config, DEFAULT_SECRET, Kind, Monitor, Problem, SecretName};
use crate::watch::Blindness;
use heapbeat_shared::signing::Secret;

/// The Durable Object namespace of the hub.
pub(crate) const BINDING_HUB: &str = "HUB";

/// The list of monitors: `[[vars.MONITORS]]`, or the same as JSON in a text.
const MONITORS: &str = "MONITORS";

/// `"true"` allows targets on private addresses; for local runs.
const ALLOW_PRIVATE_TARGETS: &str = "ALLOW_PRIVATE_TARGETS";

/// The address of the status page, for links in alerts.
const STATUS_URL: &str = "STATUS_URL";

/// The channels: `[[vars.ALERTS]]`.
const ALERTS: &str = "ALERTS";

/// Everything that the variables say.
#[derive(Debug)]
pub(crate) struct Setup {
    /// The monitors.
    pub(crate) config: Config,
    /// Where alerts go.
    pub(crate) channels: Channels,
    /// The address of the status page.
    pub(crate) page: Option<String>,
    /// Whether private addresses may be probed.
    pub(crate) allow_private: bool,
}

/// Reads the variables. What is wrong with channels stands among the problems of the monitors.
pub(crate) fn setup(env: &Env) -> Setup {
    let allow_private = variable(env, ALLOW_PRIVATE_TARGETS)
        .is_some_and(|value| value == JsValue::TRUE || value.as_string().as_deref() == Some("true"));
    let mut config = Config::parse(list(env, MONITORS).as_deref(), allow_private);
    let channels = Channels::parse(list(env, ALERTS).as_deref(), allow_private);
    config.problems.extend(channels.problems.iter().cloned());
    for monitor in &config.monitors {
        for id in monitor.alerts.iter().flatten().filter(|id| channels.get(id).is_none()) {
            let reason = format!("monitor `{}` alerts `{id}`, and there is no such channel", monitor.id);
            config.problems.push(Problem { position: ALERTS.to_owned(), reason });
        }
    }
    let page = variable(env, STATUS_URL).and_then(|value| value.as_string());
    let page = page.filter(|page| page.starts_with("https://") || page.starts_with("http://"));
    Setup { config, channels, page, allow_private }
}

/// The secret of this name.
pub(crate) fn secret(env: &Env, name: &SecretName) -> Option<String> {
    variable(env, name.as_str())?.as_string()
}

/// A list of tables, or the same as JSON in a text.
fn list(env: &Env, name: &str) -> Option<String> {
    let value = variable(env, name)?;
    value.as_string().or_else(|| JSON::stringify(&value).ok()?.as_string())
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
