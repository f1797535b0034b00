//! Schemas of what clients send, and of problem documents. The edge reads these by rules of its own, which report every problem with its
//! position, so that no serde type describes them.

use schemars::generate::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::config::{Kind, MOST_MONITORS, REGIONS};
use crate::web::api::ProblemDocument;
use crate::web::routes::subscribe::MAX_MONITORS as MAX_SUBSCRIBED;

/// A reference to a schema.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schemas by their names.
pub(super) fn schemas(generator: &mut SchemaGenerator) -> Map<String, Value> {
    generator.subschema_for::<ProblemDocument>();
    let all = json!({
        "IncidentUpdate": incident_update(),
        "Monitors": closed(
            "A list of monitors.",
            &["monitors"],
            json!({ "monitors": array("The monitors.", reference("MonitorEntry"), Some(MOST_MONITORS)) }),
        ),
        "MonitorEntry": monitor_entry(),
        "Maintenance": closed(
            "A list of announced maintenance.",
            &["maintenance"],
            json!({ "maintenance": array("The maintenance windows.", reference("MaintenanceEntry"), Some(20)) }),
        ),
        "MaintenanceEntry": maintenance_entry(),
        "SubscriptionRequest": closed(
            "A webhook or a browser to be subscribed.",
            &["url"],
            json!({
                "url": text("A public `https:` address without a user name."),
                "monitors": array("The ids of public monitors; all without it.", reference("MonitorId"), Some(MAX_SUBSCRIBED)),
                "keys": browser_keys(),
            }),
        ),
        "Address": closed(
            "The address of a webhook or of a browser.",
            &["url"],
            json!({ "url": text("The address."), "keys": browser_keys() }),
        ),
    });
    match all {
        Value::Object(all) => all,
        _ => Map::new(),
    }
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
fn array(description: &str, items: Value, max_items: Option<usize>) -> Value {
    let mut schema = json!({ "type": "array", "description": description, "items": items });
    if let Some(max_items) = max_items {
        schema["maxItems"] = json!(max_items);
    }
    schema
}

fn duration(description: &str) -> Value {
    let pattern = "^[0-9]+(\\.[0-9]+)?(ms|s|m|min|h|d)$";
    json!({ "type": "string", "description": description, "pattern": pattern })
}

fn name(description: &str) -> Value {
    json!({ "type": "string", "description": description, "minLength": 1, "maxLength": 80 })
}

fn described(description: &str, mut schema: Value) -> Value {
    schema["description"] = json!(description);
    schema
}

fn incident_update() -> Value {
    let one_line = "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";
    let mut schema = closed(
        "Changes of an incident.",
        &[],
        json!({
            "note": {
                "type": "string",
                "description": "A line for the timeline, of at most 280 bytes.",
                "pattern": one_line,
                "maxLength": 280,
            },
            "acknowledge": described("Somebody works on it; reminders stop.", json!({ "const": true })),
            "resolve": described("The incident is over.", json!({ "const": true })),
        }),
    );
    schema["minProperties"] = json!(1);
    schema
}

fn browser_keys() -> Value {
    closed(
        "The keys of a browser's `PushSubscription`.",
        &["p256dh", "auth"],
        json!({
            "p256dh": described("A point of P-256.", json!({ "type": "string", "pattern": "^B[A-Za-z0-9_-]{86}=?$" })),
            "auth": described("A secret of 16 bytes.", json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{22}(==)?$" })),
        }),
    )
}

fn monitor_entry() -> Value {
    let threshold = |description: &str| json!({ "type": "integer", "description": description, "minimum": 1, "maximum": 100 });
    let conditions = |description: &str| array(description, json!({ "type": "string" }), None);
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
            "kind": words("The kind.", &Kind::ALL.map(Kind::as_str)),
            "url": text("The address: `http:`, `https:`, or `tcp://host:port` for the kind `tcp`; none for a heartbeat."),
            "interval": duration("The interval of probes, 5 s to 24 h; of a heartbeat that of the job, 1 m to 31 d."),
            "timeout": duration("The timeout of a probe, 100 ms to 30 s."),
            "retries": { "type": "integer", "description": "Retries within one probe.", "minimum": 0, "maximum": 3 },
            "conditions": conditions("The conditions of `up`; if one fails, the probe failed."),
            "degraded": conditions("The conditions of better than `degraded`."),
            "public": { "type": "boolean", "description": "`false`: only the owner sees it." },
            "failure-threshold": threshold("Failed probes in a row before it is down."),
            "success-threshold": threshold("Good probes in a row before it is up again."),
            "depends-on": array("The monitors that it depends on.", reference("MonitorId"), None),
            "regions": array("Regions that probe it; the majority decides.", words("A location hint.", &REGIONS), None),
            "alerts": array("The alert channels.", reference("MonitorId"), None),
            "secret": text("Of a heapbeat monitor: the name of the Worker secret that the server has, too."),
            "method": words("Of an http monitor: the method.", &methods),
            "headers": {
                "type": "object",
                "description": "Headers of the request; credentials as names of Worker secrets.",
                "additionalProperties": header,
            },
            "body": text("The body of the request, at most 4 kB."),
            "redirects": words("Whether a redirect is followed, or is the answer.", &["follow", "refuse"]),
            "max-body": text("How much of the answer is read, such as `64kB`."),
            "schedule": text("Of a heartbeat: five cron fields."),
            "time-zone": text("The time zone of the schedule; `UTC` without it."),
            "grace": duration("How late the job may be, at most 7 d."),
            "longest-run": duration("The longest duration of a run."),
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
            "monitors": array("The monitors that it affects; all without it.", reference("MonitorId"), None),
            "from": text("The beginning of a window that happens once."),
            "to": text("The end of that window, at most 31 days later."),
            "schedule": text("The beginnings of a recurring window: five cron fields."),
            "time-zone": text("The time zone of the schedule; `UTC` without it."),
            "duration": duration("The length of a recurring window, 1 m to 7 d."),
        }),
    )
}
