//! Figures over time as SVG.
//!
//! The picture is stretched to the width of its place, so only lines are in it and the words stand around it as text: they
//! stay readable at 320 px. Where nobody looked there is no line: a gap is drawn as a gap, and a restart ends a line.
//!
//! What it draws is what the API tells of memory or of latency: `samples`, rows that begin with an instant in Unix
//! milliseconds, `resolution`, `from` and `to`; and, where there are such, `marks` and `instances` (instants), `limit` and
//! `forecast` (in bytes).

use std::fmt::Write as _;

use heapbeat_shared::UnixMillis;
use heapbeat_shared::units;
use serde_json::Value;

use super::filter::{number, whole};
use super::template::Maker;

/// Width of the picture, in its own units.
const WIDTH: f64 = 1000.0;

/// Height of the picture, in its own units.
const HEIGHT: f64 = 200.0;

/// A hole longer than so many usual distances between points is a gap.
const GAP: i64 = 3;

/// Draws `value`; nothing where it has no point.
pub(super) fn plot(value: &Value, maker: &Maker<'_>, out: &mut String) {
    if let Some(plot) = Plot::of(value) {
        plot.draw(maker, out);
    }
}

struct Plot<'v> {
    value: &'v Value,
    rows: &'v [Value],
    time: Scale,
    figure: Scale,
    limit: Option<f64>,
    /// Two points that are further apart belong to two lines.
    gap: i64,
}

/// Maps a range of values onto a length.
struct Scale {
    from: f64,
    to: f64,
    length: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        // Not `clamp`: it may panic with the two ends in its message, and what writes a float is a fiftieth of the Worker.
        ((value - self.from) / (self.to - self.from) * self.length).max(0.0).min(self.length)
    }
}

impl<'v> Plot<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let rows = value.get("samples")?.as_array()?;
        let (from, to) = (whole(value.get("from")?)?, whole(value.get("to")?)?);
        let columns = || lines(value).iter().map(|(column, _)| *column);
        let scale = scale(value);
        let highest = rows.iter().flat_map(|row| columns().filter_map(|it| number(row.get(it)?)));
        let highest = rows.first().map(|_| highest.fold(0.0, f64::max))? / scale;
        // The limit belongs on the picture where memory is within sight of it, else it would flatten everything.
        let limit = value.get("limit").and_then(number).map(|limit| limit / scale);
        let limit = limit.filter(|limit| *limit > 0.0 && highest * 4.0 >= *limit);
        let top = nice(highest.max(limit.unwrap_or(0.0)));
        let time = Scale { from: from as f64, to: to.max(from + 1) as f64, length: WIDTH };
        let figure = Scale { from: top * scale, to: 0.0, length: HEIGHT };
        Some(Plot {
            value,
            rows,
            time,
            figure,
            limit: limit.map(|limit| limit * scale),
            gap: GAP * usual(rows),
        })
    }

    fn draw(&self, maker: &Maker<'_>, out: &mut String) {
        let scale = scale(self.value);
        let unit = if scale > 1.0 { "MB" } else { "ms" };
        out.push_str("<div class=\"plot\"><div class=\"y\" aria-hidden=\"true\">");
        for part in [1.0, 0.5, 0.0] {
            let _ = write!(out, "<span>{:#}\u{a0}", units::round_to(self.figure.from / scale * part, 0));
            out.extend([unit, "</span>"]);
        }
        let (from, to) = (self.time.from, self.time.to);
        let _ = write!(
            out,
            "</div><svg viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\" aria-hidden=\"true\" data-from=\"{:#}\" data-to=\"{:#}\">\
             <path class=\"grid\" d=\"M0 0H1000M0 100H1000M0 200H1000\"/>",
            units::round_to(from, 0),
            units::round_to(to, 0),
        );
        let lines = lines(self.value);
        for (index, (column, class)) in lines.iter().enumerate() {
            // The first of two is an area.
            let area = index == 0 && lines.len() > 1;
            let path = self.line(*column, area);
            out.extend(["<path class=\"", class, if area { " area" } else { "" }, "\" d=\"", &path, "\"/>"]);
        }
        if let Some(limit) = self.limit {
            let _ = write!(out, "<path class=\"limit\" d=\"M0 {:#}H1000\"/>", self.y(limit));
        }
        self.forecast(out);
        for at in self.instants("marks") {
            let _ = write!(out, "<path class=\"restart\" d=\"M{:#} 0V200\"/>", self.x(at));
        }
        out.push_str("</svg></div><div class=\"x\" aria-hidden=\"true\">");
        for part in [0.0, 0.5, 1.0] {
            // Instants: whole, and far below 2^53.
            #[allow(clippy::cast_possible_truncation)]
            let at = UnixMillis((from + (to - from) * part) as i64);
            out.extend(["<span>", &maker.clock.short(at, maker.now), "</span>"]);
        }
        out.push_str("</div>");
    }

    fn x(&self, at: i64) -> f64 {
        units::round_to(self.time.place(at as f64), 1)
    }

    fn y(&self, figure: f64) -> f64 {
        units::round_to(self.figure.place(figure), 1)
    }

    fn instants(&self, name: &str) -> impl Iterator<Item = i64> {
        let list = self.value.get(name).and_then(Value::as_array);
        let inside = |at: &i64| (self.time.from..=self.time.to).contains(&(*at as f64));
        list.into_iter().flatten().filter_map(whole).filter(inside)
    }

    /// The lines through one column, each as far as it is without a gap; closed down to zero for an area.
    fn line(&self, column: usize, area: bool) -> String {
        let (mut path, mut run): (String, Option<(i64, i64)>) = (String::new(), None);
        let begins: Vec<i64> = self.instants("instances").collect();
        let close = |path: &mut String, run: Option<(i64, i64)>| match run {
            Some((first, last)) if area && first < last => {
                let _ = write!(path, "L{:#} 200L{:#} 200Z", self.x(last), self.x(first));
            }
            // A line of no length has round ends: a dot.
            Some((first, last)) if first == last => path.push_str("h0"),
            _ => {}
        };
        for row in self.rows {
            let (Some(at), Some(figure)) = (row.get(0).and_then(whole), row.get(column).and_then(number))
            else {
                continue;
            };
            let goes_on = run.filter(|(_, last)| at - last <= self.gap && !begins.contains(&at));
            if goes_on.is_none() {
                close(&mut path, run);
            }
            let pen = if goes_on.is_some() { 'L' } else { 'M' };
            let _ = write!(path, "{pen}{:#} {:#}", self.x(at), self.y(figure));
            run = Some((goes_on.map_or(at, |(first, _)| first), at));
        }
        close(&mut path, run);
        path
    }

    /// Where memory is on its way to, as a wedge between the earliest and the latest instant, and the line it is expected on.
    fn forecast(&self, out: &mut String) {
        let Some(forecast) = self.value.get("forecast").filter(|it| it.is_object()) else { return };
        let part = |name: &str| forecast.get(name).and_then(number);
        let (Some(from), Some(level), Some(limit)) = (part("from"), part("level"), self.limit) else {
            return;
        };
        let (Some(at), Some(earliest)) = (part("at"), part("earliest")) else { return };
        let latest = part("latest").unwrap_or(self.time.to);
        // As far as the picture goes: where a line leaves it.
        let end = |at: f64| {
            let share = ((self.time.to - from) / (at - from).max(1.0)).min(1.0);
            let (x, y) = (from + (at - from) * share, level + (limit - level) * share);
            (units::round_to(self.time.place(x), 1), self.y(y))
        };
        let (x, y) = (units::round_to(self.time.place(from), 1), self.y(level));
        let ((ax, ay), (bx, by), (cx, cy)) = (end(earliest), end(latest), end(at));
        let _ = write!(
            out,
            "<path class=\"wedge\" d=\"M{x:#} {y:#}L{ax:#} {ay:#}L{bx:#} {by:#}Z\"/><path class=\"forecast\" d=\"M{x:#} {y:#}L{cx:#} {cy:#}\"/>"
        );
    }
}

/// Which columns are drawn, and how: those of memory, or of latency by the tick or by the hour.
fn lines(value: &Value) -> &'static [(usize, &'static str)] {
    match value["resolution"].as_str() {
        Some("tick") => &[(1, "rss")],
        Some("1h") => &[(3, "heap"), (2, "rss")],
        _ => &[(2, "heap"), (1, "rss")],
    }
}

/// What figures are divided by: bytes become megabytes, milliseconds stay.
fn scale(value: &Value) -> f64 {
    if value["resolution"].is_null() { 1_048_576.0 } else { 1.0 }
}

/// The usual distance between two rows: the mean of those that are not above the mean of all, as what a gap adds is no
/// usual one.
fn usual(rows: &[Value]) -> i64 {
    let at = |row: &Value| row.get(0).and_then(whole).unwrap_or(0);
    let distances = || rows.windows(2).map(|pair| at(&pair[1]) - at(&pair[0]));
    let mean = |most: i64| {
        let (sum, count) =
            distances().filter(|it| *it <= most).fold((0, 0), |(sum, n), it| (sum + it, n + 1));
        sum / count.max(1)
    };
    mean(mean(i64::MAX)).max(1)
}

/// The lowest of 1, 2, 4, 6, 8 times a power of ten that is not below `value`, and at least 2.
fn nice(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= value {
        power *= 10.0;
    }
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        .map(|step| power * step)
        .into_iter()
        .find(|top| *top >= value)
        .unwrap_or(value)
        .max(2.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::web::page::messages::Messages;

    const NOW: i64 = 1_769_860_800_000; // 2026-01-31T12:00:00Z
    const MB: i64 = 1_048_576;

    /// Rows of minutes ago and a figure that is drawn as a line, half of it as the area, in MB.
    fn drawn(rows: &[(i64, i64)], more: &Value) -> String {
        let samples: Vec<_> =
            rows.iter().map(|(ago, n)| json!([NOW - ago * 60_000, n * MB, n * MB / 2])).collect();
        let from = NOW - rows.first().map_or(0, |row| row.0) * 60_000;
        let mut value = json!({"samples": samples, "from": from, "to": NOW});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let messages = Messages::english();
        let mut out = String::new();
        plot(&value, &Maker::new(&messages, NOW, ""), &mut out);
        out.replace('\u{a0}', " ")
    }

    #[test]
    fn axes_end_at_round_figures() {
        let cases = [
            (0.0, 2.0),
            (1.0, 2.0),
            (3.0, 4.0),
            (7.0, 8.0),
            (9.0, 10.0),
            (11.0, 20.0),
            (99.0, 100.0),
            (101.0, 200.0),
            (700.0, 800.0),
            (1024.0, 2000.0),
        ];
        for (highest, top) in cases {
            assert!((nice(highest) - top).abs() < f64::EPSILON, "{highest}");
        }
    }

    #[test]
    fn a_line_goes_from_the_first_point_to_the_last() {
        let picture = drawn(&[(20, 100), (10, 50), (0, 100)], &json!({}));
        assert!(picture.contains("<path class=\"rss\" d=\"M0 0L500 100L1000 0\"/>"), "{picture}");
        assert!(
            picture.contains("class=\"heap area\" d=\"M0 100L500 150L1000 100L1000 200L0 200Z\""),
            "{picture}"
        );
        for label in ["100 MB", "50 MB", "0 MB", "11:40", "11:50", "12:00"] {
            assert!(picture.contains(&format!("<span>{label}</span>")), "{label}: {picture}");
        }
    }

    #[test]
    fn a_gap_and_a_restart_end_a_line() {
        let rows = [(60, 100), (59, 100), (58, 100), (20, 100), (19, 100)];
        let pens = |picture: &str| {
            picture
                .split("class=\"rss\" d=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .matches('M')
                .count()
        };
        assert_eq!(pens(&drawn(&rows, &json!({}))), 2);
        let begins = NOW - 59 * 60_000;
        assert_eq!(pens(&drawn(&rows, &json!({"instances": [begins]}))), 3);
        assert_eq!(drawn(&rows, &json!({})).matches('Z').count(), 2);
    }

    #[test]
    fn the_limit_is_shown_where_it_is_within_sight() {
        let with = |limit: i64| drawn(&[(20, 100), (0, 100)], &json!({"limit": limit * MB}));
        assert!(with(200).contains("class=\"limit\" d=\"M0 0H1000\""));
        assert!(!with(4096).contains("class=\"limit\""));
    }

    #[test]
    fn marks_are_where_they_were_and_not_outside() {
        let picture = drawn(&[(20, 100), (0, 100)], &json!({"marks": [NOW - 600_000, NOW - 90_000_000]}));
        assert_eq!(picture.matches("class=\"restart\"").count(), 1);
        assert!(picture.contains("d=\"M500 0V200\""));
    }

    #[test]
    fn a_forecast_is_a_wedge_that_ends_with_the_picture() {
        let more = json!({"to": NOW + 1_200_000, "limit": 200 * MB, "forecast": {"from": NOW, "level": 100 * MB,
            "at": NOW + 1_200_000, "earliest": NOW + 600_000, "latest": NOW + 2_400_000}});
        let picture = drawn(&[(20, 100), (0, 100)], &more);
        // The latest line leaves the picture half way up: 150 of 200.
        assert!(picture.contains("class=\"wedge\" d=\"M500 100L750 0L1000 50Z\""), "{picture}");
        assert!(picture.contains("class=\"forecast\" d=\"M500 100L1000 0\""), "{picture}");
    }

    #[test]
    fn latency_is_a_line_by_the_tick_and_has_its_peaks_by_the_hour() {
        let messages = Messages::english();
        let draw = |value: &Value| {
            let mut out = String::new();
            plot(value, &Maker::new(&messages, NOW, ""), &mut out);
            out.replace('\u{a0}', " ")
        };
        let (from, to) = (NOW - 60_000, NOW);
        let ticks = draw(
            &json!({"resolution": "tick", "from": from, "to": to, "samples": [[from, 100], [to, null]]}),
        );
        assert!(ticks.contains("<path class=\"rss\" d=\"M0 0h0\"/>"), "{ticks}");
        assert!(ticks.contains("<span>50 ms</span>") && !ticks.contains("area"), "{ticks}");
        let rows = [json!([from, 1, 50, 100, 60, 0]), json!([to, 1, 100, 200, 60, 1])];
        let hours = draw(&json!({"resolution": "1h", "from": from, "to": to, "samples": rows}));
        assert!(hours.contains("class=\"heap area\" d=\"M0 100L1000 0L1000 200L0 200Z\""), "{hours}");
        assert!(hours.contains("<path class=\"rss\" d=\"M0 150L1000 100\"/>"), "{hours}");
    }

    #[test]
    fn nothing_makes_no_picture() {
        assert_eq!(drawn(&[], &json!({})), "");
    }
}
