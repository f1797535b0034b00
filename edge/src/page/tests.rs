use heapbeat_shared::{EndingKind, HealthMemory, Megabytes, Pressure};

use super::*;
use crate::view::{ChartPoint, EndingView, MemoryView, MonitorView, WindowUptime};
use crate::watch::usage::Usage;

const NOW: UnixMillis = UnixMillis(1_769_860_800_000); // 2026-01-31T12:00:00Z

pub(super) fn monitor(name: &str, state: State) -> MonitorView {
    let memory = |rss| HealthMemory {
        rss: Megabytes(rss),
        heap_used: Megabytes(120),
        heap_total: Megabytes(200),
        external: Megabytes(30),
    };
    MonitorView {
        id: name.to_lowercase(),
        name: name.into(),
        group: Some("Backend".into()),
        state,
        since: UnixMillis(NOW.0 - 720_000),
        reason: (state == State::Down).then(|| "the connection was refused".into()),
        latency_ms: Some(12),
        uptime: vec![WindowUptime { window: "24h".into(), percent: Some(99.98), coverage: 61.0 }],
        latencies: Vec::new(),
        days: Vec::new(),
        memory: Some(MemoryView { figures: memory(150), limit: None, pressure: None, at: NOW }),
        started: Some(UnixMillis(NOW.0 - 3_600_000)),
        restarts: vec![UnixMillis(NOW.0 - 3_600_000)],
        last_ending: None,
        chart: (0..60)
            .map(|i| ChartPoint { at: UnixMillis(NOW.0 - (60 - i) * 60_000), memory: memory(150) })
            .collect(),
    }
}

fn view(monitors: Vec<MonitorView>) -> StatusView {
    StatusView {
        state: State::Up,
        now: NOW,
        updated: Some(NOW),
        monitors,
        problems: Vec::new(),
        notices: Vec::new(),
        work: Vec::new(),
        usage: Usage::default(),
    }
}

#[test]
fn the_last_ending_is_told_with_its_evidence() {
    let ending = |kind, sure| EndingView {
        kind,
        at: UnixMillis(NOW.0 - 3_600_000),
        sure,
        evidence: ["its last sample was 1010.0 MB of 1.00 GB", "<b>", "c", "d"].map(str::to_owned).into(),
    };
    let cases = [
        (EndingKind::OomKill, true, "The instance before was killed by the kernel for want of memory (<time"),
        (EndingKind::Platform, false, "The instance before probably vanished with its machine (<time"),
        (EndingKind::Unknown, false, "The instance before ended, and it is not known why (<time"),
    ];
    for (kind, sure, told) in cases {
        let one = MonitorView { last_ending: Some(ending(kind, sure)), ..monitor("API", State::Up) };
        let page = status(&view(vec![one]));
        assert!(page.contains(told), "{page}");
        assert!(
            page.contains("11:00 UTC</time>): its last sample was 1010.0 MB of 1.00 GB; &#60;b&#62;; c.</p>"),
            "{page}"
        );
    }
    assert!(!status(&view(vec![monitor("API", State::Up)])).contains("The instance before"));
}

#[test]
fn the_headline_answers_is_it_up() {
    use State::{Degraded, Down, Maintenance, Unobserved, Up, Waking};
    let states = |states: &[State]| {
        let monitors =
            states.iter().enumerate().map(|(i, state)| monitor(&format!("M{i}"), *state)).collect();
        headline::headline(&view(monitors))
    };
    let cases: [(&[State], &str); 11] = [
        (&[], "Nothing is watched yet"),
        (&[Up], "M0 is up"),
        (&[Up, Up], "Everything is up"),
        (&[Up, Down], "M1 is down since 11:48 UTC (12 min)"),
        (&[Degraded, Down, Down], "2 of 3 are down"),
        (&[Down, Down], "All 2 are down"),
        (&[Up, Degraded], "M1 is degraded since 11:48 UTC (12 min)"),
        (&[Up, Waking], "M1 is waking up since 11:48 UTC (12 min)"),
        (&[Maintenance, Up], "M0 is under maintenance since 11:48 UTC (12 min)"),
        (&[Up, Unobserved], "1 of 2 are up, the others were not observed"),
        (&[Unobserved], "Nobody is watching at the moment"),
    ];
    for (given, expected) in cases {
        assert_eq!(states(given), expected, "{given:?}");
    }
    let first = StatusView { updated: None, ..view(vec![monitor("A", Unobserved)]) };
    assert_eq!(headline::headline(&first), "Nothing was observed yet");
}

#[test]
fn what_is_known_is_on_the_page() {
    let html = status(&view(vec![monitor("API", State::Up)]));
    for shown in [
        "99.98 %",
        "61.00 % watched",
        "12 ms",
        "150 MB",
        "120 MB",
        "200 MB",
        "30 MB",
        "1 restart seen",
        "11:48 UTC",
    ] {
        assert!(html.contains(shown), "{shown} is missing");
    }
    assert!(html.contains("<title>API is up · heapbeat</title>"));
    assert!(!html.contains("pressure"), "what was not told is not claimed");
}

#[test]
fn limit_and_pressure_are_shown_where_they_are_known() {
    let mut api = monitor("API", State::Degraded);
    api.memory =
        api.memory.map(|m| MemoryView { limit: Some(Megabytes(512)), pressure: Some(Pressure::Alert), ..m });
    let html = status(&view(vec![api]));
    assert!(html.contains("of 512 MB") && html.contains("pressure alert"));
    assert!(html.contains(r#"class="limit""#));
}

#[test]
fn every_text_is_escaped() {
    let hostile = "<script>alert('x')</script>\"&";
    let mut bad = monitor("x", State::Down);
    bad.name = hostile.into();
    bad.group = Some(hostile.into());
    bad.reason = Some(hostile.into());
    let problems = vec![Problem { position: hostile.into(), reason: hostile.into() }];
    let html = status(&StatusView { problems, ..view(vec![bad]) });
    assert!(!html.contains("<script") && !html.contains("alert('x')"), "{html}");
    assert!(html.contains("&#60;script&#62;"));
}

#[test]
fn nothing_inline_that_the_policy_would_refuse() {
    let html = status(&view(vec![monitor("API", State::Up)])) + &unavailable();
    for inline in ["style=", "<style", "<script", "onclick", "javascript:", "http://", "https://"] {
        assert!(!html.contains(inline), "{inline}");
    }
}

#[test]
fn groups_keep_their_order_and_the_nameless_come_first() {
    let mut loose = monitor("Loose", State::Up);
    loose.group = None;
    let mut other = monitor("Other", State::Up);
    other.group = Some("Apps".into());
    let view = view(vec![monitor("A", State::Up), other, loose, monitor("B", State::Up)]);
    let named: Vec<_> = groups(&view).iter().map(|g| (g.name.map(str::to_owned), g.cards.len())).collect();
    assert_eq!(named, [(None, 1), (Some("Backend".into()), 2), (Some("Apps".into()), 1)]);
}

#[test]
fn first_steps_are_shown_where_nothing_is_configured() {
    let html = status(&view(Vec::new()));
    assert!(html.contains("[[vars.MONITORS]]"));
    assert!(unavailable().contains("cannot be read"));
}

#[test]
fn fifty_monitors_stay_small() {
    let monitors = (0..50).map(|i| monitor(&format!("Monitor {i}"), State::Up)).collect();
    let html = status(&view(monitors));
    assert!(html.len() < 400_000, "{} bytes", html.len());
}
