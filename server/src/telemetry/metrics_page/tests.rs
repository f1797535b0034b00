use std::time::Duration;

use heapbeat_forecast::{Forecaster, Rate, Slope, TimeToLimit};

use super::*;
use crate::attribution::{PerRequest, RouteMemory, SamplingCounts, sampling_counts};
use crate::clock::Now;
use crate::dependency::CheckDetails;
use crate::sampling::{Limit, LimitOrigin, OomEvents};

fn route(route: &'static str, n: u64) -> RouteMemory {
    RouteMemory {
        route,
        requests: n,
        over_budget: n + 1,
        requests_per_second: 0.5,
        allocated_bytes: n + 2,
        allocated_per_second: 0.5,
        propagated_bytes: 0,
        per_request: PerRequest::default(),
        live_bytes: n + 3,
        live_error: n + 4,
        growth_per_minute: None,
        growth_error: None,
    }
}

fn reading() -> Reading {
    Reading {
        now: Now { wall: UnixMillis(1_800_000_100_250), age: Duration::from_millis(100_250) },
        cpu: Duration::from_millis(1500),
        process: Some(ProcessMemory {
            rss: Bytes(60),
            anon: Bytes(40),
            file: Bytes(19),
            shmem: Bytes(1),
            swap: Bytes(2),
            peak: Bytes(70),
            threads: 5,
            descriptors: Some(12),
        }),
        heap: Some(HeapMemory {
            allocated: Bytes(21),
            active: Bytes(22),
            resident: Bytes(23),
            mapped: Bytes(24),
            retained: Bytes(25),
            metadata: Bytes(26),
        }),
        cgroup: Some(CgroupMemory {
            limit: Some(Bytes(1000)),
            usage: Bytes(80),
            inactive_file: Bytes(5),
            anon: Bytes(50),
            events: OomEvents { high: 1, max: 2, oom: 3, oom_kill: 4 },
            ..CgroupMemory::default()
        }),
        limit: Limit { bytes: Bytes(1000), origin: LimitOrigin::Cgroup },
        runtime_delay: Some(Duration::from_millis(250)),
        ..Reading::default()
    }
}

#[test]
fn every_figure_has_its_name() {
    let routes = AttributionSnapshot {
        routes: vec![route("POST /upload", 20), route("GET /", 10)],
        mean_distance: Some(524_288),
        sampling: SamplingCounts { dropped: 9, ..sampling_counts() },
        window_seconds: 600.0,
    };
    let [low, expected, high] = [10.5, 20.0, 30.25].map(Rate);
    let [earliest, likely, latest] = [60, 90, 120].map(Duration::from_secs);
    let forecast = Assessment {
        verdict: Verdict::Leaking,
        slope: Some(Slope { expected, low, high }),
        time_to_limit: Some(TimeToLimit { expected: likely, earliest, latest }),
        ..Forecaster::new().assess(Bytes(1000))
    };
    let pool = DependencyStatus {
        name: "database".into(),
        ok: false,
        error: Some("a secret".into()),
        duration_ms: 1500,
        age_ms: 3,
        details: CheckDetails::default().with("size", 8),
    };
    let figures = MetricsSnapshot {
        version: "abc\"123",
        started: UnixMillis(1_800_000_000_000),
        now: UnixMillis(1_800_000_101_000),
        reading: &reading(),
        pressure: Pressure::Purge,
        shed: 250,
        refused: Some(77),
        purges: PurgeTotals { count: 3, bytes: 4096, micros: 66_000 },
        forecast: &forecast,
        routes: &routes,
        dependencies: &[pool],
        visits: EdgeVisits { last: Some(Duration::from_millis(61_500)), silent: true, alerts: Some((2, 1)) },
    };
    let written = render(Format::OpenMetrics, &figures, |_| {});
    assert!(!written.contains("a secret"), "the text of a fault is not part of the metrics");
    let explained = include_str!("../../../../docs/metrics.md");
    for line in
        render(Format::Prometheus, &figures, |_| {}).lines().filter(|line| line.starts_with("# TYPE "))
    {
        let name = line.split(' ').nth(2).unwrap();
        let named = [format!("`{name}`"), format!("`{name}{{")].iter().any(|it| explained.contains(it));
        assert!(named, "docs/metrics.md does not explain {name}");
    }
    // `heapbeat` in the build's labels is this crate's own version.
    insta::assert_snapshot!(written.replace(env!("CARGO_PKG_VERSION"), "VERSION"));

    let bare = Reading { process: None, heap: None, cgroup: None, ..reading() };
    let unknown = Forecaster::new().assess(Bytes(1000));
    let written = render(
        Format::Prometheus,
        &MetricsSnapshot {
            reading: &bare,
            forecast: &unknown,
            dependencies: &[],
            visits: EdgeVisits::default(),
            ..figures
        },
        |_| {},
    );
    for absent in [
        "jemalloc_",
        "cgroup_memory",
        "process_resident",
        "_growth_",
        "time_to_limit",
        "dependency",
        "edge",
        "alerts",
    ] {
        assert!(!written.contains(absent), "{absent}:\n{written}");
    }
}
