use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{Block, LastSamples, Report};
use heapbeat_shared::{Bytes, Health, HealthMemory, InstanceId, Megabytes};

use super::*;
use crate::domain::check::outcome::{ProbeResponse, ResponseBody};
use crate::domain::check::state::worst;
use crate::domain::report::last_report::tests::{report, signed};
use crate::domain::{Failure, ProbeSkipped};

const MINUTE: i64 = 60_000;

fn config(ids: &[&str]) -> Config {
    let entries: Vec<_> = ids
        .iter()
        .map(|id| {
            format!(r#"{{"id":"{id}","kind":"heapbeat","url":"https://{id}.example","failure-threshold":2}}"#)
        })
        .collect();
    let config = Config::parse(Some(&format!("[{}]", entries.join(","))), false);
    assert_eq!(config.problems, []);
    config
}

/// What a probe finds: an uptime in minutes, a failure, or our own blindness.
#[derive(Clone, Copy)]
enum Finds {
    Up(i64),
    Down,
    Blind,
}

fn probed(id: &str, minute: i64, finds: Finds) -> ProbeResult {
    let result = match finds {
        Finds::Up(minutes) => {
            let memory = HealthMemory { rss: Megabytes(100), ..HealthMemory::default() };
            let uptime = u64::try_from(minutes * 60).unwrap();
            let body = Health { memory, uptime, ..Health::default() }.to_json();
            Ok(ProbeResponse {
                status: 200,
                latency: Duration::from_millis(12),
                body: ResponseBody::Whole(body),
                report: None,
            })
        }
        Finds::Down => Err(Failure::Refused.into()),
        Finds::Blind => Err(ProbeSkipped::Platform.into()),
    };
    ProbeResult { monitor: id.parse().unwrap(), heard: UnixMillis(minute * MINUTE), result }
}

fn tick(minute: i64) -> Tick {
    Tick { at: UnixMillis(minute * MINUTE), came: UnixMillis(minute * MINUTE) }
}

/// The one monitor's state and since which minute, at `minute`.
fn seen(board: &Engine, config: &Config, minute: i64) -> (State, i64) {
    let view = board.view(config, UnixMillis(minute * MINUTE));
    (view.monitors[0].state, view.monitors[0].since.0 / MINUTE)
}

#[test]
fn a_life_with_an_outage_missed_ticks_and_a_restart() {
    let config = config(&["api"]);
    let mut board = Engine::default();
    assert_eq!(seen(&board, &config, 0), (State::Unobserved, 0), "nothing is known");

    let timeline = [
        (1, Finds::Up(60), State::Up, 1),
        (2, Finds::Up(61), State::Up, 1),
        (3, Finds::Down, State::Up, 1), // below the threshold
        (4, Finds::Down, State::Down, 4),
        (5, Finds::Blind, State::Down, 4), // our own fault changes nothing yet
    ];
    for (minute, finds, state, since) in timeline {
        let commit = board.take(&config, tick(minute), &[probed("api", minute, finds)]);
        assert_eq!(commit.readings.len(), 1);
        assert_eq!(seen(&board, &config, minute), (state, since), "minute {minute}");
    }
    // The word of minute 4 ran out at 5:30, so minute 6 comes after a gap; one success is enough then.
    let commit = board.take(&config, tick(6), &[probed("api", 6, Finds::Up(1))]);
    let booked: Vec<_> = commit.ledgers[0].1.added.iter().map(|e| (e.from.0, e.state)).collect();
    assert_eq!(booked, [(330_000, State::Unobserved), (6 * MINUTE, State::Up)]);
    assert!(commit.notes.contains(&EngineEvent::Restarted { monitor: "api".parse().unwrap() }));

    let _ = board.take(&config, tick(9), &[probed("api", 9, Finds::Up(4))]);
    assert_eq!(seen(&board, &config, 9), (State::Up, 9));
    let view = board.view(&config, UnixMillis(9 * MINUTE));
    let api = &view.monitors[0];
    assert_eq!(api.restarts, [UnixMillis(5 * MINUTE)], "it has been up for a minute at minute 6");
    assert_eq!(api.started, Some(UnixMillis(5 * MINUTE)));
    assert_eq!(api.latency_ms, Some(12));
    assert_eq!(api.memory.as_ref().unwrap().at, UnixMillis(9 * MINUTE));
    // Up 1:00-4:00 and 6:00-7:30, down 4:00-5:30, and now is 9:00.
    let day = &api.uptime[0];
    assert!((day.percent.unwrap() - 100.0 * 4.5 / 6.0).abs() < 1e-9, "{day:?}");
    assert!((day.coverage - 100.0 * 6.0 / 1440.0).abs() < 1e-9, "{day:?}");
}

#[test]
fn when_ticks_stop_the_view_says_so_by_itself() {
    let config = config(&["api"]);
    let mut board = Engine::default();
    let _ = board.take(&config, tick(0), &[probed("api", 0, Finds::Down)]);
    let _ = board.take(&config, tick(1), &[probed("api", 1, Finds::Down)]);
    let reason = |minute| {
        board.view(&config, UnixMillis(minute * MINUTE)).monitors[0].reason.clone().map(|it| it.text)
    };
    assert_eq!(seen(&board, &config, 2), (State::Down, 1));
    assert_eq!(reason(2).as_deref(), Some("connection refused"));
    assert_eq!(seen(&board, &config, 3), (State::Unobserved, 2));
    assert_eq!(reason(3).as_deref(), Some("no recent data"));
    assert_eq!(board.view(&config, UnixMillis(3 * MINUTE)).state, State::Unobserved);
}

#[test]
fn the_view_goes_on_from_the_ticks_clock() {
    let config = config(&["api"]);
    let mut board = Engine::default();
    // The cron was meant for minute 100 and came when our clock said 7.
    let tick = Tick { at: UnixMillis(100 * MINUTE), came: UnixMillis(7 * MINUTE) };
    let _ = board.take(&config, tick, &[probed("api", 7, Finds::Up(1))]);
    let view = |wall: i64| board.view(&config, UnixMillis(wall)).monitors[0].state;
    assert_eq!(view(7 * MINUTE), State::Up);
    assert_eq!(view(7 * MINUTE + 90_999), State::Up, "whole seconds");
    assert_eq!(view(7 * MINUTE + 91_000), State::Unobserved);
    assert_eq!(view(0), State::Up, "a clock that was set back stands still");
}

#[test]
fn a_monitor_that_was_taken_out_and_comes_back_keeps_its_history() {
    let (both, one) = (config(&["api", "web"]), config(&["web"]));
    let mut board = Engine::default();
    let probes =
        |minute| [probed("api", minute, Finds::Up(minute)), probed("web", minute, Finds::Up(minute))];
    let _ = board.take(&both, tick(1), &probes(1));
    let _ = board.take(&one, tick(2), &probes(2)[1..]);
    let commit = board.take(&one, tick(3), &probes(3)[1..]);
    let api: MonitorId = "api".parse().unwrap();
    let persisted_states: PersistedStates = heapbeat_shared::codec::decode(&commit.persisted_states).unwrap();
    assert!(persisted_states.len() == 1 && persisted_states[0].0 != api);
    assert_eq!(commit.ledgers[0].0, api);
    assert_eq!(
        commit.ledgers[0].1.added,
        [LedgerEntry { from: UnixMillis(150_000), state: State::Unobserved }]
    );

    let commit = board.take(&both, tick(10), &probes(10));
    assert_eq!(commit.ledgers[0].1.added, [LedgerEntry { from: UnixMillis(10 * MINUTE), state: State::Up }]);
    let coverage = board.view(&both, UnixMillis(10 * MINUTE)).monitors[0].uptime[0].coverage;
    assert!((coverage - 100.0 * 1.5 / 1440.0).abs() < 1e-9, "1:00 to 2:30 was observed");
}

#[test]
fn what_nobody_configures_any_more_is_forgotten_in_the_end() {
    let (both, one) = (config(&["api", "web"]), config(&["web"]));
    let mut board = Engine::default();
    let _ = board.take(&both, tick(0), &[probed("api", 0, Finds::Up(1))]);
    let _ = board.take(&one, tick(10), &[]);
    let later = 92 * 1440;
    let commit = board.take(&one, tick(later), &[]);
    let forgotten =
        LedgerChanges { added: Vec::new(), forget_before: Some(UnixMillis(later * MINUTE)), redo_from: None };
    assert_eq!(commit.ledgers, [("api".parse().unwrap(), forgotten)]);
    assert!(board.watched.is_empty());
}

#[test]
fn a_board_that_was_stored_and_read_again_is_the_same() {
    let config = config(&["api", "web"]);
    let (mut board, mut entries, mut ticks) =
        (Engine::default(), LiteMap::<MonitorId, Vec<LedgerEntry>>::new(), vec![]);
    let finds = [Finds::Up(9), Finds::Down, Finds::Down, Finds::Blind, Finds::Up(1), Finds::Up(2)];
    let mut persisted_states = Vec::new();
    for (minute, finds) in (0..).step_by(2).zip(finds) {
        let probes = [probed("api", minute, finds), probed("web", minute, Finds::Up(minute))];
        let commit = board.take(&config, tick(minute), &probes);
        persisted_states = commit.persisted_states;
        for (id, changes) in commit.ledgers {
            entries.entry(id).or_default().extend(changes.added);
        }
        ticks.push((commit.tick.at, commit.readings));
    }
    let mut restored =
        Engine::restore(board.last(), heapbeat_shared::codec::decode(&persisted_states).unwrap(), entries);
    for (at, readings) in &ticks {
        restored.chart(*at, readings);
    }
    assert_eq!(restored, board);
}

#[test]
fn those_in_trouble_are_probed_last_and_the_one_that_waited_longest_first_among_them() {
    let config = config(&["a", "b", "c", "d"]);
    let mut board = Engine::default();
    let _ = board.take(&config, tick(0), &[probed("c", 0, Finds::Down), probed("d", 0, Finds::Up(1))]);
    let _ = board.take(&config, tick(1), &[probed("a", 1, Finds::Down), probed("b", 1, Finds::Up(1))]);
    let due: Vec<_> = board.due(&config, UnixMillis(2 * MINUTE)).iter().map(|m| m.id.to_string()).collect();
    assert_eq!(due, ["d", "b", "c", "a"]);
    assert!(board.due(&config, UnixMillis(MINUTE)).iter().all(|m| !["a", "b"].contains(&m.id.as_str())));
}

#[test]
fn the_worst_that_is_known_speaks_for_all() {
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
fn what_an_instance_left_is_in_the_history_the_chart_the_recording_and_the_comparison() {
    let config = config(&["api"]);
    let mut board = Engine::default();
    let mut take = |minute: i64, told: &Report| {
        let body = ResponseBody::Whole(told.health().to_json());
        let latency = Duration::from_millis(12);
        let answer = ProbeResponse { status: 200, latency, body, report: Some(Box::new(signed(told))) };
        let at = UnixMillis(minute * MINUTE);
        let probed = ProbeResult { monitor: "api".parse().unwrap(), heard: at, result: Ok(answer) };
        board.take(&config, tick(minute), &[probed])
    };
    take(10, &report(1, UnixMillis(10 * MINUTE), 0, 60));
    // Nobody asks for some minutes; memory runs full in its last second, at an age of 310 s.
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
    let commit = take(15, &next);

    let runs = |runs: &[SampleRun]| -> Vec<(u64, u64, usize)> {
        runs.iter().map(|run| (run.instance.0, run.series.first, run.series.samples.len())).collect()
    };
    assert_eq!(runs(&commit.readings[0].runs), [(1, 60, 250), (2, 0, 10)]);
    assert_eq!(runs(&commit.recordings[0].2), [(1, 0, 60), (1, 60, 250), (2, 0, 10)]);
    let charted = &board.view(&config, UnixMillis(15 * MINUTE)).monitors[0].chart;
    assert_eq!(charted.iter().map(|point| point.memory.rss.0).max(), Some(500));
    let growth = board.watched[&"api".parse().unwrap()].memo.growth.clone().unwrap();
    let reached: Vec<_> = growth.versions.iter().map(|it| (&*it.name, it.marks[1].is_some())).collect();
    assert_eq!(reached, [("v2", false), ("1a2b3c4", true)], "five minutes");

    // A hub that begins anew draws the same from what it stored.
    let mut anew =
        Engine::restore(None, vec![("api".parse().unwrap(), PersistedState::default())], LiteMap::new());
    anew.chart(tick(15).at, &commit.readings);
    let drawn = &anew.watched[&"api".parse().unwrap()];
    assert_eq!(runs(drawn.recent.as_slices().0), [(1, 60, 250), (2, 0, 10)]);
}
