//! Small SVGs: the icon of a state, the bars of ninety days, and the sparkline of the last day.
//!
//! Each state has its own shape, so that color is never the only difference. One path draws all bars of a state, as a page may have fifty
//! monitors with ninety days each.

use std::fmt::Write as _;

use heapbeat_shared::UnixMillis;

use super::markup::Markup;
use crate::domain::State;
use crate::domain::instant;
use crate::view::MonitorView;

/// The width of a day's bar with the space beside it, in the units of the SVG.
const STEP: usize = 10;

/// The limit is drawn if it is at most this many times the highest value; otherwise it would flatten the line.
const MAX_LIMIT_RATIO: f64 = 4.0;

/// Returns the path of a day's bar within a height of 34 units.
const fn bar(state: State) -> &'static str {
    match state {
        State::Up | State::Down => "3v28",
        State::Degraded => "13v18",
        State::Waking => "21v10",
        State::Maintenance => "10v14",
        State::Unobserved => "29v2",
    }
}

/// Draws the icon of a state.
pub(super) fn icon(state: State) -> Markup {
    let path = match state {
        State::Up => "M3 8.5l3.5 3.5L13 4.5",
        State::Degraded => "M8 2.5v7M8 13v.5",
        State::Down => "M4 4l8 8M12 4l-8 8",
        State::Waking => "M8 3v5l3 3",
        State::Maintenance => "M5 3v10M11 3v10",
        State::Unobserved => "M3.5 8h9",
    };
    Markup::trusted(format!(
        "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>"
    ))
}

/// Draws a bar for each of a monitor's days, the last of which is that of `now`, and links the days with an incident.
pub(super) fn day_bars(
    monitor: &MonitorView,
    now: UnixMillis,
    query: &str,
    date: impl Fn(UnixMillis) -> String,
) -> Markup {
    let days = monitor.days.len();
    let id = Markup::escape(&monitor.id);
    let mut svg =
        format!("<svg class=\"bars\" viewBox=\"0 0 {} 34\" preserveAspectRatio=\"none\">", days * STEP);
    for state in State::ALL {
        let (mut path, mut links) = (String::new(), String::new());
        for (index, _) in monitor.days.chars().enumerate().filter(|(_, letter)| *letter == state.letter()) {
            let _ = write!(path, "M{} {}", index * STEP + STEP / 2, bar(state));
            if state.is_trouble() {
                let age = i64::try_from(days - 1 - index).unwrap_or(0);
                let at = UnixMillis(now.0 - age * 86_400_000);
                let day = instant::rfc3339(at);
                let day = day.split('T').next().unwrap_or_default();
                let _ = write!(
                    links,
                    "<a href=\"/monitors/{id}{query}#day-{day}\"><title>{}</title><rect x=\"{}\" width=\"{STEP}\" height=\"34\"/></a>",
                    Markup::escape(&date(at)),
                    index * STEP
                );
            }
        }
        if !path.is_empty() {
            let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>{links}", state.as_str());
        }
    }
    svg.push_str("</svg>");
    Markup::trusted(svg)
}

/// Draws a line through values with gaps, from zero to the highest value or to the limit.
pub(super) fn draw(values: impl Iterator<Item = Option<f64>>, limit: Option<f64>) -> Markup {
    let values: Vec<_> = values.collect();
    // Two points do not make a readable line.
    if values.iter().flatten().count() < 3 {
        return Markup::default();
    }
    let highest = values.iter().flatten().copied().fold(1.0, f64::max);
    let top = limit.unwrap_or(0.0).max(highest);
    let width = values.len() - 1;
    let mut svg = format!(
        "<svg class=\"spark\" viewBox=\"0 0 {width} 30\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
    );
    if limit.is_some_and(|limit| limit <= highest * MAX_LIMIT_RATIO) {
        let _ = write!(svg, "<path class=\"limit\" d=\"M0 1H{width}\"/>");
    }
    svg.push_str("<path d=\"");
    let mut drawing = false;
    for (x, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let (pen, y) = (if drawing { 'L' } else { 'M' }, 29.0 - value / top * 28.0);
            // A line without length is a dot, so a single value is visible.
            let _ = write!(svg, "{pen}{x} {y:.0}{}", if drawing { "" } else { "h0" });
        }
        drawing = value.is_some();
    }
    svg.push_str("\"/></svg>");
    Markup::trusted(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::snapshot::MonitorSnapshot;

    fn bars_of(days: &str) -> String {
        let now = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z
        let monitor = MonitorView {
            id: "api".into(),
            days: days.into(),
            ..MonitorView::from(&MonitorSnapshot::default())
        };
        day_bars(&monitor, now, "?lang=de", |_| "a day".into()).to_string()
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
    fn a_day_with_an_incident_links_to_its_incidents() {
        let picture = bars_of("d.uu");
        let link = "<a href=\"/monitors/api?lang=de#day-2026-01-28\"><title>a day</title><rect x=\"0\" width=\"10\" height=\"34\"/></a>";
        assert!(picture.contains(link), "{picture}");
        assert_eq!(picture.matches("<a ").count(), 1);
    }

    #[test]
    fn a_gap_splits_the_line_and_a_near_limit_is_drawn() {
        let line = |values: &[Option<i32>], limit| {
            draw(values.iter().map(|it| it.map(f64::from)), limit).to_string()
        };
        let gap = line(&[Some(10), Some(20), None, Some(40), Some(40)], None);
        assert!(gap.contains("d=\"M0 22h0L1 15M3 1h0L4 1\""), "{gap}");
        let near = line(&[Some(10), Some(20), Some(20)], Some(40.0));
        assert!(near.contains("class=\"limit\"") && near.contains("M0 22h0L1 15"), "{near}");
        assert!(!line(&[Some(10), Some(20), Some(20)], Some(4000.0)).contains("limit"));
        for little in [&[][..], &[None, Some(10), None, Some(20)]] {
            assert_eq!(line(little, None), "", "{little:?}");
        }
    }
}
