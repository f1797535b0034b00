//! Pages for people, which are paths like any other.

use super::operation::{Operation, html, plain};

/// `GET /`.
pub(super) fn status() -> Operation {
    Operation::page(
        "getStatusPage",
        "The status page",
        "All monitors, open and past incidents, and announced work.",
        html(),
    )
}

/// `GET /monitors/{id}`.
pub(super) fn monitor() -> Operation {
    let about = "One monitor with charts of memory and latency, its ninety days, restarts and incidents.";
    Operation::page("getMonitorPage", "A monitor's page", about, html()).or([404])
}

/// `GET /incidents/{id}`.
pub(super) fn incident() -> Operation {
    let about = "One incident with its evidence, its timeline and the memory before it.";
    Operation::page("getIncidentPage", "An incident's page", about, html()).or([404])
}

/// `GET /preview.svg`.
pub(super) fn preview() -> Operation {
    let about = "What others show beside a link to the page: the state of all in a word.";
    Operation::page(
        "getPreview",
        "The picture that goes with a link to the page",
        about,
        plain("image/svg+xml", None),
    )
}
