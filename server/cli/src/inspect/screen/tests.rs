//! Snapshots of whole screens.

use heapbeat_forecast::{Basis, MemoryPart, Rate, Slope, TimeToLimit, Verdict};
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{
    FunctionReport, InstanceReport, PressureState, RouteReport, RouteTraffic, System, Traffic,
};
use heapbeat_shared::{Bytes, Exit, InstanceId, Pressure, Status, UnixMillis};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use std::time::Duration;

use super::*;
use crate::inspect::advice::tests::steady;
use crate::inspect::snapshot::{Detail, MeasuredProcess};

const MB: f64 = 1_048_576.0;

/// Draws a view, and returns the content of the terminal without trailing blanks.
fn draw_to_text(width: u16, height: u16, view: &View<'_>) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view)).unwrap();
    let cells = terminal.backend().buffer().content();
    let rows = cells.chunks(usize::from(width));
    let text =
        |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol().to_owned()).collect::<String>();
    rows.map(|row| text(row).trim_end().to_owned() + "\n").collect()
}

fn view_of<'a>(snapshot: &'a Snapshot, trace: &'a Trace) -> View<'a> {
    View {
        target: &snapshot.target,
        snapshot: Some(snapshot),
        error: None,
        trace,
        paused: false,
        color: false,
    }
}

/// Returns the trace of five minutes of measurements, ten seconds apart, whose memory rises by `rise` megabytes in total.
fn rising_trace(snapshot: &Snapshot, rise: u64) -> Trace {
    let mut trace = Trace::default();
    for step in 0..=30_u64 {
        let mut then = snapshot.clone();
        then.at = snapshot.at.minus(Duration::from_secs(10 * (30 - step)));
        then.sample.at = then.at;
        let down = Bytes::from_mb(rise * (30 - step) / 30);
        then.sample.rss = snapshot.sample.rss.saturating_sub(down);
        then.sample.heap_used = snapshot.sample.heap_used.saturating_sub(down);
        then.system.cpu_seconds = (snapshot.detail == Detail::Full).then_some(step as f64);
        trace.push(&then);
    }
    trace
}

fn calm_snapshot() -> Snapshot {
    let mut snapshot = steady();
    snapshot.at = UnixMillis(1_800_000_000_000);
    snapshot.sample.at = snapshot.at;
    snapshot.status = Some(Status::Healthy);
    snapshot.version = Some("1.4.2".into());
    snapshot.uptime = Some(26_400);
    snapshot.pressure = Some(PressureState { level: Pressure::Calm, since: snapshot.at, shed: 0 });
    snapshot.system = System {
        threads: Some(9),
        open_files: Some(31),
        peak: Some(Bytes::from_mb(120)),
        ..System::default()
    };
    snapshot
}

fn route(name: &str, live: u64, growth: f64, per_second: f64) -> RouteReport {
    RouteReport {
        route: name.into(),
        requests: 1000,
        requests_per_second: per_second,
        allocated_mean: Bytes::from_mb(3),
        allocated_p99: Bytes::from_mb(5),
        live: Bytes::from_mb(live),
        live_error: Bytes::from_mb(2),
        growth_per_minute: Some(growth * MB),
        growth_error: Some(0.1 * MB),
    }
}

/// Returns a snapshot of a process at 410 of 512 MB, of which one route leaks 46 MB per minute.
fn leaking_snapshot() -> Snapshot {
    let mut snapshot = calm_snapshot();
    let mb = Bytes::from_mb;
    (snapshot.sample.rss, snapshot.sample.working_set) = (mb(410), mb(410));
    (snapshot.sample.heap_used, snapshot.sample.heap_total, snapshot.sample.heap_resident) =
        (mb(370), mb(376), mb(385));
    snapshot.status = Some(Status::Degraded);
    let since = snapshot.at.minus(Duration::from_secs(20));
    snapshot.pressure = Some(PressureState { level: Pressure::Alert, since, shed: 0 });
    let rate = |mb: f64| Rate(mb * MB / 60.0);
    snapshot.forecast.verdict = Verdict::Leaking;
    snapshot.forecast.basis = Basis::SustainedGrowth;
    snapshot.forecast.window = Duration::from_secs(252);
    snapshot.forecast.part = MemoryPart::LiveHeap;
    snapshot.forecast.slope = Some(Slope { expected: rate(48.0), low: rate(47.0), high: rate(49.0) });
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    snapshot.forecast.time_to_limit =
        Some(TimeToLimit { expected: minutes(2), earliest: minutes(1), latest: minutes(3) });
    snapshot.routes =
        vec![route("POST /upload", 300, 46.0, 0.42), route("GET /feed\u{1b}[2J", 20, 2.0, 100.0)];
    let alert = EventKind::Pressure { from: Pressure::Calm, to: Pressure::Alert, memory: mb(401) };
    let panic = EventKind::Panic { message: "index out of bounds\u{7}".into() };
    snapshot.events = vec![
        Event { at: snapshot.at.minus(Duration::from_secs(7000)), kind: EventKind::Started },
        Event { at: snapshot.at.minus(Duration::from_secs(95)), kind: panic },
        Event { at: since, kind: alert },
    ];
    snapshot
}

#[test]
fn screens_match_their_snapshots() {
    let (calm, leaking) = (calm_snapshot(), leaking_snapshot());
    let (flat, rising) = (rising_trace(&calm, 0), rising_trace(&leaking, 240));
    let nothing = Trace::default();
    let exited = View { error: Some("process 7 has exited"), ..view_of(&leaking, &rising) };
    let error = "http://10.0.0.1/health does not answer: connection refused";
    let unreachable = View {
        target: "http://10.0.0.1/health",
        snapshot: None,
        error: Some(error),
        ..view_of(&calm, &nothing)
    };
    let cases = [
        ("steady", view_of(&calm, &flat)),
        ("leaking", view_of(&leaking, &rising)),
        ("exited", exited),
        ("unreachable", unreachable),
    ];
    for (name, view) in cases {
        for (width, height) in [(80, 24), (120, 40)] {
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), draw_to_text(width, height, &view));
        }
    }
}

/// Returns a snapshot of `heapbeat serve --demo` under three requests to `/demo/leak?mb=1` in four seconds, without the secret.
fn demo_snapshot() -> Snapshot {
    let mb = Bytes::from_mb;
    let mut snapshot = calm_snapshot();
    snapshot.target = "http://127.0.0.1:8080/health".into();
    snapshot.detail = Detail::Public;
    (snapshot.version, snapshot.pressure, snapshot.uptime) = (None, None, Some(312));
    snapshot.system = System::default();
    (snapshot.sample.rss, snapshot.sample.working_set) = (mb(247), mb(247));
    (snapshot.sample.heap_used, snapshot.sample.heap_total, snapshot.sample.heap_resident) =
        (mb(230), mb(231), mb(234));
    let rate = |mb: f64| Rate(mb * MB / 60.0);
    snapshot.forecast.verdict = Verdict::Leaking;
    snapshot.forecast.basis = Basis::SustainedGrowth;
    snapshot.forecast.window = Duration::from_secs(252);
    snapshot.forecast.part = MemoryPart::LiveHeap;
    snapshot.forecast.slope = Some(Slope { expected: rate(45.0), low: rate(44.0), high: rate(46.0) });
    let seconds = Duration::from_secs;
    snapshot.forecast.time_to_limit =
        Some(TimeToLimit { expected: seconds(353), earliest: seconds(345), latest: seconds(362) });
    snapshot
}

#[test]
fn a_guarded_program_shows_functions_requests_processes_and_the_last_words_of_the_instance_before() {
    let mut snapshot = calm_snapshot();
    snapshot.functions = vec![FunctionReport {
        function: "listOrders".into(),
        file: "/app/orders.js".into(),
        line: 12,
        live: Bytes::from_mb(90),
        growth: Bytes::from_mb(80),
        duration_ms: 40_000,
    }];
    let route = RouteTraffic {
        route: "GET /orders/:id".into(),
        in_flight: 3,
        requests: 4711,
        statuses: [0, 4700, 0, 9, 2],
        latency_mean_ms: Some(12.4),
    };
    snapshot.traffic =
        Some(Traffic { in_flight: 4, waiting: 1, requests: 5000, routes: vec![route], ..Traffic::default() });
    let instance = |number, serves| InstanceReport {
        instance: InstanceId(number),
        number: u32::try_from(number).unwrap(),
        started: snapshot.at.minus(std::time::Duration::from_secs(60 * number)),
        memory: Bytes::from_mb(50 + number),
        serves,
    };
    snapshot.instances = vec![instance(2, true), instance(1, false)];
    snapshot.processes = vec![MeasuredProcess { pid: 7, name: "node".into(), memory: Bytes::from_mb(99) }];
    let tail = "starting\n\nFATAL ERROR: JavaScript heap out of memory\u{1b}[2J\n";
    snapshot.previous_exit = Some(Exit { stderr_tail: Some(tail.into()), ..Exit::default() });
    let trace = rising_trace(&snapshot, 0);
    for (width, height) in [(120, 40), (90, 60)] {
        let text = draw_to_text(width, height, &view_of(&snapshot, &trace));
        for part in [
            "listOrders (orders.js:12)",
            "1 wait, 0 failed, 0 shed",
            "GET /orders/:id",
            "12 ms",
            "7 node",
            "2, up 2 min",
            "52.0 MB",
            "FATAL ERROR: JavaScript heap out of memory",
        ] {
            assert!(text.contains(part), "{part} at {width}:\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

/// The documents with a picture of the screen, and the number of its lines that they show.
const PICTURES: [(&str, usize); 2] = [("README.md", 15), ("docs/check-memory.md", 24)];

/// `UPDATE_PICTURES=1` writes the pictures instead (`make pictures`).
#[test]
fn the_pictures_in_the_documents_are_what_the_screen_draws() {
    let snapshot = demo_snapshot();
    let text = draw_to_text(80, 24, &view_of(&snapshot, &rising_trace(&snapshot, 225)));
    for (name, lines) in PICTURES {
        let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
        let document = std::fs::read_to_string(&path).unwrap();
        let start = document.find("```text\nhttp://").unwrap() + "```text\n".len();
        let end = start + document[start..].find("```").unwrap();
        let picture: String = text.split_inclusive('\n').take(lines).collect();
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            let updated = [&document[..start], &picture, &document[end..]].concat();
            std::fs::write(&path, updated).unwrap();
        } else {
            assert_eq!(document[start..end], picture, "{name}: make pictures");
        }
    }
}

#[test]
fn a_small_terminal_keeps_severity_and_usage() {
    let snapshot = leaking_snapshot();
    let trace = rising_trace(&snapshot, 240);
    for (width, height) in [(80, 12), (60, 10), (40, 20), (24, 6), (10, 3), (3, 2), (1, 1), (200, 70)] {
        let text = draw_to_text(width, height, &view_of(&snapshot, &trace));
        assert_eq!(text.lines().count(), usize::from(height), "{width}x{height}");
        if height >= 6 && width >= 40 {
            assert!(text.contains("critical "), "{width}x{height}:\n{text}");
            assert!(text.contains("410.0 MB of 512.0 MB"), "{width}x{height}:\n{text}");
        }
    }
}

#[test]
fn control_characters_of_the_target_do_not_reach_the_screen() {
    let snapshot = leaking_snapshot();
    let trace = rising_trace(&snapshot, 240);
    let text = draw_to_text(120, 40, &view_of(&snapshot, &trace));
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(text.contains("GET /feed [2J"), "{text}");
}

#[test]
fn colors_are_used_only_if_enabled() {
    let snapshot = leaking_snapshot();
    let trace = rising_trace(&snapshot, 240);
    for color in [false, true] {
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| draw(frame, &View { color, ..view_of(&snapshot, &trace) })).unwrap();
        let colored = terminal.backend().buffer().content().iter().any(|cell| cell.fg != Color::Reset);
        assert_eq!(colored, color);
    }
}

#[test]
fn lines_are_wrapped_between_words() {
    let cases: [(&str, usize, &[&str]); 5] = [
        ("one two three", 7, &["one two", "three"]),
        ("one two three", 100, &["one two three"]),
        ("abcdefgh i", 3, &["abc", "def", "gh", "i"]),
        ("", 5, &[""]),
        ("a b", 1, &["a", "b"]),
    ];
    for (text, width, lines) in cases {
        assert_eq!(wrap(text, width), lines, "{text:?} in {width}");
    }
}

#[test]
fn a_narrow_terminal_keeps_the_names_and_the_figures_that_matter() {
    let leaking = leaking_snapshot();
    let trace = rising_trace(&leaking, 240);
    let screen = draw_to_text(40, 24, &view_of(&leaking, &trace));
    for line in ["route                 live  growth/min", "POST /upload      300.0 MB    +46.0 MB"] {
        assert!(screen.lines().any(|it| it == line), "{line:?} in\n{screen}");
    }
    assert!(draw_to_text(20, 24, &view_of(&leaking, &trace)).contains("route"), "the least width");
}
