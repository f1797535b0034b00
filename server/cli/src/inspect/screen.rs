//! A picture as a screen: a pure function, so that every screen is a text in the tests.
//!
//! What matters most comes first and is given up last: a small terminal loses the chart before the verdict, and the
//! events before the advice. Without colours everything can still be told apart.

mod bar;
mod chart;
mod style;
mod tables;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::advice::advise;
use super::snapshot::Picture;
use super::text::{clip, headline, printable};
use super::trace::Trace;
use style::{Paint, bold, faint, rule};

/// Columns from which routes and events stand side by side.
const WIDE: u16 = 110;

/// Columns of the figures beside the chart.
const FIGURES: u16 = 27;

/// Fewest rows and columns of a chart that shows anything.
const CHART: (u16, u16) = (5, 60);

/// Everything that is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What is looked at.
    pub(crate) target: &'a str,
    /// The last look that told something.
    pub(crate) picture: Option<&'a Picture>,
    /// Why the last look told nothing.
    pub(crate) error: Option<&'a str>,
    /// What was seen so far.
    pub(crate) trace: &'a Trace,
    /// Whether the screen stands still.
    pub(crate) paused: bool,
    /// Whether colours are wanted.
    pub(crate) colour: bool,
}

/// Draws all of it.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let paint = Paint { colour: view.colour };
    let [body, footer] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(keys(view), footer);
    match view.picture {
        Some(picture) => known(frame, body, view, picture, paint),
        None => unknown(frame, body, view, paint),
    }
}

/// Nothing was seen yet.
fn unknown(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, paint: Paint) {
    let told = match view.error {
        Some(error) => vec![paint.critical(printable(error)).into(), "Trying again.".into()],
        None => vec![Line::raw("Looking…")],
    };
    let title = Line::from(bold(clip(view.target, area.width.into())));
    let mut lines = vec![title, Line::default()];
    lines.extend(told.into_iter().flat_map(|line| wrapped(&line, area.width)));
    frame.render_widget(Paragraph::new(lines), area);
}

fn known(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, picture: &Picture, paint: Paint) {
    let width = area.width;
    let mut top = vec![heading(picture, width), bar::line(picture, width, paint)];
    if let Some(error) = view.error {
        top.extend(wrapped(&paint.critical(format!("No answer: {}", printable(error))).into(), width));
    }
    let spare = usize::from(area.height).saturating_sub(top.len());
    let advice = advice(picture, width, paint, spare.clamp(1, if width >= WIDE { 8 } else { 6 }));
    let wide = width >= WIDE;
    let (routes, events) = (picture.routes.len().min(if wide { 8 } else { 4 }), picture.events.len());
    let events = events.min(if wide { 8 } else { 2 });
    let rows = |count: usize| u16::try_from(if count == 0 { 0 } else { count + 1 }).unwrap_or(u16::MAX);
    let fixed = u16::try_from(top.len() + advice.len() + 1).unwrap_or(u16::MAX);
    let spare = area.height.saturating_sub(fixed);
    // The chart keeps its least height before tables get any; both keep theirs before the chart gets more.
    let tables = if wide { rows(routes).max(rows(events)) } else { rows(routes) + rows(events) };
    let tables = tables.min(spare.saturating_sub(CHART.0));
    let [top_area, chart_area, table_area, advice_title, advice_area] = Layout::vertical([
        Constraint::Length(u16::try_from(top.len()).unwrap_or(u16::MAX)),
        Constraint::Min(0),
        Constraint::Length(tables),
        Constraint::Length(1),
        Constraint::Length(u16::try_from(advice.len()).unwrap_or(u16::MAX)),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(top), top_area);
    frame.render_widget(Paragraph::new(rule("what to know and do", width)), advice_title);
    frame.render_widget(Paragraph::new(advice), advice_area);
    middle(frame, chart_area, view, picture, paint);
    if wide {
        let halves = [Constraint::Percentage(58), Constraint::Min(0)];
        let [left, right] = Layout::horizontal(halves).spacing(1).areas(table_area);
        tables::routes(frame, left, picture);
        tables::events(frame, right, picture);
    } else {
        let [upper, lower] =
            Layout::vertical([Constraint::Length(rows(routes)), Constraint::Min(0)]).areas(table_area);
        tables::routes(frame, upper, picture);
        tables::events(frame, lower, picture);
    }
}

/// The chart, and the figures beside it; the figures alone where there is no room for both.
fn middle(frame: &mut Frame<'_>, area: Rect, view: &View<'_>, picture: &Picture, paint: Paint) {
    if area.height < CHART.0 || area.width < CHART.1 {
        return tables::figures(frame, area, picture, view.trace);
    }
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(FIGURES)]).spacing(1).areas(area);
    chart::draw(frame, left, picture, view.trace, paint);
    tables::figures(frame, right, picture, view.trace);
}

/// What is looked at on the left, how it is on the right.
fn heading(picture: &Picture, width: u16) -> Line<'static> {
    let told = clip(&headline(picture), usize::from(width) / 2);
    let room = usize::from(width).saturating_sub(told.chars().count() + 1);
    let target = clip(&picture.target, room);
    let gap = " ".repeat(usize::from(width).saturating_sub(target.chars().count() + told.chars().count()));
    Line::from(vec![bold(target), Span::raw(gap), Span::raw(told)])
}

/// Every piece of advice, wrapped, in at most so many lines; the worst come first.
fn advice(picture: &Picture, width: u16, paint: Paint, most: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for piece in advise(picture) {
        lines.extend(hanging(&paint.mark(piece.severity), &printable(&piece.text), width));
    }
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let text: String = last.spans.iter().map(|span| span.content.as_ref()).collect();
            *last = Line::raw(clip(&format!("{text} …"), width.into()));
        }
    }
    lines
}

/// `text` behind a mark, its further lines indented as far.
fn hanging(mark: &Span<'static>, text: &str, width: u16) -> Vec<Line<'static>> {
    let indent = mark.content.chars().count();
    let pieces = wrap(text, usize::from(width).saturating_sub(indent).max(1));
    let lines = pieces.into_iter().enumerate().map(|(index, piece)| match index {
        0 => Line::from(vec![mark.clone(), Span::raw(piece)]),
        _ => Line::raw(format!("{}{piece}", " ".repeat(indent))),
    });
    lines.collect()
}

/// A line of one style as several.
fn wrapped(line: &Line<'static>, width: u16) -> Vec<Line<'static>> {
    let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
    let style = line.spans.first().map(|span| span.style).unwrap_or_default();
    wrap(&text, width.max(1).into()).into_iter().map(|piece| Line::styled(piece, style)).collect()
}

/// Words on lines of at most `width` characters; a longer word is cut where it has to be.
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

fn keys(view: &View<'_>) -> Line<'static> {
    let pause = if view.paused { "p go on   PAUSED" } else { "p pause" };
    Line::from(faint(format!("q quit   {pause}")))
}

#[cfg(test)]
mod tests;
