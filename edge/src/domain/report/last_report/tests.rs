use heapbeat_forecast::Forecaster;
use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{Block, EarlierInstances, LastSamples, Limit, PressureState, Report, System};
use heapbeat_shared::{HealthMemory, Status, series};
use proptest::prelude::*;

use super::*;

/// A report of `instance` at `now`, with `count` samples from number `first`, one a second, the last one at `now`.
pub(crate) fn report(instance: u64, now: UnixMillis, first: u64, count: u64) -> Report {
    let sample = |n: u64| Sample {
        at: UnixMillis(now.0 - 1000 * (count - 1 - n).cast_signed()),
        rss: Bytes::from_mb(100 + n % 10),
        heap_used: Bytes::from_mb(80),
        heap_total: Bytes::from_mb(90),
        heap_resident: Bytes::from_mb(95),
        working_set: Bytes::from_mb(100 + n % 10),
    };
    let samples: Vec<Sample> = (0..count).map(sample).collect();
    Report {
        status: Status::Healthy,
        memory: HealthMemory::default(),
        uptime: 60,
        instance: InstanceId(instance),
        version: "1a2b3c4".into(),
        started: now.minus(Duration::from_secs(60)),
        now,
        limit: Limit { bytes: Bytes::from_mb(512), origin: "cgroup".into() },
        pressure: PressureState { level: Pressure::Calm, since: UnixMillis(0), shed: 0 },
        latest: samples.last().copied().unwrap_or_default(),
        system: System::default(),
        events: Vec::new(),
        routes: Vec::new(),
        functions: Vec::new(),
        forecast: Forecaster::new().assess(Bytes::from_mb(512)),
        samples: Block { first, count, dropped: 0, data: series::encode(first, &samples) },
        unavailable_sources: Vec::new(),
        previous_exit: None,
        earlier: EarlierInstances::default(),
        last_samples: None,
        instances: Vec::new(),
        traffic: None,
    }
}

/// The report as [`crate::domain::report::verification::verify_response`] returns it.
pub(crate) fn signed(report: &Report) -> VerifiedReport {
    let (report, series) = Report::parse(&report.to_json()).unwrap();
    VerifiedReport { report, series }
}

const MINUTE: i64 = 60_000;

fn minute(n: i64) -> UnixMillis {
    UnixMillis(n * MINUTE)
}

#[test]
fn samples_are_added_once_and_missing_ones_are_counted() {
    // (instance, first, count) of each report; (first, count, missing) of what is new in it
    let timeline = [
        ("the first", (1, 0, 60), Some((0, 60)), 0),
        ("goes on", (1, 60, 60), Some((60, 60)), 0),
        ("two ticks were missed, nothing is", (1, 120, 180), Some((120, 180)), 0),
        ("the server's ring was too short", (1, 340, 60), Some((340, 60)), 40),
        ("the server did not look at the cursor", (1, 300, 200), Some((400, 100)), 0),
        ("nothing new", (1, 300, 200), None, 0),
        ("another instance, from its first sample", (2, 0, 30), Some((0, 30)), 0),
        ("no sample yet", (3, 0, 0), None, 0),
        ("now there are", (3, 0, 10), Some((0, 10)), 0),
    ];
    let mut last: Option<LastReport> = None;
    for ((name, (instance, first, count), run, missing), n) in timeline.into_iter().zip(1..) {
        let (next, delta) = LastReport::from_report(
            last.as_ref(),
            &signed(&report(instance, minute(n), first, count)),
            minute(n),
        );
        let seen = delta.runs.first().map(|run| (run.series.first, run.series.samples.len()));
        assert_eq!((seen, delta.missing), (run, missing), "{name}");
        assert_eq!(delta.exits.len() == 1, last.is_some_and(|last| last.instance.0 != instance), "{name}");
        last = Some(next);
    }
}

/// A report of `instance` at `now` with as many samples as fit, all of the instant `at`.
fn flood(instance: u64, now: UnixMillis, first: u64, at: UnixMillis) -> Report {
    let samples = vec![Sample { at, ..Sample::default() }; MAX_SAMPLES];
    let count = samples.len() as u64;
    let data = series::encode(first, &samples);
    Report { samples: Block { first, count, dropped: 0, data }, ..report(instance, now, 0, 0) }
}

#[test]
fn a_server_cannot_send_more_samples_than_the_time_allows() {
    let most = MAX_SAMPLES as u64;
    let (mut last, first) =
        LastReport::from_report(None, &signed(&flood(1, minute(1), 0, minute(1))), minute(1));
    assert_eq!(first.runs[0].series.samples.len(), MAX_SAMPLES, "nothing is known of the time before");
    // The same instance each minute, and another one each minute, with as many samples of the one before.
    for n in 2..20_u32 {
        let at = minute(n.into());
        let instance = if n < 10 { 1 } else { u64::from(n) };
        let mut report = flood(instance, at, u64::from(n) * most, at);
        let samples = flood(1, at, u64::from(n + 1) * most, at).samples;
        report.last_samples = Some(LastSamples { instance: last.instance, samples });
        let (next, delta) = LastReport::from_report(Some(&last), &signed(&report), at);
        let count: usize = delta.runs.iter().map(|run| run.series.samples.len()).sum();
        assert_eq!(count, 60 * 20 + EXTRA_SAMPLES, "minute {n}");
        let newest = delta.runs.last().unwrap();
        assert_eq!(newest.series.first + newest.series.samples.len() as u64, u64::from(n + 1) * most);
        assert!(delta.missing >= most - count as u64, "what is dropped counts as missing");
        last = next;
    }
}

#[test]
fn samples_of_the_future_or_of_long_ago_are_missing() {
    let now = minute(60 * 24 * 30);
    for at in [i64::MIN, 0, now.0 + 3_600_000, i64::MAX] {
        let report = flood(1, now, 0, UnixMillis(at));
        let (last, delta) = LastReport::from_report(None, &signed(&report), now);
        assert_eq!((delta.runs.len(), delta.missing), (0, MAX_SAMPLES as u64), "{at}");
        assert_eq!(last.cursor.map(|cursor| cursor.sequence), Some(MAX_SAMPLES as u64 - 1), "{at}");
    }
}

type Left<'a> = (&'a str, Option<LastSamples>, &'a [(u64, u64, u64)], u64);

/// The samples that `instance` left: `count` of them from number `first`, the last one at `until`.
fn left(instance: u64, until: UnixMillis, first: u64, count: u64) -> LastSamples {
    LastSamples { instance: InstanceId(instance), samples: report(instance, until, first, count).samples }
}

#[test]
fn samples_that_the_previous_instance_left_are_added_once() {
    let good = || left(1, minute(2), 60, 30);
    let broken = |change: fn(&mut Block)| {
        let mut left = good();
        change(&mut left.samples);
        Some(left)
    };
    let own = (2, 0, 10);
    // We hold samples 0 to 59 of instance 1. What instance 2 hands over; (instance, first, count) of what is new, and how
    // many are missing before it.
    let cases: [Left<'_>; 12] = [
        ("nothing", None, &[own], 0),
        ("what comes next", Some(good()), &[(1, 60, 30), own], 0),
        ("more than we lack", Some(left(1, minute(2), 40, 50)), &[(1, 60, 30), own], 0),
        ("all that it ever took", Some(left(1, minute(2), 0, 90)), &[(1, 60, 30), own], 0),
        ("less than we lack", Some(left(1, minute(2), 80, 10)), &[(1, 80, 10), own], 20),
        ("what we hold", Some(left(1, minute(2), 30, 30)), &[own], 0),
        ("none at all", Some(left(1, minute(2), 60, 0)), &[own], 0),
        ("a third one's", Some(left(9, minute(2), 60, 30)), &[own], 0),
        ("its own", Some(left(2, minute(2), 0, 10)), &[own], 0),
        ("no samples, but bytes", broken(|block| block.data.truncate(9)), &[own], 0),
        ("of a version to come", broken(|block| block.data[0] = 99), &[own], 0),
        ("another number than it says", broken(|block| block.count = 31), &[own], 0),
    ];
    let (last, _) = LastReport::from_report(None, &signed(&report(1, minute(1), 0, 60)), minute(1));
    for (name, last_samples, runs, missing) in cases {
        let next = Report { last_samples, ..report(2, minute(3), 0, 10) };
        let (now, delta) = LastReport::from_report(Some(&last), &signed(&next), minute(3));
        let seen: Vec<_> = delta
            .runs
            .iter()
            .map(|run| (run.instance.0, run.series.first, run.series.samples.len() as u64))
            .collect();
        assert_eq!((&seen[..], delta.missing), (runs, missing), "{name}");
        assert_eq!(now.cursor, Some(Cursor { instance: InstanceId(2), sequence: 9 }), "{name}");
        // The server does not look at the cursor, and tells all of it again.
        let next = Report { last_samples: next.last_samples, ..report(2, minute(4), 10, 10) };
        let (_, delta) = LastReport::from_report(Some(&now), &signed(&next), minute(4));
        assert_eq!((delta.runs.len(), delta.missing), (1, 0), "{name}: once");
    }
    let first = Report { last_samples: Some(good()), ..report(2, minute(3), 0, 10) };
    assert_eq!(
        LastReport::from_report(None, &signed(&first), minute(3)).1.runs.len(),
        1,
        "of an instance without an earlier report"
    );
}

#[test]
fn samples_that_an_instance_left_prove_that_it_ran() {
    let (last, _) = LastReport::from_report(None, &signed(&report(1, minute(1), 0, 60)), minute(1));
    let second = |n: i64| UnixMillis(n * 1000);
    // Instance 5 lived and died in between, and nobody saw 1 die.
    let previous = Exit {
        kind: ExitKind::Crash,
        instance: Some(InstanceId(5)),
        started: Some(second(100)),
        at: second(110),
        ..Exit::default()
    };
    let next = Report {
        previous_exit: Some(previous),
        last_samples: Some(left(1, second(90), 60, 30)),
        started: second(115),
        ..report(2, minute(2), 0, 5)
    };
    let (_, delta) = LastReport::from_report(Some(&last), &signed(&next), minute(2));
    let away: Vec<_> = delta.gaps.iter().map(|it| (it.from, it.to)).collect();
    assert_eq!(away, [(second(90), second(100)), (second(110), second(115))]);
}

proptest! {
    /// Whatever is handed over, and however often, each number of an instance is taken once at most.
    #[test]
    fn no_sample_is_ever_added_twice(
        steps in prop::collection::vec((1u64..4, 0u64..80, 0u64..40, 1u64..4, 0u64..80, 0u64..40), 1..20),
    ) {
        let (mut last, mut taken): (Option<LastReport>, Vec<(u64, u64)>) = (None, Vec::new());
        for ((who, first, count, gone, from, left_over), n) in steps.into_iter().zip(1..) {
            // An instance that another has followed does not come back.
            let who = last.as_ref().map_or(who, |last| who.max(last.instance.0));
            let next = Report { last_samples: Some(left(gone, minute(n), from, left_over)), ..report(who, minute(n), first, count) };
            let (now, delta) = LastReport::from_report(last.as_ref(), &signed(&next), minute(n));
            for run in &delta.runs {
                let numbers = (run.series.first..).take(run.series.samples.len());
                taken.extend(numbers.map(|number| (run.instance.0, number)));
            }
            // A report that goes back behind what we hold would be another's; no server does that.
            let held = last.as_ref().and_then(|last| last.cursor).filter(|cursor| cursor.instance.0 == who);
            let cursor = now.cursor.into_iter().chain(held).max_by_key(|cursor| cursor.sequence);
            last = Some(LastReport { cursor, ..now });
        }
        let all = taken.len();
        taken.sort_unstable();
        taken.dedup();
        prop_assert_eq!(taken.len(), all);
    }
}

#[test]
fn samples_are_shifted_to_the_clock_of_a_tick_that_is_far_away() {
    let receive = |before: Option<&LastReport>, server: i64, tick: i64| {
        let (last, delta) =
            LastReport::from_report(before, &signed(&report(1, minute(server), 0, 5)), minute(tick));
        (last, delta.runs.first().map(|run| run.series.samples.last().unwrap().at.0 / MINUTE))
    };
    let (near, at) = receive(None, 100, 103);
    assert_eq!((near.clock_shift, at), (0, Some(100)), "a cron that comes late moves nothing");
    let (far, at) = receive(None, 100, 1000);
    assert_eq!((far.clock_shift / MINUTE, at), (900, Some(1000)));
    let (later, _) = receive(Some(&far), 101, 1010);
    assert_eq!(
        later.clock_shift, far.clock_shift,
        "what is good enough stays, so that samples keep their distances"
    );
    assert_eq!(later.started, minute(1000), "a minute before minute 101");
    let (much_later, _) = receive(Some(&later), 102, 2000);
    assert_eq!(much_later.clock_shift / MINUTE, 1898);
}

#[test]
fn an_event_is_new_once() {
    let mut first = report(1, minute(10), 0, 0);
    first.events = vec![Event { at: minute(8), kind: EventKind::Started }];
    let (last, delta) = LastReport::from_report(None, &signed(&first), minute(10));
    assert_eq!(delta.events.len(), 1);
    let stop = Event { at: minute(11), kind: EventKind::Stop { by: "SIGTERM".into() } };
    first.events.push(stop.clone());
    let (last, delta) = LastReport::from_report(Some(&last), &signed(&first), minute(11));
    assert_eq!(delta.events, std::slice::from_ref(&stop));
    assert_eq!(last.shutdown_event, Some(stop));
    let (last, delta) = LastReport::from_report(Some(&last), &signed(&first), minute(12));
    assert_eq!(delta.events, []);
    assert!(last.shutdown_event.is_some(), "still");
}

#[test]
fn the_exit_that_the_server_reports_comes_first() {
    let (last, _) = LastReport::from_report(None, &signed(&report(1, minute(1), 0, 60)), minute(1));
    let mut next = report(2, minute(2), 0, 20);
    let previous = Exit { kind: ExitKind::Panic, sure: true, at: minute(1), ..Exit::default() };
    // The exit is of the last instance, of one that is not named, or of another.
    for (instance, kind) in
        [(Some(1), ExitKind::Panic), (None, ExitKind::Panic), (Some(9), ExitKind::Unknown)]
    {
        next.previous_exit = Some(Exit { instance: instance.map(InstanceId), ..previous.clone() });
        let (_, delta) = LastReport::from_report(Some(&last), &signed(&next), minute(2));
        assert_eq!(delta.exits[0].exit.kind, kind, "{instance:?}");
    }
    next.previous_exit = Some(Exit::default());
    let (_, delta) = LastReport::from_report(Some(&last), &signed(&next), minute(2));
    let exit = &delta.exits[0].exit;
    assert_eq!(
        (exit.kind, exit.evidence.len()),
        (ExitKind::Unknown, 2),
        "the edge's own evidence is better than none"
    );
    let (_, delta) = LastReport::from_report(None, &signed(&next), minute(2));
    assert_eq!(delta.exits, [], "of an ending that was before our time only the status tells");
}
