//! The chart of resident set, live heap and limit over time.

use std::time::Duration;

use heapbeat_shared::units::BYTES_PER_MB;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Chart, Dataset, GraphType};

use super::style::{ColorScheme, bold, faint};
use crate::inspect::snapshot::Snapshot;
use crate::inspect::trace::Trace;

/// A limit that is higher than this many times the highest value is not drawn, as the rest would look flat.
const MAX_LIMIT_RATIO: f64 = 3.0;

/// Shortest time span of the axis.
const MIN_SPAN: Duration = Duration::from_secs(60);

/// Draws the chart.
pub(super) fn draw_chart(
    frame: &mut Frame<'_>,
    area: Rect,
    snapshot: &Snapshot,
    trace: &Trace,
    scheme: ColorScheme,
) {
    let span_shown = trace.span().max(MIN_SPAN).as_secs_f64();
    let end = trace.points().last().map_or(snapshot.at, |point| point.at);
    let x = |at| -end.since(at).as_secs_f64();
    let rss: Vec<(f64, f64)> = trace.points().map(|point| (x(point.at), point.rss.0 as f64)).collect();
    let heap: Vec<(f64, f64)> =
        trace.points().filter_map(|point| Some((x(point.at), point.heap?.0 as f64))).collect();
    let highest = rss.iter().chain(&heap).map(|(_, bytes)| *bytes).fold(1.0, f64::max);
    let limit = snapshot.limit.as_ref().map(|limit| limit.bytes.0 as f64);
    let near = limit.filter(|limit| *limit <= MAX_LIMIT_RATIO * highest);
    let top = near.unwrap_or(highest).max(highest) * 1.1;
    let line: Vec<(f64, f64)> =
        near.map(|limit| vec![(-span_shown, limit), (0.0, limit)]).unwrap_or_default();

    let mut datasets = Vec::new();
    let mut title = vec![bold("memory  ".into()), Span::styled("⣿ rss", scheme.colored(Color::Cyan))];
    if !heap.is_empty() {
        title.push(Span::raw("  "));
        title.push(Span::styled("• heap used", scheme.colored(Color::Magenta)));
        datasets.push(dataset(&heap, Marker::Dot, GraphType::Scatter, scheme.colored(Color::Magenta)));
    }
    if near.is_some() {
        title.push(Span::raw("  "));
        title.push(Span::styled("╌ limit", scheme.colored(Color::Red)));
        datasets.push(dataset(&line, Marker::Custom('╌'), GraphType::Line, scheme.colored(Color::Red)));
    } else if let Some(limit) = &snapshot.limit {
        title.push(Span::raw(format!("  limit {} off scale", limit.bytes)));
    }
    datasets.push(dataset(&rss, Marker::Braille, GraphType::Line, scheme.colored(Color::Cyan)));

    let x_axis = Axis::default()
        .bounds([-span_shown, 0.0])
        .labels([format_age(span_shown), "now".to_owned()])
        .style(faint(String::new()).style);
    let y_axis = Axis::default()
        .bounds([0.0, top])
        .labels([0.0, top / 2.0, top].map(|bytes| format!("{:>7}", format_megabytes(bytes))))
        .style(faint(String::new()).style);
    let [legend, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(Line::from(title), legend);
    frame.render_widget(Chart::new(datasets).x_axis(x_axis).y_axis(y_axis).legend_position(None), body);
}

fn dataset(data: &[(f64, f64)], marker: Marker, kind: GraphType, style: Style) -> Dataset<'_> {
    Dataset::default().data(data).marker(marker).graph_type(kind).style(style)
}

/// Formats the start of the time axis in one unit, as long as the labels of the other axis.
fn format_age(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("-{s:.0} s"),
        s if s < 7200.0 => format!("-{:.0} min", s / 60.0),
        s => format!("-{:.1} h", s / 3600.0),
    }
}

/// Formats bytes as megabytes without a fraction.
fn format_megabytes(bytes: f64) -> String {
    format!("{:.0} MB", bytes / BYTES_PER_MB as f64)
}
