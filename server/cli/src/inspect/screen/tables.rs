//! The tables of figures, of what holds memory, of requests and events.

use std::fmt::Write as _;

use heapbeat_shared::Bytes;
use heapbeat_shared::report::{FunctionReport, InstanceReport, RouteReport};
use heapbeat_shared::text::single_line;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::style::{faint, rule};
use crate::inspect::snapshot::{MeasuredProcess, Snapshot};
use crate::inspect::text::{
    ago, clip, describe_event, describe_instance, memory_stall_percent, signed, span,
};
use crate::inspect::trace::Trace;

/// Width of each figure of a route, in columns.
const COLUMN: usize = 12;

/// Least width of the names in a table, in columns: figures give way to it, as without a name they say nothing.
const MIN_NAME: usize = 14;

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
        ("heap total", size(sample.heap_total.known())),
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

/// Returns the tables of what holds memory and of the requests, each with at most `most` rows: those that the snapshot has.
pub(super) fn holder_lines(snapshot: &Snapshot, width: u16, most: usize) -> Vec<Line<'static>> {
    let tables = [
        route_table(snapshot),
        function_table(snapshot),
        request_table(snapshot),
        instance_table(snapshot),
        process_table(snapshot),
    ];
    tables.into_iter().flat_map(|table| table.lines(width.into(), most)).collect()
}

/// Returns the events, latest first, and the last lines that the instance before wrote to standard error: at most `most` of each.
pub(super) fn event_lines(snapshot: &Snapshot, width: u16, most: usize) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let mut lines = Vec::new();
    if !snapshot.events.is_empty() {
        lines.push(Line::from(faint(clip("event", width))));
        lines.extend(snapshot.events.iter().rev().take(most).map(|event| {
            let when = format!("{} ago", ago(snapshot.at, event.at));
            Line::raw(clip(&format!("{when:<16}{}", describe_event(event)), width))
        }));
    }
    let tail =
        snapshot.previous_exit.as_ref().and_then(|exit| exit.stderr_tail.as_deref()).unwrap_or_default();
    let last: Vec<&str> = tail.lines().rev().filter(|line| !line.trim().is_empty()).take(most).collect();
    if !last.is_empty() {
        lines.push(Line::from(faint(clip("standard error of the instance before", width))));
        lines.extend(last.into_iter().rev().map(|line| Line::raw(clip(&single_line(line), width))));
    }
    lines
}

/// A table: the names of its columns, and rows.
struct Table {
    name: &'static str,
    head: &'static [&'static str],
    /// The columns, the most important first: where there is no room for all, the last of these are left out.
    importance: &'static [usize],
    rows: Vec<(String, Vec<String>)>,
    /// A line behind the rows.
    note: Option<String>,
}

impl Table {
    /// Returns the head and the first rows; nothing without rows.
    fn lines(self, width: usize, most: usize) -> Vec<Line<'static>> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let count = (width.saturating_sub(2 + MIN_NAME) / COLUMN).clamp(1, self.head.len());
        let name_width = width.saturating_sub(count * COLUMN + 2);
        let shown = self.importance.get(..count).unwrap_or_default();
        let format = |name: &str, figures: &mut dyn Iterator<Item = &str>| {
            let mut line = format!("{:<name_width$}", clip(name, name_width));
            for (_, figure) in figures.enumerate().filter(|(column, _)| shown.contains(column)) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{figure:>COLUMN$}");
            }
            line
        };
        let mut lines = vec![Line::from(faint(format(self.name, &mut self.head.iter().copied())))];
        let rows = self.rows.iter().take(most);
        lines.extend(
            rows.map(|(name, figures)| Line::raw(format(name, &mut figures.iter().map(String::as_str)))),
        );
        lines.extend(self.note.as_deref().map(|note| Line::raw(clip(note, width))));
        lines
    }
}

/// The routes, fastest growing first.
fn route_table(snapshot: &Snapshot) -> Table {
    let row = |route: &RouteReport| {
        let growth = route.growth_per_minute.map_or_else(|| "-".into(), signed);
        let figures = vec![
            route.live.to_string(),
            route.live_error.to_string(),
            growth,
            route.allocated_mean.to_string(),
        ];
        (route.route.clone(), figures)
    };
    let head = &["live", "± error", "growth/min", "per request"];
    let rows = snapshot.routes.iter().map(row).collect();
    Table { name: "route", head, importance: &[0, 2, 1, 3], rows, note: None }
}

/// The functions whose live memory grows, fastest first.
fn function_table(snapshot: &Snapshot) -> Table {
    let row = |function: &FunctionReport| {
        let within = span(function.duration_ms / 1000);
        (single_line(&function.place()), vec![function.live.to_string(), function.growth.to_string(), within])
    };
    let head = &["live", "growth", "within"];
    let rows = snapshot.functions.iter().map(row).collect();
    Table { name: "function", head, importance: &[0, 1, 2], rows, note: None }
}

/// The requests to a guarded program: all of them, and by route.
fn request_table(snapshot: &Snapshot) -> Table {
    let head = &["in flight", "ended", "errors", "mean"];
    let importance = &[2, 1, 3, 0];
    let Some(traffic) = &snapshot.traffic else {
        return Table { name: "requests", head, importance, rows: Vec::new(), note: None };
    };
    let mut note = format!("{} wait, {} failed, {} shed", traffic.waiting, traffic.failed, traffic.shed);
    if let Some(p99) = traffic.latency_p99_ms {
        let _ = write!(note, ", 99 % within {p99:.0} ms");
    }
    let errors = traffic.routes.iter().fold(0, |sum: u64, route| sum.saturating_add(route.errors()));
    let all =
        ("all".to_owned(), [traffic.in_flight, traffic.requests, errors].map(|it| it.to_string()), None);
    let by_route = traffic.routes.iter().map(|route| {
        let figures = [route.in_flight, route.requests, route.errors()].map(|it| it.to_string());
        (single_line(&route.route), figures, route.latency_mean_ms)
    });
    let rows = [all].into_iter().chain(by_route).map(|(name, [in_flight, ended, errors], mean)| {
        let mean = mean.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.0} ms"));
        (name, vec![in_flight, ended, errors, mean])
    });
    Table { name: "requests", head, importance, rows: rows.collect(), note: Some(note) }
}

/// The instances of a guarded program, if there are several.
fn instance_table(snapshot: &Snapshot) -> Table {
    let row = |instance: &InstanceReport| {
        (describe_instance(snapshot.at, instance), vec![instance.memory.to_string()])
    };
    let rows = snapshot.instances.iter().map(row).collect();
    Table { name: "instance", head: &["memory"], importance: &[0], rows, note: None }
}

/// The processes that are measured, if there are several.
fn process_table(snapshot: &Snapshot) -> Table {
    let row = |process: &MeasuredProcess| {
        (single_line(&format!("{} {}", process.pid, process.name)), vec![process.memory.to_string()])
    };
    Table {
        name: "process",
        head: &["memory"],
        importance: &[0],
        rows: snapshot.processes.iter().map(row).collect(),
        note: None,
    }
}
