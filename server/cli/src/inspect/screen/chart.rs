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

/// A limit more than this many times the highest value is not drawn, as the rest would be a flat line.
const FAR: f64 = 3.0;

/// Shortest time on the axis.
const SHORTEST: Duration = Duration::from_secs(60);

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    snapshot: &Snapshot,
    trace: &Trace,
    scheme: ColorScheme,
) {
    let span_shown = trace.span().max(SHORTEST).as_secs_f64();
    let end = trace.points().last().map_or(snapshot.at, |point| point.at);
    let x = |at| -end.since(at).as_secs_f64();
    let rss: Vec<(f64, f64)> = trace.points().map(|point| (x(point.at), point.rss.0 as f64)).collect();
    let heap: Vec<(f64, f64)> =
        trace.points().filter_map(|point| Some((x(point.at), point.heap?.0 as f64))).collect();
    let highest = rss.iter().chain(&heap).map(|(_, bytes)| *bytes).fold(1.0, f64::max);
    let limit = snapshot.limit.as_ref().map(|limit| limit.bytes.0 as f64);
    let near = limit.filter(|limit| *limit <= FAR * highest);
    let top = near.unwrap_or(highest).max(highest) * 1.1;
    let line: Vec<(f64, f64)> =
        near.map(|limit| vec![(-span_shown, limit), (0.0, limit)]).unwrap_or_default();

    let mut sets = Vec::new();
    let mut title = vec![bold("memory  ".into()), Span::styled("⣿ rss", scheme.with(Color::Cyan))];
    if !heap.is_empty() {
        title.push(Span::raw("  "));
        title.push(Span::styled("• heap used", scheme.with(Color::Magenta)));
        sets.push(set(&heap, Marker::Dot, GraphType::Scatter, scheme.with(Color::Magenta)));
    }
    if near.is_some() {
        title.push(Span::raw("  "));
        title.push(Span::styled("╌ limit", scheme.with(Color::Red)));
        sets.push(set(&line, Marker::Custom('╌'), GraphType::Line, scheme.with(Color::Red)));
    } else if let Some(limit) = &snapshot.limit {
        title.push(Span::raw(format!("  limit {} far above", limit.bytes)));
    }
    sets.push(set(&rss, Marker::Braille, GraphType::Line, scheme.with(Color::Cyan)));

    let x_axis = Axis::default()
        .bounds([-span_shown, 0.0])
        .labels([back(span_shown), "now".to_owned()])
        .style(faint(String::new()).style);
    let y_axis = Axis::default()
        .bounds([0.0, top])
        .labels([0.0, top / 2.0, top].map(|bytes| format!("{:>7}", short(bytes))))
        .style(faint(String::new()).style);
    let [legend, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(Line::from(title), legend);
    frame.render_widget(Chart::new(sets).x_axis(x_axis).y_axis(y_axis).legend_position(None), body);
}

fn set(data: &[(f64, f64)], marker: Marker, kind: GraphType, style: Style) -> Dataset<'_> {
    Dataset::default().data(data).marker(marker).graph_type(kind).style(style)
}

/// The label of the start of the time axis, in one unit, so that it is as short as those of the other axis.
fn back(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("-{s:.0} s"),
        s if s < 7200.0 => format!("-{:.0} min", s / 60.0),
        s => format!("-{:.1} h", s / 3600.0),
    }
}

/// Megabytes without a fraction.
fn short(bytes: f64) -> String {
    format!("{:.0} MB", bytes / BYTES_PER_MB as f64)
}
