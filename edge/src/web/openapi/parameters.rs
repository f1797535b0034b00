//! The parameters of operations: the id in the path, and the query parameters with their bounds.

use serde_json::{Value, json};

use super::entries::DURATION;
use crate::domain::incident::id::LAST_SECOND;
use crate::hub_api::NamedRange;
use crate::web::api::badge::{MAX_LABEL, Metric, Style};
use crate::web::page::LANGUAGES;
use crate::web::routes::parameters::{DEFAULT_LIMIT, LAST_MS, MAX_LIMIT};
use crate::web::routes::route_table::{Access, Endpoint, IdKind, Operation};

/// A text without control characters.
const ONE_LINE: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// Every parameter of an operation.
pub(super) fn list(endpoint: &Endpoint, operation: &Operation) -> Vec<Value> {
    let mut all = Vec::new();
    match endpoint.id {
        IdKind::None => {}
        IdKind::Monitor => all.push(id("The id of a monitor.", "MonitorId", "api")),
        IdKind::Incident => all.push(id("The id of an incident.", "IncidentId", "api-1767225600")),
    }
    if operation.access == Access::Page {
        let description =
            "The language of the page. Without it, or with another value, `Accept-Language` decides.";
        all.push(lenient("lang", description, &LANGUAGES.map(|(tag, _)| tag)));
    }
    all.extend(operation.parameters.iter().map(|name| query(operation.access, endpoint.template, name)));
    if matches!(operation.access, Access::Page | Access::Public) {
        all.push(json!({ "$ref": "#/components/parameters/IfNoneMatch" }));
    }
    all
}

/// `components.parameters.IfNoneMatch`.
pub(super) fn if_none_match() -> Value {
    json!({
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the body that the client has, in its quotes. The answer is 304 if the body is the same.",
        "schema": { "type": "string" },
    })
}

fn id(description: &str, schema: &str, example: &str) -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": description,
        "schema": { "$ref": format!("#/components/schemas/{schema}") },
        "example": example,
    })
}

/// A query parameter of the API.
///
/// # Panics
///
/// If the parameter is not described.
fn query(access: Access, template: &str, name: &str) -> Value {
    let one = |description: &str, schema: Value, example: Option<Value>| {
        let mut parameter =
            json!({ "name": name, "in": "query", "description": description, "schema": schema });
        if let Some(example) = example {
            parameter["example"] = example;
        }
        parameter
    };
    match (access, name) {
        (Access::Page, "range") => lenient(
            name,
            "What the charts show. Without it, or with another value, they show one day.",
            &NamedRange::ALL.map(NamedRange::as_str),
        ),
        (Access::Page, "from") => lenient(
            name,
            "The first instant of any other range; give it with `to`.",
            &["2026-01-01T00:00:00Z"],
        ),
        (Access::Page, "to") => lenient(name, "The end of that range.", &["2026-01-02T00:00:00Z"]),
        (Access::Owner, "from") => one(
            "The beginning of the page: `next` of the page before. Without it the export begins.",
            json!({ "type": "string", "pattern": "^[0-9]+-[0-9]+-[0-9]+$" }),
            Some(json!("0-0-0")),
        ),
        (_, "from") => {
            let description = "The first instant, before `to`: RFC 3339, without fractions of a second, or milliseconds of Unix time. It is rounded down to a whole minute, or to a whole hour if the window is longer than 26 hours.";
            one(description, instant(), Some(json!("2026-01-01T00:00:00Z")))
        }
        (_, "to") => one(
            "The end, written like `from` and rounded up; the present without it.",
            instant(),
            Some(json!("2026-01-01T03:00:00Z")),
        ),
        (_, "window") => one(
            "How far back the window reaches from now: a duration of at most 91 days, rounded up to whole minutes, or to whole hours beyond 26 hours.",
            json!({ "type": "string", "pattern": DURATION, "minLength": 2, "default": "24h", "examples": ["24h", "30d", "91d"] }),
            Some(json!("24h")),
        ),
        (_, "limit") => one(
            "The number of incidents on the page.",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
            None,
        ),
        (_, "before") => one(
            &format!(
                "The page begins behind the incident of this id, which has to exist; its second is at most {LAST_SECOND}. `next` of the page before has it."
            ),
            json!({ "$ref": "#/components/schemas/IncidentId" }),
            Some(json!("api-1767225600")),
        ),
        (_, "metric") => one(
            "What the badge shows.",
            json!({ "type": "string", "enum": Metric::ALL.map(Metric::as_str), "default": Metric::default().as_str() }),
            None,
        ),
        (_, "style") => one(
            "The style of the badge.",
            json!({ "type": "string", "enum": Style::ALL.map(Style::as_str), "default": Style::default().as_str() }),
            None,
        ),
        (_, "label") => one(
            "The left text of the badge. Without it, it is the name of the monitor or of the metric.",
            json!({ "type": "string", "pattern": ONE_LINE, "maxLength": MAX_LABEL }),
            Some(json!("API")),
        ),
        (_, "dry-run") => one(
            "Only compare the list, and change nothing.",
            json!({ "type": "string", "enum": ["true"] }),
            None,
        ),
        (_, "subscriptions") => one(
            "Also export the subscriptions, with the addresses and signing secrets of subscribers.",
            json!({ "type": "string", "enum": ["true"] }),
            None,
        ),
        (_, "schema") => {
            let schema = crate::store::Store::schema();
            let mut parameter = one(
                "The number of the schema, which the first line of the export has. Only the hub's own schema can be imported.",
                json!({ "type": "integer", "const": schema }),
                Some(json!(schema)),
            );
            parameter["required"] = json!(true);
            parameter
        }
        (_, "event") => one(
            "What the job reports: a run began, succeeded or failed. Without `event` and `exit` it succeeded.",
            json!({ "type": "string", "enum": ["start", "success", "fail"] }),
            None,
        ),
        (_, "exit") => one(
            "The exit code of the run, 0 for success; give it with `event=fail` or alone.",
            json!({ "type": "integer", "minimum": 0, "maximum": u16::MAX }),
            Some(json!(0)),
        ),
        _ => panic!("the parameter {name} of {template} is not described"),
    }
}

/// A parameter of a page, which ignores other values.
fn lenient(name: &str, description: &str, examples: &[&str]) -> Value {
    let schema = json!({ "type": "string", "examples": examples });
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

fn instant() -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": 1, "maximum": LAST_MS },
        { "type": "string", "format": "date-time" },
    ] })
}
