//! Small pictures: the icon of a state, a bar a day, a line over the last day.
//!
//! Each shape has a place and a height of its own, so that nothing is told by colour alone, and one path takes all cells of a
//! kind: fifty monitors of ninety days are shown at once.

use std::fmt::Write as _;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::units;
use serde_json::Value;

use super::filter::number;
use super::template::shown;
use crate::domain::State;
use crate::domain::instant;
use crate::web::api::markup::escape;

/// The line of a day within 34 units, from its top.
const fn cell(state: State) -> &'static str {
    match state {
        State::Up | State::Down => "3v28",
        State::Degraded => "13v18",
        State::Waking => "21v10",
        State::Maintenance => "10v14",
        State::Unobserved => "29v2",
    }
}

/// Width of a cell.
const STEP: usize = 10;

/// The state's shape, for those who cannot tell the colours apart.
pub(super) fn icon(state: &str, out: &mut String) {
    let path = match state {
        "up" => "M3 8.5l3.5 3.5L13 4.5",
        "degraded" => "M8 2.5v7M8 13v.5",
        "down" => "M4 4l8 8M12 4l-8 8",
        "waking" => "M8 3v5l3 3",
        "maintenance" => "M5 3v10M11 3v10",
        _ => "M3.5 8h9",
    };
    out.extend([
        "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"",
        path,
        "\"/></svg>",
    ]);
}

/// A bar for each letter of a monitor's `days`, and a link to each day with trouble; `now` is on the last day.
pub(super) fn bars(
    monitor: &Value,
    now: i64,
    query: &str,
    day: impl Fn(UnixMillis) -> String,
    out: &mut String,
) {
    let letters = monitor["days"].as_str().unwrap_or_default();
    let id = shown(&monitor["id"]);
    let width = letters.len() * STEP;
    let _ = write!(out, "<svg class=\"bars\" viewBox=\"0 0 {width} 34\" preserveAspectRatio=\"none\">");
    for state in State::ALL {
        let line = cell(state);
        let mut path = String::new();
        let mut links = String::new();
        for (index, _) in letters.chars().enumerate().filter(|(_, it)| *it == state.letter()) {
            let _ = write!(path, "M{} {line}", index * STEP + STEP / 2);
            if state.is_trouble() {
                let age = i64::try_from(letters.len() - 1 - index).unwrap_or(0);
                let at = UnixMillis(now - age * 86_400_000);
                let date = instant::rfc3339(at);
                let date = date.get(..10).unwrap_or_default();
                links.push_str("<a href=\"/monitors/");
                escape(&id, &mut links);
                links.extend([query, "#day-", date, "\"><title>", &day(at), "</title>"]);
                let _ = write!(links, "<rect x=\"{}\" width=\"{STEP}\" height=\"34\"/></a>", index * STEP);
            }
        }
        if !path.is_empty() {
            let _ = write!(out, "<path class=\"{}\" d=\"{path}\"/>{links}", state.as_str());
        }
    }
    out.push_str("</svg>");
}

/// A line through a list of numbers with holes, from zero to the greatest, or to `top` where the value is an object with that.
pub(super) fn spark(value: &Value, out: &mut String) {
    let points = value.get("points").unwrap_or(value);
    let Some(points) = points.as_array() else { return };
    // Two dots are no line, but look like dust.
    if points.iter().filter_map(number).count() < 3 {
        return;
    }
    let highest = points.iter().filter_map(number).fold(1.0, f64::max);
    let top = value.get("top").and_then(number).unwrap_or(0.0).max(highest);
    let width = points.len().max(2) - 1;
    let _ = write!(
        out,
        "<svg class=\"spark\" viewBox=\"0 0 {width} 30\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
    );
    if value.get("top").and_then(number).is_some_and(|limit| limit <= highest * 4.0) {
        let _ = write!(out, "<path class=\"limit\" d=\"M0 1H{width}\"/>");
    }
    out.push_str("<path d=\"");
    let mut drawing = false;
    for (x, point) in points.iter().enumerate() {
        if let Some(value) = number(point) {
            let (pen, y) = (if drawing { 'L' } else { 'M' }, units::round_to(29.0 - value / top * 28.0, 0));
            let _ = write!(out, "{pen}{x} {y}");
            // A single point is a dot.
            if !drawing {
                out.push_str("h0");
            }
            drawing = true;
        } else {
            drawing = false;
        }
    }
    out.push_str("\"/></svg>");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bars_of(letters: &str) -> String {
        let mut out = String::new();
        let now = 1_769_860_800_000; // 2026-01-31T12:00:00Z
        bars(&json!({"id": "api", "days": letters}), now, "?lang=de", |_| "a day".into(), &mut out);
        out
    }

    fn drawn(draw: fn(&Value, &mut String), value: &Value) -> String {
        let mut out = String::new();
        draw(value, &mut out);
        out
    }

    #[test]
    fn every_day_has_a_bar_of_its_state() {
        let all: String = State::ALL.iter().map(|state| state.letter()).collect();
        let picture = bars_of(&all);
        for (index, state) in State::ALL.iter().enumerate() {
            let path = format!("<path class=\"{}\" d=\"M{} ", state.as_str(), index * 10 + 5);
            assert!(picture.contains(&path), "{path} is not in {picture}");
        }
        assert_eq!(bars_of("uu.").matches('M').count(), 3);
        assert_eq!(bars_of("<>").matches("path").count(), 0);
    }

    #[test]
    fn a_day_with_trouble_leads_to_what_happened() {
        let picture = bars_of("d.uu");
        let link = "<a href=\"/monitors/api?lang=de#day-2026-01-28\"><title>a day</title><rect x=\"0\" width=\"10\" height=\"34\"/></a>";
        assert!(picture.contains(link), "{picture}");
        assert_eq!(picture.matches("<a ").count(), 1);
    }

    #[test]
    fn a_hole_is_a_hole() {
        let picture = drawn(spark, &json!([10, 20, null, 40, 40]));
        assert!(picture.contains("d=\"M0 22h0L1 15M3 1h0L4 1\""), "{picture}");
        let picture = drawn(spark, &json!({"points": [10, 20, 20], "top": 40}));
        assert!(picture.contains("class=\"limit\"") && picture.contains("M0 22h0L1 15"), "{picture}");
        let far = drawn(spark, &json!({"points": [10, 20, 20], "top": 4000}));
        assert!(!far.contains("limit"), "{far}");
        for little in [json!(null), json!([]), json!([null, 10, null, 20])] {
            assert_eq!(drawn(spark, &little), "", "{little}");
        }
    }
}
