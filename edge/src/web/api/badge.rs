//! `GET /badge/{id}.svg` and `GET /badge/{id}.json`: a monitor's state, uptime or memory, as SVG or for shields.io.

use heapbeat_shared::Pressure;
use serde::Serialize;

use super::markup::escaped;
use crate::domain::State;
use crate::domain::instant::rfc3339;
use crate::view::{MemoryView, MonitorView, UptimeView};

/// The longest label, in characters.
pub const MAX_LABEL: usize = 40;

const GREEN: &str = "#1a7f4b";
const AMBER: &str = "#9a6700";
const RED: &str = "#c93434";
const BLUE: &str = "#3b6fd4";
const GRAY: &str = "#6b7280";

/// The style of a badge, by the names of shields.io.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// 20 pixels high with rounded corners.
    #[default]
    Flat,
    /// 20 pixels high with square corners.
    FlatSquare,
    /// 28 pixels high, in capitals.
    ForTheBadge,
}

impl Style {
    /// Every style.
    pub const ALL: [Style; 3] = [Style::Flat, Style::FlatSquare, Style::ForTheBadge];

    /// The value of the parameter `style`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Style::Flat => "flat",
            Style::FlatSquare => "flat-square",
            Style::ForTheBadge => "for-the-badge",
        }
    }

    /// The style of this name.
    pub fn parse(text: &str) -> Option<Style> {
        Style::ALL.into_iter().find(|style| style.as_str() == text)
    }
}

/// The value that a badge shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The state.
    #[default]
    Status,
    /// The uptime of ninety days.
    Uptime,
    /// The memory.
    Memory,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Metric; 3] = [Metric::Status, Metric::Uptime, Metric::Memory];

    /// The value of the parameter `metric`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Metric::Status => "status",
            Metric::Uptime => "uptime",
            Metric::Memory => "memory",
        }
    }

    /// The metric of this name.
    pub fn parse(text: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.as_str() == text)
    }
}

/// The two texts of a badge and the color of the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    label: String,
    message: String,
    color: &'static str,
}

/// A badge in the format that shields.io draws (<https://shields.io/badges/endpoint-badge>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShieldsBadge {
    /// Always 1.
    #[schemars(extend("const" = 1))]
    schema_version: u32,
    /// The left text.
    #[schemars(length(max = 40))]
    label: String,
    /// The right text.
    message: String,
    /// The color of the right half.
    #[schemars(regex(pattern = "^#[0-9a-f]{6}$"))]
    color: String,
    /// How long shields.io may keep it, in seconds.
    #[schemars(extend("const" = 60))]
    cache_seconds: u32,
}

impl Badge {
    /// Builds the badge of a monitor. The default label is the monitor's name, or the metric.
    pub fn new(monitor: &MonitorView, metric: Metric, label: Option<&str>) -> Badge {
        let (message, color) = match metric {
            Metric::Status => state(monitor.state),
            Metric::Uptime => uptime(monitor.uptime.quarter),
            Metric::Memory => memory(monitor.memory.as_ref()),
        };
        let default = if metric == Metric::Status { &monitor.name } else { metric.as_str() };
        Badge { label: label.unwrap_or(default).chars().take(MAX_LABEL).collect(), message, color }
    }

    /// Converts the badge for shields.io.
    pub fn shields(&self) -> ShieldsBadge {
        ShieldsBadge {
            schema_version: 1,
            label: self.label.clone(),
            message: self.message.clone(),
            color: self.color.to_owned(),
            cache_seconds: 60,
        }
    }

    /// Renders the badge as SVG.
    pub fn svg(&self, style: Style) -> String {
        let (height, pad, radius) = match style {
            Style::Flat => (20, 6, 3),
            Style::FlatSquare => (20, 6, 0),
            Style::ForTheBadge => (28, 12, 0),
        };
        let case = |text: &str| match style {
            Style::ForTheBadge => text.to_ascii_uppercase(),
            _ => text.to_owned(),
        };
        let (label, message) = (case(&self.label), case(&self.message));
        let (left, right) = (text_width(&label), text_width(&message));
        let (split, width) = (left + 2 * pad, left + right + 4 * pad);
        let (baseline, start) = (height / 2 + 4, split + pad);
        let (label, message) = (escaped(&label), escaped(&message));
        let color = self.color;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" aria-label="{label}: {message}"><title>{label}: {message}</title><rect width="{width}" height="{height}" rx="{radius}" fill="{color}"/><path d="M{radius} 0H{split}V{height}H{radius}Q0 {height} 0 {}V{radius}Q0 0 {radius} 0" fill="#3d444d"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{pad}" y="{baseline}" textLength="{left}">{label}</text><text x="{start}" y="{baseline}" textLength="{right}">{message}</text></g></svg>"##,
            height - radius,
        )
    }
}

fn state(state: State) -> (String, &'static str) {
    let color = match state {
        State::Up => GREEN,
        State::Degraded => AMBER,
        State::Down => RED,
        State::Waking | State::Maintenance => BLUE,
        State::Unobserved => GRAY,
    };
    (state.as_str().to_owned(), color)
}

/// Formats an uptime, with its coverage unless all of the window was observed, and the first day of a younger monitor.
fn uptime(UptimeView { percent, coverage, since }: UptimeView) -> (String, &'static str) {
    let Some(percent) = percent else { return ("unknown".to_owned(), GRAY) };
    let color = match percent.value() {
        percent if percent >= 99.9 => GREEN,
        percent if percent >= 99.0 => AMBER,
        _ => RED,
    };
    let observed = (coverage.value() < 100.0).then(|| format!("{coverage}% observed"));
    let since = since.map(|since| format!("since {:.10}", rfc3339(since.0)));
    let remarks: Vec<_> = observed.into_iter().chain(since).collect();
    let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(" ")) };
    (format!("{percent}%{remarks}"), color)
}

fn memory(memory: Option<&MemoryView>) -> (String, &'static str) {
    let Some(memory) = memory else { return ("unknown".to_owned(), GRAY) };
    let message = match memory.limit {
        Some(limit) => format!("{} of {} MB", memory.rss.0, limit.0),
        None => format!("{} MB", memory.rss.0),
    };
    let color = match memory.pressure {
        None | Some(Pressure::Calm) => GREEN,
        Some(Pressure::Alert | Pressure::Purge) => AMBER,
        Some(Pressure::Recycle | Pressure::Shed) => RED,
    };
    (message, color)
}

/// Returns the approximate width of a text in 11 pixels of Verdana; `textLength` fits the drawn text to it.
fn text_width(text: &str) -> usize {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 'f' | 't' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' | ' ' | '(' | ')' | '-' => 4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 11,
        c if c.is_ascii_uppercase() => 8,
        c if c.is_ascii() => 7,
        _ => 11,
    };
    text.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::UnixMillis;

    use super::*;
    use crate::view::Percent;
    use crate::view::Timestamp;
    use crate::web::openapi::example::monitor;

    fn text(monitor: &MonitorView, metric: Metric) -> (String, &'static str) {
        let badge = Badge::new(monitor, metric, None);
        (format!("{}: {}", badge.label, badge.message), badge.color)
    }

    #[test]
    fn a_badge_shows_the_state_in_its_color() {
        let cases = [
            (State::Up, "API: up", GREEN),
            (State::Degraded, "API: degraded", AMBER),
            (State::Down, "API: down", RED),
            (State::Maintenance, "API: maintenance", BLUE),
            (State::Unobserved, "API: unobserved", GRAY),
        ];
        for (state, expected, color) in cases {
            assert_eq!(text(&MonitorView { state, ..monitor() }, Metric::Status), (expected.into(), color));
        }
    }

    #[test]
    fn an_uptime_is_shown_with_its_coverage_unless_that_is_whole() {
        let cases = [
            (Some(99.98), 100.0, None, "uptime: 99.98%", GREEN),
            (Some(100.0), 99.9, None, "uptime: 100% (99.9% observed)", GREEN),
            (Some(99.899), 7.5, None, "uptime: 99.899% (7.5% observed)", AMBER),
            (Some(100.0), 100.0, Some(0), "uptime: 100% (since 1970-01-01)", GREEN),
            (Some(100.0), 50.0, Some(0), "uptime: 100% (50% observed since 1970-01-01)", GREEN),
            (Some(98.0), 100.0, None, "uptime: 98%", RED),
            (None, 0.0, None, "uptime: unknown", GRAY),
        ];
        for (percent, coverage, since, expected, color) in cases {
            let mut monitor = monitor();
            monitor.uptime.quarter = UptimeView {
                percent: percent.map(Percent::cut),
                coverage: Percent::cut(coverage),
                since: since.map(|at| Timestamp(UnixMillis(at))),
            };
            assert_eq!(text(&monitor, Metric::Uptime), (expected.into(), color));
        }
    }

    #[test]
    fn memory_is_shown_with_its_limit_in_the_color_of_its_pressure() {
        let mut monitor = monitor();
        let known = monitor.memory.unwrap();
        let cases = [
            (Some(MemoryView { pressure: Some(Pressure::Shed), ..known }), "memory: 150 of 512 MB", RED),
            (Some(MemoryView { pressure: Some(Pressure::Purge), ..known }), "memory: 150 of 512 MB", AMBER),
            (Some(MemoryView { limit: None, pressure: None, ..known }), "memory: 150 MB", GREEN),
            (None, "memory: unknown", GRAY),
        ];
        for (memory, expected, color) in cases {
            monitor.memory = memory;
            assert_eq!(text(&monitor, Metric::Memory), (expected.into(), color));
        }
    }

    #[test]
    fn labels_are_cut_and_escaped() {
        let label = format!("<b>\"&'{}", "x".repeat(100));
        let badge = Badge::new(&monitor(), Metric::Status, Some(&label));
        assert_eq!(badge.label.chars().count(), 40);
        let svg = badge.svg(Style::Flat);
        assert!(svg.contains("&lt;b&gt;&quot;&amp;&#39;xxx") && !svg.contains("<b>"), "{svg}");
        let shields = serde_json::to_string(&badge.shields()).unwrap();
        assert!(shields.starts_with(r#"{"schemaVersion":1,"label":"<b>\"&'xxx"#), "{shields}");
    }

    #[test]
    fn each_style_has_its_height() {
        let badge = Badge::new(&monitor(), Metric::Status, None);
        for (word, height) in [("flat", 20), ("flat-square", 20), ("for-the-badge", 28)] {
            let svg = badge.svg(Style::parse(word).unwrap());
            assert!(svg.contains(&format!(r#" height="{height}" role"#)), "{svg}");
        }
        assert!(badge.svg(Style::ForTheBadge).contains("API: UP"));
        assert_eq!(Style::parse("plastic"), None);
    }
}
