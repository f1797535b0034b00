//! The Worker's bindings and variables, by name.

use std::time::Duration;

use js_sys::{JSON, Reflect};
use serde_json::Value;
use wasm_bindgen::JsValue;
use worker::Env;

use crate::config::maintenance;
use crate::config::maintenance::{MAINTENANCE, Maintenance};
use crate::config::{Config, DEFAULT_SECRET, HeaderValue, HttpUrl, Monitor, Problem, SecretName, Target};
use crate::domain::ProbeSkipped;
use crate::domain::check::self_check::parse_references;
use crate::domain::quota::{FREE_PLAN, Quotas};
use crate::notify::Channels;
use crate::notify::push::{VARIABLES, Vapid};
use crate::probe::{SentHeader, wall_clock, zone_offset};
use crate::web::page::Branding;
use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;

/// The Durable Object namespace of the hub.
pub(crate) const BINDING_HUB: &str = "HUB";

/// The list of monitors: `[[vars.MONITORS]]`, or the same as JSON in a text.
const MONITORS: &str = "MONITORS";

/// `"true"` allows targets on private addresses; for local runs.
const ALLOW_PRIVATE_TARGETS: &str = "ALLOW_PRIVATE_TARGETS";

/// The secret that the owner's requests carry.
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// A secret that may only say that a job ran; so that machines with jobs need not hold the owner's.
const HEARTBEAT_TOKEN: &str = "HEARTBEAT_TOKEN";

/// The address of the status page, for links in alerts.
const STATUS_URL: &str = "STATUS_URL";

/// The channels: `[[vars.ALERTS]]`.
const ALERTS: &str = "ALERTS";

/// Whom the edge asks whether it can see at all, where everything fails at once: `default`, or addresses.
const REFERENCES: &str = "REFERENCES";

/// How long an answer of the hub's is good for everybody: `5s`, at most a minute.
const ANSWERS_KEPT: &str = "ANSWERS_KEPT";

/// What the owner says of the page: `[vars.PAGE]`.
const PAGE: &str = "PAGE";

/// The counter of requests.
pub(crate) const LIMIT: &str = "LIMIT";

/// How many may ask to be told, by a webhook or in their browser; nobody without it.
const SUBSCRIPTIONS: &str = "SUBSCRIPTIONS";

/// Most of them.
const MOST_SUBSCRIPTIONS: usize = 40;

/// `free`, whose daily quotas the edge keeps within, or `paid`.
const PLAN: &str = "PLAN";

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
    /// What a day gives; `None`: nothing runs out.
    pub(crate) quotas: Option<Quotas>,
    /// Announced work.
    pub(crate) maintenance: Vec<Maintenance>,
    /// Whom to ask when everything fails at once.
    pub(crate) references: Vec<HttpUrl>,
    /// How many may ask to be told.
    pub(crate) subscriptions: usize,
    /// What messages to browsers are sent with.
    pub(crate) vapid: Option<Vapid>,
}

/// Reads the variables. What is wrong with channels stands among the problems of the monitors.
pub(crate) fn setup(env: &Env) -> Setup {
    let allow_private = allows_private(env);
    let mut config = Config::parse(list(env, MONITORS).as_deref(), allow_private);
    let channels = Channels::parse(list(env, ALERTS).as_deref(), allow_private);
    config.problems.extend(channels.problems.iter().cloned());
    for channel in &channels.list {
        let zone = channel.quiet.as_ref().map_or("UTC", |quiet| quiet.zone.as_str());
        if zone_offset(zone, wall_clock()).is_none() {
            let reason = format!("there is no time zone `{zone}`, so its quiet hours are those of UTC");
            config.problems.push(Problem { position: format!("{ALERTS}.{}", channel.id), reason });
        }
    }
    config.problems.extend(branding(env).1);
    check_channels(&mut config, &channels);
    let page = page(env);
    let maintenance =
        match list(env, MAINTENANCE).map(|text| serde_json::from_str::<Value>(&text)).transpose() {
            Ok(None) => Vec::new(),
            Ok(Some(Value::Array(entries))) => {
                let (read, problems) = maintenance::parse_windows(MAINTENANCE, &entries);
                config.problems.extend(problems);
                read
            }
            _ => {
                let reason = "should be a list of tables: [[vars.MAINTENANCE]]".to_owned();
                config.problems.push(Problem { position: MAINTENANCE.to_owned(), reason });
                Vec::new()
            }
        };
    let plan = text(env, PLAN);
    let quotas = match plan.as_deref() {
        Some("paid") => None,
        None | Some("free") => Some(FREE_PLAN),
        Some(_) => {
            let reason = "should be `free` or `paid`; until then it is taken for `free`".to_owned();
            config.problems.push(Problem { position: PLAN.to_owned(), reason });
            Some(FREE_PLAN)
        }
    };
    let named = text(env, REFERENCES).unwrap_or_default();
    let references = parse_references(&named).unwrap_or_else(|error| {
        let reason = error.to_string();
        config.problems.push(Problem { position: REFERENCES.to_owned(), reason });
        Vec::new()
    });
    let subscriptions = subscriptions(env).unwrap_or_else(|| {
        let reason = format!("should be a number up to {MOST_SUBSCRIPTIONS}; until then there are none");
        config.problems.push(Problem { position: SUBSCRIPTIONS.to_owned(), reason });
        0
    });
    let vapid = match vapid(env) {
        Err((name, reason)) => {
            config.problems.push(Problem { position: name.to_owned(), reason: reason.to_owned() });
            None
        }
        Ok(vapid) => vapid,
    };
    Setup { config, channels, page, allow_private, quotas, maintenance, references, subscriptions, vapid }
}

/// Whether private addresses may be asked.
pub(crate) fn allows_private(env: &Env) -> bool {
    list(env, ALLOW_PRIVATE_TARGETS).as_deref() == Some("true")
}

/// How many may ask to be told; `None` where that is no number.
pub(crate) fn subscriptions(env: &Env) -> Option<usize> {
    list(env, SUBSCRIPTIONS)
        .map_or(Some(0), |text| text.parse().ok().filter(|most| *most <= MOST_SUBSCRIPTIONS))
}

/// What messages to browsers are sent with; nothing where nothing of it is set. An error names what is wrong with which variable.
pub(crate) fn vapid(env: &Env) -> Result<Option<Vapid>, (&'static str, &'static str)> {
    let set = VARIABLES.map(|name| text(env, name).unwrap_or_default());
    let is_set = set.iter().any(|text| !text.is_empty());
    is_set.then(|| Vapid::read(set)).transpose()
}

/// The key with which browsers ask to be told, where they may.
pub(crate) fn push_key(env: &Env) -> Option<String> {
    subscriptions(env).filter(|most| *most > 0)?;
    Some(vapid(env).ok()??.public)
}

/// The address of the status page, where it is configured.
pub(crate) fn page(env: &Env) -> Option<String> {
    let page = text(env, STATUS_URL);
    page.filter(|page| page.starts_with("https://") || page.starts_with("http://"))
}

/// How long an answer of the hub's is good for everybody, in milliseconds.
pub(crate) fn answers_kept(env: &Env) -> i64 {
    let text = text(env, ANSWERS_KEPT);
    let span = text.and_then(|text| parse_duration(&text).ok()).unwrap_or(Duration::from_secs(5));
    i64::try_from(span.as_millis()).map_or(60_000, |span| span.min(60_000))
}

/// What the owner says of the page; what of it cannot be used.
pub(crate) fn branding(env: &Env) -> (Branding, Vec<Problem>) {
    Branding::read(list(env, PAGE).as_deref())
}

/// Notes the monitors that alert a channel that there is not.
pub(crate) fn check_channels(config: &mut Config, channels: &Channels) {
    for monitor in &config.monitors {
        for id in monitor.alerts.iter().flatten().filter(|id| channels.get(id).is_none()) {
            let reason = format!("monitor `{}` alerts `{id}`, and there is no such channel", monitor.id);
            config.problems.push(Problem { position: ALERTS.to_owned(), reason });
        }
    }
}

/// The secret of this name.
pub(crate) fn secret(env: &Env, name: &SecretName) -> Option<String> {
    text(env, name.as_str())
}

/// A list of tables, or the same as JSON in a text.
fn list(env: &Env, name: &str) -> Option<String> {
    let value = variable(env, name)?;
    value.as_string().or_else(|| JSON::stringify(&value).ok()?.as_string())
}

/// The secret that `monitor` is asked with and whether every answer has to be signed with it; `None` where it is asked
/// without.
pub(crate) fn secret_of(env: &Env, monitor: &Monitor) -> Option<(Result<Secret, ProbeSkipped>, bool)> {
    let Target::Heapbeat { secret: named, .. } = &monitor.target else { return None };
    let name = named.as_ref().map_or(DEFAULT_SECRET, |name| name.as_str());
    let text = text(env, name);
    let secret = text.map(|text| Secret::new(&text).map_err(|_| ProbeSkipped::Secret));
    match (secret, named) {
        (Some(secret), named) => Some((secret, named.is_some())),
        (None, Some(_)) => Some((Err(ProbeSkipped::Secret), true)),
        (None, None) => None,
    }
}

/// The tokens that let the owner in, and those that let a job speak.
pub(crate) fn tokens(env: &Env, heartbeat: bool) -> Vec<Option<String>> {
    let names: &[&str] = if heartbeat { &[ADMIN_TOKEN, HEARTBEAT_TOKEN] } else { &[ADMIN_TOKEN] };
    names.iter().map(|name| text(env, name)).collect()
}

/// The headers that `monitor` sends; `None` where it has none.
pub(crate) fn headers_of(env: &Env, monitor: &Monitor) -> Option<Result<Vec<SentHeader>, ProbeSkipped>> {
    let Target::Http(check) = &monitor.target else { return None };
    let sent = check.headers.iter().map(|header| {
        let name = header.name.clone();
        match &header.value {
            HeaderValue::Literal(value) => Ok(SentHeader { name, value: value.clone(), secret: false }),
            HeaderValue::Secret { name: named, prefix } => {
                let text = secret(env, named).filter(|text| !text.is_empty()).ok_or(ProbeSkipped::Secret)?;
                Ok(SentHeader { name, value: format!("{prefix}{text}"), secret: true })
            }
        }
    });
    (!check.headers.is_empty()).then(|| sent.collect())
}

/// A binding, to be called by name.
pub(crate) fn binding(env: &Env, name: &str) -> JsValue {
    variable(env, name).unwrap_or_default()
}

/// A variable or secret that is a text.
fn text(env: &Env, name: &str) -> Option<String> {
    variable(env, name)?.as_string()
}

fn variable(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
