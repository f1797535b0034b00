use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::event::EventKind;
use crate::forecast::{Basis, MemoryPart, Verdict};

/// Returns the forecast without data.
fn unknown() -> Assessment {
    Assessment {
        verdict: Verdict::Unknown,
        basis: Basis::InsufficientData,
        runtime_max: None,
        part: MemoryPart::Total,
        slope: None,
        time_to_limit: None,
        detectable: None,
        observed: Duration::ZERO,
        window: Duration::ZERO,
        limit: Bytes::from_mb(512),
    }
}

fn samples(count: u64) -> Vec<Sample> {
    let page = |n: u64| Bytes((1000 + n % 7) * series::PAGE);
    let sample =
        |n: u64| Sample { at: UnixMillis(n.cast_signed() * 1000), rss: page(n), ..Sample::default() };
    (0..count).map(sample).collect()
}

fn report(first: u64, count: u64) -> Report {
    Report {
        status: Status::Degraded,
        memory: HealthMemory::default(),
        uptime: 3600,
        instance: InstanceId(0x00c0_ffee_00c0_ffee),
        version: "1a2b3c4".into(),
        started: UnixMillis(0),
        now: UnixMillis(3_600_000),
        limit: Limit { bytes: Bytes::from_mb(512), origin: "cgroup".into() },
        pressure: PressureState { level: Pressure::Alert, since: UnixMillis(5), shed: 0 },
        latest: Sample::default(),
        system: System { threads: Some(4), ..System::default() },
        events: vec![Event { at: UnixMillis(1), kind: EventKind::Started }],
        routes: Vec::new(),
        functions: Vec::new(),
        forecast: unknown(),
        samples: Block { first, count, dropped: 0, data: series::encode(first, &samples(count)) },
        unavailable_sources: Vec::new(),
        previous_exit: None,
        earlier: EarlierInstances::default(),
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    }
}

#[test]
fn a_report_and_its_samples_round_trip() {
    let report = report(40, 100);
    let (read, series) = Report::parse(&report.to_json()).unwrap();
    assert_eq!(read, report);
    assert_eq!(series, Series { first: 40, samples: samples(100) });
    assert_eq!(read.cursor().unwrap().to_string(), "00c0ffee00c0ffee-139");
}

#[test]
fn a_report_begins_with_the_public_body() {
    let json = String::from_utf8(report(0, 0).to_json()).unwrap();
    assert!(json.starts_with(r#"{"status":"degraded","memory":{"rss":0,"#), "{json}");
    assert_eq!(Health::parse(json.as_bytes()).unwrap(), report(0, 0).health());
    assert!(!json.contains("open_files"), "what is not known is not there: {json}");
}

#[test]
fn the_previous_exit_is_bounded() {
    let evidence = vec![crate::Statement::untranslated("x".repeat(1000)); 20];
    let previous_exit = Some(Exit { evidence, ..Exit::default() });
    let (read, _) = Report::parse(&Report { previous_exit, ..report(0, 0) }.to_json()).unwrap();
    let evidence = read.previous_exit.unwrap().evidence;
    assert_eq!((evidence.len(), evidence[0].text.len()), (12, 300));
}

#[test]
fn the_texts_of_a_report_are_bounded() {
    let long = || "\u{e9}".repeat(20_000);
    let event = |kind| Event { at: UnixMillis(1), kind };
    let events = vec![
        event(EventKind::Recycle { reason: long() }),
        event(EventKind::Panic { message: long() }),
        event(EventKind::Stop { by: long() }),
        event(EventKind::Growth { function: "x".repeat(1000), growth: Bytes(1), duration_ms: 1 }),
    ];
    let text = "x".repeat(500);
    let function = FunctionReport { function: text.clone(), file: text, ..FunctionReport::default() };
    let sent = Report {
        version: long(),
        limit: Limit { bytes: Bytes(1), origin: long() },
        events,
        functions: vec![function; 12],
        unavailable_sources: vec!["x".repeat(1000); 40],
        ..report(0, 0)
    };
    assert!(sent.to_json().len() > 200_000);
    let (read, _) = Report::parse(&sent.to_json()).unwrap();
    assert!(read.to_json().len() < 24_000, "{}", read.to_json().len());
    let routes = vec![RouteReport { route: long(), ..RouteReport::default() }];
    let (read, _) = Report::parse(&Report { routes, ..report(0, 0) }.to_json()).unwrap();
    assert_eq!(read.routes[0].route.len(), 300);
}

#[test]
fn a_function_is_shown_with_the_last_part_of_its_path() {
    let place = |file: &str| {
        let (function, file) = ("listOrders".to_owned(), file.to_owned());
        FunctionReport { function, file, line: 12, ..FunctionReport::default() }.place()
    };
    assert_eq!(place("/app/src/orders.js"), "listOrders (orders.js:12)");
    assert_eq!(place("orders.py"), "listOrders (orders.py:12)");
    assert_eq!(place(""), "listOrders");
}

#[test]
fn a_report_without_samples_has_no_cursor_before_the_first() {
    assert_eq!(report(0, 0).cursor(), None);
    assert_eq!(report(7, 0).cursor().unwrap().sequence, 6);
}

#[test]
fn counts_that_contradict_the_samples_are_refused() {
    let error = |change: fn(&mut Report)| {
        let mut report = report(40, 100);
        change(&mut report);
        Report::parse(&report.to_json()).unwrap_err().to_string()
    };
    let cases = [
        (error(|r| r.samples.count = 99), "the report says 99 samples from 40, the block has 100 from 40"),
        (error(|r| r.samples.first = 41), "the report says 100 samples from 41, the block has 100 from 40"),
        (error(|r| r.samples.data.truncate(20)), "the samples are cut short"),
        (
            error(|r| r.samples.data = b"?".to_vec()),
            "the samples begin with version 63; this heapbeat reads version 1",
        ),
        (
            error(|r| r.events = vec![r.events[0].clone(); 65]),
            "the report has 65 events; at most 64 are allowed",
        ),
    ];
    for (error, expected) in cases {
        assert_eq!(error, expected);
    }
    assert!(matches!(Report::parse(&vec![b' '; MAX_REPORT + 1]), Err(ReportError::TooLong(_))));
}

proptest! {
    /// A million cases: `PROPTEST_CASES=1000000 cargo test -p heapbeat-shared --release report`.
    #[test]
    fn no_damage_makes_the_decoder_panic(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut body = report(40, 30).to_json();
        for (index, byte) in hits {
            let index = index.index(body.len());
            body[index] = byte;
        }
        if let Ok((report, series)) = Report::parse(&body) {
            prop_assert!(series.samples.len() <= series::MAX_SAMPLES);
            prop_assert!(report.events.len() <= MAX_EVENTS);
        }
        body.truncate(cut.index(body.len()));
        prop_assert!(Report::parse(&body).is_err());
    }
}
