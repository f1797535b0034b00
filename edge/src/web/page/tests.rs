use heapbeat_shared::{ExitKind, HealthMemory, Megabytes, Pressure, UnixMillis};

use super::*;
use crate::config::Problem;
use crate::domain::State;
use crate::domain::maintenance::Work;
use crate::domain::quota::Usage;
use crate::domain::snapshot::{
    ChartPoint, ExitSummary, MemorySnapshot, MonitorSnapshot, StatusSnapshot, WindowUptime,
};
use crate::fleet::merge::statuses;
use crate::view::{MemoryDayView, StatusPageView, StatusView};

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
        reason: (state == State::Down).then(|| "the connection was refused".into()),
        latency_ms: Some(12),
        latencies: Vec::new(),
        uptime: ["24h", "7d", "90d"]
            .map(|window| WindowUptime { window: window.into(), percent: Some(99.98), coverage: 61.0 })
            .into(),
        days: crate::domain::history::days::days([].into_iter(), NOW),
        memory: Some(MemorySnapshot { figures: memory(150), limit: None, pressure: None, at: NOW }),
        started: Some(UnixMillis(NOW.0 - 3_600_000)),
        restarts: vec![UnixMillis(NOW.0 - 3_600_000)],
        last_exit: None,
        forecast: None,
        voices: Vec::new(),
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
        problems: Vec::new(),
        notices: Vec::new(),
        work: Vec::new(),
        usage: Usage::default(),
    }
}

fn reader(language: &'static str) -> Reader {
    Reader {
        messages: Rc::new(Messages::of(language)),
        query: String::new(),
        site: Rc::new(Site::default()),
        push: None,
        stale: None,
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

/// The page of hubs with these snapshots, in English.
fn page(snapshots: &[StatusSnapshot]) -> String {
    let merged = statuses(snapshots.iter().map(status_page).collect()).unwrap();
    Page::Status.make(&merged, &reader("en")).unwrap().replace('\u{a0}', " ")
}

fn headline(html: &str) -> &str {
    html.split("<h1>").nth(1).unwrap().split("<span>").nth(1).unwrap().split("</span>").next().unwrap()
}

#[test]
fn the_headline_answers_is_it_up() {
    use State::{Degraded, Down, Maintenance, Unobserved, Up, Waking};
    let cases: [(&[State], &str); 12] = [
        (&[], "Nothing is watched yet"),
        (&[Up], "M0 is up"),
        (&[Up, Up], "Everything is up"),
        (&[Up, Down], "M1 is down"),
        (&[Degraded, Down, Down], "2 of 3 are down"),
        (&[Down, Down], "All 2 are down"),
        (&[Up, Degraded], "M1 is degraded"),
        (&[Up, Waking], "M1 is waking up"),
        (&[Maintenance, Up], "M0 is under maintenance"),
        (&[Up, Unobserved], "1 of 2 are up, the others were not observed"),
        (&[Unobserved], "Nobody is watching at the moment"),
        (&[Unobserved, Unobserved], "Nobody is watching at the moment"),
    ];
    for (states, expected) in cases {
        let monitors =
            states.iter().enumerate().map(|(i, state)| monitor(&format!("M{i}"), *state)).collect();
        assert_eq!(headline(&page(&[view(monitors)])), expected, "{states:?}");
    }
    let first = StatusSnapshot { updated: None, ..view(vec![monitor("A", Unobserved)]) };
    assert_eq!(headline(&page(&[first])), "Nothing was observed yet");
}

#[test]
fn what_is_known_is_on_the_page() {
    let html = page(&[view(vec![monitor("API", State::Up)])]);
    for shown in ["99.98 %", "61.00 % watched", "12 ms", "150 MB", "1 restart seen", "11:48 UTC"] {
        assert!(html.contains(shown), "{shown} is missing: {html}");
    }
    assert!(html.contains("<title>API is up · Status</title>"));
    assert!(!html.contains("of  MB"), "what was not told is not claimed");
}

#[test]
fn announced_work_is_told_once_with_the_names_of_all_whom_it_concerns() {
    let one = |name: &str, work: &[(&str, &[&str])]| {
        let work = work.iter().map(|(id, ids)| Work {
            id: id.parse().unwrap(),
            title: format!("Work {id}"),
            monitors: (!ids.is_empty()).then(|| ids.iter().map(|id| id.parse().unwrap()).collect()),
            from: NOW,
            to: NOW,
        });
        StatusSnapshot { work: work.collect(), ..view(vec![monitor(name, State::Up)]) }
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
fn the_limit_is_shown_where_it_is_known() {
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
fn the_last_exit_is_told_with_its_evidence() {
    let ending = |kind, sure| ExitSummary {
        kind,
        at: UnixMillis(NOW.0 - 3_600_000),
        sure,
        evidence: ["its last sample was 1010.0 MB of 1.00 GB", "<b>", "c", "d"].map(str::to_owned).into(),
    };
    let cases = [
        (ExitKind::OomKill, true, "Before this instance: killed by the kernel for want of memory (<time"),
        (ExitKind::Platform, false, "Before this instance: probably vanished with its machine (<time"),
    ];
    for (kind, sure, told) in cases {
        let one = MonitorSnapshot { last_exit: Some(ending(kind, sure)), ..monitor("API", State::Up) };
        let html = page(&[view(vec![one])]);
        assert!(html.contains(told), "{html}");
        let evidence = "its last sample was 1010.0 MB of 1.00 GB; &lt;b&gt;; c</span>.</p>";
        assert!(html.contains(evidence), "{html}");
    }
    assert!(!page(&[view(vec![monitor("API", State::Up)])]).contains("Before this instance"));
}

#[test]
fn every_text_is_escaped() {
    let hostile = "<script>alert('x')</script>\"&";
    let mut bad = monitor("x", State::Down);
    bad.name = hostile.into();
    bad.group = Some(hostile.into());
    bad.reason = Some(hostile.into());
    let problems = vec![Problem { position: hostile.into(), reason: hostile.into() }];
    let html = page(&[StatusSnapshot { problems, ..view(vec![bad]) }]);
    assert!(!html.contains("<script>alert") && !html.contains("alert('x')"), "{html}");
    assert!(html.contains("&lt;script&gt;"));
}

#[test]
fn nothing_inline_but_what_the_policy_knows() {
    let html = page(&[view(vec![monitor("API", State::Up)])]) + &unavailable(&reader("de"));
    for inline in ["style=", "<style", "onclick", "javascript:", "http://"] {
        assert!(!html.contains(inline), "{inline}");
    }
    assert_eq!(html.matches("<script>").count(), 2, "one a page");
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
fn groups_keep_their_order_and_the_nameless_come_first() {
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
    // Of two hubs one of which has seen nothing, the other speaks.
    let html = page(&[view(vec![monitor("A", State::Up)]), view(vec![monitor("B", State::Unobserved)])]);
    assert!(html.contains("<header class=\"top up\">"), "{html}");
}

#[test]
fn an_old_answer_says_how_old_it_is() {
    let told = status_page(&view(vec![monitor("A", State::Up)]));
    let old = Reader { stale: Some(720), ..reader("en") };
    let html = Page::Status.make(&told, &old).unwrap().replace('\u{a0}', " ");
    assert!(html.contains("this is what it said 12 min ago"), "{html}");
    assert_eq!(Page::Status.make(&HubResponse::Done, &old), None);
}

#[test]
fn first_steps_are_shown_where_nothing_is_configured() {
    assert!(page(&[view(Vec::new())]).contains("[[vars.MONITORS]]"));
    assert!(unavailable(&reader("en")).contains("cannot be read"));
}
