//! JSON schemas, for the description of the API, of types whose JSON cannot be derived.

use std::borrow::Cow;

use heapbeat_shared::Pressure;
use heapbeat_shared::exit::ExitKind;
use heapbeat_shared::forecast::Verdict;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::memory::SAMPLE_COLUMNS;
use super::{Date, LatencyRow, Percent, Timestamp};
use crate::domain::State;
use crate::domain::history::days::DAYS;
use crate::domain::history::rollup::Tier;
use crate::domain::incident::Severity;
use crate::domain::incident::id::IncidentId;
use crate::monitor_config::REGIONS;

/// Implements `JsonSchema` for a type of this crate, by the name in the document and its schema.
macro_rules! schema_of {
    ($type:ty, $name:literal, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

/// The id of a monitor, in place of the shared type.
pub(crate) struct MonitorId;

/// Milliseconds of Unix time, in place of the shared type.
pub(crate) struct Instant;

/// The values of a statement by name, in place of the shared type.
pub(crate) struct Params;

const SEVERITIES: [Severity; 4] = [Severity::Warning, Severity::Degraded, Severity::Crashed, Severity::Down];

const MONITOR_ID: &str = "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?";

schema_of!(
    Params,
    "Params",
    json_schema!({
        "type": "object",
        "description": "The values in a statement by name.",
        "additionalProperties": { "type": ["integer", "string"] },
    })
);
schema_of!(
    MonitorId,
    "MonitorId",
    json_schema!({
        "type": "string",
        "description": "The id of a monitor: at most 40 of `a-z`, `0-9` and `-`, with no `-` at either end.",
        "pattern": format!("^{MONITOR_ID}$"),
    })
);
schema_of!(
    IncidentId,
    "IncidentId",
    json_schema!({
        "type": "string",
        "description": "The id of an incident: the id of its monitor, `-`, and the second of Unix time in which it opened.",
        "pattern": format!("^{MONITOR_ID}-[0-9]{{1,12}}$"),
    })
);
schema_of!(
    Instant,
    "Instant",
    json_schema!({
        "type": "integer",
        "description": "An instant in milliseconds since 1970-01-01T00:00:00Z.",
    })
);
schema_of!(
    Timestamp,
    "Timestamp",
    json_schema!({
        "type": "string",
        "description": "An instant: RFC 3339 in UTC with whole seconds.",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    })
);
schema_of!(
    Date,
    "Date",
    json_schema!({
        "type": "string",
        "description": "A date in UTC.",
        "format": "date",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    })
);
schema_of!(
    Percent,
    "Percent",
    json_schema!({
        "type": "number",
        "description": "A share in percent, cut to three decimals: 99.9999 % is not 100 %.",
        "minimum": 0,
        "maximum": 100,
    })
);
schema_of!(
    State,
    "State",
    json_schema!({
        "type": "string",
        "description": "The state of a monitor: `up`, `degraded` (it works, but not as well as configured), `down`, `waking` (it slept and is \
            starting), `maintenance` (announced) or `unobserved` (no probe).",
        "enum": State::ALL.map(State::as_str),
    })
);
schema_of!(
    Severity,
    "Severity",
    json_schema!({
        "type": "string",
        "description": "How bad an incident is: `warning` (memory is running out), `degraded`, `crashed` (it crashed and restarted) or `down`.",
        "enum": SEVERITIES.map(Severity::as_str),
    })
);
schema_of!(
    LatencyRow,
    "LatencyRow",
    json_schema!({
        "type": "array",
        "description": "An instant in Unix milliseconds, then the figures in the order of `columns`; `null` if nothing answered.",
        "prefixItems": [{ "type": "integer" }],
        "items": { "type": ["integer", "null"], "minimum": 0 },
        "minItems": 2,
        "maxItems": 6,
    })
);

/// The schema of a pressure; `null` without a signed report.
pub(crate) fn pressure(_: &mut SchemaGenerator) -> Schema {
    let words = Pressure::ALL.map(|pressure| Some(pressure.as_str()));
    let words: Vec<_> = words.into_iter().chain([None]).collect();
    json_schema!({ "type": ["string", "null"], "enum": words })
}

/// The schema of the kind of an exit.
pub(crate) fn exit_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ExitKind::ALL.map(ExitKind::as_str) })
}

/// The schema of the verdict of a forecast.
pub(crate) fn verdict(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Verdict::ALL.map(Verdict::as_str) })
}

/// The schema of a region.
pub(crate) fn region(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": REGIONS })
}

/// The schema of the resolution of memory.
pub(crate) fn tier(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Tier::ALL.map(Tier::as_str) })
}

/// The schema of the resolution of latency.
pub(crate) fn latency_resolution(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["tick", "1h"] })
}

/// The schema of the columns of samples.
pub(crate) fn sample_columns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": SAMPLE_COLUMNS })
}

/// The schema of the columns of latency.
pub(crate) fn latency_columns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [["at", "ms"], ["at", "min", "p50", "p95", "probes", "failed"]] })
}

/// The schema of one letter a day.
pub(crate) fn day_letters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^[u~dwm.]{{{DAYS}}}$") })
}

/// The schema of monitors as the owner writes them.
pub(crate) fn monitor_entries(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/components/schemas/MonitorEntry" } })
}

/// The schema of maintenance windows as the owner writes them.
pub(crate) fn maintenance_entries(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "$ref": "#/components/schemas/MaintenanceEntry" } })
}
