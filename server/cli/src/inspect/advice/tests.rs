use std::time::Duration;

use heapbeat_forecast::{Forecaster, Rate, Slope, TimeToLimit};
use heapbeat_shared::event::Event;
use heapbeat_shared::report::{Limit, PressureState};
use heapbeat_shared::{Exit, Sample, UnixMillis};

use super::*;

/// Returns a snapshot of a steady process that uses 100 of 512 MB, with all figures known.
pub(crate) fn steady() -> Snapshot {
    let mb = Bytes::from_mb;
    let sample = Sample {
        at: UnixMillis(0),
        rss: mb(100),
        heap_used: mb(60),
        heap_total: mb(70),
        heap_resident: mb(80),
        working_set: mb(100),
    };
    let limit = Some(Limit { bytes: mb(512), origin: "cgroup".into() });
    let forecast =
        Assessment { verdict: Verdict::Steady, basis: Basis::NoGrowth, ..Forecaster::new().assess(mb(512)) };
    Snapshot {
        heap_known: true,
        ..Snapshot::bare("http://x/health".into(), Detail::Full, sample, limit, forecast)
    }
}

fn with(change: impl FnOnce(&mut Snapshot)) -> Snapshot {
    let mut snapshot = steady();
    change(&mut snapshot);
    snapshot
}

fn leaking(snapshot: &mut Snapshot, minutes: u64) {
    let rate = |mb: f64| Rate(mb * 1_048_576.0 / 60.0);
    let time = Duration::from_secs(minutes * 60);
    snapshot.forecast.verdict = Verdict::Leaking;
    snapshot.forecast.basis = Basis::SustainedGrowth;
    snapshot.forecast.part = MemoryPart::LiveHeap;
    snapshot.forecast.slope = Some(Slope { expected: rate(1.9), low: rate(1.8), high: rate(2.0) });
    snapshot.forecast.time_to_limit = Some(TimeToLimit { expected: time, earliest: time, latest: time });
    snapshot.forecast.window = Duration::from_secs(600);
}

fn route(name: &str, growth_mb: f64, per_second: f64) -> RouteReport {
    RouteReport {
        route: name.into(),
        requests_per_second: per_second,
        growth_per_minute: Some(growth_mb * 1_048_576.0),
        growth_error: Some(100_000.0),
        ..RouteReport::default()
    }
}

#[test]
fn each_rule_advises_by_its_figures() {
    let level = |level| {
        move |p: &mut Snapshot| {
            p.pressure = Some(PressureState { level, since: UnixMillis(0), shed: 0 });
        }
    };
    // Name, snapshot, severity, and a part of the first advice.
    let cases = vec![
        ("steady", steady(), Severity::Ok, "Nothing to do."),
        (
            "alert",
            with(level(Pressure::Alert)),
            Severity::Warning,
            "Memory is at 100.0 MB of 512.0 MB (19.5 %).",
        ),
        ("shed", with(level(Pressure::Shed)), Severity::Critical, "requests are being refused"),
        (
            "no ladder, nearly full",
            with(|p| p.sample.working_set = Bytes::from_mb(490)),
            Severity::Critical,
            "490.0 MB of 512.0 MB (95.7 %)",
        ),
        (
            "status of the server",
            with(|p| p.status = Some(Status::Degraded)),
            Severity::Warning,
            "reports status degraded",
        ),
        ("leak", with(|p| leaking(p, 200)), Severity::Warning, "The live heap leaks 1.90 MB/min"),
        ("leak, soon", with(|p| leaking(p, 20)), Severity::Critical, "in 20 min"),
        (
            "growth outside the heap that takes the limit",
            with(|p| {
                leaking(p, 200);
                p.forecast.verdict = Verdict::Growing;
                (p.forecast.basis, p.forecast.part) = (Basis::OutsideLiveHeap, MemoryPart::OutsideHeap);
            }),
            Severity::Warning,
            "Memory outside the heap grows by 1.90 MB/min",
        ),
        (
            "a heap that may fill up to the limit",
            with(|p| {
                leaking(p, 20);
                p.forecast.verdict = Verdict::Growing;
                p.forecast.window = Duration::from_secs(60);
                (p.forecast.basis, p.forecast.part) = (Basis::HeapMayFill, MemoryPart::Total);
            }),
            Severity::Warning,
            "Memory grows by 1.90 MB/min",
        ),
        ("killed before", with(|p| p.system.oom_kills = Some(2)), Severity::Warning, "(2 so far)"),
        (
            "swap",
            with(|p| p.system.swap = Some(Bytes::from_mb(40))),
            Severity::Warning,
            "40.0 MB are swapped out",
        ),
        (
            "no headroom",
            with(|p| p.system.peak = Some(Bytes::from_mb(500))),
            Severity::Warning,
            "Memory peaked at 500.0 MB: a limit of 512.0 MB leaves no headroom",
        ),
        (
            "pressure stall",
            with(|p| p.system.memory_stall_percent = Some(25.0)),
            Severity::Warning,
            "25 % of the last",
        ),
        (
            "blocked runtime",
            with(|p| p.system.runtime_delay_ms = Some(900)),
            Severity::Warning,
            "900 ms late",
        ),
        (
            "refused",
            with(|p| {
                let kind = EventKind::Shed { refused: 7, duration_ms: 1 };
                p.events = vec![Event { at: UnixMillis(0), kind }];
            }),
            Severity::Warning,
            "7 requests were recently refused",
        ),
    ];
    for (name, snapshot, severity, text) in cases {
        let advice = advise(&snapshot);
        assert_eq!(advice[0].severity, severity, "{name}: {advice:?}");
        assert!(advice[0].text.contains(text), "{name}: {advice:?}");
        assert_eq!(worst_severity(&snapshot), severity, "{name}");
    }
}

#[test]
fn only_a_recent_exit_that_nobody_requested_is_a_warning() {
    let after = |kind, seconds| {
        with(|p| {
            p.at = UnixMillis(1_000_000);
            let at = p.at.minus(Duration::from_secs(seconds));
            p.previous_exit = Some(Exit { kind, sure: true, at, ..Exit::default() });
        })
    };
    for kind in [ExitKind::Crash, ExitKind::Hang, ExitKind::Panic, ExitKind::OomKill, ExitKind::Unknown] {
        let recent = after(kind, 2);
        let advice = &advise(&recent)[0];
        assert_eq!(advice.severity, Severity::Warning, "{advice:?}");
        let expected = format!("The previous instance exited 2 s ago: {}", kind.as_str());
        assert!(advice.text.starts_with(&expected), "{advice:?}");
        assert_eq!(worst_severity(&after(kind, 301)), Severity::Ok);
    }
    for kind in [ExitKind::Stop, ExitKind::Deploy, ExitKind::Recycle, ExitKind::SpinDown] {
        assert_eq!(worst_severity(&after(kind, 2)), Severity::Ok, "{kind:?}");
    }
}

#[test]
fn the_route_that_explains_a_leak_is_named() {
    let snapshot = with(|p| {
        leaking(p, 200);
        p.routes = vec![route("POST /upload", 48.0, 0.42), route("GET /", 2.0, 100.0)];
    });
    let advice = advise(&snapshot);
    assert_eq!(
        advice[1].text,
        "POST /upload keeps 1.9 MB a request; 96 % of the growth: check its caches, maps and channels."
    );
}

#[test]
fn growth_of_no_route_has_a_hint_of_its_own() {
    let suspect = describe_suspect_route(&[route("(untagged)", 48.0, 0.0)]).unwrap();
    assert!(
        suspect.starts_with("(untagged) keeps 48.0 MB a minute; 100 % of the growth: check background"),
        "{suspect}"
    );
}

#[test]
fn fragmentation_is_not_blamed_on_a_route() {
    let snapshot = with(|p| {
        p.forecast.verdict = Verdict::Fragmenting;
        p.forecast.part = MemoryPart::AllocatorOverhead;
        p.routes = vec![route("POST /upload", 48.0, 0.42)];
    });
    let texts: Vec<String> = advise(&snapshot).into_iter().map(|advice| advice.text).collect();
    assert!(texts.iter().any(|text| text.contains("Reduce jemalloc's decay")), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("POST /upload")), "{texts:?}");
}

#[test]
fn one_measurement_says_that_it_cannot_tell_whether_memory_grows() {
    let snapshot = with(|p| {
        p.detail = Detail::Kernel;
        p.forecast = Forecaster::new().assess(Bytes::from_mb(512));
    });
    let advice = advise(&snapshot);
    assert!(advice.iter().any(|it| it.text.starts_with("One measurement cannot tell")), "{advice:?}");
    assert_eq!(worst_severity(&snapshot), Severity::Ok);
}

/// The advice on a snapshot, in one text.
fn texts(snapshot: &Snapshot) -> String {
    advise(snapshot).into_iter().map(|advice| advice.text).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_not_known_is_not_called_fine() {
    let unknown = || Forecaster::new().assess(Bytes::from_mb(512));
    let cases = [
        (
            "the limit is known",
            with(|p| p.forecast = unknown()),
            "not near its limit now; whether it grows is not known",
        ),
        (
            "no limit",
            with(|p| (p.forecast, p.limit) = (unknown(), None)),
            "The limit is not known here, and whether memory grows is not known yet.",
        ),
    ];
    for (name, snapshot, expected) in cases {
        let texts = texts(&snapshot);
        assert!(texts.contains(expected) && !texts.contains("Nothing"), "{name}: {texts}");
    }
}

#[test]
fn fast_growth_is_a_warning_before_there_is_a_forecast() {
    let snapshot = with(|p| {
        p.forecast = Forecaster::new().assess(Bytes::from_mb(512));
        p.reaches_limit_in = Some(Duration::from_secs(12));
    });
    assert_eq!(worst_severity(&snapshot), Severity::Warning);
    assert!(
        texts(&snapshot).starts_with("At the growth of the last seconds memory reaches 512.0 MB in 12 s.")
    );
    let decided = with(|p| p.reaches_limit_in = Some(Duration::from_secs(12)));
    assert_eq!(worst_severity(&decided), Severity::Ok, "the forecast knows better");
}

#[test]
fn an_instance_that_was_not_measured_yet_is_said_to_start() {
    let snapshot = with(|p| {
        p.starting = true;
        p.status = Some(Status::Critical);
        p.sample.working_set = Bytes::from_mb(500);
        p.forecast = Forecaster::new().assess(Bytes::from_mb(512));
    });
    let texts = texts(&snapshot);
    assert!(texts.starts_with("An instance of the program is starting"), "{texts}");
    assert_eq!(worst_severity(&snapshot), Severity::Ok, "the full memory is not its own");
}

#[test]
fn a_share_has_one_form_and_only_a_guard_replaces() {
    let full = |detail, origin: &str| {
        let mut snapshot = with(|p| p.sample.working_set = Bytes(669_000_000));
        snapshot.detail = detail;
        snapshot.limit.iter_mut().for_each(|limit| limit.origin = origin.into());
        snapshot
    };
    let cases = [
        (Detail::Full, "cgroup", "512.0 MB (124.6 %): the process will soon be replaced or killed."),
        (Detail::Public, GIVEN_LIMIT, "512.0 MB (124.6 %). The limit is the one that --limit states"),
        (Detail::Kernel, GIVEN_LIMIT, "512.0 MB (124.6 %). The limit is the one that --limit states"),
        (Detail::Kernel, "cgroup", "512.0 MB (124.6 %): at the limit the kernel kills a process"),
    ];
    for (detail, origin, expected) in cases {
        let snapshot = full(detail, origin);
        let texts = texts(&snapshot);
        assert!(texts.contains(expected), "{detail:?} {origin}: {texts}");
        assert_eq!(snapshot.used_percent().unwrap(), "124.6 %");
    }
}
