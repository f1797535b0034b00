//! The templates of `edge/templates` with their values.

use std::time::Duration;

use askama::Template;
use heapbeat_shared::UnixMillis;

use super::headline::Headline;
use super::language::LANGUAGES;
use super::markup::Markup;
use super::monitor_list::MonitorList;
use super::renderer::Renderer;
use super::{PageContext, assets};
use crate::domain::State;
use crate::settings::Branding;
use crate::view::{
    DayView, IncidentPageView, IncidentSummaryView, MaintenanceView, MonitorPageView, MonitorView,
    StatusPageView,
};

const DAY: Duration = Duration::from_secs(86_400);

/// The windows that the page of a monitor can show, each with its length and the message of its unit.
const RANGES: [(&str, u64, &str); 5] = [
    ("1h", 1, "unit-h"),
    ("24h", 24, "unit-h"),
    ("7d", 7, "unit-d"),
    ("30d", 30, "unit-d"),
    ("90d", 90, "unit-d"),
];

/// The values of the base template, which surrounds the content of every page.
struct PageFrame<'a> {
    title: String,
    /// The state of the page's icon and color.
    state: State,
    branding: &'a Branding,
    origin: &'a str,
    push_key: Option<&'a str>,
    stale_seconds: Option<u64>,
    stylesheet: String,
    script: String,
    languages: [(&'static str, &'static str); LANGUAGES.len()],
}

impl<'a> PageFrame<'a> {
    fn new(title: String, state: State, context: &'a PageContext) -> Self {
        PageFrame {
            title,
            state,
            branding: &context.branding,
            origin: &context.origin,
            push_key: context.push_key.as_deref(),
            stale_seconds: context.stale_seconds,
            stylesheet: assets::stylesheet(),
            script: assets::script(),
            languages: LANGUAGES,
        }
    }
}

#[derive(Template)]
#[template(path = "status.html", whitespace = "minimize")]
struct StatusTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
    headline: Headline<'a>,
    updated: Option<UnixMillis>,
    notices: Vec<Markup>,
    open: Vec<&'a IncidentSummaryView>,
    past: Vec<&'a IncidentSummaryView>,
    maintenance: Vec<MaintenanceItem<'a>>,
    is_empty: bool,
    list: MonitorList<'a>,
}

/// Announced maintenance with the monitors that it concerns.
struct MaintenanceItem<'a> {
    view: &'a MaintenanceView,
    /// The id and the name of each; the id twice if the name is unknown, as its hub does not respond.
    monitors: Vec<(&'a str, &'a str)>,
}

/// Renders the status page.
pub(super) fn status(view: &StatusPageView, context: &PageContext) -> String {
    let status = &view.status;
    let r = Renderer::new(&context.messages, view.now, &context.query);
    let headline = Headline::new(&status.monitors, status.updated.is_some());
    let (open, past) = view.incidents.iter().partition(|incident| incident.closed.is_none());
    render(&StatusTemplate {
        frame: PageFrame::new(r.headline_text(&headline), status.status, context),
        headline,
        updated: status.updated.map(|at| at.0),
        notices: r.statements(&status.notices, &status.notice_statements),
        open,
        past,
        maintenance: status.maintenance.iter().map(|it| maintenance(it, &status.monitors)).collect(),
        is_empty: status.monitors.is_empty(),
        list: MonitorList::new(view),
        r: &r,
    })
}

fn maintenance<'a>(view: &'a MaintenanceView, monitors: &'a [MonitorView]) -> MaintenanceItem<'a> {
    let named = |id: &'a str| (id, monitors.iter().find(|it| it.id == id).map_or(id, |it| it.name.as_str()));
    MaintenanceItem { view, monitors: view.monitors.iter().flatten().map(|id| named(id.as_str())).collect() }
}

#[derive(Template)]
#[template(path = "unavailable.html", whitespace = "minimize")]
struct UnavailableTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
}

/// Renders the page for when the hubs do not respond.
pub(super) fn unavailable(context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, UnixMillis(0), &context.query);
    let frame = PageFrame::new(r.text("headline-unavailable"), State::Unobserved, context);
    render(&UnavailableTemplate { r: &r, frame })
}

#[derive(Template)]
#[template(path = "owner.html", whitespace = "minimize")]
struct OwnerTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
}

/// Renders the owner's page.
pub(super) fn owner(context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, UnixMillis(0), &context.query);
    let frame = PageFrame::new(r.text("headline-owner"), State::Unobserved, context);
    render(&OwnerTemplate { r: &r, frame })
}

#[derive(Template)]
#[template(path = "not-found.html", whitespace = "minimize")]
struct NotFoundTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
}

/// Renders the page for an address without a page.
pub(super) fn not_found(context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, UnixMillis(0), &context.query);
    let frame = PageFrame::new(r.text("headline-not-found"), State::Unobserved, context);
    render(&NotFoundTemplate { r: &r, frame })
}

#[derive(Template)]
#[template(path = "preview.svg", whitespace = "minimize")]
struct PreviewTemplate {
    title: String,
    state: State,
    headline: String,
    /// The font size of the headline in pixels.
    headline_size: u32,
    updated: Option<crate::view::Timestamp>,
}

/// Renders the preview picture.
pub(super) fn preview(view: &StatusPageView, context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, view.now, &context.query);
    let headline = Headline::new(&view.status.monitors, view.status.updated.is_some());
    // XML does not allow control characters.
    let printable = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let headline = printable(&r.headline_text(&headline));
    render(&PreviewTemplate {
        title: printable(&context.branding.title),
        state: view.status.status,
        headline_size: font_size(&headline),
        headline,
        updated: view.status.updated,
    })
}

/// Returns the font size at which a line of text fits into the picture. A Latin letter is a little more than half as wide as it is high.
fn font_size(text: &str) -> u32 {
    let hundredths: u32 = text.chars().map(|c| if c.is_ascii() { 56 } else { 100 }).sum();
    (1040 * 100 / hundredths.max(1)).clamp(24, 72)
}

#[derive(Template)]
#[template(path = "monitor.html", whitespace = "minimize")]
struct MonitorTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
    page: &'a MonitorPageView,
    monitor: &'a MonitorView,
    incident_days: Vec<IncidentDay<'a>>,
    ranges: [RangeLink; RANGES.len()],
}

/// A day with incidents.
struct IncidentDay<'a> {
    view: &'a DayView,
    incidents: Vec<&'a IncidentSummaryView>,
}

/// A link to another window.
struct RangeLink {
    name: &'static str,
    label: String,
    is_shown: bool,
    /// The chosen language as a further parameter: `&lang=de`, or empty.
    query: String,
}

/// Renders the page of a monitor.
pub(super) fn monitor(page: &MonitorPageView, context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, page.now, &context.query);
    let monitor = &page.monitor;
    let title = format!("{}: {}", monitor.name, r.state(&monitor.state));
    let shown = page.range.as_deref();
    let range = |(name, length, unit): (&'static str, u64, &str)| RangeLink {
        name,
        label: format!("{length} {}", r.text(unit)),
        is_shown: shown == Some(name),
        query: context.query.replace('?', "&"),
    };
    render(&MonitorTemplate {
        frame: PageFrame::new(title, monitor.state, context),
        incident_days: incident_days(page),
        ranges: RANGES.map(range),
        page,
        monitor,
        r: &r,
    })
}

/// Lists the days whose worst state is neither up nor unobserved, newest first.
fn incident_days(page: &MonitorPageView) -> Vec<IncidentDay<'_>> {
    let is_uneventful = |state| matches!(state, State::Up | State::Unobserved);
    let days = page.days.iter().rev().filter(|day| !is_uneventful(day.state));
    days.map(|day| {
        let (from, to) = (day.day.0, day.day.0.plus(DAY));
        let on_day =
            |it: &&IncidentSummaryView| it.opened.0 < to && it.closed.is_none_or(|closed| closed.0 >= from);
        IncidentDay { view: day, incidents: page.incidents.iter().filter(on_day).collect() }
    })
    .collect()
}

#[derive(Template)]
#[template(path = "incident.html", whitespace = "minimize")]
struct IncidentTemplate<'a> {
    r: &'a Renderer<'a>,
    frame: PageFrame<'a>,
    page: &'a IncidentPageView,
}

/// Renders the page of an incident.
pub(super) fn incident(page: &IncidentPageView, context: &PageContext) -> String {
    let r = Renderer::new(&context.messages, page.now, &context.query);
    let incident = &page.incident;
    let cause = r.statement_text(&incident.cause_code, &incident.cause_params, &incident.cause);
    let title = format!("{}: {cause}", page.name);
    render(&IncidentTemplate { frame: PageFrame::new(title, page.status, context), r: &r, page })
}

/// Rendering writes to a string, which cannot fail.
fn render(template: &impl Template) -> String {
    template.render().unwrap_or_default()
}
