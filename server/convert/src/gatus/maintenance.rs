//! Converts maintenance to a sketch of `[[vars.MAINTENANCE]]`.

use heapbeat_monitors::maintenance::{MAINTENANCE, parse_windows};
use serde_json::{Map, Value, json};

use crate::Reading;
use crate::builder::{MonitorBuilder, format_millis};
use crate::cursor::{Cursor, DurationValue};
use crate::note::{Note, NoteKind};
use crate::output::window_id;

/// What differs in every window.
const DIFFERENCE: &str =
    "Gatus only sends no alerts then, and heapbeat also leaves the time out of the uptime";

/// The windows of the configuration, and the monitors of each; `None` means all.
#[derive(Debug, Default)]
pub(super) struct Windows(Vec<(WindowFields, Option<Vec<String>>)>);

/// The settings of a window.
type WindowFields = Map<String, Value>;

impl Windows {
    /// Reads `maintenance`, which is for all monitors.
    pub(super) fn read_global(&mut self, window: &Cursor<'_>) -> Result<(), String> {
        self.0.extend(read_window(window)?.map(|fields| (fields, None)));
        Ok(())
    }

    /// Reads `maintenance-windows` of an endpoint.
    pub(super) fn read_list(&mut self, cursor: &Cursor<'_>, builder: &mut MonitorBuilder) {
        for window in cursor.list("maintenance-windows") {
            match read_window(&window) {
                Ok(Some(fields)) => {
                    let id = builder.id().to_owned();
                    match self.0.iter_mut().find(|(known, monitors)| monitors.is_some() && *known == fields) {
                        Some((_, Some(monitors))) => monitors.push(id),
                        _ => self.0.push((fields, Some(vec![id]))),
                    }
                    builder.changed(format!(
                        "its maintenance is under [[vars.MAINTENANCE]] for wrangler.toml; {DIFFERENCE}"
                    ));
                }
                Ok(None) => {}
                Err(reason) => builder.changed(format!("{} was not converted: {reason}", window.path())),
            }
        }
    }

    /// Adds the sketch.
    pub(super) fn finish(self, reading: &mut Reading) {
        for (index, (mut fields, monitors)) in self.0.into_iter().enumerate() {
            fields.insert("id".to_owned(), json!(window_id(index)));
            if let Some(monitors) = &monitors {
                fields.insert("monitors".to_owned(), json!(monitors));
            }
            let (_, problems) = parse_windows(MAINTENANCE, &[Value::Object(fields.clone())]);
            let mut note = |text: String| reading.general.push(Note::general(NoteKind::Changed, text));
            if let Some(problem) = problems.first() {
                note(format!("a maintenance window was not converted: {}", problem.reason));
                continue;
            }
            if monitors.is_none() {
                note(format!("maintenance is under [[vars.MAINTENANCE]] for wrangler.toml; {DIFFERENCE}"));
            }
            reading.sketch.blocks.push((MAINTENANCE, fields, String::new()));
        }
    }
}

/// Reads a window; `None` if it is disabled.
fn read_window(window: &Cursor<'_>) -> Result<Option<WindowFields>, String> {
    let enabled = window.flag("enabled");
    let (start, zone) = (window.text("start"), window.text("timezone").filter(|zone| !zone.is_empty()));
    let duration = window.duration("duration");
    let days: Vec<_> = window.list("every").iter().filter_map(Cursor::as_text).collect();
    if enabled == Some(false) {
        return Ok(None);
    }
    let (hour, minute) =
        start.and_then(|start| start.split_once(':')).ok_or("`start` is not a time such as 23:00")?;
    let number = |text: &str, below: u8| text.parse::<u8>().ok().filter(|number| *number < below);
    let (Some(hour), Some(minute)) = (number(hour, 24), number(minute, 60)) else {
        return Err("`start` is not a time such as 23:00".to_owned());
    };
    let Some(DurationValue::Nanos(nanos)) = duration else { return Err("`duration` is missing".to_owned()) };
    let short = |day: &str| day.get(..3).map(str::to_ascii_lowercase).ok_or("a day of `every` is not one");
    let days = days.into_iter().map(short).collect::<Result<Vec<_>, _>>()?;
    let days = if days.is_empty() { "*".to_owned() } else { days.join(",") };
    let fields = [
        ("schedule", json!(format!("{minute} {hour} * * {days}"))),
        ("time-zone", json!(zone.unwrap_or("UTC"))),
        ("duration", json!(format_millis(nanos / 1_000_000))),
    ];
    Ok(Some(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
}
