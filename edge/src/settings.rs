//! The settings of the Worker: what its variables and secrets configure.
//!
//! A variable that is invalid is reported as a [`ConfigProblem`] in the log and in the owner's status, and its default applies.

mod branding;
mod misspelled;
mod text_variables;
mod unknown_channels;

use std::time::Duration;

use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;
use serde_json::Value;
use worker::Env;

pub use self::branding::Branding;
pub(crate) use self::unknown_channels::report_unknown_channels;

use crate::domain::check::self_check::parse_references;
use crate::domain::quota::{FREE_PLAN, Quotas};
use crate::monitor_config::maintenance;
use crate::monitor_config::maintenance::{MAINTENANCE, Maintenance};
use crate::monitor_config::{
    APPLIED_PREFIX, ConfigProblem, DEFAULT_SECRET, HttpUrl, MonitorConfig, MonitorId, SecretName, Target,
};
use crate::notify::circuit::Obstacle;
use crate::notify::push::{VARIABLES, Vapid, VapidError};
use crate::notify::{Channel, Channels};
use crate::platform::bindings::{read_json, read_text, read_text_variable, variable_names};
use crate::platform::clock::wall_clock;
use crate::platform::intl::zone_offset;
use crate::platform::url::WebUrl;
use heapbeat_shared::text::shorten;

/// The list of monitors: `[[vars.MONITORS]]`, or the same as JSON in a text.
const MONITORS: &str = "MONITORS";

/// `"true"` allows targets on private addresses; for local runs.
const ALLOW_PRIVATE_TARGETS: &str = "ALLOW_PRIVATE_TARGETS";

/// The secret that authorizes requests of the owner.
const ADMIN_TOKEN: &str = "ADMIN_TOKEN";

/// A secret that authorizes heartbeats only, so that machines that run jobs need not hold the owner's.
const HEARTBEAT_TOKEN: &str = "HEARTBEAT_TOKEN";

/// The address of the status page, for links in alerts.
const STATUS_URL: &str = "STATUS_URL";

/// The alert channels: `[[vars.ALERTS]]`.
const ALERTS: &str = "ALERTS";

/// The reference addresses, which are requested when all probes fail at once: `default`, or a list of addresses.
const REFERENCES: &str = "REFERENCES";

/// How long the response of a hub is cached: `5s`, at most a minute.
const CACHE_TTL: &str = "CACHE_TTL";

/// The default of [`CACHE_TTL`].
const DEFAULT_CACHE_TTL: Duration = Duration::from_secs(5);

/// The longest [`CACHE_TTL`].
const MAX_CACHE_TTL: Duration = Duration::from_secs(60);

/// The title, logo and links of the page: `[vars.PAGE]`.
const PAGE: &str = "PAGE";

/// The most subscriptions of the public, by webhook or in a browser; without it there are none.
const SUBSCRIPTIONS: &str = "SUBSCRIPTIONS";

/// The secrets that applied monitors may name, a list.
const MONITOR_SECRETS: &str = "MONITOR_SECRETS";

/// The highest value of [`SUBSCRIPTIONS`].
const MAX_SUBSCRIPTIONS: usize = 40;

/// Cloudflare's plan: `free`, whose daily quotas the edge keeps, or `paid`.
const PLAN: &str = "PLAN";
const RDAP: &str = "RDAP";

/// The bootstrap service that redirects to the registry of each domain.
const DEFAULT_RDAP: &str = "https://rdap.org";

/// What a hub needs of the Worker's variables.
#[derive(Debug)]
pub(crate) struct WorkerSettings {
    /// The monitors of `wrangler.toml`, and the problems of all variables.
    pub(crate) config: MonitorConfig,
    /// The alert channels.
    pub(crate) channels: Channels,
    /// The address of the status page.
    pub(crate) status_url: Option<String>,
    /// Whether private addresses may be probed.
    pub(crate) allow_private: bool,
    /// The daily quotas of the plan; `None` if there are none.
    pub(crate) quotas: Option<Quotas>,
    /// The maintenance of `wrangler.toml`.
    pub(crate) maintenance: Vec<Maintenance>,
    /// The reference addresses, which are requested when all probes fail at once.
    pub(crate) references: Vec<HttpUrl>,
    /// The address of the bootstrap service of RDAP.
    pub(crate) rdap: String,
    /// The most subscriptions.
    pub(crate) max_subscriptions: usize,
    /// The keys that sign notifications to browsers.
    pub(crate) vapid: Option<Vapid>,
    /// The secrets of the Worker.
    pub(crate) secrets: SecretStore,
    /// The secrets that applied monitors may name, besides those with the prefix.
    pub(crate) applied_secrets: Vec<String>,
}

/// The secrets of the Worker, of which it tells only whether they are set.
pub(crate) struct SecretStore(Env);

impl std::fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretStore(…)")
    }
}

/// Reads the settings of a hub.
pub(crate) fn read_settings(env: &Env) -> WorkerSettings {
    let allow_private = allows_private_targets(env);
    let mut config = MonitorConfig::parse(read_json(env, MONITORS).as_deref(), allow_private);
    let mut problems = Vec::new();
    let channels = read_channels(env, allow_private, &mut problems);
    problems.extend(read_branding(env).1);
    report_text_variables(env, &mut problems);
    let settings = WorkerSettings {
        status_url: read_status_url(env),
        allow_private,
        quotas: read_quotas(env),
        maintenance: read_maintenance(env, &mut problems),
        references: read_references(env, &mut problems),
        rdap: read_text(env, RDAP)
            .filter(|url| text_variables::is_web_address(url))
            .unwrap_or_else(|| DEFAULT_RDAP.to_owned()),
        max_subscriptions: read_max_subscriptions(env).unwrap_or_else(|| {
            let text = read_json(env, SUBSCRIPTIONS).unwrap_or_default();
            let reason = format!(
                "`{}` should be a number up to {MAX_SUBSCRIPTIONS}; 0 applies until it is fixed",
                shorten(&text, 60)
            );
            problems.push(ConfigProblem { position: SUBSCRIPTIONS.to_owned(), reason });
            0
        }),
        vapid: read_vapid(env).unwrap_or_else(|VapidError { variable: name, expected: reason }| {
            problems.push(ConfigProblem { position: name.to_owned(), reason: reason.to_owned() });
            None
        }),
        channels,
        config: MonitorConfig::default(),
        secrets: SecretStore(env.clone()),
        applied_secrets: read_applied_secrets(env, &mut problems),
    };
    config.problems.append(&mut problems);
    report_misspelled_variables(env, &mut config, &settings.channels);
    report_unusable_secrets(&mut config, &settings.secrets);
    report_unknown_channels(&mut config, &settings.channels);
    WorkerSettings { config, ..settings }
}

/// Reports the variables whose names are nearly those of settings.
fn report_misspelled_variables(env: &Env, config: &mut MonitorConfig, channels: &Channels) {
    let secrets = config.monitors.iter().flat_map(heapbeat_monitors::Monitor::secrets);
    let used: Vec<_> =
        secrets.chain(channels.list.iter().map(|it| &it.secret)).map(SecretName::as_str).collect();
    let found = misspelled::find_misspelled(&variable_names(env), &used);
    config.problems.extend(found);
}

/// Whether private addresses may be probed.
pub(crate) fn allows_private_targets(env: &Env) -> bool {
    read_json(env, ALLOW_PRIVATE_TARGETS).as_deref() == Some("true")
}

/// Returns the most subscriptions; `None` if the variable is invalid.
pub(crate) fn read_max_subscriptions(env: &Env) -> Option<usize> {
    let Some(text) = read_json(env, SUBSCRIPTIONS) else { return Some(0) };
    text.parse().ok().filter(|most| *most <= MAX_SUBSCRIPTIONS)
}

/// Returns the keys that sign notifications to browsers; `None` if none of their variables is set. An error is the name of an
/// invalid variable and the reason.
pub(crate) fn read_vapid(env: &Env) -> Result<Option<Vapid>, VapidError> {
    let texts = VARIABLES.map(|name| read_text(env, name).unwrap_or_default());
    let is_set = texts.iter().any(|text| !text.is_empty());
    is_set.then(|| Vapid::read(texts)).transpose()
}

/// Returns the public key with which browsers subscribe; `None` if subscriptions in browsers are disabled.
pub(crate) fn read_push_key(env: &Env) -> Option<String> {
    read_max_subscriptions(env).filter(|most| *most > 0)?;
    Some(read_vapid(env).ok()??.public)
}

/// Returns the address of the status page, if it is configured.
pub(crate) fn read_status_url(env: &Env) -> Option<String> {
    read_text(env, STATUS_URL).filter(|url| text_variables::is_web_address(url))
}

/// Returns how long the response of a hub is cached, in milliseconds.
pub(crate) fn read_cache_ttl_ms(env: &Env) -> i64 {
    let ttl = read_text(env, CACHE_TTL).and_then(|text| parse_duration(&text).ok());
    let ttl = ttl.unwrap_or(DEFAULT_CACHE_TTL).min(MAX_CACHE_TTL);
    i64::try_from(ttl.as_millis()).unwrap_or_default()
}

/// Returns the title, logo and links of the page, and what is wrong with the variable.
pub(crate) fn read_branding(env: &Env) -> (Branding, Vec<ConfigProblem>) {
    Branding::read(read_json(env, PAGE).as_deref())
}

/// Returns the tokens that authorize the owner's requests, or the heartbeats of a `job`: those of the owner, and that of the job. A job
/// without a token of its own shares the one for all such jobs.
pub(crate) fn read_tokens(env: &Env, job: Option<&MonitorId>) -> Vec<Option<String>> {
    let mut tokens = vec![read_text(env, ADMIN_TOKEN)];
    if let Some(job) = job {
        let own = format!("{HEARTBEAT_TOKEN}_{}", job.as_str().replace('-', "_").to_ascii_uppercase());
        let own = read_text(env, &own).filter(|token| !token.is_empty());
        tokens.push(own.or_else(|| read_text(env, HEARTBEAT_TOKEN)));
    }
    tokens
}

/// Returns the secret of this name.
pub(crate) fn read_secret(env: &Env, name: &SecretName) -> Option<String> {
    read_text(env, name.as_str())
}

/// Reads the secrets that applied monitors may name.
fn read_applied_secrets(env: &Env, problems: &mut Vec<ConfigProblem>) -> Vec<String> {
    let Some(json) = read_json(env, MONITOR_SECRETS) else { return Vec::new() };
    serde_json::from_str(&json).unwrap_or_else(|_| {
        let reason = "should be a list of names, such as [\"API_TOKEN\"]; until it is fixed, applied monitors may name none of them";
        problems.push(ConfigProblem { position: MONITOR_SECRETS.to_owned(), reason: reason.to_owned() });
        Vec::new()
    })
}

/// Removes the secrets that applied monitors must not name, with the monitors, and reports them: the holder of the admin token could send
/// each secret of the Worker to a host of his own.
pub(crate) fn refuse_foreign_secrets(config: &mut MonitorConfig, listed: &[String]) {
    let problems = &mut config.problems;
    config.monitors.retain(|monitor| {
        let foreign = monitor.secrets().into_iter().find(|secret| !secret.may_be_applied(listed));
        if let Some(secret) = foreign {
            problems.push(ConfigProblem {
                position: monitor.id.to_string(),
                reason: format!(
                    "names the secret `{secret}`, which is not set aside for applied monitors: give it a name that begins with {APPLIED_PREFIX}, or \
                     list it in {MONITOR_SECRETS} of wrangler.toml"
                ),
            });
        }
        foreign.is_none()
    });
}

/// Reports the monitors that name a secret that the Worker does not have, and those whose requests cannot be signed as their secret is
/// too short.
pub(crate) fn report_unusable_secrets(config: &mut MonitorConfig, secrets: &SecretStore) {
    for monitor in &config.monitors {
        let position = monitor.id.to_string();
        for secret in monitor.secrets() {
            if read_secret(&secrets.0, secret).is_none_or(|text| text.is_empty()) {
                config.problems.push(describe_obstacle(position.clone(), secret, Obstacle::NoSecret));
            }
        }
        let Target::Heapbeat { secret, .. } = &monitor.target else { continue };
        let name = secret.as_ref().map_or(DEFAULT_SECRET, |name| name.as_str());
        let text = read_text(&secrets.0, name).filter(|text| !text.is_empty());
        if let Some(Err(error)) = text.map(|text| Secret::new(&text)) {
            let reason = format!("its requests cannot be signed by the secret `{name}`: {error}");
            config.problems.push(ConfigProblem { position, reason });
        }
    }
}

/// Reports the monitors of further servers that would be signed with the default secret, which belongs to one server unless the owner says
/// otherwise.
pub(crate) fn report_shared_secret(config: &mut MonitorConfig, secrets: &SecretStore) {
    if read_text(&secrets.0, DEFAULT_SECRET).is_none_or(|text| text.is_empty()) {
        return;
    }
    let unsigned: Vec<_> = config.servers_without_secret().map(|monitor| monitor.id.to_string()).collect();
    config.problems.extend(unsigned.into_iter().map(|position| ConfigProblem {
        position,
        reason: format!(
            "its requests are not signed, as {DEFAULT_SECRET} belongs to one server and is used for another one: name a secret of its own, or \
             write secret = \"{DEFAULT_SECRET}\" if both have the same"
        ),
    }));
}

/// Describes what is wrong with the secret of an entry.
fn describe_obstacle(position: String, secret: &SecretName, obstacle: Obstacle) -> ConfigProblem {
    let reason = match obstacle {
        Obstacle::NotAnAddress => {
            format!(
                "the secret `{secret}` should be an address, such as https://hooks.example.com/…; set it by `wrangler secret put {secret}`"
            )
        }
        _ => format!("the Worker has no secret `{secret}`; set it by `wrangler secret put {secret}`"),
    };
    ConfigProblem { position, reason }
}

/// Returns why a channel cannot be used as it is configured; `None` if it can.
pub(crate) fn channel_obstacle(env: &Env, channel: &Channel) -> Option<Obstacle> {
    let secret = read_secret(env, &channel.secret).filter(|text| !text.trim().is_empty());
    match secret {
        None => Some(Obstacle::NoSecret),
        Some(url) if channel.service.has_address() && WebUrl::parse(url.trim()).is_none() => {
            Some(Obstacle::NotAnAddress)
        }
        Some(_) => None,
    }
}

/// Reports the variables that should be a text and have another type, or whose text is not valid.
fn report_text_variables(env: &Env, problems: &mut Vec<ConfigProblem>) {
    for rule in text_variables::RULES {
        let reason = text_variables::find_problem(rule, &read_text_variable(env, rule.name));
        let problem = |reason| ConfigProblem { position: rule.name.to_owned(), reason };
        problems.extend(reason.map(problem));
    }
}

fn read_channels(env: &Env, allow_private: bool, problems: &mut Vec<ConfigProblem>) -> Channels {
    let channels = Channels::parse(read_json(env, ALERTS).as_deref(), allow_private);
    problems.extend(channels.problems.iter().cloned());
    for channel in &channels.list {
        let position = format!("{ALERTS}.{}", channel.id);
        if let Some(obstacle) = channel_obstacle(env, channel) {
            problems.push(describe_obstacle(position, &channel.secret, obstacle));
        }
        let zone = channel.quiet.as_ref().map_or("UTC", |quiet| quiet.zone.as_str());
        if zone_offset(zone, wall_clock()).is_none() {
            let reason = format!("there is no time zone `{zone}`, so its quiet hours are those of UTC");
            problems.push(ConfigProblem { position: format!("{ALERTS}.{}", channel.id), reason });
        }
    }
    channels
}

fn read_maintenance(env: &Env, problems: &mut Vec<ConfigProblem>) -> Vec<Maintenance> {
    let Some(text) = read_json(env, MAINTENANCE) else { return Vec::new() };
    if let Ok(Value::Array(entries)) = serde_json::from_str(&text) {
        let (windows, found) = maintenance::parse_windows(MAINTENANCE, &entries);
        problems.extend(found);
        for window in windows.iter().filter(|it| zone_offset(it.zone(), wall_clock()).is_none()) {
            let reason = format!("there is no time zone `{}`, so the entry is ignored", window.zone());
            problems.push(ConfigProblem { position: format!("{MAINTENANCE}.{}", window.id), reason });
        }
        return windows;
    }
    let reason = "should be a list of tables: [[vars.MAINTENANCE]]".to_owned();
    problems.push(ConfigProblem { position: MAINTENANCE.to_owned(), reason });
    Vec::new()
}

fn read_quotas(env: &Env) -> Option<Quotas> {
    match read_text(env, PLAN).as_deref() {
        Some("paid") => None,
        _ => Some(FREE_PLAN),
    }
}

fn read_references(env: &Env, problems: &mut Vec<ConfigProblem>) -> Vec<HttpUrl> {
    let text = read_text(env, REFERENCES).unwrap_or_default();
    parse_references(&text).unwrap_or_else(|error| {
        problems.push(ConfigProblem { position: REFERENCES.to_owned(), reason: error.to_string() });
        Vec::new()
    })
}
