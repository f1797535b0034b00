use std::time::{Duration, Instant};

use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::{InstanceReport, Report, RouteTraffic, Traffic};
use heapbeat_shared::signing::{HEADER, NONCE_BYTES, Nonce, Secret, SignedParts};
use heapbeat_shared::{Bytes, Cursor, Exit, ExitKind, Pressure};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt as _;

use super::recorder::{JudgedInstances, Measured, ProgramRecorder, StartedInstance};
use super::*;
use crate::config::{FlightDirectory, MetricsAccess, Secrets};
use crate::flight_recorder::{PreviousRuns, RecorderDirectory, RecorderLocation};
use crate::overload::ladder::ShedShare;
use crate::sampling::{Limit, ProgramMemory, RuntimeHeap};
use crate::supervisor::machine::WorkerNumber;

fn secret() -> Secret {
    Secret::new("a secret of the owner's").unwrap()
}

fn config(has_secret: bool) -> Config {
    let current = has_secret.then(secret);
    // Nonces repeat from test to test.
    let flight = FlightDirectory::Off;
    Config { secrets: Secrets { current, previous: None }, flight, ..Config::default() }
}

/// A guarded program, as its supervisor and its clients see it.
struct Guarded {
    routes: Arc<ProgramRoutes>,
    recorder: ProgramRecorder,
    pressure: Pressure,
    nonces: u8,
}

impl Guarded {
    fn new(config: &Config) -> Self {
        let routes = ProgramRoutes::new(config, EndpointPaths::default(), Vec::new()).unwrap();
        let recorder = ProgramRecorder::new(Arc::clone(&routes), Limit::default(), Duration::from_secs(3600));
        Guarded { routes, recorder, pressure: Pressure::Alert, nonces: 0 }
    }

    fn start(&mut self, number: WorkerNumber) -> Arc<PreviousRuns> {
        let previous = Arc::<PreviousRuns>::default();
        let started =
            StartedInstance { number, since: Instant::now(), flight: None, previous: Arc::clone(&previous) };
        self.recorder.record_start(started, self.routes.clock.now().wall);
        previous
    }

    fn measure(&mut self, number: WorkerNumber, mb: u64, heap: Option<RuntimeHeap>) {
        let memory = ProgramMemory {
            tree: Bytes::from_mb(mb),
            judged: Bytes::from_mb(mb),
            processes: 3,
            heap,
            managed: None,
        };
        let measured = [Measured { number, memory, cgroup: None }];
        let judged = JudgedInstances {
            numbers: &[number].into(),
            sum: memory,
            pressure: self.pressure,
            shed: ShedShare::NONE,
        };
        self.recorder.record_readings(&measured, &judged);
    }

    async fn get(&self, target: &str) -> (StatusCode, Vec<u8>) {
        self.send(Request::get(target)).await.expect("the path is an endpoint")
    }

    async fn signed(&mut self, target: &str) -> (StatusCode, Vec<u8>) {
        self.nonces += 1;
        let nonce = Nonce([self.nonces; NONCE_BYTES]);
        let origin = "http://localhost:8080".parse().unwrap();
        let signature = secret()
            .sign_request(
                SignedParts { method: "GET", origin: &origin, target },
                self.routes.clock.now().wall,
                nonce,
            )
            .to_string();
        let request = Request::get(target).header(HEADER, HeaderValue::from_str(&signature).unwrap());
        self.send(request).await.expect("the path is an endpoint")
    }

    async fn report(&mut self, target: &str) -> Report {
        let (status, body) = self.signed(target).await;
        assert_eq!(status, StatusCode::OK);
        Report::parse(&body).unwrap().0
    }

    async fn send(&self, request: http::request::Builder) -> Option<(StatusCode, Vec<u8>)> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let response = self.routes.respond(&parts)?.await;
        let status = response.status();
        Some((status, response.into_body().collect().await.unwrap().to_bytes().into()))
    }
}

fn text(body: &[u8]) -> &str {
    str::from_utf8(body).unwrap()
}

#[tokio::test]
async fn health_is_down_until_the_program_is_ready_and_has_the_heap_of_its_runtime() {
    let mut guarded = Guarded::new(&config(true));
    let down = r#"{"reason":"the program is starting","status":"down"}"#;
    assert_eq!(guarded.get("/health/live").await.0, StatusCode::SERVICE_UNAVAILABLE, "nothing was started");
    guarded.start(1);
    guarded.measure(1, 7, None);
    for path in ["/health", "/health/ready"] {
        let (status, body) = guarded.get(path).await;
        assert_eq!((status, text(&body)), (StatusCode::SERVICE_UNAVAILABLE, down), "{path}");
    }
    assert_eq!(
        guarded.get("/health/live").await.0,
        StatusCode::OK,
        "the guard starts it, nobody else has to"
    );
    let (status, body) = guarded.signed("/health").await;
    assert_eq!((status, Report::parse(&body).is_ok()), (StatusCode::SERVICE_UNAVAILABLE, true));

    guarded.recorder.record_ready(1);
    guarded.measure(1, 150, None);
    let (status, body) = guarded.get("/health").await;
    let without =
        r#"{"status":"degraded","memory":{"rss":150,"heapUsed":0,"heapTotal":0,"external":150},"uptime":0}"#;
    assert_eq!((status, text(&body)), (StatusCode::OK, without));
    let mb = |mb| Some(Bytes::from_mb(mb));
    let heap = RuntimeHeap { used: mb(60), total: mb(90), external: mb(20), limit: mb(500) };
    guarded.measure(1, 150, Some(heap));
    let with =
        r#"{"status":"degraded","memory":{"rss":150,"heapUsed":60,"heapTotal":90,"external":20},"uptime":0}"#;
    assert_eq!(text(&guarded.get("/health").await.1), with);

    guarded.recorder.record_outage("it crashed".to_owned(), Instant::now());
    let (status, body) = guarded.get("/health").await;
    assert_eq!(
        (status, text(&body)),
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"reason":"it crashed","status":"down"}"#)
    );
    guarded.recorder.record_stop("SIGTERM");
    assert!(text(&guarded.get("/health/live").await.1).contains("draining"));
}

#[tokio::test]
async fn a_restart_changes_the_instance_and_keeps_the_samples_of_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut recorders =
        RecorderDirectory::open(&RecorderLocation::Directory(directory.path().join("flight")));
    let mut guarded = Guarded::new(&config(true));
    guarded.start(1);
    guarded.recorder.record_ready(1);
    for mb in 1..=3 {
        guarded.measure(1, mb, None);
    }
    guarded.recorder.record_recycle(1, "memory reached the threshold");
    let before = guarded.report("/health").await;
    let kinds: Vec<EventKind> = before.events.iter().map(|event| event.kind.clone()).collect();
    assert!(matches!(
        kinds[..],
        [EventKind::Started, EventKind::Pressure { to: Pressure::Alert, .. }, EventKind::Recycle { .. }]
    ));
    assert_eq!(before.unavailable_sources.len(), 1, "there is no agent");
    let samples = guarded.recorder.samples_of_ended(1).unwrap();
    assert_eq!((samples.instance, samples.samples.count > before.samples.count), (before.instance, true));
    recorders.keep_history(samples.clone());
    let exit = Exit { kind: ExitKind::Crash, instance: Some(before.instance), ..Exit::default() };
    guarded.recorder.record_exit(1, &exit);
    assert_eq!(guarded.get("/health").await.0, StatusCode::OK, "requests wait for the next instance");

    let previous = guarded.start(2);
    previous.set_exit(exit);
    recorders.orphaned().iter().for_each(|samples| previous.add_samples(samples.clone()));
    let cursor = Cursor { instance: before.instance, sequence: 0 };
    let after = guarded.report(&format!("/health?after={cursor}")).await;
    assert_ne!(after.instance, before.instance);
    assert_eq!(after.previous_exit.map(|exit| exit.kind), Some(ExitKind::Crash));
    let left = after.last_samples.map(|left| (left.instance, left.samples.first, left.samples.count));
    let expected = samples.samples.count.checked_sub(1).filter(|count| *count > 0);
    assert_eq!(left, expected.map(|count| (before.instance, 1, count)));
}

/// What `/health` says of a program from its start to its stop. A platform restarts what answers 503, so only the start and an outage do.
#[tokio::test]
async fn health_is_degraded_while_requests_wait_for_the_next_instance() {
    let mut guarded = Guarded::new(&config(false));
    let status = async |guarded: &Guarded| {
        let (code, body) = guarded.get("/health").await;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (code.as_u16(), body["status"].as_str().unwrap().to_owned())
    };
    let is = |code: u16, status: &str| (code, status.to_owned());
    let exit = |kind| Exit { kind, ..Exit::default() };
    guarded.pressure = Pressure::Calm;
    guarded.start(1);
    assert_eq!(status(&guarded).await, is(503, "down"), "it was never ready");
    guarded.recorder.record_ready(1);
    guarded.measure(1, 100, None);
    assert_eq!(status(&guarded).await, is(200, "healthy"));

    guarded.recorder.record_exit(1, &exit(ExitKind::Crash));
    assert_eq!(status(&guarded).await, is(200, "degraded"), "it has died");
    guarded.start(2);
    assert_eq!(status(&guarded).await, is(200, "degraded"), "the next one starts");
    guarded.recorder.record_ready(2);
    assert_eq!(status(&guarded).await, is(200, "healthy"), "the next one is ready");
    guarded.measure(2, 100, None);

    guarded.start(3);
    assert_eq!(status(&guarded).await, is(200, "healthy"), "the old one serves beside the new one");
    guarded.recorder.record_ready(3);
    guarded.recorder.record_hand_over(2);
    guarded.recorder.report_serving();
    guarded.recorder.record_exit(2, &exit(ExitKind::Recycle));
    assert_eq!(status(&guarded).await, is(200, "healthy"), "replaced without a gap");

    guarded.recorder.record_hand_over(3);
    assert_eq!(
        status(&guarded).await,
        is(200, "degraded"),
        "replaced at a fixed port: it drains, and requests wait"
    );
    guarded.recorder.record_exit(3, &exit(ExitKind::Recycle));
    guarded.start(4);
    assert_eq!(status(&guarded).await, is(200, "degraded"));
    guarded.recorder.record_ready(4);
    assert_eq!(status(&guarded).await, is(200, "healthy"));

    guarded.recorder.record_exit(4, &exit(ExitKind::Crash));
    guarded.recorder.record_outage("it crashes again and again".to_owned(), Instant::now());
    assert_eq!(status(&guarded).await, is(503, "down"));
}

#[tokio::test]
async fn a_replacement_is_reported_from_its_takeover_on() {
    let mut guarded = Guarded::new(&config(true));
    guarded.start(1);
    guarded.recorder.record_ready(1);
    guarded.measure(1, 100, None);
    let old = guarded.report("/health").await.instance;
    guarded.start(2);
    guarded.measure(2, 10, None);
    guarded.recorder.record_ready(2);
    assert_eq!(guarded.report("/health").await.instance, old, "its samples are not kept yet");
    assert!(guarded.recorder.record_hand_over(1).is_none_or(|samples| samples.instance == old));
    guarded.recorder.report_serving();
    let new = guarded.report("/health").await.instance;
    assert_ne!(new, old);
    guarded.recorder.record_exit(1, &Exit::default());
    assert_eq!(guarded.report("/health").await.instance, new);
}

#[tokio::test]
async fn only_the_owner_reads_exits_and_metrics() {
    let token = Secret::new("a token of sixteen").unwrap();
    let bearer =
        |request: http::request::Builder| request.header("authorization", "Bearer a token of sixteen");
    // Access to the metrics, whether there is a token, whether there is a secret; status of /metrics without and with the token, status
    // of /exits without and with it. `None`: the path belongs to the program.
    let cases = [
        (MetricsAccess::Owner, false, false, [None; 4]),
        (MetricsAccess::Owner, true, false, [Some(401), Some(200), Some(401), Some(200)]),
        (MetricsAccess::Owner, false, true, [Some(401); 4]),
        (MetricsAccess::Public, false, false, [Some(200), Some(200), None, None]),
        (MetricsAccess::Public, true, false, [Some(200), Some(200), Some(401), Some(200)]),
        (MetricsAccess::Off, true, false, [None, None, Some(401), Some(200)]),
    ];
    for (access, has_token, has_secret, expected) in cases {
        let mut config = config(has_secret);
        config.metrics = MetricsConfig { access, token: has_token.then(|| token.clone()) };
        let mut guarded = Guarded::new(&config);
        guarded.start(1);
        let requests = [
            Request::get("/metrics"),
            bearer(Request::get("/metrics")),
            Request::get("/exits"),
            bearer(Request::get("/exits")),
        ];
        for (request, expected) in requests.into_iter().zip(expected) {
            let what = format!("{request:?} {access:?} {has_token} {has_secret}");
            assert_eq!(guarded.send(request).await.map(|(status, _)| status.as_u16()), expected, "{what}");
        }
        if has_secret {
            assert_eq!(guarded.signed("/exits").await.1, b"[]");
        }
    }
}

#[tokio::test]
async fn paths_can_be_moved_and_shared_with_the_program() {
    let paths = EndpointPaths { prefix: "/guard".into(), program_health: None };
    let mut guarded = Guarded::new(&config(true));
    guarded.routes = ProgramRoutes::new(&config(true), paths, Vec::new()).unwrap();
    for (path, ours) in
        [("/guard/health", true), ("/guard/health/live", true), ("/health", false), ("/guard", false)]
    {
        assert_eq!(guarded.send(Request::get(path)).await.is_some(), ours, "{path}");
    }
    let paths = EndpointPaths { prefix: String::new(), program_health: Some("/health".into()) };
    for has_secret in [true, false] {
        let routes = ProgramRoutes::new(&config(has_secret), paths.clone(), Vec::new()).unwrap();
        let mut guarded = Guarded { routes, ..Guarded::new(&config(has_secret)) };
        assert!(guarded.send(Request::get("/health")).await.is_none(), "it is the program's");
        assert!(guarded.send(Request::get("/health/ready")).await.is_some());
        guarded.nonces += 1;
        let signed = Request::get("/health").header(HEADER, "v1");
        assert_eq!(guarded.send(signed).await.is_some(), has_secret, "signed, it is the guard's");
    }
}

struct Front;

impl FrontFigures for Front {
    fn write_metrics(&self, to: &mut heapbeat_shared::openmetrics::Exposition) {
        to.family("heapbeat_front_held", heapbeat_shared::openmetrics::MetricKind::Gauge, "")
            .sample(&[], 7u64);
    }

    fn traffic(&self) -> Traffic {
        let routes =
            vec![RouteTraffic { route: "GET /slow".into(), in_flight: 2, ..RouteTraffic::default() }];
        Traffic { in_flight: 2, shed: 9, routes, ..Traffic::default() }
    }
}

#[tokio::test]
async fn the_front_and_the_heap_are_in_the_metrics_and_requests_in_the_report() {
    let mut config = config(true);
    config.metrics.access = MetricsAccess::Public;
    let mut guarded = Guarded::new(&config);
    guarded.routes.set_front(Arc::new(Front));
    guarded.start(1);
    guarded.recorder.record_ready(1);
    let heap = RuntimeHeap { used: Some(Bytes(5)), limit: Some(Bytes(9)), ..RuntimeHeap::default() };
    guarded.measure(1, 100, Some(heap));
    let (_, body) = guarded.get("/metrics").await;
    let metrics = text(&body);
    for line in [
        "heapbeat_front_held 7",
        "heapbeat_shed_requests_total 9",
        "heapbeat_starts_total 1",
        "heapbeat_serving 1",
        "heapbeat_tree_memory_bytes 104857600",
        "heapbeat_tree_processes 3",
        "heapbeat_runtime_heap_used_bytes 5",
        "heapbeat_runtime_heap_limit_bytes 9",
        "heapbeat_pressure{heapbeat_pressure=\"alert\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    for absent in ["jemalloc_", "heapbeat_route_", "process_cpu", "heapbeat_runtime_external", "NaN"] {
        assert!(!metrics.contains(absent), "{absent} in\n{metrics}");
    }
    assert_eq!(guarded.report("/health").await.traffic, Some(Front.traffic()));
}

#[tokio::test]
async fn of_several_instances_the_report_has_the_sum_and_each_one() {
    let mut config = config(true);
    config.metrics.access = MetricsAccess::Public;
    let mut guarded = Guarded::new(&config);
    for number in 1..=3 {
        guarded.start(number);
    }
    guarded.recorder.record_ready(1);
    guarded.recorder.record_ready(2);
    let memory = |mb| ProgramMemory {
        tree: Bytes::from_mb(mb),
        judged: Bytes::from_mb(mb),
        processes: 1,
        heap: None,
        managed: None,
    };
    // The third one starts, and is not judged yet.
    let measured = [(1, 100), (2, 150), (3, 40)].map(|(number, mb)| Measured {
        number,
        memory: memory(mb),
        cgroup: None,
    });
    let judged = |numbers| JudgedInstances {
        numbers,
        sum: memory(250),
        pressure: Pressure::Calm,
        shed: ShedShare::NONE,
    };
    let (before, after) = ([1, 2].into(), [2, 3].into());
    guarded.recorder.record_readings(&measured, &judged(&before));
    let report = guarded.report("/health").await;
    assert_eq!(report.latest.working_set, Bytes::from_mb(250), "the sum");
    let each = |report: &Report| {
        let of = |it: &InstanceReport| (it.number, it.memory.to_megabytes().0, it.serves);
        report.instances.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(each(&report), [(1, 100, true), (2, 150, true), (3, 40, false)]);
    assert_eq!(report.instances[0].instance, report.instance);
    let (_, body) = guarded.get("/metrics").await;
    let metrics = text(&body);
    for line in [
        "heapbeat_tree_memory_bytes 262144000",
        "heapbeat_instance_memory_bytes{instance=\"2\"} 157286400",
        "heapbeat_instances_serving 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    // The first one is replaced, and the report goes on with the second.
    guarded.recorder.record_hand_over(1);
    guarded.recorder.report_serving();
    guarded.recorder.record_readings(&measured[1..], &judged(&after));
    let report = guarded.report("/health").await;
    assert_eq!(report.instance, report.instances[0].instance);
    assert_eq!(report.latest.working_set, Bytes::from_mb(250));
}

#[tokio::test]
async fn until_an_instance_is_measured_the_figures_of_the_one_before_are_shown() {
    let mut guarded = Guarded::new(&config(true));
    let mb = |mb| Some(Bytes::from_mb(mb));
    let heap = |used| Some(RuntimeHeap { used: mb(used), total: mb(90), external: mb(20), limit: mb(500) });
    guarded.start(1);
    guarded.recorder.record_ready(1);
    assert_eq!(guarded.get("/health").await.0, StatusCode::SERVICE_UNAVAILABLE, "nothing is known yet");
    guarded.measure(1, 200, heap(60));
    let first =
        r#"{"status":"degraded","memory":{"rss":200,"heapUsed":60,"heapTotal":90,"external":20},"uptime":0}"#;
    assert_eq!(text(&guarded.get("/health").await.1), first);

    guarded.recorder.record_hand_over(1);
    guarded.recorder.record_exit(1, &Exit { kind: ExitKind::Recycle, ..Exit::default() });
    guarded.start(2);
    for what in ["started", "not ready", "ready", "measured, but its agent has not told the heap"] {
        match what {
            "ready" => guarded.recorder.record_ready(2),
            "started" => {}
            "not ready" => guarded.measure(2, 1, None),
            _ => guarded.measure(2, 40, None),
        }
        let (status, body) = guarded.get("/health").await;
        assert_eq!((status, text(&body)), (StatusCode::OK, first), "{what}");
        assert_eq!(guarded.get("/health/ready").await.0, StatusCode::OK, "{what}");
        let report = guarded.report("/health").await;
        assert!(report.latest.is_absent(), "{what}: they are not this instance's: {:?}", report.latest);
        assert_eq!(String::from_utf8(report.health().to_json()).unwrap(), first, "{what}");
        assert_eq!(report.samples.count, 0, "{what}: a heap that is not known is not 0");
    }
    guarded.measure(2, 40, heap(5));
    let second =
        r#"{"status":"degraded","memory":{"rss":40,"heapUsed":5,"heapTotal":90,"external":20},"uptime":0}"#;
    assert_eq!(text(&guarded.get("/health").await.1), second);
    assert_eq!(guarded.report("/health").await.latest.rss, Bytes::from_mb(40));
}

#[tokio::test]
async fn a_start_that_failed_is_the_reason_why_the_program_does_not_serve() {
    let mut guarded = Guarded::new(&config(false));
    guarded.start(1);
    guarded.recorder.record_exit(1, &Exit { kind: ExitKind::Crash, ..Exit::default() });
    guarded.start(2);
    let down = r#"{"reason":"the last instance crashed; the program is starting again","status":"down"}"#;
    let (status, body) = guarded.get("/health").await;
    assert_eq!((status, text(&body)), (StatusCode::SERVICE_UNAVAILABLE, down));
    guarded.measure(2, 20, None);
    guarded.recorder.record_ready(2);
    assert_eq!(guarded.get("/health").await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_instance_that_takes_over_unmeasured_does_not_refuse_requests_for_the_one_before() {
    let mut guarded = Guarded::new(&config(false));
    guarded.start(1);
    guarded.recorder.record_ready(1);
    let memory =
        ProgramMemory { tree: Bytes::from_mb(250), judged: Bytes::from_mb(250), ..ProgramMemory::default() };
    let measured = [Measured { number: 1, memory, cgroup: None }];
    let (numbers, pressure, shed) = (&[1].into(), Pressure::Shed, ShedShare::NONE);
    guarded.recorder.record_readings(&measured, &JudgedInstances { numbers, sum: memory, pressure, shed });
    assert_eq!(guarded.get("/health/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    guarded.start(2);
    guarded.recorder.record_ready(2);
    guarded.recorder.record_hand_over(1);
    guarded.recorder.report_serving();
    assert_eq!(guarded.get("/health/ready").await.0, StatusCode::OK);
    assert!(text(&guarded.get("/health").await.1).contains(r#""status":"critical","memory":{"rss":250,"#));
}
