//! The description of each operation, with an example of its response.

use heapbeat_shared::openmetrics::Format;
use schemars::generate::SchemaGenerator;
use serde_json::{Value, json};

use super::operation_builder::{OperationBuilder, Tag, json_content};
use super::{entries, example};
use crate::view::{IncidentListView, IncidentView, StatusView};
use crate::web::api::badge::{Badge, Metric, Style};
use crate::web::api::calendar::render_calendar;
use crate::web::api::feed::{render_atom, render_rss};
use crate::web::api::metrics::render_metrics;
use crate::web::routes::response::{JSON, NDJSON};

const ORIGIN: &str = "https://status.example.com";

/// The descriptions of 403 and 404 of subscriptions.
const SUBSCRIBER_ERRORS: (&str, &str) = (
    "The address did not respond with the challenge, or the push service did not accept the message. Its response is not disclosed.",
    "Subscriptions are disabled: the Worker has no `SUBSCRIPTIONS`.",
);

/// The description of an operation.
///
/// # Panics
///
/// If the operation is not described.
pub(super) fn describe(method: &str, template: &str, generator: &mut SchemaGenerator) -> OperationBuilder {
    let found = page(template)
        .or_else(|| status(template, generator))
        .or_else(|| history(template, generator))
        .or_else(|| incidents(method, template, generator))
        .or_else(|| formats(template, generator))
        .or_else(|| owner(method, template, generator))
        .or_else(|| subscriptions(method, template, generator));
    found.unwrap_or_else(|| panic!("{method} {template} is not described"))
}

fn page(template: &str) -> Option<OperationBuilder> {
    let html = "text/html; charset=utf-8";
    Some(match template {
        "/" => OperationBuilder::page(
            "getStatusPage",
            "The status page",
            "All public monitors, open and past incidents, and announced maintenance.",
            html,
        ),
        "/owner" => OperationBuilder::fixed_page(
            "getOwnerPage",
            "The owner's page",
            "A form for the admin token. Its script shows whether each alert channel accepts alerts, and the problems of the settings; the \
             page itself contains nothing of that.",
        ),
        "/monitors/{id}" => OperationBuilder::page(
            "getMonitorPage",
            "The page of a monitor",
            "One monitor with charts of memory and latency, its last ninety days, restarts and incidents.",
            html,
        )
        .errors(&[404]),
        "/incidents/{id}" => OperationBuilder::page(
            "getIncidentPage",
            "The page of an incident",
            "One incident with its evidence, its timeline and the memory before it.",
            html,
        )
        .errors(&[404]),
        "/preview.svg" => OperationBuilder::page(
            "getPreview",
            "The preview picture of a link to the status page",
            "The overall status, as other sites show it beside a link.",
            "image/svg+xml",
        ),
        _ => return None,
    })
}

fn status(template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    Some(match template {
        "/api/v1/status" => OperationBuilder::public(
            "getStatus",
            Tag::Now,
            "The status of all monitors",
            "All public monitors with state, uptime and memory, announced maintenance, and what the day has cost. The monitors of a hub \
             that does not respond are `unobserved`, and `notices` says so.",
        )
        .json(generator, &example::status())
        .links(
            "/monitors/0/id",
            &["getMonitor", "getUptime", "getMemory", "getLatency", "getDays", "getVersions", "getMonitorPage"],
        ),
        "/api/v1/monitors/{id}" => OperationBuilder::public(
            "getMonitor",
            Tag::Now,
            "The status of one monitor",
            "The monitor's entry of the status, with the time of the last tick.",
        )
        .json(generator, &example::monitor_detail())
        .errors(&[404]),
        "/api/v1/admin/status" => OperationBuilder::owner(
            "getOwnerStatus",
            "The status with everything that is not public",
            "The same as `/api/v1/status`, with the monitors that have `public = false` and the full text of configuration problems.",
        )
        .json(generator, &example::status()),
        _ => return None,
    })
}

fn history(template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    let read = |id, summary, description| {
        OperationBuilder::public(id, Tag::History, summary, description).errors(&[404])
    };
    Some(match template {
        "/api/v1/monitors/{id}/uptime" => read(
            "getUptime",
            "Uptime in a window that ends now",
            "Percentages are cut, not rounded: 99.9999 % is not 100 %. Time without observations counts neither as up nor as down; \
             `coverage` is the share that was observed.",
        )
        .json(generator, &example::uptime()),
        "/api/v1/monitors/{id}/memory" => read(
            "getMemory",
            "Memory over time",
            "One row a second for an interval of at most 3 hours within the last 7 days, the peak of each minute for at most 8 days within \
             the last 90, else the peak of each hour, two years back. Without `from` the interval is the three hours before `to`.",
        )
        .json(generator, &example::memory()),
        "/api/v1/monitors/{id}/latency" => read(
            "getLatency",
            "Latency over time",
            "One row a probe for an interval of at most 26 hours within the last 1,536 ticks, else one row an hour, two years back, at \
             most 92 days at once. Without `from` the interval is the day before `to`.",
        )
        .json(generator, &example::latency()),
        "/api/v1/monitors/{id}/days" => read(
            "getDays",
            "The last ninety days",
            "One entry a day of UTC, oldest first; the last is today up to now. The example shows the last three.",
        )
        .json(generator, &example::days()),
        "/api/v1/monitors/{id}/versions" => read(
            "getVersions",
            "Memory of the present version and of the one before",
            "The working set at the same ages after a start, so that a deploy that needs more memory is seen early. It needs signed \
             reports: `versions` is empty for other monitors.",
        )
        .json(generator, &example::versions()),
        _ => return None,
    })
}

fn incidents(method: &str, template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    Some(match (method, template) {
        (_, "/api/v1/incidents") => OperationBuilder::public(
            "listIncidents",
            Tag::Incidents,
            "Incidents, newest first",
            "One page. `next` and the `Link` header have the path of the next page; incidents that open meanwhile do not move it. 404 says \
             that the incident `before` does not exist any more: begin again.",
        )
        .json(generator, &IncidentListView { incidents: vec![example::incident().incident], next: None })
        .header("Link")
        .errors(&[404])
        .links("/incidents/0/id", &["getIncident", "getIncidentPage", "updateIncident"]),
        (_, "/api/v1/incidents/{id}") => OperationBuilder::public(
            "getIncident",
            Tag::Incidents,
            "One incident with its recording",
            "The incident as the list has it, and the memory of the ten minutes before it as far as signed reports have it.",
        )
        .json(generator, &example::incident())
        .errors(&[404]),
        ("POST", "/api/v1/admin/incidents/{id}") => OperationBuilder::owner(
            "updateIncident",
            "Note on, acknowledge or resolve an incident",
            "At least one of the three. A resolved incident stays resolved while the same trouble goes on. A resolved incident accepts \
             notes only; anything else is answered with 409.",
        )
        .body(
            "What to change.",
            JSON,
            entries::reference("IncidentUpdate"),
            json!({ "note": "The new index was missing.", "acknowledge": true }),
        )
        .json(generator, &example::incident())
        .errors(&[404, 409]),
        _ => return None,
    })
}

fn formats(template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    let read = |id, summary, description| OperationBuilder::public(id, Tag::Formats, summary, description);
    let badge = || Badge::new(&example::monitor(), Metric::Uptime, None);
    let (status, incidents): (StatusView, [IncidentView; 1]) =
        (example::status(), [example::incident().incident]);
    Some(match template {
        "/badge/{id}.svg" => read(
            "getBadge",
            "A badge",
            "The state of a monitor, its uptime of ninety days or its memory as a picture. An uptime says how much was observed unless \
             all was.",
        )
        .text("image/svg+xml", &badge().svg(Style::Flat))
        .errors(&[404]),
        "/badge/{id}.json" => read(
            "getShieldsBadge",
            "A badge for shields.io",
            "The same for the [endpoint badge](https://shields.io/badges/endpoint-badge) of shields.io.",
        )
        .json(generator, &badge().shields())
        .errors(&[404]),
        "/metrics" => {
            let first_lines = |format| {
                let text = render_metrics(format, &status);
                text.lines().take(9).fold(String::new(), |all, line| all + line + "\n")
            };
            let description = "Monitors and the edge itself: OpenMetrics if `Accept` names it, else Prometheus text format 0.0.4. An \
                               unknown figure has no sample. The example is the beginning.";
            [Format::Prometheus, Format::OpenMetrics].into_iter().fold(
                read("getMetrics", "Metrics for Prometheus", description).header("Vary"),
                |operation, format| operation.text(format.content_type(), &first_lines(format)),
            )
        }
        "/feed.atom" => read(
            "getAtomFeed",
            "Incidents and maintenance as Atom",
            "The thirty newest incidents and announced maintenance (RFC 4287).",
        )
        .text("application/atom+xml; charset=utf-8", &render_atom(&incidents, &status, ORIGIN, "Status")),
        "/feed.rss" => read(
            "getRssFeed",
            "Incidents and maintenance as RSS",
            "The thirty newest incidents and announced maintenance (RSS 2.0).",
        )
        .text("application/rss+xml; charset=utf-8", &render_rss(&incidents, &status, ORIGIN, "Status")),
        "/calendar.ics" => read(
            "getCalendar",
            "Announced maintenance as a calendar",
            "iCalendar (RFC 5545), for calendars that subscribe to an address.",
        )
        .text("text/calendar; charset=utf-8", &render_calendar(&status.maintenance, ORIGIN)),
        _ => return None,
    })
}

fn owner(method: &str, template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    let refused = "An entry is invalid; `problems` lists every one, and nothing was changed.";
    Some(match (method, template) {
        ("GET", "/api/v1/admin/monitors") => OperationBuilder::owner(
            "getMonitors",
            "The applied monitors",
            "The list that was applied last, as it was written, and the ids of the monitors in `wrangler.toml`.",
        )
        .json(generator, &example::applied_monitors()),
        ("PUT", "/api/v1/admin/monitors") => {
            let rejected = json_content(generator, &example::apply_rejected());
            OperationBuilder::owner(
                "applyMonitors",
                "Apply a list of monitors",
                "The whole list: a monitor that is not in it is no longer monitored, and applying the same list again changes nothing. One \
                 invalid entry rejects the whole list. While a list is being handed to several hubs another one is answered with 409. A \
                 503 that names hubs means that the list is in force and these hubs have not received it yet; apply it again. \
                 Dependencies between monitors and some settings of a kind are checked by the edge alone.",
            )
            .body("The list.", JSON, entries::reference("Monitors"), json!({ "monitors": [example::monitor_entry()] }))
            .json(generator, &example::applied())
            .response(422, refused, &["NotCached"], rejected)
            .errors(&[409])
        }
        ("GET", "/api/v1/admin/maintenance") => OperationBuilder::owner(
            "getMaintenance",
            "The announced maintenance",
            "The list that was announced last, as it was written. Maintenance in `wrangler.toml` is not part of it.",
        )
        .json(generator, &example::maintenance_list()),
        ("PUT", "/api/v1/admin/maintenance") => {
            let rejected = json_content(generator, &example::maintenance_rejected());
            OperationBuilder::owner(
                "announceMaintenance",
                "Announce maintenance",
                "The whole list, at most twenty entries. One invalid entry rejects the whole list. 409 and 503 are as for the list of \
                 monitors.",
            )
            .body(
                "The list.",
                JSON,
                entries::reference("Maintenance"),
                json!({ "maintenance": [example::maintenance_entry()] }),
            )
            .json(generator, &example::maintenance_set())
            .response(422, refused, &["NotCached"], rejected)
            .errors(&[409])
        }
        (_, "/api/v1/alerts/test") => OperationBuilder::owner(
            "testAlerts",
            "Test the alert channels",
            "Sends a message that is marked as a test to each channel of `ALERTS`, and returns what came back. A channel that accepts it \
             is no longer regarded as failing, and gets what waits for it with the next tick. A body is ignored.",
        )
        .json(generator, &example::alert_test()),
        (_, "/api/v1/admin/channels") => OperationBuilder::owner(
            "getChannels",
            "The alert channels",
            "Whether each channel of `ALERTS` accepts alerts, since when and why not, and how many alerts wait for it.",
        )
        .json(generator, &example::channels()),
        (_, "/api/v1/admin/export") => OperationBuilder::owner(
            "exportHistory",
            "Export one page of the history",
            "JSON lines: the first names the schema, each further one is a row of a table, and the last has the beginning of the next page, \
             or `null`. The secrets of the Worker are not part of it, and the subscriptions, with their signing secrets, only if they are asked for.",
        )
        .text(NDJSON, example::EXPORT_PAGE),
        (_, "/api/v1/admin/import") => OperationBuilder::owner(
            "importHistory",
            "Import one page of an export",
            "All rows or none; a row replaces the one of the same key. Pages may come in any order.",
        )
        .body(
            "One page of an export, at most 8 MB.",
            NDJSON,
            json!({ "type": "string" }),
            Value::from(example::EXPORT_PAGE),
        )
        .json(generator, &example::imported())
        .errors(&[409]),
        (_, "/api/v1/heartbeats/{id}") => OperationBuilder::owner(
            "sendHeartbeat",
            "Report a run of a job",
            "Without a parameter the run succeeded. The token is `HEARTBEAT_TOKEN`, which allows nothing else, or `ADMIN_TOKEN`. A body is \
             ignored.",
        )
        .tokens(&["owner", "job"])
        .no_content()
        .errors(&[404]),
        _ => return None,
    })
}

fn subscriptions(method: &str, template: &str, generator: &mut SchemaGenerator) -> Option<OperationBuilder> {
    let address = || json!({ "url": "https://hooks.example/status" });
    Some(match (method, template) {
        ("POST", "/api/v1/subscriptions") => OperationBuilder::subscriber(
            "subscribe",
            "Subscribe a webhook or a browser",
            "The address receives a POST with `event` (`subscribe`), `challenge` and `secret`. It is subscribed once it has responded within \
             ten seconds with 2xx and the challenge as the body. Only the address learns the secret, by which messages are signed \
             (Standard Webhooks). Subscribing again replaces the monitors. A browser sends the address and the keys of its \
             `PushSubscription`; the push service confirms it by accepting a first message. 409 if there are as many subscriptions as \
             allowed. docs/subscribing.md has the messages.",
            SUBSCRIBER_ERRORS,
        )
        .body(
            "The address, and the monitors if not all.",
            JSON,
            entries::reference("SubscriptionRequest"),
            json!({ "url": "https://hooks.example/status", "monitors": ["api"] }),
        )
        .no_content()
        .errors(&[409]),
        ("DELETE", "/api/v1/subscriptions") => OperationBuilder::subscriber(
            "unsubscribe",
            "End a subscription",
            "A webhook confirms it by the same challenge, with `event` `unsubscribe` and without a secret; a browser by its keys. An address \
             that is not subscribed is no error.",
            SUBSCRIBER_ERRORS,
        )
        .body("The address.", JSON, entries::reference("Address"), address())
        .no_content()
        .errors(&[409]),
        ("GET", "/api/v1/admin/subscriptions") => OperationBuilder::owner(
            "getSubscriptions",
            "All subscriptions",
            "The addresses and the monitors that they named.",
        )
        .json(generator, &example::subscriptions()),
        ("DELETE", "/api/v1/admin/subscriptions") => OperationBuilder::owner(
            "removeSubscription",
            "Remove a subscription",
            "By its address in the list. The address does not have to confirm it.",
        )
        .body("The address.", JSON, entries::reference("Address"), address())
        .no_content()
        .errors(&[409]),
        _ => return None,
    })
}
