//! One entry of the list: every field is parsed, so that all problems are reported at once.

use std::time::Duration;

use super::field::{Fields, shown};
use super::region;
use super::region::region;
use super::request;
use super::{
    Heartbeat, HttpUrl, Kind, Monitor, MonitorId, Rhythm, SecretName, Target, TcpAddress, Thresholds,
    is_private_host,
};
use crate::condition::{Condition, Placeholder};
use crate::schedule::Schedule;

const MINUTE: Duration = Duration::from_secs(60);

/// Reads one entry. `None` where it has no id or no target; what else is wrong is noted in `fields`.
pub(super) fn read(
    fields: &mut Fields<'_>,
    allow_private: bool,
    ids: &mut Vec<MonitorId>,
) -> Option<Monitor> {
    let id = fields.required("id", |text| text.parse::<MonitorId>().map_err(|e| e.to_string()));
    if let Some(id) = &id {
        if ids.contains(id) {
            let taken = format!("`{id}` is taken by an entry above; every monitor has an id of its own");
            fields.refuse("id", taken);
        }
        ids.push(id.clone());
    }
    let name = fields.optional("name", |text| short("name", text));
    let kind = fields.required("kind", kind);
    if kind.is_none() {
        // So that a misspelt kind does not make every other field unknown.
        fields.know_all();
    }
    let target = kind.and_then(|kind| target(kind, fields, allow_private));
    let interval = match kind {
        // A heartbeat's interval is the job's; it is looked at with every tick.
        Some(Kind::Heartbeat) => Some(MINUTE),
        _ => fields.duration("interval", MINUTE, "5s", "24h"),
    };
    let timeout = match kind {
        Some(Kind::Heartbeat) => Some(Duration::ZERO),
        _ => fields.duration("timeout", Duration::from_secs(10), "100ms", "30s"),
    };
    let retries = match kind {
        Some(Kind::Heartbeat) => Some(0),
        _ => fields.number("retries", 0, 3),
    };
    let conditions = conditions(kind, fields);
    let degraded = fields.list("degraded", &[], condition);
    if let (Some(kind), Some(degraded)) = (kind, &degraded) {
        refuse_unseen("degraded", kind, degraded, fields);
    }
    let failure = fields.count("failure-threshold", 1);
    let success = fields.count("success-threshold", 1);
    let group = fields.optional("group", |text| short("group", text));
    let named = |text: &str| text.parse::<MonitorId>().map_err(|e| e.to_string());
    let depends_on = fields.list("depends-on", &[], named);
    if depends_on.iter().flatten().any(|on| Some(on) == id.as_ref()) {
        fields.refuse("depends-on", "names the monitor itself".to_owned());
    }
    let regions = fields.list("regions", &[], region);
    let problem = match kind {
        Some(Kind::Heartbeat) if regions.as_ref().is_some_and(|regions| !regions.is_empty()) => {
            Some("nobody asks a job, from wherever; take the field out".to_owned())
        }
        _ => regions.as_deref().and_then(region::problem),
    };
    if let Some(problem) = problem {
        fields.refuse("regions", problem);
    }
    let public = fields.flag("public", true);
    let given = fields.has("alerts");
    let alerts = fields.list("alerts", &[], named).map(|alerts| given.then_some(alerts));
    fields.refuse_unknown(kind.map(Kind::as_str));
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
        thresholds: Thresholds { failure: failure?, success: success? },
        group,
        depends_on: depends_on?,
        regions: regions?,
        alerts: alerts?,
        public: public?,
    })
}

fn kind(text: &str) -> Result<Kind, String> {
    let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| {
        format!("`{}` is no kind of monitor; use heapbeat, http, tcp or heartbeat", shown(text))
    })
}

fn target(kind: Kind, fields: &mut Fields<'_>, allow_private: bool) -> Option<Target> {
    match kind {
        Kind::Heapbeat => {
            let url = url(fields, allow_private);
            let secret =
                fields.optional("secret", |text| text.parse::<SecretName>().map_err(|e| e.to_string()));
            let public_routes = fields.flag("public-routes", false);
            Some(Target::Heapbeat { url: url?, secret, public_routes: public_routes? })
        }
        Kind::Http => {
            let url = url(fields, allow_private);
            request::read(fields, url).map(|check| Target::Http(Box::new(check)))
        }
        Kind::Tcp => {
            let address = fields.required("url", |text| {
                let address = text.parse::<TcpAddress>().map_err(|e| e.to_string())?;
                refuse_private(address.host(), allow_private)?;
                Ok(address)
            });
            address.map(Target::Tcp)
        }
        Kind::Heartbeat => heartbeat(fields).map(Target::Heartbeat),
    }
}

fn url(fields: &mut Fields<'_>, allow_private: bool) -> Option<HttpUrl> {
    fields.required("url", |text| {
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
        r#"`{host}` is a private address, which a monitor could be abused to look into; set ALLOW_PRIVATE_TARGETS = "true" to allow it"#
    ))
}

/// When a job should run: `interval`, or `schedule` in its `time-zone`.
fn heartbeat(fields: &mut Fields<'_>) -> Option<Heartbeat> {
    let has_schedule = fields.has("schedule");
    if has_schedule == fields.has("interval") {
        let reason =
            "a heartbeat has either an interval, such as \"1h\", or a schedule, such as \"0 3 * * *\"";
        fields.refuse("interval", reason.to_owned());
    }
    let interval = fields.duration("interval", Duration::from_secs(86_400), "1m", "31d");
    let zone = fields.optional("time-zone", |text| {
        Schedule::new("* * * * *", text)
            .map(|_| text.to_owned())
            .map_err(|error| format!("`{}` {error}", shown(text)))
    });
    if zone.is_some() && !has_schedule {
        fields.refuse("time-zone", "goes with a schedule only".to_owned());
    }
    let zone = zone.unwrap_or_else(|| "UTC".to_owned());
    let schedule = fields.optional("schedule", |text| {
        Schedule::new(text, &zone).map_err(|error| format!("`{}` {error}", shown(text)))
    });
    let grace = fields.duration("grace", Duration::from_secs(300), "0s", "7d");
    let longest_run = fields.optional_duration("longest-run", "1s", "7d");
    let rhythm = match schedule {
        Some(schedule) => Rhythm::Cron(schedule),
        None => Rhythm::Every(interval?),
    };
    Some(Heartbeat { rhythm, grace: grace?, longest_run: longest_run? })
}

fn conditions(kind: Option<Kind>, fields: &mut Fields<'_>) -> Option<Vec<Condition>> {
    let default: &[&str] = match kind {
        Some(Kind::Tcp) => &["[CONNECTED] == true"],
        Some(Kind::Heartbeat) => &[],
        _ => &["[STATUS] == 200"],
    };
    let given = fields.has("conditions");
    let conditions = fields.list("conditions", default, condition)?;
    match kind {
        Some(Kind::Heartbeat) if given => {
            let reason = "a heartbeat tells by itself whether it went well; take the field out";
            fields.refuse("conditions", reason.to_owned());
        }
        Some(_) if given && conditions.is_empty() => {
            fields.refuse("conditions", format!("is empty; leave it out for {default:?}"));
        }
        Some(kind) => refuse_unseen("conditions", kind, &conditions, fields),
        None => {}
    }
    Some(conditions)
}

/// Refuses conditions on what this kind never sees.
fn refuse_unseen(list: &str, kind: Kind, conditions: &[Condition], fields: &mut Fields<'_>) {
    for (index, condition) in conditions.iter().enumerate() {
        let unseen = condition.placeholders().find_map(|placeholder| match (kind, placeholder) {
            (Kind::Tcp, Placeholder::Status) => Some("a connection has no [STATUS]"),
            (Kind::Tcp, Placeholder::Body) => Some("a connection has no [BODY]: not a byte is sent or read"),
            (Kind::Heartbeat, Placeholder::ResponseTime) => None,
            (Kind::Heartbeat, _) => {
                Some("all that is known of a job's run is its [RESPONSE_TIME], from start to success")
            }
            _ => None,
        });
        if let Some(reason) = unseen {
            fields.refuse(&format!("{list}[{index}]"), reason.to_owned());
        }
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}

/// A text for people: not empty, one line, not endless.
pub(super) fn short(what: &str, text: &str) -> Result<String, String> {
    const LONGEST: usize = 80;
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
        return Err(format!("a {what} is one line of 1 to {LONGEST} characters"));
    }
    Ok(text.to_owned())
}
