use std::time::Duration;

use heapbeat_shared::{Bytes, ExitKind, HealthMemory, Megabytes, Params, Pressure, Statement, UnixMillis};

use super::*;
use crate::domain::incident::Severity;
use crate::domain::incident::phase::PhaseState;
use crate::domain::maintenance::MaintenanceWindow;
use crate::domain::quota::QuotaUsage;
use crate::domain::snapshot::{
    ChartPoint, ExitSummary, ForecastSnapshot, MemorySnapshot, MonitorSnapshot, StatusSnapshot, WindowUptime,
};
use crate::domain::{Failure, State};
use crate::fleet::merge::merge_statuses;
use crate::view::{
    ComparisonView, Date, DayView, IncidentPageView, IncidentSummaryView, IncidentView, LatencyHistoryView,
    LatencyRow, MemoryChartView, MemoryDayView, MonitorPageView, MonitorView, Percent, RestartView,
    RouteTrafficView, SampleRow, StateDurationView, StatusPageView, StatusView, TimelineEntryView, Timestamp,
    TrafficView,
};

const NOW: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

fn monitor(name: &str, state: State) -> MonitorSnapshot {
    let memory = |rss| HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(120),
        heap_total: Megabytes(200),
        external: Megabytes(30),
    };
    MonitorSnapshot {
        id: name.to_lowercase(),
        name: name.into(),
        group: Some("Backend".into()),
        state,
        since: UnixMillis(NOW.0 - 720_000),
        checked: None,
        unwatched: false,
        reason: (state == State::Down).then(|| Failure::ConnectionRefused.statement()),
        latency_ms: Some(12),
        latencies: Vec::new(),
        uptime: ["24h", "7d", "90d"]
            .map(|window| WindowUptime {
                window: window.into(),
                percent: Some(99.98),
                coverage: 61.0,
                since: None,
                observed: Duration::ZERO,
            })
            .into(),
        days: crate::domain::history::days::days([].into_iter(), NOW),
        memory: Some(MemorySnapshot { figures: memory(150), limit: None, pressure: None, at: NOW }),
        started: Some(UnixMillis(NOW.0 - 3_600_000)),
        restarts: vec![UnixMillis(NOW.0 - 3_600_000)],
        last_exit: None,
        forecast: None,
        region_verdicts: Vec::new(),
        chart: (0..90)
            .map(|i| ChartPoint { at: UnixMillis(NOW.0 - (90 - i) * 60_000), memory: memory(150) })
            .collect(),
    }
}

fn view(monitors: Vec<MonitorSnapshot>) -> StatusSnapshot {
    StatusSnapshot {
        state: crate::domain::check::state::worst(monitors.iter().map(|it| it.state)),
        now: NOW,
        updated: Some(NOW),
        monitors,
        failing_channels: 0,
        problems: Vec::new(),
        notices: Vec::new(),
        is_silent_hub: false,
        maintenance: Vec::new(),
        usage: QuotaUsage::default(),
    }
}

fn context(language: &str) -> PageContext {
    PageContext {
        messages: Messages::load(language),
        query: String::new(),
        branding: Rc::new(Branding::default()),
        push_key: None,
        stale_seconds: None,
        origin: "https://status.example.com".into(),
    }
}

fn status_page(snapshot: &StatusSnapshot) -> HubResponse {
    HubResponse::StatusPage(StatusPageView {
        now: snapshot.now,
        status: StatusView::from(snapshot),
        memory_days: snapshot.monitors.iter().filter_map(MemoryDayView::of).collect(),
        incidents: Vec::new(),
    })
}

/// Renders the status page of hubs with these snapshots, in English.
fn page(snapshots: &[StatusSnapshot]) -> String {
    let merged = merge_statuses(snapshots.iter().map(status_page).collect()).unwrap();
    Page::Status.render(&merged, &context("en")).unwrap().replace('\u{a0}', " ")
}

fn headline(html: &str) -> &str {
    html.split("<h1>").nth(1).unwrap().split("<span>").nth(1).unwrap().split("</span>").next().unwrap()
}

#[test]
fn the_headline_answers_is_it_up() {
    const INTERRUPTED: &str =
        "Monitoring is interrupted: no data since <time datetime=\"2026-01-31T11:48:00Z\">11:48 UTC</time>";
    use State::{Degraded, Down, Maintenance, Unobserved, Up, Waking};
    let cases: [(&[State], &str); 14] = [
        (&[], "No monitors configured"),
        (&[Up], "M0 is operational"),
        (&[Up, Up], "All systems operational"),
        (&[Up, Down], "M1 is down"),
        (&[Down], "M0 is down"),
        (&[Degraded, Down, Down], "Partial outage: 2 of 3 services are down"),
        (&[Down, Down], "Major outage: all 2 services are down"),
        (&[Up, Degraded], "Degraded performance: M1"),
        (&[Up, Waking], "M1 is starting"),
        (&[Maintenance, Up], "M0 is under maintenance"),
        (&[Maintenance, Maintenance, Up], "2 of 3 services are under maintenance"),
        (&[Up, Unobserved], "1 of 2 services operational, no data for the others"),
        (&[Unobserved], INTERRUPTED),
        (&[Unobserved, Unobserved], INTERRUPTED),
    ];
    for (states, expected) in cases {
        let monitors =
            states.iter().enumerate().map(|(i, state)| monitor(&format!("M{i}"), *state)).collect();
        assert_eq!(headline(&page(&[view(monitors)])), expected, "{states:?}");
    }
    let first = StatusSnapshot { updated: None, ..view(vec![monitor("A", Unobserved)]) };
    assert_eq!(headline(&page(&[first])), "Waiting for the first check");
}

#[test]
fn the_page_shows_what_is_known() {
    let html = page(&[view(vec![monitor("API", State::Up)])]);
    for shown in ["99.98 %", "61.00 % monitored", "12 ms", "150 MB", "1 restart", "11:48 UTC"] {
        assert!(html.contains(shown), "{shown} is missing: {html}");
    }
    assert!(html.contains("<title>API is operational · Status</title>"));
    assert!(!html.contains("of  MB"), "no limit is claimed where none is known");
}

#[test]
fn announced_maintenance_is_shown_once_with_the_names_of_all_its_monitors() {
    let one = |name: &str, work: &[(&str, &[&str])]| {
        let work = work.iter().map(|(id, ids)| MaintenanceWindow {
            id: id.parse().unwrap(),
            title: format!("Work {id}"),
            monitors: (!ids.is_empty()).then(|| ids.iter().map(|id| id.parse().unwrap()).collect()),
            from: NOW,
            to: NOW,
        });
        StatusSnapshot { maintenance: work.collect(), ..view(vec![monitor(name, State::Up)]) }
    };
    let first = one("A", &[("both", &["a"]), ("all", &[])]);
    let html = page(&[first, one("B", &[("all", &[]), ("both", &["b"]), ("second", &["b"])])]);
    for title in ["both", "all", "second"] {
        assert_eq!(html.matches(&format!("<h3>Work {title}</h3>")).count(), 1, "{title}: {html}");
    }
    let both = html.split("Work both").nth(1).and_then(|rest| rest.split("</article>").next()).unwrap();
    let link = |id: &str, name: &str| both.contains(&format!(r#"<a href="/monitors/{id}">{name}</a>"#));
    assert!(link("a", "A") && link("b", "B"), "{both}");
}

#[test]
fn the_limit_is_shown_if_it_is_known() {
    let mut api = monitor("API", State::Degraded);
    api.memory = api.memory.map(|m| MemorySnapshot {
        limit: Some(Megabytes(512)),
        pressure: Some(Pressure::Alert),
        ..m
    });
    let html = page(&[view(vec![api])]);
    assert!(html.contains("of 512 MB") && html.contains(r#"class="limit""#), "{html}");
}

#[test]
fn the_last_exit_is_shown_with_its_evidence() {
    let ending = |kind, sure| ExitSummary {
        kind,
        at: UnixMillis(NOW.0 - 3_600_000),
        sure,
        evidence: ["last sample: 1010.0 MB", "<b>", "c", "d"].map(Statement::untranslated).into(),
    };
    let cases = [
        (ExitKind::OomKill, true, "</time>): out of memory: killed by the kernel (OOM);"),
        (ExitKind::Platform, false, "</time>): probably disappeared with its host;"),
    ];
    for (kind, sure, expected) in cases {
        let one = MonitorSnapshot { last_exit: Some(ending(kind, sure)), ..monitor("API", State::Up) };
        let html = page(&[view(vec![one])]);
        assert!(html.contains(expected), "{html}");
        let evidence = "last sample: 1010.0 MB; &#60;b&#62;; c.</p>";
        assert!(html.contains(evidence), "{html}");
    }
    assert!(!page(&[view(vec![monitor("API", State::Up)])]).contains("Last exit"));
}

#[test]
fn every_text_is_escaped() {
    let hostile = "<script>alert('x')</script>\"&";
    let mut bad = monitor("x", State::Down);
    bad.name = hostile.into();
    bad.group = Some(hostile.into());
    bad.reason = Some(Statement::untranslated(hostile));
    let html = page(&[view(vec![bad])]);
    assert!(!html.contains("<script>alert") && !html.contains("alert('x')"), "{html}");
    assert!(html.contains("&#60;script&#62;"));
}

#[test]
fn the_page_of_a_wrong_address_links_to_the_status_page_in_the_readers_language() {
    let html = render_not_found(&context("de"));
    assert!(html.contains("<html lang=\"de\">") && html.contains("Seite nicht gefunden"), "{html}");
    assert!(html.contains(">Zur Statusseite</a>"), "{html}");
}

#[test]
fn nothing_is_inline_but_the_script_of_the_policy() {
    let html = page(&[view(vec![monitor("API", State::Up)])])
        + &render_unavailable(&context("de"))
        + &render_owner(&context("de"));
    for inline in ["style=", "<style", "onclick", "javascript:", "http://"] {
        assert!(!html.contains(inline), "{inline}");
    }
    assert_eq!(html.matches("<script>").count(), 3, "one a page");
}

#[test]
fn the_policy_has_the_hash_of_the_script() {
    use base64ct::Encoding;
    let script = include_bytes!("../../../templates/snippet.html");
    let hash = base64ct::Base64::encode_string(&hmac_sha256::Hash::hash(script));
    assert!(HEADERS[0].1.contains(&format!("'sha256-{hash}'")), "{hash}");
    assert!(page(&[view(Vec::new())]).contains(std::str::from_utf8(script).unwrap()));
}

#[test]
fn groups_keep_their_order_and_monitors_without_one_come_first() {
    let mut loose = monitor("Loose", State::Up);
    loose.group = None;
    let mut other = monitor("Other", State::Up);
    other.group = Some("Apps".into());
    let html = page(&[view(vec![monitor("A", State::Up), other, loose, monitor("B", State::Up)])]);
    let order: Vec<_> = html.split("<h3 id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(order, ["loose", "a", "b", "other"]);
    assert_eq!(html.matches("<section class=\"group\">").count(), 3);
}

#[test]
fn several_hubs_are_one_page() {
    let html = page(&[view(vec![monitor("A", State::Up)]), view(vec![monitor("B", State::Down)])]);
    assert_eq!(headline(&html), "B is down");
    assert!(html.contains("<header class=\"top down\">"));
    assert_eq!(html.matches("<article class=\"card").count(), 2);
    // A hub without a tick does not change the status of the other.
    let html = page(&[view(vec![monitor("A", State::Up)]), view(vec![monitor("B", State::Unobserved)])]);
    assert!(html.contains("<header class=\"top up\">"), "{html}");
}

#[test]
fn an_old_response_is_shown_with_its_age() {
    let response = status_page(&view(vec![monitor("A", State::Up)]));
    let old = PageContext { stale_seconds: Some(720), ..context("en") };
    let html = Page::Status.render(&response, &old).unwrap().replace('\u{a0}', " ");
    assert!(html.contains("This is the status from 12 min ago"), "{html}");
    assert_eq!(Page::Status.render(&HubResponse::Done, &old), None);
}

#[test]
fn first_steps_are_shown_without_monitors() {
    assert!(page(&[view(Vec::new())]).contains("[[vars.MONITORS]]"));
    assert!(render_unavailable(&context("en")).contains("Status is temporarily unavailable"));
}

/// Every message that a page can show is formatted in every language: a missing argument panics in a debug build.
#[test]
#[expect(clippy::too_many_lines, reason = "one value for each field of each page")]
fn every_page_is_complete_in_every_language() {
    let mut api = monitor("API", State::Degraded);
    api.reason = Some(Statement::untranslated("<b>"));
    api.memory = api.memory.map(|m| MemorySnapshot {
        limit: Some(Megabytes(512)),
        pressure: Some(Pressure::Alert),
        ..m
    });
    api.forecast =
        Some(ForecastSnapshot { verdict: "leaking", bytes_per_hour: Some(1 << 20), reaches: Some([NOW; 3]) });
    api.last_exit = Some(ExitSummary {
        kind: ExitKind::SpinDown,
        at: NOW,
        sure: false,
        evidence: vec![Statement::untranslated("<i>")],
    });
    let sample = SampleRow(NOW, Bytes(2 << 20), Some(Bytes(1 << 20)), None, Bytes(1 << 20), Bytes(1 << 20));
    let chart = MemoryChartView { from: NOW, to: NOW, samples: vec![sample], ..MemoryChartView::default() };
    let incident = |closed| IncidentSummaryView {
        id: "api-1769860800".parse().unwrap(),
        monitor: "api".parse().unwrap(),
        name: "API".into(),
        severity: Severity::Crashed,
        durations: vec![
            StateDurationView { state: PhaseState::Down, seconds: 180 },
            StateDurationView { state: PhaseState::Unobserved, seconds: 60 },
        ],
        opened: Timestamp(NOW),
        closed,
        cause: "<u>".into(),
        cause_code: "new".into(),
        cause_params: Params::new(),
        acknowledged: true,
    };
    let monitor_page = HubResponse::MonitorPage(Box::new(MonitorPageView {
        now: NOW,
        monitor: MonitorView::from(&api),
        range: None,
        from: NOW,
        to: NOW,
        memory: chart.clone(),
        restarts: vec![
            RestartView { at: NOW, kind: Some(ExitKind::Hang), sure: false },
            RestartView { at: NOW, kind: None, sure: true },
        ],
        compared: Some(ComparisonView { age_seconds: 60, now: Bytes(1 << 20), before: Bytes(2 << 20) }),
        growing_route: Some("GET /<s>".into()),
        traffic: Some(TrafficView {
            in_flight: 3,
            waiting: 1,
            requests: 9,
            failed: 0,
            shed: 0,
            latency_p50_ms: Some(1.5),
            latency_p99_ms: None,
            routes: vec![RouteTrafficView {
                route: "GET /<i>".into(),
                in_flight: 3,
                requests: 9,
                statuses: [0, 6, 0, 2, 1],
                latency_mean_ms: Some(12.4),
            }],
        }),
        incidents: vec![incident(None), incident(Some(Timestamp(NOW)))],
        days: vec![DayView {
            day: Date(UnixMillis(0)),
            state: State::Down,
            percent: None,
            coverage: Percent::cut(1.0),
        }],
        latency: LatencyHistoryView {
            monitor: "api".into(),
            resolution: "1h".into(),
            from: NOW,
            to: NOW,
            columns: Vec::new(),
            samples: vec![LatencyRow { at: NOW, figures: vec![Some(1), None, Some(3), Some(4), Some(5)] }],
            gaps: Vec::new(),
        },
    }));
    let incident_page = HubResponse::IncidentPage(Box::new(IncidentPageView {
        now: NOW,
        status: State::Down,
        name: "<API>".into(),
        incident: IncidentView {
            id: "api-1769860800".parse().unwrap(),
            monitor: "api".parse().unwrap(),
            severity: Severity::Down,
            current: None,
            opened: Timestamp(NOW),
            closed: Some(Timestamp(NOW)),
            durations: Vec::new(),
            cause: "<u>".into(),
            cause_code: "new".into(),
            cause_params: Params::new(),
            evidence: vec!["<i>".into()],
            evidence_statements: Vec::new(),
            acknowledged: false,
            inhibited_by: Some("db".parse().unwrap()),
            timeline: vec![TimelineEntryView {
                at: Timestamp(NOW),
                message: "<s>".into(),
                message_code: "new".into(),
                message_params: Params::new(),
            }],
        },
        memory: chart,
    }));
    let status = status_page(&view(vec![api]));
    for (language, _) in LANGUAGES {
        let context = PageContext {
            query: format!("?lang={language}"),
            push_key: Some("key".into()),
            stale_seconds: Some(60),
            ..context(language)
        };
        let pages = [
            (Page::Status, &status),
            (Page::Preview, &status),
            (Page::Monitor, &monitor_page),
            (Page::Incident, &incident_page),
        ];
        for (page, answer) in pages {
            let html = page.render(answer, &context).unwrap();
            for hostile in ["<b>", "<i>", "<u>", "<s>", "<API>"] {
                // A date of a day with an incident is bold.
                let allowed = hostile == "<b>" && page == Page::Monitor;
                assert!(allowed || !html.contains(hostile), "{language}, {page:?}: {hostile} in {html}");
            }
            assert!(!html.contains("{ $"), "{language}, {page:?}");
            // A day's label does not claim more than the share of the day that was down.
            let is_english_monitor = page == Page::Monitor && language == "en";
            assert!(!is_english_monitor || html.contains("<td>Outage</td>"), "{html}");
        }
        assert!(!render_owner(&context).contains("{ $") && !render_not_found(&context).contains("{ $"));
    }
}
