//! A badge: what one monitor has to say in two words, as a picture of our own or as shields.io wants to draw it.

use serde_json::Value;

use super::markup::escaped;
use super::text_of as text;
use crate::json;

/// The longest label, in characters.
pub const MAX_LABEL: usize = 40;

const GREEN: &str = "#1a7f4b";
const AMBER: &str = "#9a6700";
const RED: &str = "#c93434";
const BLUE: &str = "#3b6fd4";
const GREY: &str = "#6b7280";

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

/// What a badge shows of a monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Its state.
    #[default]
    Status,
    /// Its uptime of ninety days.
    Uptime,
    /// Its memory.
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

/// What a badge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    label: String,
    message: String,
    colour: &'static str,
}

impl Badge {
    /// The badge of a monitor, from the body of `GET /api/v1/monitors/{id}`.
    pub fn of(monitor: &str, metric: Metric, label: Option<&str>) -> Badge {
        let monitor = serde_json::from_str::<Value>(monitor).unwrap_or_default();
        let (message, colour) = match metric {
            Metric::Uptime => uptime(&monitor["uptime"]["90d"]),
            Metric::Memory => memory(&monitor["memory"]),
            Metric::Status => state(text(&monitor["state"])),
        };
        let default = if metric == Metric::Status { text(&monitor["name"]) } else { metric.as_str() };
        let label = label.unwrap_or(default);
        Badge { label: label.chars().take(MAX_LABEL).collect(), message, colour }
    }

    /// As <https://shields.io/badges/endpoint-badge> wants it.
    pub fn shields(&self) -> String {
        json::object(|o| {
            o.set("schemaVersion", 1_u32);
            o.set("label", &self.label);
            o.set("message", &self.message);
            o.set("color", self.colour);
            o.set("cacheSeconds", 60_u32);
        })
    }

    /// As a picture.
    pub fn svg(&self, style: Style) -> String {
        let large = style == Style::ForTheBadge;
        let (height, pad, radius) = match style {
            Style::Flat => (20, 6, 3),
            Style::FlatSquare => (20, 6, 0),
            Style::ForTheBadge => (28, 12, 0),
        };
        let shown = |text: &str| if large { text.to_ascii_uppercase() } else { text.to_owned() };
        let (label, message) = (shown(&self.label), shown(&self.message));
        let (left, right) = (width(&label), width(&message));
        let (split, all) = (left + 2 * pad, left + right + 4 * pad);
        let (baseline, start) = (height / 2 + 4, split + pad);
        let (label, message) = (escaped(&label), escaped(&message));
        let colour = self.colour;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{all}" height="{height}" role="img" aria-label="{label}: {message}"><title>{label}: {message}</title><rect width="{all}" height="{height}" rx="{radius}" fill="{colour}"/><path d="M{radius} 0H{split}V{height}H{radius}Q0 {height} 0 {}V{radius}Q0 0 {radius} 0" fill="#3d444d"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{pad}" y="{baseline}" textLength="{left}">{label}</text><text x="{start}" y="{baseline}" textLength="{right}">{message}</text></g></svg>"##,
            height - radius,
        )
    }
}

fn state(state: &str) -> (String, &'static str) {
    let colour = match state {
        "up" => GREEN,
        "degraded" => AMBER,
        "down" => RED,
        "waking" | "maintenance" => BLUE,
        _ => GREY,
    };
    (state.to_owned(), colour)
}

/// An uptime does not stand without how much of it was observed, where that was not all.
fn uptime(window: &Value) -> (String, &'static str) {
    let (Value::Number(percent), Value::Number(coverage)) = (&window["percent"], &window["coverage"]) else {
        return ("unknown".to_owned(), GREY);
    };
    let colour = match percent.as_f64() {
        Some(99.9..) => GREEN,
        Some(99.0..) => AMBER,
        _ => RED,
    };
    let observed = match coverage.as_f64() {
        Some(100.0..) => String::new(),
        _ => format!(" ({coverage}% observed)"),
    };
    (format!("{percent}%{observed}"), colour)
}

fn memory(memory: &Value) -> (String, &'static str) {
    let Value::Number(rss) = &memory["rss"] else { return ("unknown".to_owned(), GREY) };
    let message = match &memory["limit"] {
        Value::Number(limit) => format!("{rss} of {limit} MB"),
        _ => format!("{rss} MB"),
    };
    let colour = match text(&memory["pressure"]) {
        "" | "calm" => GREEN,
        "alert" | "purge" => AMBER,
        _ => RED,
    };
    (message, colour)
}

/// About how wide a text is in eleven pixels of Verdana; the picture is drawn to it.
fn width(text: &str) -> usize {
    let one = |c: char| match c {
        'i' | 'j' | 'l' | 'f' | 't' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' | ' ' | '(' | ')' | '-' => 4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 11,
        c if c.is_ascii_uppercase() => 8,
        c if c.is_ascii() => 7,
        _ => 11,
    };
    text.chars().map(one).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONITOR: &str = r#"{"id":"api","name":"API <1>","state":"degraded",
        "uptime":{"90d":{"percent":99.98,"coverage":100}},
        "memory":{"rss":150,"limit":1024,"pressure":"shed"}}"#;

    fn said(monitor: &str, metric: &str) -> (String, &'static str) {
        let badge = Badge::of(monitor, Metric::parse(metric).unwrap(), None);
        (format!("{}: {}", badge.label, badge.message), badge.colour)
    }

    #[test]
    fn what_a_badge_says() {
        assert_eq!(said(MONITOR, "status"), ("API <1>: degraded".into(), AMBER));
        assert_eq!(said(MONITOR, "uptime"), ("uptime: 99.98%".into(), GREEN));
        assert_eq!(said(MONITOR, "memory"), ("memory: 150 of 1024 MB".into(), RED));
        let cases = [
            (
                r#"{"uptime":{"90d":{"percent":99.899,"coverage":7.5}}}"#,
                "uptime",
                "99.899% (7.5% observed)",
                AMBER,
            ),
            (r#"{"uptime":{"90d":{"percent":98,"coverage":100}}}"#, "uptime", "98%", RED),
            (
                r#"{"uptime":{"90d":{"percent":100,"coverage":99.9}}}"#,
                "uptime",
                "100% (99.9% observed)",
                GREEN,
            ),
            (r#"{"uptime":{"90d":{"percent":null,"coverage":0}}}"#, "uptime", "unknown", GREY),
            (r#"{"memory":{"rss":7,"limit":null,"pressure":null}}"#, "memory", "7 MB", GREEN),
            (r#"{"memory":null}"#, "memory", "unknown", GREY),
            ("", "memory", "unknown", GREY),
        ];
        for (monitor, metric, message, colour) in cases {
            assert_eq!(said(monitor, metric), (format!("{metric}: {message}"), colour), "{monitor}");
        }
    }

    #[test]
    fn labels_are_cut_and_escaped() {
        let badge = Badge::of(MONITOR, Metric::Status, Some(&format!("<b>\"&'{}", "x".repeat(100))));
        assert_eq!(badge.label.chars().count(), 40);
        let svg = badge.svg(Style::Flat);
        assert!(svg.contains("&lt;b&gt;&quot;&amp;&#39;xxx") && !svg.contains("<b>"), "{svg}");
        assert!(badge.shields().starts_with(r#"{"schemaVersion":1,"label":"<b>\"&'xxx"#));
    }

    #[test]
    fn styles() {
        let badge = Badge::of(MONITOR, Metric::Status, None);
        for (word, height) in [("flat", 20), ("flat-square", 20), ("for-the-badge", 28)] {
            let svg = badge.svg(Style::parse(word).unwrap());
            assert!(svg.contains(&format!(r#" height="{height}" role"#)), "{svg}");
        }
        assert!(badge.svg(Style::ForTheBadge).contains("DEGRADED"));
        assert_eq!(Style::parse("plastic"), None);
    }
}
