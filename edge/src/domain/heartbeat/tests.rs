//! Tests of jobs: one table for each rule. Random timelines are in [`timelines`].

use std::time::Duration;

use heapbeat_monitors::schedule::Schedule;

use super::*;
use crate::domain::check::outcome::{ProbeError, ProbeResult};
use crate::domain::engine::{Engine, Tick};
use crate::domain::{Failure, ProbeSkipped, State};
use crate::monitor_config::{HeartbeatSchedule, MonitorConfig};

mod timelines;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const MISSED: Option<ProbeError> = Some(ProbeError::Failed(Failure::JobMissed));
const UNFINISHED: Option<ProbeError> = Some(ProbeError::Failed(Failure::JobTimedOut));

use JobSignal::{Fail, Start, Success};

fn failed(exit: Option<u16>) -> ProbeError {
    Failure::JobFailed(exit).into()
}

fn hourly() -> Heartbeat {
    Heartbeat {
        schedule: HeartbeatSchedule::Every(60 * MINUTE),
        grace: 5 * MINUTE,
        max_runtime: Some(10 * MINUTE),
    }
}

fn scheduled(text: &str) -> Heartbeat {
    let schedule = HeartbeatSchedule::Cron(Schedule::new(text, "UTC").unwrap());
    Heartbeat { schedule, grace: 5 * MINUTE, max_runtime: None }
}

/// An instant of 2026-01-01.
fn at(minute: i64) -> UnixMillis {
    UnixMillis(1_767_225_600_000 + minute * 60_000)
}

/// Records signals at their instants. Returns the state.
fn record(job: &Heartbeat, signals: &[(UnixMillis, JobSignal)]) -> Option<JobState> {
    let record = |state: Option<JobState>, (now, signal): &(UnixMillis, JobSignal)| {
        Some(JobState::after_signal(state.as_ref(), job, *signal, *now, |_| 0))
    };
    signals.iter().fold(None, record)
}

/// Records signals, each with its minute, and checks the job. Returns the failure, or `None` if there is none.
fn check(
    job: &Heartbeat,
    signals: &[(i64, JobSignal)],
    minute: i64,
    unwatched: &[UnwatchedSpan],
) -> Option<ProbeError> {
    let signals: Vec<_> = signals.iter().map(|(minute, signal)| (at(*minute), *signal)).collect();
    check_job(record(job, &signals).as_ref(), job, at(minute), |_| 0, || unwatched.to_vec()).err()
}

type JobCase<'a> = (&'static str, &'a Heartbeat, &'a [(i64, JobSignal)], i64, Option<ProbeError>);
type UnwatchedCase<'a> =
    (&'static str, &'a Heartbeat, &'a [(i64, JobSignal)], i64, Vec<UnwatchedSpan>, Option<ProbeError>);
type AutumnCase<'a> = (&'static str, &'a Heartbeat, &'a [i64], i64, Option<ProbeError>);
type Case<'a> = (&'static str, &'a [(i64, JobSignal)], i64, Option<ProbeError>);

#[test]
fn a_job_is_down_if_it_fails_overruns_or_is_late() {
    let cases: [Case<'_>; 15] = [
        ("never reported: unobserved", &[], 1000, Some(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet))),
        ("on time", &[(0, Success)], 60, None),
        ("late, within its grace", &[(0, Success)], 65, None),
        ("missing", &[(0, Success)], 66, MISSED),
        ("back", &[(0, Success), (90, Success)], 91, None),
        ("failed", &[(0, Fail(None))], 1, Some(failed(None))),
        ("failed with its code", &[(0, Fail(Some(137)))], 1, Some(failed(Some(137)))),
        ("failed, and stays so while it is silent", &[(0, Fail(Some(1)))], 500, Some(failed(Some(1)))),
        ("failed, and tries again", &[(0, Fail(Some(1))), (5, Start)], 6, Some(failed(Some(1)))),
        ("failed, tried again, well", &[(0, Fail(Some(1))), (5, Start), (7, Success)], 8, None),
        ("runs", &[(0, Start)], 10, None),
        ("runs too long", &[(0, Start)], 11, UNFINISHED),
        ("ran too long and ended well", &[(0, Start), (30, Success)], 31, None),
        ("a start is a report", &[(0, Success), (60, Start), (62, Success)], 122, None),
        ("a clock that went back", &[(100, Success)], 0, None),
    ];
    for (name, signals, minute, expected) in cases {
        assert_eq!(check(&hourly(), signals, minute, &[]), expected, "{name}");
    }
}

#[test]
fn a_run_that_starts_has_to_end() {
    let every_hour = Heartbeat { max_runtime: None, ..hourly() };
    let long = Heartbeat { max_runtime: Some(150 * MINUTE), ..hourly() };
    let nightly = scheduled("0 3 * * *");
    let day = 1440;
    let cases: [JobCase<'_>; 16] = [
        ("it has until the next due time", &every_hour, &[(0, Start)], 65, None),
        ("and its grace", &every_hour, &[(0, Start)], 66, UNFINISHED),
        ("it hangs, and so do the next ones", &every_hour, &[(0, Start), (60, Start)], 61, UNFINISHED),
        ("it dies each time", &every_hour, &[(0, Start), (60, Start), (120, Start)], 121, UNFINISHED),
        ("the next one ends well", &every_hour, &[(0, Start), (60, Start), (62, Success)], 63, None),
        ("the next one begins early", &every_hour, &[(0, Start), (58, Start), (60, Success)], 61, None),
        ("a second run in the same hour", &every_hour, &[(0, Start), (20, Start)], 60, None),
        ("of two runs one ends", &every_hour, &[(0, Start), (20, Start), (30, Success)], 86, UNFINISHED),
        (
            "of two runs both end",
            &every_hour,
            &[(0, Start), (20, Start), (30, Success), (31, Success)],
            91,
            None,
        ),
        ("by a schedule", &nightly, &[(180, Start)], 180 + day + 5, None),
        ("by a schedule, and its grace", &nightly, &[(180, Start)], 180 + day + 6, UNFINISHED),
        (
            "a start a minute early is the next run",
            &nightly,
            &[(180, Start), (179 + day, Start)],
            180 + day,
            UNFINISHED,
        ),
        ("runs overlap if they may", &long, &[(0, Start), (60, Start), (120, Start)], 150, None),
        ("each has its own limit", &long, &[(0, Start), (60, Start), (120, Start)], 151, UNFINISHED),
        ("one ended", &long, &[(0, Start), (60, Start), (120, Success)], 184, None),
        ("one ended, the other is late", &long, &[(0, Start), (60, Start), (120, Success)], 211, UNFINISHED),
    ];
    for (name, job, signals, minute, expected) in cases {
        assert_eq!(check(job, signals, minute, &[]), expected, "{name}");
    }
}

#[test]
fn a_start_that_is_sent_twice_is_one_run() {
    let signals = [(at(0), Start), (at(0).plus(3 * SECOND), Start), (at(2), Success)];
    let job = Heartbeat { max_runtime: None, ..hourly() };
    let state = record(&job, &signals);
    assert_eq!(check_job(state.as_ref(), &job, at(62), |_| 0, Vec::new).err(), None);
}

#[test]
fn runs_without_an_end_take_bounded_room() {
    let job = Heartbeat { max_runtime: Some(7 * 1440 * MINUTE), ..hourly() };
    let starts: Vec<_> = (0..200).map(|hour| (at(hour * 60), Start)).collect();
    for job in [&job, &Heartbeat { max_runtime: None, ..hourly() }] {
        let state = record(job, &starts).unwrap();
        assert!(state.open_runs.len() <= MAX_OPEN_RUNS, "{}", state.open_runs.len());
    }
}

#[test]
fn a_report_counts_for_the_nearest_due_time() {
    let at_clock = |text: &str| {
        let clock = chrono::NaiveTime::parse_from_str(text, "%H:%M:%S").unwrap();
        at(0).plus(SECOND * chrono::Timelike::num_seconds_from_midnight(&clock))
    };
    // (schedule, report, last instant at which the job is well)
    let cases = [
        ("43 8 * * *", "08:43:02", 1440, "08:48:00"),
        ("43 8 * * *", "08:42:00", 1440, "08:48:00"),
        ("43 8 * * *", "08:38:00", 1440, "08:48:00"),
        ("43 8 * * *", "08:37:59", 0, "08:48:00"),
        ("*/10 * * * *", "12:01:00", 0, "12:15:00"),
        ("*/10 * * * *", "12:04:59", 0, "12:15:00"),
        ("*/10 * * * *", "12:05:01", 0, "12:25:00"),
        ("*/5 * * * *", "12:02:30", 0, "12:10:00"),
        ("*/5 * * * *", "12:02:31", 0, "12:15:00"),
        ("* * * * *", "12:00:10", 0, "12:06:00"),
        ("* * * * *", "12:00:50", 0, "12:07:00"),
    ];
    for (text, report, minutes, until) in cases {
        let job = scheduled(text);
        let state = record(&job, &[(at_clock(report), Success)]);
        let until = at_clock(until).plus(MINUTE * minutes);
        let failure = |now| check_job(state.as_ref(), &job, now, |_| 0, Vec::new).err();
        assert_eq!(failure(until), None, "{text}, reported at {report}");
        assert_eq!(failure(until.plus(SECOND)), MISSED, "{text}, reported at {report}");
    }
}

fn away(from: i64, to: i64) -> UnwatchedSpan {
    UnwatchedSpan { from: at(from), to: at(to), is_maintenance: false }
}

fn maintenance(from: i64, to: i64) -> UnwatchedSpan {
    UnwatchedSpan { is_maintenance: true, ..away(from, to) }
}

#[test]
fn nothing_is_missed_while_nobody_watches() {
    let nightly = scheduled("0 3 * * *");
    let (three, day) = (180, 1440);
    let cases: [UnwatchedCase<'_>; 16] = [
        ("watched", &nightly, &[(three, Success)], three + day + 6, vec![], MISSED),
        (
            "due while the edge was away",
            &nightly,
            &[(three, Success)],
            three + day + 100,
            vec![away(three + day - 5, three + day + 5)],
            None,
        ),
        (
            "the next one is missed",
            &nightly,
            &[(three, Success)],
            three + 2 * day + 6,
            vec![away(three + day - 5, three + day + 5)],
            MISSED,
        ),
        (
            "due at the beginning",
            &nightly,
            &[(three, Success)],
            three + day + 600,
            vec![maintenance(three + day, three + day + 60)],
            None,
        ),
        (
            "due at the end: grace",
            &nightly,
            &[(three, Success)],
            three + day + 5,
            vec![maintenance(three + day - 60, three + day)],
            None,
        ),
        (
            "due at the end: missed",
            &nightly,
            &[(three, Success)],
            three + day + 6,
            vec![maintenance(three + day - 60, three + day)],
            MISSED,
        ),
        (
            "grace begins anew",
            &nightly,
            &[(three, Success)],
            three + day + 65,
            vec![maintenance(three + day + 4, three + day + 60)],
            None,
        ),
        (
            "and ends",
            &nightly,
            &[(three, Success)],
            three + day + 66,
            vec![maintenance(three + day + 4, three + day + 60)],
            MISSED,
        ),
        (
            "anew, twice",
            &nightly,
            &[(three, Success)],
            three + day + 13,
            vec![away(three + day + 1, three + day + 4), away(three + day + 6, three + day + 8)],
            None,
        ),
        (
            "missed before",
            &nightly,
            &[(three, Success)],
            three + day + 70,
            vec![away(three + day + 10, three + day + 60)],
            MISSED,
        ),
        ("an interval goes on after the span", &hourly(), &[(0, Success)], 125, vec![away(50, 70)], None),
        ("and is missed then", &hourly(), &[(0, Success)], 126, vec![away(50, 70)], MISSED),
        ("an end that may have been lost", &hourly(), &[(0, Start)], 50, vec![away(4, 6)], None),
        ("a run that was over before", &hourly(), &[(0, Start)], 50, vec![away(20, 30)], UNFINISHED),
        (
            "failed during announced work",
            &hourly(),
            &[(0, Fail(Some(1)))],
            30,
            vec![maintenance(0, 20)],
            None,
        ),
        (
            "failed while only the ticks were missing",
            &hourly(),
            &[(0, Fail(Some(1)))],
            30,
            vec![away(0, 20)],
            Some(failed(Some(1))),
        ),
    ];
    for (name, job, signals, minute, unwatched, expected) in cases {
        assert_eq!(check(job, signals, minute, &unwatched), expected, "{name}");
    }
}

#[test]
fn the_first_run_of_a_job_has_to_end_as_well() {
    // It was not heard of until it started, which is no absence of the edge. (the first tick after the start, failure)
    for (name, first_tick, expected) in [("watched", 31, UNFINISHED), ("the edge was away", 32, None)] {
        let unheard = away(0, first_tick);
        assert_eq!(check(&hourly(), &[(30, Start)], 41, &[unheard]), expected, "{name}");
    }
}

#[test]
fn announced_maintenance_covers_a_job_that_was_not_heard_of_until_then() {
    let config = MonitorConfig::parse(Some(r#"[{"id":"job","kind":"heartbeat","interval":"1h"}]"#), false);
    let (id, job): (MonitorId, _) = ("job".parse().unwrap(), hourly());
    // (whether maintenance is announced in the minute of the first report, the failure after it)
    for (maintenance, expected) in [(true, None), (false, Some(failed(Some(1))))] {
        let (mut engine, mut state) = (Engine::default(), None);
        let mut result = None;
        for minute in 0..5 {
            let now = at(minute);
            let unwatched = || engine.unwatched_spans(&id, now);
            let checked = check_job(state.as_ref(), &job, now, |_| 0, unwatched);
            result = checked.as_ref().err().copied();
            engine.set_maintenance(if maintenance && minute < 3 { vec![id.clone()] } else { Vec::new() });
            let probe = ProbeResult { monitor: id.clone(), received: now, result: checked };
            engine.apply_tick(&config, Tick { at: now, received: now }, &[probe]);
            let is_maintained = engine.snapshot(&config, now).monitors[0].state == State::Maintenance;
            assert_eq!(is_maintained, maintenance && minute < 3, "minute {minute}");
            if minute == 2 {
                state = record(&job, &[(UnixMillis(now.0 + 20_000), Fail(Some(1)))]);
            }
        }
        assert_eq!(result, expected, "maintenance: {maintenance}");
    }
}

#[test]
fn a_rescheduled_job_has_not_been_heard_of() {
    let (before, after) = (scheduled("0 3 * * *"), scheduled("0 4 * * *"));
    let state = record(&before, &[(at(0), Fail(None))]);
    let unheard = Some(ProbeError::Skipped(ProbeSkipped::NoHeartbeatYet));
    let check = |job: &Heartbeat, state: &Option<JobState>| {
        check_job(state.as_ref(), job, at(9000), |_| 0, Vec::new).err()
    };
    assert_eq!(check(&before, &state), Some(failed(None)));
    assert_eq!(check(&after, &state), unheard);
    assert_eq!(check(&hourly(), &state), unheard);
    let berlin = Schedule::new("0 3 * * *", "Europe/Berlin").unwrap();
    assert_eq!(
        check(&Heartbeat { schedule: HeartbeatSchedule::Cron(berlin), ..before.clone() }, &state),
        unheard
    );
    let graceful = Heartbeat { grace: 60 * MINUTE, ..before };
    assert_eq!(check(&graceful, &state), Some(failed(None)), "the same schedule");
    let state = Some(JobState::after_signal(state.as_ref(), &after, Success, at(8900), |_| 0));
    assert_eq!(check(&after, &state), None);
}

/// The clock of Berlin around 25 October 2026, when it shows the hour from 2 to 3 twice, the first time from 00:00 UTC on.
fn berlin_in_autumn(instant: UnixMillis) -> i32 {
    if instant < UnixMillis(1_792_890_000_000) { 7200 } else { 3600 }
}

#[test]
fn one_report_is_enough_for_a_time_that_comes_twice() {
    let midnight = UnixMillis(1_792_886_400_000);
    let at = |minute: i64| UnixMillis(midnight.0 + minute * 60_000);
    let schedule = |text| HeartbeatSchedule::Cron(Schedule::new(text, "Europe/Berlin").unwrap());
    let night = Heartbeat { schedule: schedule("30 2 * * *"), grace: 5 * MINUTE, max_runtime: None };
    let quarter = Heartbeat { schedule: schedule("*/15 * * * *"), ..night.clone() };
    let (day, yesterday) = (1440, 30 - 1440);
    // (job, reports, check, failure); the night's run is due at minute 30, and again at minute 90.
    let cases: [AutumnCase<'_>; 8] = [
        ("only the first", &night, &[yesterday, 30], 90 + day + 5, None),
        ("only the second", &night, &[yesterday, 90], 90 + day + 5, None),
        ("both", &night, &[yesterday, 30, 90], 90 + day + 5, None),
        ("the second may come yet", &night, &[yesterday], 95, None),
        ("none", &night, &[yesterday], 96, MISSED),
        ("the next night", &night, &[yesterday, 30], 90 + day + 6, MISSED),
        ("every quarter of an hour, both hours", &quarter, &[0, 15, 30, 45, 60, 75, 90, 105], 125, None),
        ("every quarter of an hour, and then silence", &quarter, &[0, 15, 30, 45], 126, MISSED),
    ];
    for (name, job, reports, minute, expected) in cases {
        let record = |state: Option<JobState>, minute: &i64| {
            Some(JobState::after_signal(state.as_ref(), job, Success, at(*minute), berlin_in_autumn))
        };
        let state = reports.iter().fold(None, record);
        let found = check_job(state.as_ref(), job, at(minute), berlin_in_autumn, Vec::new).err();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn the_latency_of_a_job_is_the_duration_of_its_last_run() {
    let latency = |signals: &[(UnixMillis, JobSignal)]| {
        check_job(record(&hourly(), signals).as_ref(), &hourly(), at(6), |_| 0, Vec::new).unwrap().latency
    };
    assert_eq!(latency(&[(at(0), Start), (at(3), Success)]), 3 * MINUTE);
    assert_eq!(latency(&[(at(0), Start), (at(3), Success), (at(5), Success)]), Duration::ZERO);
}
