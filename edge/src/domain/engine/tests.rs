use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{Block, LastSamples, Report};
use heapbeat_shared::{Bytes, Health, HealthMemory, InstanceId, Megabytes};

use super::*;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};
use crate::domain::check::probe_schedule::AttemptOutcome;
use crate::domain::check::request_plan::RoundBudget;
use crate::domain::check::state::{overall, worst};
use crate::domain::incident::notification::NotificationReason;
use crate::domain::incident::notification::tests::PromptRecipient;
use crate::domain::report::last_report::SampleRun;
use crate::domain::report::last_report::tests::{report, signed};
use crate::domain::{Failure, ProbeSkipped};

mod coverage;
mod domains;

/// Notifies one recipient of what the engine knows at `at`. Returns the reasons.
pub(crate) fn notified_reasons(
    engine: &Engine,
    recipient: &mut PromptRecipient,
    at: UnixMillis,
) -> Vec<NotificationReason> {
    let statuses = engine.incident_statuses(at);
    let notify = |status: IncidentStatus<'_>| recipient.notify(status.incident, status.is_flapping, at);
    statuses.into_iter().filter_map(notify).collect()
}

const MINUTE: i64 = 60_000;

fn config(ids: &[&str]) -> MonitorConfig {
    let entries: Vec<_> = ids
        .iter()
        .map(|id| {
            format!(r#"{{"id":"{id}","kind":"heapbeat","url":"https://{id}.example","failure-threshold":2}}"#)
        })
        .collect();
    let config = MonitorConfig::parse(Some(&format!("[{}]", entries.join(","))), false);
    assert_eq!(config.problems, []);
    config
}

/// What a probe found: an uptime in minutes, a failure, or a skipped probe.
#[derive(Clone, Copy)]
enum Found {
    Up(i64),
    Down,
    Skipped,
}

fn probed(id: &str, minute: i64, found: Found) -> ProbeResult {
    let result = match found {
        Found::Up(minutes) => {
            let memory = HealthMemory { rss: Megabytes(100), ..HealthMemory::default() };
            let uptime = u64::try_from(minutes * 60).unwrap();
            let body = Health { memory, uptime, ..Health::default() }.to_json();
            Ok(ProbeResponse::new(200, Duration::from_millis(12), ResponseBody::Whole(body)))
        }
        Found::Down => Err(Failure::ConnectionRefused.into()),
        Found::Skipped => Err(ProbeSkipped::Platform.into()),
    };
    ProbeResult { monitor: id.parse().unwrap(), received: UnixMillis(minute * MINUTE), result }
}

fn tick(minute: i64) -> Tick {
    Tick { at: UnixMillis(minute * MINUTE), received: UnixMillis(minute * MINUTE) }
}

/// The state of the only monitor at `minute`, and since which minute it holds.
fn state_and_minute(engine: &Engine, config: &MonitorConfig, minute: i64) -> (State, i64) {
    let view = engine.snapshot(config, UnixMillis(minute * MINUTE));
    (view.monitors[0].state, view.monitors[0].since.0 / MINUTE)
}

#[test]
fn an_outage_missed_ticks_and_a_restart() {
    let config = config(&["api"]);
    let mut engine = Engine::default();
    assert_eq!(state_and_minute(&engine, &config, 0), (State::Unobserved, 0), "nothing is known");

    let timeline = [
        (1, Found::Up(60), State::Up, 1),
        (2, Found::Up(61), State::Up, 1),
        (3, Found::Down, State::Up, 1), // below the threshold
        (4, Found::Down, State::Down, 4),
        (5, Found::Skipped, State::Down, 4), // a skipped probe changes nothing yet
    ];
    for (minute, found, state, since) in timeline {
        let commit = engine.apply_tick(&config, tick(minute), &[probed("api", minute, found)]);
        assert_eq!(commit.probes.len(), 1);
        assert_eq!(state_and_minute(&engine, &config, minute), (state, since), "minute {minute}");
    }
    // The result of minute 4 expired at 5:30, so minute 6 comes after a gap; one success is enough then.
    let commit = engine.apply_tick(&config, tick(6), &[probed("api", 6, Found::Up(1))]);
    let booked: Vec<_> = commit.ledgers[0].1.added.iter().map(|e| (e.from.0, e.state)).collect();
    assert_eq!(booked, [(330_000, State::Unobserved), (6 * MINUTE, State::Up)]);
    assert!(commit.events.contains(&EngineEvent::Restarted { monitor: "api".parse().unwrap() }));

    let _ = engine.apply_tick(&config, tick(9), &[probed("api", 9, Found::Up(4))]);
    assert_eq!(state_and_minute(&engine, &config, 9), (State::Up, 9));
    let view = engine.snapshot(&config, UnixMillis(9 * MINUTE));
    let api = &view.monitors[0];
    assert_eq!(api.restarts, [UnixMillis(5 * MINUTE)], "it has been up for a minute at minute 6");
    assert_eq!(api.started, Some(UnixMillis(5 * MINUTE)));
    assert_eq!(api.latency_ms, Some(12));
    assert_eq!(api.memory.as_ref().unwrap().at, UnixMillis(9 * MINUTE));
    // Up 1:00-4:00 and 6:00-7:30, down 4:00-5:30, and now is 9:00.
    let day = &api.uptime[0];
    assert!((day.percent.unwrap() - 100.0 * 4.5 / 6.0).abs() < 1e-9, "{day:?}");
    assert!(
        (day.coverage - 100.0 * 6.0 / 8.0).abs() < 1e-9,
        "of the eight minutes since the first probe: {day:?}"
    );
    assert_eq!(day.since, Some(UnixMillis(MINUTE)));
}

#[test]
fn the_snapshot_is_unobserved_when_ticks_stop() {
    let config = config(&["api"]);
    let mut engine = Engine::default();
    let _ = engine.apply_tick(&config, tick(0), &[probed("api", 0, Found::Down)]);
    let _ = engine.apply_tick(&config, tick(1), &[probed("api", 1, Found::Down)]);
    let reason = |minute| {
        engine.snapshot(&config, UnixMillis(minute * MINUTE)).monitors[0].reason.clone().map(|it| it.text)
    };
    assert_eq!(state_and_minute(&engine, &config, 2), (State::Down, 1));
    assert_eq!(reason(2).as_deref(), Some("connection refused"));
    assert_eq!(state_and_minute(&engine, &config, 3), (State::Unobserved, 2));
    assert_eq!(reason(3).as_deref(), Some("no recent data"));
    assert_eq!(engine.snapshot(&config, UnixMillis(3 * MINUTE)).state, State::Unobserved);
}

#[test]
fn the_snapshot_continues_from_the_ticks_clock() {
    let config = config(&["api"]);
    let mut engine = Engine::default();
    // The cron was meant for minute 100 and came when our clock said 7.
    let tick = Tick { at: UnixMillis(100 * MINUTE), received: UnixMillis(7 * MINUTE) };
    let _ = engine.apply_tick(&config, tick, &[probed("api", 7, Found::Up(1))]);
    let view = |wall: i64| engine.snapshot(&config, UnixMillis(wall)).monitors[0].state;
    assert_eq!(view(7 * MINUTE), State::Up);
    assert_eq!(view(7 * MINUTE + 90_999), State::Up, "whole seconds");
    assert_eq!(view(7 * MINUTE + 91_000), State::Unobserved);
    assert_eq!(view(0), State::Up, "a clock that was set back stands still");
}

#[test]
fn a_monitor_that_is_removed_and_comes_back_keeps_its_history() {
    let (both, one) = (config(&["api", "web"]), config(&["web"]));
    let mut engine = Engine::default();
    let probes =
        |minute| [probed("api", minute, Found::Up(minute)), probed("web", minute, Found::Up(minute))];
    let _ = engine.apply_tick(&both, tick(1), &probes(1));
    let _ = engine.apply_tick(&one, tick(2), &probes(2)[1..]);
    let commit = engine.apply_tick(&one, tick(3), &probes(3)[1..]);
    let api: MonitorId = "api".parse().unwrap();
    let persisted_states: PersistedStates = heapbeat_shared::codec::decode(&commit.persisted_states).unwrap();
    assert!(persisted_states.len() == 1 && persisted_states[0].0 != api);
    assert_eq!(commit.ledgers[0].0, api);
    assert_eq!(
        commit.ledgers[0].1.added,
        [LedgerEntry { from: UnixMillis(150_000), state: State::Unobserved }]
    );

    let commit = engine.apply_tick(&both, tick(10), &probes(10));
    assert_eq!(commit.ledgers[0].1.added, [LedgerEntry { from: UnixMillis(10 * MINUTE), state: State::Up }]);
    let coverage = engine.snapshot(&both, UnixMillis(10 * MINUTE)).monitors[0].uptime[0].coverage;
    assert!((coverage - 100.0 * 1.5 / 9.0).abs() < 1e-9, "1:00 to 2:30 was observed, of 1:00 to 10:00");
}

#[test]
fn a_monitor_that_is_no_longer_configured_is_deleted_in_the_end() {
    let (both, one) = (config(&["api", "web"]), config(&["web"]));
    let mut engine = Engine::default();
    let _ = engine.apply_tick(&both, tick(0), &[probed("api", 0, Found::Up(1))]);
    let _ = engine.apply_tick(&one, tick(10), &[]);
    let later = 92 * 1440;
    let commit = engine.apply_tick(&one, tick(later), &[]);
    let forgotten = LedgerChanges {
        added: Vec::new(),
        delete_before: Some(UnixMillis(later * MINUTE)),
        replace_from: None,
    };
    assert_eq!(commit.ledgers, [("api".parse().unwrap(), forgotten)]);
    assert!(engine.monitors.is_empty());
}

#[test]
fn a_restored_engine_equals_the_stored_one() {
    let config = config(&["api", "web"]);
    let (mut engine, mut entries, mut ticks) =
        (Engine::default(), LiteMap::<MonitorId, Vec<LedgerEntry>>::new(), vec![]);
    let found = [Found::Up(9), Found::Down, Found::Down, Found::Skipped, Found::Up(1), Found::Up(2)];
    let mut persisted_states = Vec::new();
    for (minute, found) in (0..).step_by(2).zip(found) {
        let probes = [probed("api", minute, found), probed("web", minute, Found::Up(minute))];
        let commit = engine.apply_tick(&config, tick(minute), &probes);
        persisted_states = commit.persisted_states;
        for (id, changes) in commit.ledgers {
            entries.entry(id).or_default().extend(changes.added);
        }
        ticks.push((commit.tick.at, commit.probes));
    }
    let mut restored = Engine::restore(
        engine.last_tick(),
        heapbeat_shared::codec::decode(&persisted_states).unwrap(),
        entries,
    );
    for (at, probes) in &ticks {
        restored.restore_tick(*at, probes);
    }
    // What is under maintenance is known with the next tick.
    restored.set_maintenance(Vec::new());
    assert_eq!(restored, engine);
}

#[test]
fn who_waited_longest_is_probed_first_and_of_equals_the_healthy() {
    let config = config(&["a", "b", "c", "d"]);
    let mut engine = Engine::default();
    let outcome = |id: &str, outcome| ProbeAttempt::not_started(id.parse().unwrap(), outcome);
    let probe_minute = |engine: &mut Engine, minute: i64, found: &[(&str, Found)]| {
        let probes: Vec<_> = found.iter().map(|(id, found)| probed(id, minute, *found)).collect();
        let attempts: Vec<_> =
            found.iter().map(|(id, _)| outcome(id, AttemptOutcome::Responded(1))).collect();
        engine.record_attempts(UnixMillis(minute * MINUTE), &attempts);
        let _ = engine.apply_tick(&config, tick(minute), &probes);
    };
    let planned = |engine: &Engine, minute: i64| -> Vec<String> {
        let budget = RoundBudget { local: 45, regional: 45 };
        let round = engine.plan_round(&config, UnixMillis(minute * MINUTE), budget);
        round.probes.iter().map(|probe| probe.monitor.id.to_string()).collect()
    };
    probe_minute(&mut engine, 0, &[("c", Found::Down), ("d", Found::Up(1))]);
    assert_eq!(planned(&engine, 0), ["a", "b"], "those that were never probed");
    probe_minute(&mut engine, 1, &[("a", Found::Down), ("b", Found::Up(1))]);
    assert_eq!(planned(&engine, 2), ["d", "c", "b", "a"], "c and d have waited for a tick more");
    probe_minute(&mut engine, 2, &[("c", Found::Down), ("d", Found::Up(1))]);
    probe_minute(
        &mut engine,
        3,
        &[("a", Found::Down), ("b", Found::Up(1)), ("c", Found::Down), ("d", Found::Up(1))],
    );
    assert_eq!(planned(&engine, 4), ["b", "d", "a", "c"], "all are due, and healthy ones respond soonest");
}

#[test]
fn a_monitor_that_is_not_asked_is_unwatched_with_its_reason() {
    use AttemptOutcome::{NoRoom, NoTime, Responded};
    let config = config(&["a", "b"]);
    let mut engine = Engine::default();
    let attempt = |id: &str, outcome| ProbeAttempt::not_started(id.parse().unwrap(), outcome);
    for minute in 0..=12 {
        let of_b = if minute < 6 { NoRoom } else { NoTime };
        engine
            .record_attempts(UnixMillis(minute * MINUTE), &[attempt("a", Responded(1)), attempt("b", of_b)]);
        let _ = engine.apply_tick(&config, tick(minute), &[probed("a", minute, Found::Up(1))]);
        let view = engine.snapshot(&config, UnixMillis(minute * MINUTE));
        let codes: Vec<_> = view.notices.iter().map(|notice| notice.code.as_str()).collect();
        let (state, expected): (_, &[&str]) = match minute {
            0..=3 => (State::Up, &[]),
            4..=5 => (State::Unobserved, &["unwatched-requests"]),
            _ => (State::Unobserved, &["unwatched-time"]),
        };
        assert_eq!((view.state, codes.as_slice()), (state, expected), "minute {minute}");
        assert!(view.monitors[1].reason.as_ref().unwrap().code.starts_with("skipped-"));
        assert_eq!(view.monitors.iter().map(|it| it.unwatched).collect::<Vec<_>>(), [false, minute > 3]);
        let watched = engine.watch_statuses(&config, UnixMillis(minute * MINUTE));
        let alerted = watched.iter().filter(|it| it.unwatched.is_some_and(|it| it.alerts)).count();
        assert_eq!(alerted, usize::from(minute >= 10), "minute {minute}");
    }
    let view = engine.snapshot(&config, UnixMillis(12 * MINUTE));
    let text = "No data for 1 monitors since 1970-01-01T00:00:00Z: other checks take too long.";
    assert_eq!(view.notices[0].text, text);
    // It is asked at last.
    engine.record_attempts(UnixMillis(13 * MINUTE), &[attempt("b", Responded(1))]);
    let both = [probed("a", 13, Found::Up(1)), probed("b", 13, Found::Up(1))];
    let _ = engine.apply_tick(&config, tick(13), &both);
    let view = engine.snapshot(&config, UnixMillis(13 * MINUTE));
    assert_eq!((view.state, view.notices.len()), (State::Up, 0));
    // No tick comes any more.
    let view = engine.snapshot(&config, UnixMillis(17 * MINUTE));
    assert_eq!((view.state, view.notices[0].code.as_str()), (State::Unobserved, "unwatched-no-tick"));
}

#[test]
fn all_is_never_up_while_a_monitor_is_unwatched() {
    use State::{Degraded, Down, Maintenance, Unobserved, Up};
    for (states, watched, unwatched) in [
        ([Up, Unobserved], Up, Unobserved),
        ([Maintenance, Unobserved], Maintenance, Unobserved),
        ([Degraded, Unobserved], Degraded, Degraded),
        ([Down, Up], Down, Down),
    ] {
        assert_eq!((overall(states, false), overall(states, true)), (watched, unwatched), "{states:?}");
    }
}

#[test]
fn the_worst_known_state_is_that_of_all() {
    use State::{Degraded, Down, Maintenance, Unobserved, Up, Waking};
    let cases: [(&[State], State); 7] = [
        (&[], Unobserved),
        (&[Unobserved], Unobserved),
        (&[Unobserved, Up], Up),
        (&[Up, Degraded, Unobserved], Degraded),
        (&[Up, Maintenance], Maintenance),
        (&[Waking, Maintenance, Up], Waking),
        (&[Down, Degraded, Waking], Down),
    ];
    for (states, all) in cases {
        assert_eq!(worst(states.iter().copied()), all, "{states:?}");
    }
}

#[test]
fn samples_that_an_instance_left_are_in_history_chart_recording_and_comparison() {
    let config = config(&["api"]);
    let mut engine = Engine::default();
    let mut apply_report = |minute: i64, report: &Report| {
        let body = ResponseBody::Whole(report.health().to_json());
        let latency = Duration::from_millis(12);
        let answer = ProbeResponse {
            report: Some(Box::new(signed(report))),
            ..ProbeResponse::new(200, latency, body)
        };
        let at = UnixMillis(minute * MINUTE);
        let probed = ProbeResult { monitor: "api".parse().unwrap(), received: at, result: Ok(answer) };
        engine.apply_tick(&config, tick(minute), &[probed])
    };
    apply_report(10, &report(1, UnixMillis(10 * MINUTE), 0, 60));
    // There are no ticks for some minutes; memory runs full in the last second, at an age of 310 s.
    let end = UnixMillis(10 * MINUTE + 250_000);
    let mut left = report(1, end, 60, 250).samples.series().unwrap();
    left.samples[249].rss = Bytes::from_mb(500);
    let next = Report {
        version: "v2".into(),
        previous_exit: Some(Exit {
            kind: ExitKind::OomKill,
            instance: Some(InstanceId(1)),
            at: end,
            ..Exit::default()
        }),
        last_samples: Some(LastSamples { instance: InstanceId(1), samples: Block::of(&left, 0) }),
        ..report(2, UnixMillis(15 * MINUTE), 0, 10)
    };
    let commit = apply_report(15, &next);

    let runs = |runs: &[SampleRun]| -> Vec<(u64, u64, usize)> {
        runs.iter().map(|run| (run.instance.0, run.series.first, run.series.samples.len())).collect()
    };
    assert_eq!(runs(&commit.probes[0].runs), [(1, 60, 250), (2, 0, 10)]);
    assert_eq!(runs(&commit.recordings[0].2), [(1, 0, 60), (1, 60, 250), (2, 0, 10)]);
    let charted = &engine.snapshot(&config, UnixMillis(15 * MINUTE)).monitors[0].chart;
    assert_eq!(charted.iter().map(|point| point.memory.rss.0).max(), Some(500));
    let comparison = engine.monitors[&"api".parse().unwrap()].persisted.version_comparison.clone().unwrap();
    let reached: Vec<_> = comparison.versions.iter().map(|it| (&*it.name, it.by_age[1].is_some())).collect();
    assert_eq!(reached, [("v2", false), ("1a2b3c4", true)], "five minutes");

    // A hub that is restarted draws the same from what is stored.
    let mut restarted =
        Engine::restore(None, vec![("api".parse().unwrap(), PersistedState::default())], LiteMap::new());
    restarted.restore_tick(tick(15).at, &commit.probes);
    let state = &restarted.monitors[&"api".parse().unwrap()];
    assert_eq!(runs(state.recent_runs.as_slices().0), [(1, 60, 250), (2, 0, 10)]);
}
