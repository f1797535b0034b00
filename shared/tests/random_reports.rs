//! Untrusted reports: no input makes the decoder panic or allocate without bound.
//!
//! It generates valid and damaged reports, invalid blocks of samples, structures that are too deep or too long, and noise: 100,000 by
//! default, or the number in `HEAPBEAT_RANDOM_REPORTS`, for example
//! `HEAPBEAT_RANDOM_REPORTS=1000000 cargo test -p heapbeat-shared --test random_reports -- --nocapture`.
#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

mod allocations;

use std::time::Instant;

use base64ct::{Base64, Encoding as _};
use fastrand::Rng;
use heapbeat_forecast::{Assessment, Forecaster};
use heapbeat_shared::event::{Event, EventKind, cut};
use heapbeat_shared::report::{
    Block, FunctionReport, InstanceReport, LastSamples, Limit, MAX_EVENTS, MAX_REPORT, MAX_ROUTES,
    PressureState, Report, RouteReport, RouteTraffic, System, Traffic,
};
use heapbeat_shared::series;
use heapbeat_shared::series::{MAX_SAMPLES, Series};
use heapbeat_shared::{Bytes, HealthMemory, InstanceId, Pressure, Sample, Status, UnixMillis};

const CASES: u64 = 100_000;

/// Most memory that the decoder may hold at once: the text as JSON values, base 64 and [`MAX_SAMPLES`] samples, twice.
const MAX_MEMORY: usize = 4 << 20;

/// Returns a number that is as often small as large.
fn any_magnitude(random: &mut Rng) -> u64 {
    random.u64(..) >> random.u8(..64)
}

/// A text as a server sends it, which the reader leaves as it is.
fn text(random: &mut Rng, longest: usize) -> String {
    let length = random.usize(..longest);
    cut(&(0..length).map(|_| random.char('\0'..'\u{300}')).collect::<String>())
}

fn event(random: &mut Rng) -> Event {
    let kind = match random.usize(..7) {
        0 => EventKind::Started,
        1 => EventKind::Pressure {
            from: Pressure::Calm,
            to: Pressure::Shed,
            memory: Bytes(any_magnitude(random)),
        },
        2 => EventKind::Panic { message: text(random, 200) },
        3 => EventKind::Shed { refused: any_magnitude(random), duration_ms: any_magnitude(random) },
        4 => EventKind::Recycle { reason: text(random, 20) },
        5 => EventKind::Growth {
            function: text(random, 200),
            growth: Bytes(any_magnitude(random)),
            duration_ms: any_magnitude(random),
        },
        _ => EventKind::Stop { by: text(random, 20) },
    };
    Event { at: UnixMillis(any_magnitude(random).cast_signed()), kind }
}

fn route(random: &mut Rng) -> RouteReport {
    RouteReport {
        route: text(random, 60),
        requests: any_magnitude(random),
        requests_per_second: (any_magnitude(random) >> 20) as f64,
        allocated_mean: Bytes(any_magnitude(random)),
        allocated_p99: Bytes(any_magnitude(random)),
        live: Bytes(any_magnitude(random)),
        live_error: Bytes(any_magnitude(random)),
        growth_per_minute: Some(-((any_magnitude(random) >> 20) as f64)),
        growth_error: None,
    }
}

fn function(random: &mut Rng) -> FunctionReport {
    FunctionReport {
        function: text(random, 60),
        file: text(random, 60),
        line: 7,
        live: Bytes(any_magnitude(random)),
        growth: Bytes(any_magnitude(random)),
        duration_ms: any_magnitude(random),
    }
}

/// A few of up to 2^50 pages, which is nearly as far as bytes in 64 bits go; or many smaller ones, which fit a report.
fn samples(random: &mut Rng) -> Vec<Sample> {
    let (longest, bits) = if random.usize(..500) == 0 { (MAX_SAMPLES, 20) } else { (40, 50) };
    let count = random.usize(..longest);
    let mut pages = || Bytes((any_magnitude(random) >> (64 - bits)) * series::PAGE);
    (0..count)
        .map(|n| Sample {
            at: UnixMillis(i64::try_from(n).unwrap() * 1000),
            rss: pages(),
            heap_used: pages(),
            heap_total: pages(),
            heap_resident: pages(),
            working_set: pages(),
        })
        .collect()
}

fn report(random: &mut Rng, forecast: &Assessment) -> (Report, Vec<Sample>) {
    let (first, mut left, samples) = (any_magnitude(random) >> 14, samples(random), samples(random));
    left.truncate(512);
    let report = Report {
        status: Status::Degraded,
        memory: HealthMemory::default(),
        uptime: any_magnitude(random),
        instance: InstanceId(random.u64(..)),
        version: text(random, 60),
        started: UnixMillis(any_magnitude(random).cast_signed()),
        now: UnixMillis(any_magnitude(random).cast_signed()),
        limit: Limit { bytes: Bytes(any_magnitude(random)), origin: text(random, 30) },
        pressure: PressureState { level: Pressure::Alert, since: UnixMillis(5), shed: 0 },
        latest: Sample { rss: Bytes(any_magnitude(random)), ..Sample::default() },
        system: System { threads: Some(any_magnitude(random)), ..System::default() },
        events: (0..random.usize(..8)).map(|_| event(random)).collect(),
        routes: (0..random.usize(..6)).map(|_| route(random)).collect(),
        functions: (0..random.usize(..4)).map(|_| function(random)).collect(),
        forecast: *forecast,
        samples: Block {
            first,
            count: samples.len() as u64,
            dropped: any_magnitude(random),
            data: series::encode(first, &samples),
        },
        unavailable_sources: (0..random.usize(..3)).map(|_| text(random, 40)).collect(),
        previous_exit: None,
        earlier: heapbeat_shared::report::EarlierInstances::default(),
        last_samples: (random.usize(..2) == 0).then(|| LastSamples {
            instance: InstanceId(random.u64(..)),
            samples: Block::of(
                &Series { first: any_magnitude(random) >> 14, samples: left },
                any_magnitude(random),
            ),
        }),
        instances: (0..random.usize(..3)).map(|_| instance_report(random)).collect(),
        traffic: (random.usize(..2) == 0).then(|| Traffic {
            in_flight: any_magnitude(random),
            requests: any_magnitude(random),
            latency_p99_ms: Some(0.5),
            routes: (0..random.usize(..4)).map(|_| route_traffic(random)).collect(),
            ..Traffic::default()
        }),
    };
    (report, samples)
}

fn instance_report(random: &mut Rng) -> InstanceReport {
    InstanceReport {
        instance: InstanceId(random.u64(..)),
        number: random.u32(..),
        started: UnixMillis(random.i64(-(1 << 40)..1 << 40)),
        memory: Bytes(random.u64(..)),
        serves: random.bool(),
    }
}

fn route_traffic(random: &mut Rng) -> RouteTraffic {
    RouteTraffic { route: text(random, 40), in_flight: any_magnitude(random), ..RouteTraffic::default() }
}

/// Changes, removes or duplicates a few bytes, or truncates the body.
fn mutate(random: &mut Rng, body: &mut Vec<u8>) {
    for _ in 0..=random.usize(..5) {
        let at = random.usize(..body.len().max(1));
        match random.usize(..4) {
            _ if body.is_empty() => return,
            0 => body[at] = random.u8(..),
            1 => drop(body.remove(at)),
            2 => body.truncate(at),
            _ => {
                let end = (at + random.usize(..200)).min(body.len());
                let piece = body[at..end].to_vec();
                body.splice(at..at, piece);
            }
        }
    }
}

/// A block that looks like one: the version, a first number, any count, then noise or sameness.
fn block(random: &mut Rng) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    let mut count = any_magnitude(random);
    while count >= 0x80 {
        bytes.push(u8::try_from(count & 0x7f).unwrap() | 0x80);
        count >>= 7;
    }
    bytes.push(u8::try_from(count).unwrap());
    let (length, same) = (random.usize(..600), random.usize(..2) == 0);
    let fill = random.u8(..);
    bytes.extend((0..length).map(|_| if same { fill } else { random.u8(..) }));
    bytes
}

/// Makes structures that no server sends.
fn oversized_report(random: &mut Rng, good: &Report) -> Vec<u8> {
    let json = String::from_utf8(good.to_json()).unwrap();
    let maximum = 20_000 >> random.usize(..10);
    let times = 1 + random.usize(..maximum);
    match random.usize(..5) {
        0 => [b"[".repeat(times), b"{\"a\":".repeat(times % 300)].concat(),
        1 => json
            .replace(
                "\"events\":[",
                &format!("\"events\":[{}", "{\"at\":1,\"kind\":\"shutdown\"},".repeat(times % 4000)),
            )
            .into(),
        2 => json.replace("\"version\":\"", &format!("\"version\":\"{}", "\\u0000".repeat(times))).into(),
        3 => json.replace("\"uptime\":", &format!("\"uptime\":{}", "9".repeat(times))).into(),
        _ => json
            .replacen(
                '{',
                &format!("{{\"unknown\":{}1{},", "[".repeat(times % 400), "]".repeat(times % 400)),
                1,
            )
            .into(),
    }
}

#[test]
fn no_input_makes_the_decoder_panic_or_allocate_without_bound() {
    let cases = std::env::var("HEAPBEAT_RANDOM_REPORTS").map_or(CASES, |text| text.parse().unwrap());
    let (begun, mut random, mut accepted, mut with_last_samples, mut peak) =
        (Instant::now(), Rng::with_seed(42), 0, 0, 0);
    let forecast = Forecaster::new().assess(Bytes::from_mb(512));
    for case in 0..cases {
        let (good, samples) = report(&mut random, &forecast);
        let mut body = good.to_json();
        let untouched = case % 8 == 0;
        match case % 8 {
            0 => {}
            1..=3 => mutate(&mut random, &mut body),
            4 | 5 => {
                let block = Base64::encode_string(&block(&mut random));
                let source = good.last_samples.as_ref().map_or(&good.samples, |left| &left.samples);
                let old = Base64::encode_string(&source.data);
                body = String::from_utf8(body).unwrap().replace(&old, &block).into_bytes();
            }
            6 => body = oversized_report(&mut random, &good),
            _ => body = (0..random.usize(..400)).map(|_| random.u8(..)).collect(),
        }
        let before = allocations::reset_peak();
        let parsed = Report::parse(&body);
        let last_samples = parsed.as_ref().ok().and_then(|(report, _)| report.last_samples.as_ref());
        let left = last_samples.and_then(|it| it.samples.series().ok());
        with_last_samples += u64::from(left.is_some());
        peak = peak.max(allocations::peak() - before);
        accepted += u64::from(parsed.is_ok());
        match parsed {
            Ok((report, series)) => {
                assert!(body.len() <= MAX_REPORT && series.samples.len() <= MAX_SAMPLES);
                assert!(left.is_none_or(|left| left.samples.len() <= MAX_SAMPLES));
                assert!(report.events.len() <= MAX_EVENTS && report.routes.len() <= MAX_ROUTES);
                assert!(!untouched || (report == good && series.samples == samples), "case {case}");
            }
            Err(error) => assert!(!untouched, "case {case}: {error}"),
        }
    }
    let took = begun.elapsed();
    println!(
        "{cases} reports in {took:.1?}: {accepted} accepted, the rest rejected; at most {peak} bytes at once"
    );
    assert!(accepted >= cases / 8 && accepted < cases, "{accepted} of {cases} accepted");
    assert!(
        with_last_samples >= cases / 32,
        "{with_last_samples} with samples of an instance that has exited"
    );
    assert!(peak <= MAX_MEMORY, "{peak} bytes at once");
}
