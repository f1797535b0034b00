//! Schemas of what clients send, and of problem documents.
//!
//! Bodies are derived from the types that read them. The entries of the lists are described by hand: rules of their own read them,
//! which report every problem with its position.

use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::domain::incident::actions::IncidentUpdate;
use crate::monitor_config::{MonitorKind, REGIONS};
use crate::web::api::ProblemDocument;
use crate::web::request_body::{AddressRequest, MaintenanceList, MonitorList, SubscriptionRequest};

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schemas by their names.
pub(super) fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.subschema_for::<ProblemDocument>();
    let mut bodies = super::body_generator();
    bodies.subschema_for::<IncidentUpdate>();
    bodies.subschema_for::<MonitorList>();
    bodies.subschema_for::<MaintenanceList>();
    bodies.subschema_for::<SubscriptionRequest>();
    bodies.subschema_for::<AddressRequest>();
    let mut all = bodies.take_definitions(true);
    all.insert("MonitorEntry".to_owned(), monitor_entry());
    all.insert("MaintenanceEntry".to_owned(), maintenance_entry());
    all
}

/// An object with these properties and no others.
#[expect(clippy::needless_pass_by_value, reason = "json! borrows values that its callers build in place")]
fn closed(description: &str, required: &[&str], properties: Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn words(description: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "description": description, "enum": words })
}

#[expect(clippy::needless_pass_by_value, reason = "json! borrows values that its callers build in place")]
fn array(description: &str, items: Value) -> Value {
    json!({ "type": "array", "description": description, "items": items })
}

/// A duration such as `30s` or `1h30m`: parts with shorter and shorter units. The pattern alone matches a text without parts as well.
pub(super) const DURATION: &str = concat!(
    r"^([0-9]+(\.[0-9]+)?d)?([0-9]+(\.[0-9]+)?h)?([0-9]+(\.[0-9]+)?(m|min))?",
    r"([0-9]+(\.[0-9]+)?s)?([0-9]+ms)?$"
);

fn duration(description: &str) -> Value {
    json!({ "type": "string", "description": description, "pattern": DURATION, "minLength": 2 })
}

fn name(description: &str) -> Value {
    json!({ "type": "string", "description": description, "minLength": 1, "maxLength": 80 })
}

fn described(description: &str, mut schema: Value) -> Value {
    schema["description"] = json!(description);
    schema
}

fn monitor_entry() -> Value {
    let threshold = |description: &str| json!({ "type": "integer", "description": description, "minimum": 1, "maximum": 100 });
    let conditions = |description: &str| array(description, json!({ "type": "string" }));
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let secret = json!({
        "secret": text("The name of a Worker secret."),
        "prefix": text("The text before the secret, such as `Bearer `."),
    });
    let header = json!({ "anyOf": [{ "type": "string" }, closed("A credential.", &["secret"], secret)] });
    closed(
        "A monitor, as `monitors.toml` has it; docs/monitors.md has the settings of each kind.",
        &["id", "kind"],
        json!({
            "id": described("The id in addresses; its history belongs to it.", reference("MonitorId")),
            "name": name("The name for people; the id without it."),
            "group": name("The heading of its group."),
            "kind": words("The kind.", &MonitorKind::ALL.map(MonitorKind::as_str)),
            "url": text("The address: `http:`, `https:`, or `tcp://host:port` for the kind `tcp`; none for `dns` and a heartbeat."),
            "interval": duration("The interval of probes, 5 s to 24 h; of a heartbeat that of the job, 1 m to 31 d."),
            "timeout": duration("The timeout of a probe, 100 ms to 30 s."),
            "retries": { "type": "integer", "description": "Retries within one probe.", "minimum": 0, "maximum": 3 },
            "conditions": conditions("The conditions of `up`; if one fails, the probe failed."),
            "degraded": conditions("The conditions of better than `degraded`."),
            "public": { "type": "boolean", "description": "`false`: only the owner sees it." },
            "failure-threshold": threshold("Failed probes in a row before it is down."),
            "success-threshold": threshold("Good probes in a row before it is up again."),
            "depends-on": array("The monitors that it depends on.", reference("MonitorId")),
            "regions": array("Regions that probe it; the majority decides.", words("A location hint.", &REGIONS)),
            "alerts": array("The alert channels.", reference("MonitorId")),
            "secret": text("Of a heapbeat monitor: the name of the Worker secret that the server has, too."),
            "method": words("Of an http monitor: the method.", &methods),
            "headers": {
                "type": "object",
                "description": "Headers of the request; credentials as names of Worker secrets.",
                "additionalProperties": header,
            },
            "body": text("The body of the request, at most 4 kB."),
            "redirects": words("Whether a redirect is followed, or is the answer.", &["follow", "refuse"]),
            "literal-credentials": { "type": "boolean", "description": "`true`: the address or the body may contain a credential." },
            "max-body": text("How much of the answer is read, such as `64kB`."),
            "query-name": text("Of a dns monitor: the name that is looked up."),
            "query-type": text("Of a dns monitor: the type of the records; `A` without it."),
            "resolver": text("Of a dns monitor: a resolver that answers `application/dns-json`; Cloudflare's without it."),
            "schedule": text("Of a heartbeat: five cron fields."),
            "time-zone": text("The time zone of the schedule; `UTC` without it."),
            "grace": duration("How late the job may be, at most 7 d."),
            "max-runtime": duration("The longest duration of a run."),
        }),
    )
}

fn maintenance_entry() -> Value {
    closed(
        "A maintenance window: `from` and `to`, or `schedule` and `duration`.",
        &["id"],
        json!({
            "id": described("The id, unique among the windows.", reference("MonitorId")),
            "title": name("What the public reads; the id without it."),
            "monitors": array("The monitors that it affects; all without it.", reference("MonitorId")),
            "from": text("The beginning of a window that happens once."),
            "to": text("The end of that window, at most 31 days later."),
            "schedule": text("The beginnings of a recurring window: five cron fields."),
            "time-zone": text("The time zone of the schedule; `UTC` without it."),
            "duration": duration("The length of a recurring window, 1 m to 7 d."),
        }),
    )
}
