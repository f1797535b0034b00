//! Charts of memory and latency over time as SVG.
//!
//! The SVG is stretched to the available width, so it has lines only; the labels are HTML around it, which stays readable at 320 px. Time without data is a gap in a line, and a restart ends a line.

use std::fmt::Write as _;

use heapbeat_shared::UnixMillis;

use super::markup::Markup;
use super::renderer::Renderer;
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
    let points = |figure: fn(&crate::view::SampleRow) -> u64| {
        view.samples.iter().map(|row| (row.0.0, figure(row) as f64 / MEGABYTE)).collect::<Vec<_>>()
    };
    let lines = vec![
        ChartLine { class: "heap", is_area: true, points: points(|row| row.2.0) },
        ChartLine { class: "rss", is_area: false, points: points(|row| row.1.0) },
    ];
    let limit = view.limit.map(|limit| limit.0 as f64 / MEGABYTE);
    let chart = Chart::new(lines, (view.from, view.to), "MB", limit)?;
    Some(Chart { marks: &view.marks, instances: &view.instances, forecast: view.forecast, ..chart })
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
mod tests {
    use heapbeat_shared::Bytes;

    use super::*;
    use crate::view::{LatencyRow, SampleRow};
    use crate::web::page::messages::Messages;

    const NOW: i64 = 1_769_860_800_000; // 2026-01-31T12:00:00Z
    const MB: u64 = 1_048_576;

    /// Rows of minutes ago and resident megabytes, half of which are heap.
    fn chart_of(rows: &[(i64, u64)]) -> MemoryChartView {
        let sample = |&(ago, mb): &(i64, u64)| {
            SampleRow(
                UnixMillis(NOW - ago * 60_000),
                Bytes(mb * MB),
                Bytes(mb * MB / 2),
                Bytes(0),
                Bytes(0),
                Bytes(0),
            )
        };
        MemoryChartView {
            from: UnixMillis(NOW - rows.first().map_or(0, |row| row.0) * 60_000),
            to: UnixMillis(NOW),
            samples: rows.iter().map(sample).collect(),
            ..MemoryChartView::default()
        }
    }

    fn draw(chart: Option<Chart<'_>>) -> String {
        let messages = Messages::load("en");
        let renderer = Renderer::new(&messages, UnixMillis(NOW), "");
        chart.map_or(String::new(), |chart| chart.draw(&renderer).to_string().replace('\u{a0}', " "))
    }

    #[test]
    fn axes_end_at_round_values() {
        let cases = [
            (0.0, 2.0),
            (1.0, 2.0),
            (3.0, 4.0),
            (7.0, 8.0),
            (9.0, 10.0),
            (11.0, 12.0),
            (99.0, 100.0),
            (101.0, 120.0),
            (610.0, 700.0),
            (1024.0, 1200.0),
        ];
        for (highest, top) in cases {
            assert!((round_up(highest) - top).abs() < f64::EPSILON, "{highest}");
        }
        for highest in (10..20_000).map(f64::from) {
            let top = round_up(highest);
            assert!(
                top >= highest && top <= highest * 1.25 && (top / 2.0).fract() == 0.0,
                "{highest}: {top}"
            );
        }
    }

    #[test]
    fn samples_a_second_apart_are_a_line_beside_denser_ones() {
        let mut chart = chart_of(&[(1, 100), (0, 100)]);
        let row =
            |ms: i64| SampleRow(UnixMillis(NOW - ms), Bytes(MB), Bytes(MB), Bytes(0), Bytes(0), Bytes(0));
        chart.samples = (1..=20).rev().map(|second| row(second * 1000)).collect();
        chart.samples.extend((0..20).rev().map(|step| row(step * 50)));
        let picture = draw(memory(&chart));
        let line = picture.split("class=\"rss\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(line.matches('M').count(), 1, "{line}");
    }

    #[test]
    fn a_line_spans_from_the_first_point_to_the_last() {
        let picture = draw(memory(&chart_of(&[(20, 100), (10, 50), (0, 100)])));
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
        let chart = chart_of(&[(60, 100), (59, 100), (58, 100), (20, 100), (19, 100)]);
        let pieces = |picture: &str| {
            let path = picture.split("class=\"rss\" d=\"").nth(1).unwrap();
            path.split('"').next().unwrap().matches('M').count()
        };
        let picture = draw(memory(&chart));
        assert_eq!((pieces(&picture), picture.matches('Z').count()), (2, 2));
        let restarted = MemoryChartView { instances: vec![UnixMillis(NOW - 59 * 60_000)], ..chart };
        assert_eq!(pieces(&draw(memory(&restarted))), 3);
    }

    #[test]
    fn the_limit_is_drawn_unless_it_is_far_above_the_values() {
        let with = |limit: u64| {
            draw(memory(&MemoryChartView {
                limit: Some(Bytes(limit * MB)),
                ..chart_of(&[(20, 100), (0, 100)])
            }))
        };
        assert!(with(200).contains("class=\"limit\" d=\"M0 0H1000\""));
        assert!(!with(4096).contains("class=\"limit\""));
    }

    #[test]
    fn marks_outside_the_window_are_not_drawn() {
        let marks = vec![UnixMillis(NOW - 600_000), UnixMillis(NOW - 90_000_000)];
        let picture = draw(memory(&MemoryChartView { marks, ..chart_of(&[(20, 100), (0, 100)]) }));
        assert_eq!(picture.matches("class=\"restart\"").count(), 1);
        assert!(picture.contains("d=\"M500 0V200\""));
    }

    #[test]
    fn a_forecast_is_a_wedge_that_is_cut_at_the_edge_of_the_chart() {
        let at = |minutes: i64| UnixMillis(NOW + minutes * 60_000);
        let forecast = ForecastLine {
            from: at(0),
            level: Bytes(100 * MB),
            at: at(20),
            earliest: at(10),
            latest: at(40),
        };
        let picture = draw(memory(&MemoryChartView {
            to: at(20),
            limit: Some(Bytes(200 * MB)),
            forecast: Some(forecast),
            ..chart_of(&[(20, 100), (0, 100)])
        }));
        // The latest line leaves the chart half way up: 150 of 200.
        assert!(picture.contains("class=\"wedge\" d=\"M500 100L750 0L1000 50Z\""), "{picture}");
        assert!(picture.contains("class=\"forecast\" d=\"M500 100L1000 0\""), "{picture}");
    }

    #[test]
    fn latency_is_one_line_by_tick_and_has_an_area_of_peaks_by_hour() {
        let (from, to) = (UnixMillis(NOW - 60_000), UnixMillis(NOW));
        let view = |resolution: &str, samples| LatencyHistoryView {
            monitor: "api".into(),
            resolution: resolution.into(),
            from,
            to,
            columns: Vec::new(),
            samples,
            gaps: Vec::new(),
        };
        let row = |at, figures: &[Option<u32>]| LatencyRow { at, figures: figures.to_vec() };
        let ticks = draw(latency(&view("tick", vec![row(from, &[Some(100)]), row(to, &[None])])));
        assert!(ticks.contains("<path class=\"rss\" d=\"M0 0h0\"/>"), "{ticks}");
        assert!(ticks.contains("<span>50 ms</span>") && !ticks.contains("area"), "{ticks}");
        let rows =
            vec![row(from, &[Some(1), Some(50), Some(100)]), row(to, &[Some(1), Some(100), Some(200)])];
        let hours = draw(latency(&view("1h", rows)));
        assert!(hours.contains("class=\"heap area\" d=\"M0 100L1000 0L1000 200L0 200Z\""), "{hours}");
        assert!(hours.contains("<path class=\"rss\" d=\"M0 150L1000 100\"/>"), "{hours}");
    }

    #[test]
    fn without_samples_there_is_no_chart() {
        assert_eq!(draw(memory(&chart_of(&[]))), "");
    }
}
