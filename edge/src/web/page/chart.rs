//! Charts of memory and latency over time as SVG.
//!
//! The SVG is stretched to the available width, so it has lines only; the labels are HTML around it, which stays readable at 320 px. Time without data is a gap in a line, and a restart ends a line.

use std::fmt::Write as _;

use heapbeat_shared::{Bytes, UnixMillis};

use super::markup::Markup;
use super::renderer::Renderer;
use crate::domain::history::downsample::MAX_POINTS;
use crate::view::{ForecastLine, LatencyHistoryView, MemoryChartView};

/// Width of the picture in its own units.
const WIDTH: f64 = 1000.0;

/// Height of the picture in its own units.
const HEIGHT: f64 = 200.0;

/// The longest gap within a line, in usual distances between two points.
const GAP: i64 = 3;

/// No gap is shorter than this, in milliseconds: while memory grows, samples are 50 ms apart, and a second before and after.
const MIN_GAP_MS: i64 = 10_000;

/// The limit is drawn if it is at most this many times the highest value; otherwise it would flatten the lines.
const MAX_LIMIT_RATIO: f64 = 4.0;

const MEGABYTE: f64 = 1_048_576.0;

/// A chart of one or two lines.
pub(super) struct Chart<'v> {
    lines: Vec<ChartLine>,
    time: Scale,
    value: Scale,
    unit: &'static str,
    limit: Option<f64>,
    /// Restarts, as vertical lines.
    marks: &'v [UnixMillis],
    /// The first points of instances, which begin a new line.
    instances: &'v [UnixMillis],
    forecast: Option<ForecastLine>,
    /// The longest distance between two points of a line, in milliseconds.
    gap: i64,
}

/// A line, or the area under it.
struct ChartLine {
    class: &'static str,
    is_area: bool,
    points: Vec<(i64, f64)>,
}

/// Maps a range of values onto a length.
struct Scale {
    from: f64,
    to: f64,
    length: f64,
}

impl Scale {
    fn position(&self, value: f64) -> Coordinate {
        Coordinate(((value - self.from) / (self.to - self.from) * self.length).clamp(0.0, self.length))
    }
}

/// A coordinate in the SVG, written with at most one decimal.
#[derive(Clone, Copy)]
struct Coordinate(f64);

impl std::fmt::Display for Coordinate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Adding zero makes a negative zero positive.
        write!(f, "{}", (self.0 * 10.0).round() / 10.0 + 0.0)
    }
}

/// Builds the chart of memory in megabytes: the resident set as a line over the heap as an area. `None` without samples.
pub(super) fn memory(view: &MemoryChartView) -> Option<Chart<'_>> {
    // What is not known is no point, and not 0.
    let points = |figure: fn(&crate::view::SampleRow) -> Option<Bytes>| {
        let point = |row: &crate::view::SampleRow| Some((row.0.0, figure(row)?.0 as f64 / MEGABYTE));
        view.samples.iter().filter_map(point).collect::<Vec<_>>()
    };
    let lines = vec![
        ChartLine { class: "heap", is_area: true, points: points(|row| row.2) },
        ChartLine { class: "rss", is_area: false, points: points(|row| Some(row.1)) },
    ];
    let limit = view.limit.map(|limit| limit.0 as f64 / MEGABYTE);
    let chart = Chart::new(lines, (view.from, view.to), "MB", limit)?;
    // Each point is the peak of its part of the window, wherever in it: those of two parts in a row are up to two parts apart.
    let parts = 2 * (view.to.0 - view.from.0) / i64::try_from(MAX_POINTS).unwrap_or(1);
    let gap = chart.gap.max(parts);
    Some(Chart { marks: &view.marks, instances: &view.instances, forecast: view.forecast, gap, ..chart })
}

/// Builds the chart of latency in milliseconds: one line by tick; by hour the median as a line over the 95th percentile as an area. `None` without
/// samples.
pub(super) fn latency(view: &LatencyHistoryView) -> Option<Chart<'_>> {
    let points = |column: usize| {
        let point = |row: &crate::view::LatencyRow| Some((row.at.0, f64::from((*row.figures.get(column)?)?)));
        view.samples.iter().filter_map(point).collect::<Vec<_>>()
    };
    let lines = if view.resolution == "tick" {
        vec![ChartLine { class: "rss", is_area: false, points: points(0) }]
    } else {
        vec![
            ChartLine { class: "heap", is_area: true, points: points(2) },
            ChartLine { class: "rss", is_area: false, points: points(1) },
        ]
    };
    Chart::new(lines, (view.from, view.to), "ms", None)
}

impl Chart<'_> {
    fn new(
        lines: Vec<ChartLine>,
        (from, to): (UnixMillis, UnixMillis),
        unit: &'static str,
        limit: Option<f64>,
    ) -> Option<Self> {
        let values = lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value);
        let highest = values.reduce(f64::max)?;
        let limit = limit.filter(|limit| *limit > 0.0 && highest * MAX_LIMIT_RATIO >= *limit);
        let top = round_up(highest.max(limit.unwrap_or(0.0)));
        let instants: Vec<_> = lines.last()?.points.iter().map(|(at, _)| *at).collect();
        Some(Chart {
            time: Scale { from: from.0 as f64, to: to.0.max(from.0 + 1) as f64, length: WIDTH },
            value: Scale { from: top, to: 0.0, length: HEIGHT },
            unit,
            limit,
            marks: &[],
            instances: &[],
            forecast: None,
            gap: (GAP * usual_distance(&instants)).max(MIN_GAP_MS),
            lines,
        })
    }

    /// Draws the chart with its labels.
    pub(super) fn draw(&self, renderer: &Renderer<'_>) -> Markup {
        let mut html = String::from("<div class=\"plot\"><div class=\"y\" aria-hidden=\"true\">");
        for part in [1.0, 0.5, 0.0] {
            let _ = write!(html, "<span>{}\u{a0}{}</span>", (self.value.from * part).round(), self.unit);
        }
        let _ = write!(
            html,
            "</div><svg viewBox=\"0 0 1000 200\" preserveAspectRatio=\"none\" aria-hidden=\"true\" data-from=\"{}\" data-to=\"{}\">\
             <path class=\"grid\" d=\"M0 0H1000M0 100H1000M0 200H1000\"/>",
            self.time.from, self.time.to,
        );
        for line in &self.lines {
            let area = if line.is_area { " area" } else { "" };
            let _ = write!(html, "<path class=\"{}{area}\" d=\"{}\"/>", line.class, self.path(line));
        }
        if let Some(limit) = self.limit {
            let _ = write!(html, "<path class=\"limit\" d=\"M0 {}H1000\"/>", self.y(limit));
        }
        self.draw_forecast(&mut html);
        for at in self.marks.iter().filter(|at| (self.time.from..=self.time.to).contains(&(at.0 as f64))) {
            let _ = write!(html, "<path class=\"restart\" d=\"M{} 0V200\"/>", self.x(at.0));
        }
        html.push_str("</svg></div><div class=\"x\" aria-hidden=\"true\">");
        for part in [0.0, 0.5, 1.0] {
            // Instants are whole, and far below 2^53.
            #[allow(clippy::cast_possible_truncation)]
            let at = UnixMillis((self.time.from + (self.time.to - self.time.from) * part) as i64);
            let _ = write!(html, "<span>{}</span>", renderer.axis_time(at));
        }
        html.push_str("</div>");
        Markup::trusted(html)
    }

    fn x(&self, at: i64) -> Coordinate {
        self.time.position(at as f64)
    }

    fn y(&self, value: f64) -> Coordinate {
        self.value.position(value)
    }

    /// Returns the path of a line, which gaps and restarts split; each piece of an area is closed at zero.
    fn path(&self, line: &ChartLine) -> String {
        let (mut path, mut piece): (String, Option<(i64, i64)>) = (String::new(), None);
        let close = |path: &mut String, piece: Option<(i64, i64)>| match piece {
            Some((first, last)) if line.is_area && first < last => {
                let _ = write!(path, "L{} 200L{} 200Z", self.x(last), self.x(first));
            }
            // A line without length has round ends, so a single point is a dot.
            Some((first, last)) if first == last => path.push_str("h0"),
            _ => {}
        };
        for &(at, value) in &line.points {
            let begins = self.instances.contains(&UnixMillis(at));
            let continued = piece.filter(|(_, last)| at - last <= self.gap && !begins);
            if continued.is_none() {
                close(&mut path, piece);
            }
            let pen = if continued.is_some() { 'L' } else { 'M' };
            let _ = write!(path, "{pen}{} {}", self.x(at), self.y(value));
            piece = Some((continued.map_or(at, |(first, _)| first), at));
        }
        close(&mut path, piece);
        path
    }

    /// Draws the forecast: a wedge between the earliest and the latest instant, and the expected line.
    fn draw_forecast(&self, html: &mut String) {
        let (Some(forecast), Some(limit)) = (self.forecast, self.limit) else { return };
        let level = forecast.level.0 as f64 / MEGABYTE;
        let from = forecast.from.0 as f64;
        // The point at which the line to the limit leaves the chart.
        let end = |at: UnixMillis| {
            let share = ((self.time.to - from) / (at.0 as f64 - from).max(1.0)).min(1.0);
            let x = self.time.position(from + (at.0 as f64 - from) * share);
            (x, self.y(level + (limit - level) * share))
        };
        let (x, y) = (self.time.position(from), self.y(level));
        let [(ax, ay), (bx, by), (cx, cy)] = [forecast.earliest, forecast.latest, forecast.at].map(end);
        let _ = write!(
            html,
            "<path class=\"wedge\" d=\"M{x} {y}L{ax} {ay}L{bx} {by}Z\"/><path class=\"forecast\" d=\"M{x} {y}L{cx} {cy}\"/>"
        );
    }
}

/// Returns the usual distance between two instants: the mean of the distances that are not above the mean of all, which leaves out gaps.
fn usual_distance(instants: &[i64]) -> i64 {
    let distances = || instants.windows(2).map(|pair| pair[1] - pair[0]);
    let mean = |most: i64| {
        let (sum, count) =
            distances().filter(|it| *it <= most).fold((0, 0), |(sum, n), it| (sum + it, n + 1));
        sum / count.max(1)
    };
    mean(mean(i64::MAX)).max(1)
}

/// Returns the lowest round number that is not below `value`, at least 2. From 10 on it is at most 1.25 times `value`, and its half is whole.
fn round_up(value: f64) -> f64 {
    let mut power = 1.0;
    while power * 10.0 <= value {
        power *= 10.0;
    }
    let steps: &[f64] = if power < 10.0 {
        &[2.0, 4.0, 6.0, 8.0, 10.0]
    } else {
        &[1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.4, 3.0, 3.6, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0]
    };
    steps.iter().map(|step| (power * step).round()).find(|top| *top >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests;
