//! Parses one entry of the list. Every field is parsed, so that all problems are reported at once.

use std::time::Duration;

mod conditions;

use super::dns;
use super::field::{FieldReader, excerpt};
use super::region;
use super::request;
use super::{
    CheckThresholds, Heartbeat, HeartbeatSchedule, HttpUrl, Monitor, MonitorId, MonitorKind, SecretName,
    Target, TcpAddress, is_private_host,
};
use crate::cloudflare::is_cloudflare_address;
use crate::schedule::Schedule;

const MINUTE: Duration = Duration::from_secs(60);

/// Parses one entry. Problems are added to `fields`; the result is `None` if a required value is missing or invalid.
pub(super) fn parse_entry(
    fields: &mut FieldReader<'_>,
    allow_private: bool,
    ids: &mut Vec<MonitorId>,
) -> Option<Monitor> {
    let id = fields.required_text("id", |text| text.parse::<MonitorId>().map_err(|e| e.to_string()));
    if let Some(id) = &id {
        if ids.contains(id) {
            let reason = format!("`{id}` is already the id of an earlier entry; ids must be unique");
            fields.report("id", reason);
        }
        ids.push(id.clone());
    }
    let name = fields.optional_text("name", parse_label);
    let kind = fields.required_text("kind", parse_kind);
    if kind.is_none() {
        // A misspelled kind must not make every other field unknown.
        fields.accept_unknown();
    }
    let target = kind.and_then(|kind| parse_target(kind, fields, allow_private));
    let interval = match kind {
        // The interval of a heartbeat is that of its job. Every tick checks it.
        Some(MonitorKind::Heartbeat) => Some(MINUTE),
        _ => fields.duration("interval", MINUTE, "5s", "24h"),
    };
    let timeout = match kind {
        Some(MonitorKind::Heartbeat) => Some(Duration::ZERO),
        _ => fields.duration("timeout", Duration::from_secs(10), "100ms", "30s"),
    };
    let retries = match kind {
        Some(MonitorKind::Heartbeat) => Some(0),
        _ => fields.number("retries", 0, 3),
    };
    let longest = target.as_ref().and_then(longest_run).or(timeout);
    let conditions = conditions::parse_conditions(kind, longest, fields);
    let failure = fields.count("failure-threshold", 1);
    let success = fields.count("success-threshold", 1);
    let group = fields.optional_text("group", parse_label);
    let named = |text: &str| text.parse::<MonitorId>().map_err(|e| e.to_string());
    let depends_on = fields.list("depends-on", &[], named);
    if depends_on.iter().flatten().any(|on| Some(on) == id.as_ref()) {
        fields.report("depends-on", "a monitor cannot depend on itself".to_owned());
    }
    let regions = fields.list("regions", &[], region::parse_region);
    let problem = match kind {
        Some(MonitorKind::Heartbeat) if regions.as_ref().is_some_and(|regions| !regions.is_empty()) => {
            Some("a heartbeat monitor is not probed, so it has no regions; remove this setting".to_owned())
        }
        _ => regions.as_deref().and_then(region::find_problem),
    };
    if let Some(problem) = problem {
        fields.report("regions", problem);
    }
    let public = fields.flag("public", true);
    let given = fields.contains("alerts");
    let alerts = fields.list("alerts", &[], named).map(|alerts| given.then_some(alerts));
    fields.report_unknown(kind.map(MonitorKind::as_str));
    let id = id?;
    let (conditions, degraded) = conditions?;
    let monitor = Monitor {
        name: name.unwrap_or_else(|| id.as_str().to_owned()),
        id,
        target: target?,
        interval: interval?,
        timeout: timeout?,
        retries: retries?,
        conditions,
        degraded,
        thresholds: CheckThresholds { failure: failure?, success: success? },
        group,
        depends_on: depends_on?,
        regions: regions?,
        alerts: alerts?,
        public: public?,
    };
    conditions::report_missing_domain(&monitor, fields);
    Some(monitor)
}

fn parse_kind(text: &str) -> Result<MonitorKind, String> {
    let found = MonitorKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| {
        format!("unknown kind `{}`; the kinds are heapbeat, http, tcp, dns and heartbeat", excerpt(text))
    })
}

fn parse_target(kind: MonitorKind, fields: &mut FieldReader<'_>, allow_private: bool) -> Option<Target> {
    match kind {
        MonitorKind::Heapbeat => {
            let url = parse_url(fields, allow_private);
            let secret = fields.optional_text("secret", SecretName::parse_signing);
            let public_routes = fields.flag("public-routes", false);
            Some(Target::Heapbeat { url: url?, secret, public_routes: public_routes? })
        }
        MonitorKind::Http => {
            let url = parse_url(fields, allow_private);
            request::parse_request(fields, url).map(|check| Target::Http(Box::new(check)))
        }
        MonitorKind::Tcp => {
            let address = fields.required_text("url", |text| {
                let address = text.parse::<TcpAddress>().map_err(|e| e.to_string())?;
                refuse_private(address.host(), allow_private)?;
                if is_cloudflare_address(address.host()) {
                    return Err(format!(
                        "`{}` is an address of Cloudflare, to which the platform lets no Worker open a TCP connection; use kind = \"http\"",
                        address.host()
                    ));
                }
                Ok(address)
            });
            address.map(Target::Tcp)
        }
        MonitorKind::Dns => {
            dns::parse_query(fields, |text| parse_http_url(text, allow_private)).map(Target::Dns)
        }
        MonitorKind::Heartbeat => parse_heartbeat(fields).map(Target::Heartbeat),
    }
}

/// Returns the longest time of a run of a job; `None` for what is not a job.
fn longest_run(target: &Target) -> Option<Duration> {
    match target {
        Target::Heartbeat(heartbeat) => Some(heartbeat.max_runtime.unwrap_or(Duration::MAX)),
        _ => None,
    }
}

fn parse_url(fields: &mut FieldReader<'_>, allow_private: bool) -> Option<HttpUrl> {
    fields.required_text("url", |text| parse_http_url(text, allow_private))
}

fn parse_http_url(text: &str, allow_private: bool) -> Result<HttpUrl, String> {
    let url = text.parse::<HttpUrl>().map_err(|e| e.to_string())?;
    refuse_private(url.host(), allow_private)?;
    Ok(url)
}

fn refuse_private(host: &str, allow_private: bool) -> Result<(), String> {
    if allow_private || !is_private_host(host) {
        return Ok(());
    }
    Err(format!(
        r#"`{host}` is a private address, and a monitor could be abused to probe an internal network; set ALLOW_PRIVATE_TARGETS = "true" to allow it"#
    ))
}

/// Parses when a job should run: `interval`, or `schedule` in its `time-zone`.
fn parse_heartbeat(fields: &mut FieldReader<'_>) -> Option<Heartbeat> {
    let has_schedule = fields.contains("schedule");
    if has_schedule == fields.contains("interval") {
        let reason = if has_schedule {
            "the heartbeat has both `interval` and `schedule`; remove one"
        } else {
            "a heartbeat needs either an interval, such as \"1h\", or a schedule, such as \"0 3 * * *\""
        };
        fields.report("interval", reason.to_owned());
    }
    let interval = fields.duration("interval", Duration::from_secs(86_400), "1m", "31d");
    let zone = fields.optional_text("time-zone", |text| {
        Schedule::new("* * * * *", text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("`{}` {error}", excerpt(text)))
    });
    if zone.is_some() && !has_schedule {
        fields.report("time-zone", "a time zone requires a schedule".to_owned());
    }
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let cron = fields.optional_text("schedule", |text| {
        Schedule::new(text, &zone).map_err(|error| format!("`{}` {error}", excerpt(text)))
    });
    let grace = fields.duration("grace", Duration::from_secs(300), "0s", "7d");
    let max_runtime = fields.optional_duration("max-runtime", "1s", "7d");
    let schedule = match cron {
        Some(cron) => HeartbeatSchedule::Cron(cron),
        None => HeartbeatSchedule::Every(interval?),
    };
    Some(Heartbeat { schedule, grace: grace?, max_runtime: max_runtime? })
}

/// Parses a name or a title: one line of 1 to 80 characters.
pub(super) fn parse_label(text: &str) -> Result<String, String> {
    const MAX_CHARS: usize = 80;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_CHARS || text.chars().any(char::is_control) {
        return Err(format!("must be one line of 1 to {MAX_CHARS} characters"));
    }
    Ok(text.to_owned())
}
