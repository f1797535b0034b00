use heapbeat_forecast::Verdict;
use heapbeat_shared::report::Report;
use heapbeat_shared::{Cursor, InstanceId, Sample};

use super::*;
use crate::clock::Now;
use crate::dependency::Dependencies;
use crate::flight_recorder::{RecorderDirectory, RecorderLocation, RecordingHeader};
use crate::sampling::{HeapMemory, Limit, LimitOrigin, ProcessMemory};
use crate::state::State;

const INSTANCE: InstanceId = InstanceId(0x00c0_ffee_00c0_ffee);

/// Creates a reading of `mb` at the age of `seconds`, under a limit of 512 MB.
fn reading(seconds: u64, mb: u64) -> Reading {
    let held = Bytes::from_mb(mb);
    Reading {
        now: Now { wall: UnixMillis(seconds.cast_signed() * 1000), age: Duration::from_secs(seconds) },
        process: Some(ProcessMemory { rss: held, threads: 4, ..ProcessMemory::default() }),
        heap: Some(HeapMemory { allocated: held, active: held, resident: held, ..HeapMemory::default() }),
        limit: Limit { bytes: Bytes::from_mb(512), origin: LimitOrigin::Configured },
        ..Reading::default()
    }
}

fn telemetry() -> Telemetry {
    let instance = Instance { id: INSTANCE, version: "1a2b3c4".into(), started: UnixMillis(0) };
    Telemetry::new(
        Clock::of_this_process(),
        instance,
        None,
        vec!["no psi"],
        InstanceRecorder::ThisProcess,
        &reading(0, 10),
    )
}

fn record_reading(telemetry: &Telemetry, reading: &Reading, pressure: Pressure) -> Option<Duration> {
    let reaches_limit_in = telemetry.update_forecast(reading);
    telemetry.record_reading(reading, pressure, ShedShare::NONE);
    reaches_limit_in
}

fn kinds(telemetry: &Telemetry) -> Vec<EventKind> {
    telemetry.event_log.latest_events().into_iter().map(|event| event.kind).collect()
}

#[test]
fn a_report_carries_what_was_recorded_and_reads_back() {
    let telemetry = telemetry();
    for second in 0..=100 {
        record_reading(&telemetry, &reading(second, 100), Pressure::Calm);
    }
    record_reading(&telemetry, &reading(101, 420), Pressure::Alert);
    let report = telemetry.report(&State::new(&reading(101, 420), Dependencies::default()), None);
    let (read, series) = Report::parse(&report.to_json()).unwrap();
    assert_eq!(read, report);
    assert_eq!((read.samples.first, read.samples.count, series.samples.len()), (0, 101, 101));
    assert_eq!(read.pressure, PressureState { level: Pressure::Alert, since: UnixMillis(101_000), shed: 0 });
    assert_eq!((read.limit.origin.as_str(), read.version.as_str()), ("configured", "1a2b3c4"));
    assert_eq!((read.system.threads, read.latest.rss), (Some(4), Bytes::from_mb(420)));
    assert_eq!(read.unavailable_sources, ["no psi"]);
    let after = Cursor { instance: INSTANCE, sequence: 98 };
    assert_eq!(
        telemetry.report(&State::new(&reading(101, 420), Dependencies::default()), Some(after)).samples.count,
        2
    );
    let changed =
        EventKind::Pressure { from: Pressure::Calm, to: Pressure::Alert, memory: Bytes::from_mb(420) };
    assert_eq!(kinds(&telemetry), [EventKind::Started, changed]);
}

#[test]
fn a_leak_is_forecast_and_a_changed_limit_resets_the_forecast() {
    let telemetry = telemetry();
    let reaches_limit_in: Vec<_> =
        (0..10).map(|s| record_reading(&telemetry, &reading(s, 200 + 20 * s), Pressure::Calm)).collect();
    // 132 MB are left at 20 MB a second.
    let left = reaches_limit_in[9].unwrap().as_secs_f64();
    assert!((left - 6.6).abs() < 1.0, "{left}");
    let wider = Reading {
        limit: Limit { bytes: Bytes::from_mb(1024), origin: LimitOrigin::Cgroup },
        ..reading(10, 400)
    };
    assert_eq!(record_reading(&telemetry, &wider, Pressure::Calm), None);
    let changed = EventKind::Limit { before: Bytes::from_mb(512), after: Bytes::from_mb(1024) };
    assert_eq!(kinds(&telemetry), [EventKind::Started, changed]);
    assert_eq!(telemetry.forecast(&wider).verdict, Verdict::Unknown);
}

#[test]
fn only_a_purge_that_helped_resets_the_forecast() {
    let observed = |after_mb: u64| {
        let telemetry = telemetry();
        for second in 0..100 {
            record_reading(&telemetry, &reading(second, 450), Pressure::Calm);
        }
        telemetry.record_purge(Bytes::from_mb(450), Bytes::from_mb(after_mb), Duration::from_millis(7));
        record_reading(&telemetry, &reading(100, after_mb), Pressure::Calm);
        telemetry.forecast(&reading(100, after_mb)).observed
    };
    assert_eq!(observed(449), Duration::from_secs(100));
    // 3 % of the live heap.
    assert_eq!(observed(447), Duration::from_secs(100));
    assert_eq!(observed(400), Duration::ZERO);
}

#[test]
fn a_clock_change_does_not_affect_the_forecast() {
    let telemetry = telemetry();
    for second in 0..300 {
        let mut reading = reading(second, 100);
        if second > 150 {
            reading.now.wall = UnixMillis(5);
        }
        record_reading(&telemetry, &reading, Pressure::Calm);
    }
    let report = telemetry.forecast(&reading(300, 100));
    assert_eq!((report.verdict, report.observed), (Verdict::Steady, Duration::from_secs(299)));
}

#[test]
fn the_recorder_keeps_512_seconds_at_a_higher_sample_rate() {
    let directory = tempfile::tempdir().unwrap();
    let location = RecorderLocation::Directory(directory.path().join("flight"));
    let mut recorders = RecorderDirectory::open(&location);
    let path = recorders.create_recorder(&[]).unwrap();
    let header = RecordingHeader {
        instance: INSTANCE,
        version: String::new(),
        started: UnixMillis(0),
        boot: String::new(),
    };
    let recorder = flight_recorder::open_recorder(&path, &header).unwrap();
    let mut history = History::new(INSTANCE);
    let sample_at = |n: u64| {
        // Twenty samples a second; the highest of each second is in its middle.
        let figure = Bytes(n / 20 * 4096 + 1000 - (n % 20).abs_diff(10));
        Sample { at: UnixMillis(n.cast_signed() * 50), working_set: figure, ..Sample::default() }
    };
    let samples = 20 * 600 + 15;
    for n in 0..samples {
        let slot = history.record(sample_at(n));
        recorder.sample(&sample_at(n), slot, Pressure::Purge, Bytes::from_mb(512));
    }
    let recording = recorders.read_recording(&path);
    assert_eq!(recording.last.unwrap().sample, sample_at(samples - 1));
    let highest: Vec<Sample> = (89..=600).map(|second| sample_at(second * 20 + 10)).collect();
    assert_eq!((recording.samples.first, &recording.samples.samples), (89, &highest));
    let held = history.after(None);
    let closed = recording.samples.samples.len() - 1;
    assert_eq!(
        held.samples[89..],
        recording.samples.samples[..closed],
        "the samples of the history, by its sequence numbers"
    );
    assert_eq!((held.first, held.samples.len()), (0, 600), "and the current second");
}
