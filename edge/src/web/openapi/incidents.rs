//! Incidents: a page of them, one with its recording, and what the owner does to one.

use super::node::{Node, object};
use super::operation::{Operation, json};
use super::past::{MEMORY, samples};
use super::schema::{
    at_most, entry, exactly, flag, incident_id, instant, list, matching, monitor_id, of, record, text, words,
};
use super::{INCIDENTS, sample};
use crate::domain::incident::{MOST_MOMENTS, Severity};
use crate::view::{IncidentDetailView, IncidentListView};
use crate::web::api;

const SEVERITIES: [Severity; 4] = [Severity::Warning, Severity::Degraded, Severity::Crashed, Severity::Down];

fn example() -> String {
    let (incident, runs) = sample::incident();
    api::to_json(&IncidentDetailView::new(&incident, &runs))
}

/// `GET /api/v1/incidents`.
pub(super) fn list_them() -> Operation {
    let page = api::to_json(&IncidentListView::page(vec![(&sample::incident().0).into()], 50));
    Operation::read(
        ("listIncidents", INCIDENTS),
        "Incidents, the newest first",
        "A page of them. `next`, and the `Link` header, say where the next page is; what opens meanwhile moves nothing.",
        &["Link"],
        vec![json(of("IncidentsPage"), &page)],
    )
    .leading("$response.body#/incidents/0/id", &["getIncident", "getIncidentPage", "updateIncident"])
}

/// `GET /api/v1/incidents/{id}`.
pub(super) fn one() -> Operation {
    Operation::read(
        ("getIncident", INCIDENTS),
        "One incident, and the samples before it",
        "The incident as the list has it, and the memory of the ten minutes before it as far as signed reports told it.",
        &[],
        vec![json(of("IncidentWithRecording"), &example())],
    )
    .or([404])
}

/// `POST /api/v1/admin/incidents/{id}`.
pub(super) fn order() -> Operation {
    let body = object([("note", Node::from("the new index was missing")), ("acknowledge", true.into())]);
    Operation::own(
        "updateIncident",
        "Add a note, take it in hand, or end it",
        "At least one of the three. One that somebody ended stays so while the same trouble goes on. What is over takes notes \
         only: anything else is refused with 409.",
        vec![json(of("IncidentWithRecording"), &example())],
    )
    .sending("What is to be done.", "application/json", of("Orders"), body)
    .or([404, 409])
}

fn incident() -> Vec<(&'static str, &'static str, Node)> {
    let moment = record([("at", "When.", instant()), ("what", "What happened.", text())]);
    let most = i64::try_from(MOST_MOMENTS).unwrap_or_default();
    vec![
        ("id", "The monitor's id, and the second of Unix time in which it began.", incident_id()),
        ("monitor", "Whose.", monitor_id()),
        (
            "severity",
            "The worst so far: memory runs out, it serves but not well, it died and came back, or it does not serve.",
            words(SEVERITIES.map(Severity::as_str)),
        ),
        ("opened", "The first sign of it.", instant()),
        ("closed", "When it was over; `null` while it is not.", instant().or_null()),
        ("cause", "Why, as far as is known, in a sentence.", text()),
        ("evidence", "What speaks for it.", list(text())),
        ("acknowledged", "Somebody has it in hand.", flag()),
        (
            "behind",
            "A monitor that this one depends on, and that was in trouble as well.",
            monitor_id().or_null(),
        ),
        ("timeline", "What happened, oldest first.", at_most(most, moment)),
    ]
}

/// Schemas of this file.
pub(super) fn schemas() -> Vec<(&'static str, Node)> {
    let page = record([
        (
            "incidents",
            "The newest first.",
            at_most(crate::web::routes::parameters::MAX_LIMIT.into(), of("Incident")),
        ),
        (
            "next",
            "The path of the next page; `null` on the last.",
            text().with("format", "uri-reference").or_null(),
        ),
    ]);
    let run = record([
        ("instance", "Which instance it was.", matching("^[0-9a-f]{16}$")),
        ("columns", "What the values of a row are; figures are bytes.", exactly(MEMORY)),
        ("samples", "A row each, oldest first.", samples()),
    ]);
    let mut whole = incident();
    whole.push(("recording", "Memory in the ten minutes before it, an instance each.", list(run)));
    let always = || object([("const", Node::from(true))]);
    let orders = entry(
        &[],
        [
            (
                "note",
                "A line for the timeline, of at most 280 bytes.",
                matching("^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$")
                    .with("maxLength", 280),
            ),
            ("acknowledge", "Somebody has it in hand: no more reminders.", always()),
            ("resolve", "It is over.", always()),
        ],
    );
    vec![
        ("IncidentsPage", page.about("A page of incidents.")),
        ("Incident", record(incident()).about("A stretch of trouble of one monitor.")),
        ("IncidentWithRecording", record(whole).about("An incident, and memory before it.")),
        ("Orders", orders.with("minProperties", 1).about("What is to be done to an incident.")),
    ]
}
