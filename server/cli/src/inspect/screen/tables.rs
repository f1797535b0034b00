//! The tables of figures, routes and events.

use heapbeat_shared::Bytes;
use heapbeat_shared::report::RouteReport;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::style::{faint, rule};
use crate::inspect::snapshot::Snapshot;
use crate::inspect::text::{ago, clip, describe_event, memory_stall_percent, signed};
use crate::inspect::trace::Trace;

/// Width of each figure of a route, in columns.
const COLUMN: usize = 12;

/// Draws the figures, one per line.
pub(super) fn draw_figures(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot, trace: &Trace) {
    let (sample, system) = (&snapshot.sample, &snapshot.system);
    let heap = |bytes: Bytes| snapshot.heap_known.then(|| bytes.to_string());
    let size = |bytes: Option<Bytes>| bytes.map(|bytes| bytes.to_string());
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let rows = [
        ("rss", Some(sample.rss.to_string())),
        ("peak", size(system.peak)),
        ("heap used", heap(sample.heap_used)),
        ("heap total", heap(sample.heap_total)),
        ("external", heap(sample.external())),
        ("anonymous", size(system.anon.filter(|_| !snapshot.heap_known))),
        ("files", size(system.file.filter(|_| !snapshot.heap_known))),
        ("cpu", trace.cpu_percent().map(|percent| format!("{percent:.0} %"))),
        ("threads", count(system.threads)),
        ("open files", count(system.open_files)),
        ("runtime delay", system.runtime_delay_ms.map(|late| format!("{late} ms"))),
        ("memory stall", memory_stall_percent(system).map(|percent| format!("{percent:.1} %"))),
        ("swap", size(system.swap.filter(|swap| *swap > Bytes::ZERO))),
        ("cgroup", size(system.cgroup_usage)),
        ("oom kills", count(system.oom_kills)),
        ("limit hits", count(system.cgroup_max)),
        ("throttled", count(system.cgroup_high)),
        ("mapped", size(system.heap_mapped)),
        ("retained", size(system.heap_retained)),
        ("metadata", size(system.heap_metadata)),
    ];
    let width = usize::from(area.width);
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let lines = rows.map(|(name, value)| {
        let room = width.min(27).saturating_sub(name.len());
        Line::raw(format!("{name}{value:>room$}"))
    });
    let lines: Vec<Line<'_>> =
        [rule("process", area.width.min(27))].into_iter().chain(lines).take(area.height.into()).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws the routes, fastest growing first.
pub(super) fn draw_routes(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    if snapshot.routes.is_empty() || area.height < 2 {
        return;
    }
    let name = usize::from(area.width).saturating_sub(4 * COLUMN + 2);
    let head = format!(
        "{:<name$}{:>COLUMN$}{:>COLUMN$}{:>COLUMN$}{:>COLUMN$}",
        clip("route", name),
        "live",
        "± error",
        "growth/min",
        "per request"
    );
    let mut lines = vec![Line::from(faint(head))];
    let rows = snapshot.routes.iter().take(usize::from(area.height) - 1);
    lines.extend(rows.map(|route| route_row(route, name)));
    frame.render_widget(Paragraph::new(lines), area);
}

fn route_row(route: &RouteReport, name: usize) -> Line<'static> {
    let growth = route.growth_per_minute.map_or_else(|| "-".into(), signed);
    Line::raw(format!(
        "{:<name$}{:>COLUMN$}{:>COLUMN$}{growth:>COLUMN$}{:>COLUMN$}",
        clip(&route.route, name),
        route.live.to_string(),
        route.live_error.to_string(),
        route.allocated_mean.to_string(),
    ))
}

/// Draws the events, latest first.
pub(super) fn draw_events(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    if snapshot.events.is_empty() || area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let mut lines = vec![Line::from(faint(clip("event", width)))];
    lines.extend(snapshot.events.iter().rev().take(usize::from(area.height) - 1).map(|event| {
        let when = format!("{} ago", ago(snapshot.at, event.at));
        Line::raw(clip(&format!("{when:<16}{}", describe_event(event)), width))
    }));
    frame.render_widget(Paragraph::new(lines), area);
}
