//! Parses one entry of the list. Every field is parsed, so that all problems are reported at once.

use std::time::Duration;

use super::field::{FieldReader, excerpt};
use super::region;
use super::request;
use super::{
    CheckThresholds, Heartbeat, HeartbeatSchedule, HttpUrl, Monitor, MonitorId, MonitorKind, SecretName,
    Target, TcpAddress, is_private_host,
};
use crate::condition::{Condition, Placeholder};
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
    let conditions = parse_conditions(kind, fields);
    let degraded = fields.list("degraded", &[], parse_condition);
    if let (Some(kind), Some(degraded)) = (kind, &degraded) {
        report_unavailable("degraded", kind, degraded, fields);
    }
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
    Some(Monitor {
        name: name.unwrap_or_else(|| id.as_str().to_owned()),
        id,
        target: target?,
        interval: interval?,
        timeout: timeout?,
        retries: retries?,
        conditions: conditions?,
        degraded: degraded?,
        thresholds: CheckThresholds { failure: failure?, success: success? },
        group,
        depends_on: depends_on?,
        regions: regions?,
        alerts: alerts?,
        public: public?,
    })
}

fn parse_kind(text: &str) -> Result<MonitorKind, String> {
    let found = MonitorKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| {
        format!("unknown kind `{}`; the kinds are heapbeat, http, tcp and heartbeat", excerpt(text))
    })
}

fn parse_target(kind: MonitorKind, fields: &mut FieldReader<'_>, allow_private: bool) -> Option<Target> {
    match kind {
        MonitorKind::Heapbeat => {
            let url = parse_url(fields, allow_private);
            let secret =
                fields.optional_text("secret", |text| text.parse::<SecretName>().map_err(|e| e.to_string()));
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
                Ok(address)
            });
            address.map(Target::Tcp)
        }
        MonitorKind::Heartbeat => parse_heartbeat(fields).map(Target::Heartbeat),
    }
}

fn parse_url(fields: &mut FieldReader<'_>, allow_private: bool) -> Option<HttpUrl> {
    fields.required_text("url", |text| {
        let url = text.parse::<HttpUrl>().map_err(|e| e.to_string())?;
        refuse_private(url.host(), allow_private)?;
        Ok(url)
    })
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

fn parse_conditions(kind: Option<MonitorKind>, fields: &mut FieldReader<'_>) -> Option<Vec<Condition>> {
    let default: &[&str] = match kind {
        Some(MonitorKind::Tcp) => &["[CONNECTED] == true"],
        Some(MonitorKind::Heartbeat) => &[],
        _ => &["[STATUS] == 200"],
    };
    let given = fields.contains("conditions");
    let conditions = fields.list("conditions", default, parse_condition)?;
    match kind {
        Some(MonitorKind::Heartbeat) if given => {
            let reason =
                "a heartbeat reports success or failure itself, so it has no conditions; remove this setting";
            fields.report("conditions", reason.to_owned());
        }
        Some(_) if given && conditions.is_empty() => {
            fields
                .report("conditions", format!("the list is empty; remove it to use the default {default:?}"));
        }
        Some(kind) => report_unavailable("conditions", kind, &conditions, fields),
        None => {}
    }
    Some(conditions)
}

/// Reports conditions on placeholders that this kind of monitor does not have.
fn report_unavailable(list: &str, kind: MonitorKind, conditions: &[Condition], fields: &mut FieldReader<'_>) {
    for (index, condition) in conditions.iter().enumerate() {
        let reason = condition.placeholders().find_map(|placeholder| match (kind, placeholder) {
            (MonitorKind::Tcp, Placeholder::Status) => Some("a TCP connection has no [STATUS]"),
            (MonitorKind::Tcp, Placeholder::Body) => {
                Some("a TCP connection has no [BODY], as nothing is sent or read")
            }
            (MonitorKind::Heartbeat, Placeholder::ResponseTime) => None,
            (MonitorKind::Heartbeat, _) => {
                Some("the only placeholder of a heartbeat is [RESPONSE_TIME], the time from start to success")
            }
            _ => None,
        });
        if let Some(reason) = reason {
            fields.report(&format!("{list}[{index}]"), reason.to_owned());
        }
    }
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
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
