//! Draws a snapshot as a screen. Drawing is a pure function, so that tests compare whole screens.
//!
//! A small terminal drops the chart before the verdict, and the events before the advice. Nothing is expressed by color alone.

mod bar;
mod chart;
mod style;
mod tables;

use heapbeat_shared::text::single_line;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::advice::{Severity, advise};
use super::snapshot::Snapshot;
use super::text::{clip, headline};
use super::trace::Trace;
use style::{ColorScheme, bold, faint, rule};

/// Least width at which routes and events are side by side, in columns.
const MIN_WIDE: u16 = 110;

/// Width of the figures beside the chart, in columns.
const FIGURES_WIDTH: u16 = 27;

/// Least rows and columns of a chart.
const MIN_CHART: (u16, u16) = (5, 60);

/// The content of the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The target.
    pub(crate) target: &'a str,
    /// The last successful measurement.
    pub(crate) snapshot: Option<&'a Snapshot>,
    /// The error of the last measurement, if it failed.
    pub(crate) error: Option<&'a str>,
    /// Points of the chart.
    pub(crate) trace: &'a Trace,
    /// Whether the screen is paused.
    pub(crate) paused: bool,
    /// Whether colors are used.
    pub(crate) color: bool,
}

/// Draws the whole screen.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let scheme = ColorScheme { color: view.color };
    let [body, footer] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(footer_line(view), footer);
    match view.snapshot {
        Some(snapshot) => draw_snapshot(frame, body, view, snapshot, scheme),
        None => draw_waiting(frame, body, view, scheme),
    }
}

/// Draws the screen before the first successful measurement.
fn draw_waiting(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, scheme: ColorScheme) {
    let message = match view.error {
        Some(error) => vec![scheme.critical(single_line(error)).into(), "Trying again.".into()],
        None => vec![Line::raw("Measuring…")],
    };
    let title = Line::from(bold(clip(view.target, area.width.into())));
    let mut lines = vec![title, Line::default()];
    lines.extend(message.into_iter().flat_map(|line| wrap_line(&line, area.width)));
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws a snapshot.
fn draw_snapshot(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View<'_>,
    snapshot: &Snapshot,
    scheme: ColorScheme,
) {
    let width = area.width;
    let mut top = vec![heading(snapshot, width), bar::usage_bar(snapshot, width, scheme)];
    if let Some(error) = view.error {
        top.extend(wrap_line(
            &scheme.critical(format!("Last measurement failed: {}", single_line(error))).into(),
            width,
        ));
    }
    let spare = usize::from(area.height).saturating_sub(top.len());
    let room = spare.clamp(1, if width >= MIN_WIDE { 8 } else { 6 });
    let advice = advice_lines(view, snapshot, scheme, (width, room));
    let wide = width >= MIN_WIDE;
    let halves = Layout::horizontal([Constraint::Percentage(58), Constraint::Min(0)]).spacing(1);
    let [left, right] = if wide { halves.areas(area) } else { [area, area] };
    let holders = tables::holder_lines(snapshot, left.width, if wide { 8 } else { 4 });
    let events = tables::event_lines(snapshot, right.width, if wide { 8 } else { 2 });
    let rows = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let fixed = u16::try_from(top.len() + advice.len() + 1).unwrap_or(u16::MAX);
    let spare = area.height.saturating_sub(fixed);
    // The chart keeps its least height before tables get any; both keep theirs before the chart gets more.
    let tables = if wide { rows(&holders).max(rows(&events)) } else { rows(&holders) + rows(&events) };
    let tables = tables.min(spare.saturating_sub(MIN_CHART.0));
    let [top_area, chart_area, table_area, advice_title, advice_area] = Layout::vertical([
        Constraint::Length(u16::try_from(top.len()).unwrap_or(u16::MAX)),
        Constraint::Min(0),
        Constraint::Length(tables),
        Constraint::Length(1),
        Constraint::Length(u16::try_from(advice.len()).unwrap_or(u16::MAX)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(top), top_area);
    frame.render_widget(Paragraph::new(rule("advice", width)), advice_title);
    frame.render_widget(Paragraph::new(advice), advice_area);
    draw_chart_and_figures(frame, chart_area, view, snapshot, scheme);
    let [upper, lower] = if wide {
        halves.areas(table_area)
    } else {
        Layout::vertical([Constraint::Length(rows(&holders)), Constraint::Min(0)]).areas(table_area)
    };
    draw_lines(frame, upper, holders);
    draw_lines(frame, lower, events);
}

/// Draws lines, unless there is room for the first one only, which is a head.
fn draw_lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    if area.height >= 2 {
        frame.render_widget(Paragraph::new(lines), area);
    }
}

/// Draws the chart with the figures beside it, or only the figures if there is no room for both.
fn draw_chart_and_figures(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &View<'_>,
    snapshot: &Snapshot,
    scheme: ColorScheme,
) {
    if area.height < MIN_CHART.0 || area.width < MIN_CHART.1 {
        return tables::draw_figures(frame, area, snapshot, view.trace);
    }
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(FIGURES_WIDTH)]).spacing(1).areas(area);
    chart::draw_chart(frame, left, snapshot, view.trace, scheme);
    tables::draw_figures(frame, right, snapshot, view.trace);
}

/// Returns the heading: the target on the left, its status on the right.
fn heading(snapshot: &Snapshot, width: u16) -> Line<'static> {
    let headline = clip(&headline(snapshot), usize::from(width) / 2);
    let room = usize::from(width).saturating_sub(headline.chars().count() + 1);
    let target = clip(&snapshot.target, room);
    let gap =
        " ".repeat(usize::from(width).saturating_sub(target.chars().count() + headline.chars().count()));
    Line::from(vec![bold(target), Span::raw(gap), Span::raw(headline)])
}

/// Returns the wrapped advice, the most severe first, in at most `max_lines` lines.
/// Figures of a target that is gone are no reason to call it fine.
fn advice_lines(
    view: &View<'_>,
    snapshot: &Snapshot,
    scheme: ColorScheme,
    (width, max_lines): (u16, usize),
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let is_gone = view.error.is_some();
    if is_gone {
        let text = "The target could not be measured: these are its last figures.";
        lines.extend(hanging_lines(&scheme.critical("unknown  ".to_owned()), text, width));
    }
    for advice in advise(snapshot).into_iter().filter(|it| !is_gone || it.severity > Severity::Ok) {
        lines.extend(hanging_lines(
            &scheme.severity_label(advice.severity),
            &single_line(&advice.text),
            width,
        ));
    }
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            let text: String = last.spans.iter().map(|span| span.content.as_ref()).collect();
            *last = Line::raw(clip(&format!("{text} …"), width.into()));
        }
    }
    lines
}

/// Wraps `text` behind a label; the lines after the first are indented.
fn hanging_lines(label: &Span<'static>, text: &str, width: u16) -> Vec<Line<'static>> {
    let indent = label.content.chars().count();
    let pieces = wrap(text, usize::from(width).saturating_sub(indent).max(1));
    let lines = pieces.into_iter().enumerate().map(|(index, piece)| match index {
        0 => Line::from(vec![label.clone(), Span::raw(piece)]),
        _ => Line::raw(format!("{}{piece}", " ".repeat(indent))),
    });
    lines.collect()
}

/// Wraps a line of one style.
fn wrap_line(line: &Line<'static>, width: u16) -> Vec<Line<'static>> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let style = line.spans.first().map(|span| span.style).unwrap_or_default();
    wrap(&text, width.max(1).into()).into_iter().map(|piece| Line::styled(piece, style)).collect()
}

/// Wraps words to lines of at most `width` characters; a longer word is broken.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        let fits = used == 0 || used + 1 + rest.len() <= width;
        if !fits {
            lines.push(String::new());
            used = 0;
        }
        while !rest.is_empty() {
            let Some(line) = lines.last_mut() else { break };
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            let taken: Vec<char> = rest.drain(..rest.len().min(width.saturating_sub(used).max(1))).collect();
            used += taken.len();
            line.extend(taken);
            if !rest.is_empty() {
                lines.push(String::new());
                used = 0;
            }
        }
    }
    lines
}

/// Returns the footer: the keys, and whether the screen is paused.
fn footer_line(view: &View<'_>) -> Line<'static> {
    let pause = if view.paused { "p resume   PAUSED" } else { "p pause" };
    Line::from(faint(format!("q quit   {pause}")))
}

#[cfg(test)]
mod tests;
