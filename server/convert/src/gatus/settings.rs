//! The settings at the top of the configuration.

use serde_json::json;

use super::maintenance::Windows;
use crate::Reading;
use crate::cursor::Cursor;
use crate::note::{Note, NoteKind, PUBLIC_PAGE};

/// Settings of Gatus's own process.
const OWN: [(&str, &str); 8] = [
    ("storage", "the history is kept by the Worker"),
    ("web", "the Worker has no port of its own"),
    ("metrics", "/metrics is always there"),
    ("debug", "it is about the log of Gatus"),
    ("skip-invalid-config-update", "an invalid list is never applied"),
    ("disable-monitoring-lock", "it is about the process of Gatus"),
    ("concurrency", "it is about the process of Gatus"),
    ("tunneling", "a Worker opens no SSH tunnel; monitors that need one are left out"),
];

/// Reads the settings.
pub(super) fn read_settings(root: &Cursor<'_>, file: &str, reading: &mut Reading, windows: &mut Windows) {
    let mut note = |kind, cursor: &Cursor<'_>, text: String| {
        reading.general.push(Note::at(kind, file, cursor.line(), text));
    };
    for (key, reason) in OWN {
        if let Some(setting) = root.get(key) {
            setting.mark_whole_read();
            note(NoteKind::Dropped, &setting, format!("{key}: {reason}"));
        }
    }
    if let Some(security) = root.get("security") {
        security.mark_whole_read();
        note(
            NoteKind::Changed,
            &security,
            format!("security: the page of Gatus asks for a login, {PUBLIC_PAGE}"),
        );
    }
    if let Some(maintenance) = root.get("maintenance")
        && let Err(reason) = windows.read_global(&maintenance)
    {
        note(NoteKind::Changed, &maintenance, format!("maintenance was not converted: {reason}"));
    }
    for (key, reason) in [
        ("remote", "the endpoints of other instances are not shown"),
        (
            "announcements",
            "they were not converted; a note on an incident or a maintenance window is what heapbeat has",
        ),
    ] {
        if let Some(setting) = root.get(key) {
            setting.mark_whole_read();
            note(NoteKind::Changed, &setting, format!("{key}: {reason}"));
        }
    }
    if let Some(connectivity) = root.get("connectivity") {
        connectivity.mark_whole_read();
        note(
            NoteKind::Changed,
            &connectivity,
            "connectivity: heapbeat requests reference addresses when all probes fail at once: REFERENCES for wrangler.toml; an address with port 53 \
             is not one of them"
                .to_owned(),
        );
        reading.sketch.variables.push(("REFERENCES", "default".to_owned()));
    }
    if let Some(ui) = root.get("ui") {
        read_page(&ui, file, reading);
    }
}

/// Reads the settings of the page.
fn read_page(ui: &Cursor<'_>, file: &str, reading: &mut Reading) {
    let title = ui.text("title").or_else(|| ui.text("header"));
    if let Some(title) = title {
        let mut page = serde_json::Map::new();
        page.insert("title".to_owned(), json!(title));
        reading.sketch.page = Some(page);
    }
    let rest: Vec<_> =
        ui.entries().into_iter().filter(|(key, _)| *key != "title").map(|(key, _)| key).collect();
    ui.mark_whole_read();
    if !rest.is_empty() {
        let text = format!(
            "ui: {} were not converted; [vars.PAGE] has a title, a logo, a style and links",
            rest.join(", ")
        );
        reading.general.push(Note::at(NoteKind::Changed, file, ui.line(), text));
    }
}
