//! The fields that a template is filled with, from the values of the hubs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::State;
use crate::hub_api::HubResponse;
use crate::view::{IncidentLineView, IncidentPageView, MonitorPageView, StatusPageView};

const DAY: Duration = Duration::from_secs(86_400);

/// The fields of a page; `None` where the response is not that of a page.
pub(super) fn of(response: &HubResponse) -> Option<Map<String, Value>> {
    let value = match response {
        HubResponse::StatusPage(page) => status(page),
        HubResponse::MonitorPage(page) => monitor(page),
        HubResponse::IncidentPage(page) => incident(page),
        _ => return None,
    };
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

fn value_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn status(page: &StatusPageView) -> Value {
    let mut fields = value_of(&page.status);
    for (monitor, value) in
        page.status.monitors.iter().zip(fields["monitors"].as_array_mut().into_iter().flatten())
    {
        if let Some(day) = page.memory_days.iter().find(|day| day.monitor == monitor.id) {
            value["memory_day"] = json!({"top": day.limit, "points": day.peaks});
        }
    }
    fields["now"] = value_of(&page.now);
    fields["incidents"] = page.incidents.iter().map(line).collect();
    fields
}

fn monitor(page: &MonitorPageView) -> Value {
    let fine = |state| matches!(state, State::Up | State::Unobserved);
    let troubled = page.days.iter().rev().filter(|day| !fine(day.state)).map(|day| {
        let (from, to) = (day.day.0, day.day.0.plus(DAY));
        let on_it =
            |it: &&IncidentLineView| it.opened.0 < to && it.closed.is_none_or(|closed| closed.0 >= from);
        let mut value = value_of(day);
        value["incidents"] = page.incidents.iter().filter(on_it).map(line).collect();
        value
    });
    json!({
        "now": page.now,
        "status": page.monitor.state,
        "monitor": page.monitor,
        "range": page.range.as_deref().unwrap_or_default(),
        "from": page.from,
        "to": page.to,
        "memory": page.memory,
        "restarts": page.restarts,
        "compared": page.compared,
        "grows": page.growing_route,
        "incidents": page.incidents.iter().map(line).collect::<Vec<_>>(),
        "troubled": troubled.collect::<Vec<_>>(),
        "days": page.days,
        "latency": page.latency,
    })
}

fn incident(page: &IncidentPageView) -> Value {
    let mut fields = value_of(&page.incident);
    fields["now"] = value_of(&page.now);
    fields["status"] = value_of(&page.status);
    fields["name"] = value_of(&page.name);
    fields["memory"] = value_of(&page.memory);
    fields["lasted"] = value_of(&page.incident.duration_seconds());
    fields
}

fn line(incident: &IncidentLineView) -> Value {
    let mut value = value_of(incident);
    value["lasted"] = value_of(&incident.duration_seconds());
    value
}
