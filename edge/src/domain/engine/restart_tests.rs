//! Random lives of a server, compared with a model that knows every instance.

use std::time::Duration;

use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{EarlierInstances, Report};
use heapbeat_shared::{InstanceId, UnixMillis};
use proptest::prelude::*;

use super::{Engine, Tick};
use crate::domain::State;
use crate::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use crate::domain::report::last_report::tests as reports;
use crate::monitor_config::MonitorConfig;

/// What ends an instance, in seconds.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// It is killed, and the next one starts after this time.
    Kill { away: i64 },
    /// The next one takes over, and it drains for this time; `crashes` in the end.
    Recycle { drain: i64, crashes: bool },
}

#[derive(Clone, Copy, Debug)]
struct Instance {
    started: i64,
    /// When it accepted its last connection.
    served: i64,
    ended: i64,
    kind: ExitKind,
}

fn instances(steps: &[(i64, Step)]) -> Vec<Instance> {
    let mut started = 0;
    let mut instances = Vec::new();
    for (served_for, step) in steps {
        let served = started + served_for;
        let (ended, next, kind) = match *step {
            Step::Kill { away } => (served, served + away, ExitKind::Crash),
            Step::Recycle { drain, crashes: true } => (served + drain, served, ExitKind::Crash),
            Step::Recycle { drain, .. } => (served + drain, served, ExitKind::Recycle),
        };
        instances.push(Instance { started, served, ended, kind });
        started = next;
    }
    instances.push(Instance { started, served: i64::MAX, ended: i64::MAX, kind: ExitKind::Unknown });
    instances
}

fn at(second: i64) -> UnixMillis {
    UnixMillis(1_000_000 + second * 1000)
}

fn exit(index: usize, instance: Instance) -> Exit {
    Exit {
        kind: instance.kind,
        at: at(instance.ended),
        instance: Some(InstanceId(index as u64)),
        started: Some(at(instance.started)),
        ..Exit::default()
    }
}

/// The report of the serving instance: the exit of its predecessor and of the others before it, once they are known.
fn report(instances: &[Instance], index: usize, second: i64) -> Report {
    let earlier = &instances[..index];
    let mut ended: Vec<(usize, Instance)> =
        earlier.iter().copied().enumerate().filter(|(_, it)| it.ended <= second).collect();
    ended.sort_by_key(|(_, it)| it.ended);
    let is_previous = |(number, _): &(usize, Instance)| *number + 1 == index;
    let previous_exit = ended.iter().find(|it| is_previous(it)).map(|(number, it)| exit(*number, *it));
    let exits = ended.iter().filter(|it| !is_previous(it)).map(|(number, it)| exit(*number, *it)).collect();
    let running = u32::try_from(earlier.len() - ended.len()).unwrap();
    let count = u64::try_from(second - instances[index].started + 1).unwrap();
    Report {
        started: at(instances[index].started),
        previous_exit,
        earlier: EarlierInstances { running, exits },
        ..reports::report(index as u64, at(second), 0, count)
    }
}

/// A restart: its instant, and kind and instant of the exit.
type Booked = (UnixMillis, ExitKind, UnixMillis);

/// What the edge can know: the restarts, each with the exit of the instance before, as of the reports in `ticks`.
fn expected(instances: &[Instance], ticks: &[(i64, usize)]) -> (Vec<UnixMillis>, Vec<Booked>) {
    let (mut restarts, mut booked) = (Vec::new(), Vec::new());
    for pair in ticks.windows(2) {
        let ((_, last), (second, now)) = (pair[0], pair[1]);
        if last == now {
            continue;
        }
        let unseen = (last + 1..now).filter(|index| instances[*index].ended <= second);
        let chain: Vec<usize> = [last].into_iter().chain(unseen).chain([now]).collect();
        for pair in chain.windows(2) {
            let (gone, restarted) = (instances[pair[0]], at(instances[pair[1]].started));
            restarts.push(restarted);
            booked.push((restarted, gone.kind, at(gone.ended)));
        }
    }
    booked.sort_by_key(|(_, _, ended)| *ended);
    (restarts, booked)
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let kill = (1i64..15).prop_map(|away| Step::Kill { away });
    let recycle = (0i64..40, any::<bool>(), any::<bool>())
        .prop_map(|(drain, one, two)| Step::Recycle { drain, crashes: one && two });
    (2i64..40, prop_oneof![kill, recycle])
}

proptest! {
    #[test]
    fn each_restart_gets_exactly_its_own_exit(
        steps in prop::collection::vec(step(), 1..9),
        missed in prop::collection::vec(prop::bool::weighted(0.3), 200),
    ) {
        let instances = instances(&steps);
        let end = instances.iter().filter(|it| it.ended != i64::MAX).map(|it| it.ended).max().unwrap();
        let end = end.max(instances.last().unwrap().started) + 20;
        let serving = |second: i64| {
            instances.iter().position(|it| it.started < second && second < it.served)
        };
        let ticks: Vec<(i64, usize)> = (1..end)
            .step_by(5)
            .zip(missed.iter().cycle())
            .filter(|(second, missed)| !**missed || *second == 1 || *second + 10 > end)
            .filter_map(|(second, _)| Some((second, serving(second)?)))
            .collect();
        let config = r#"[{"id":"api","kind":"heapbeat","url":"https://a.example","interval":"5s"}]"#;
        let config = MonitorConfig::parse(Some(config), false);
        let mut engine = Engine::default();
        for (second, index) in &ticks {
            let report = reports::signed(&report(&instances, *index, *second));
            let body = ResponseBody::Whole(report.report.health().to_json());
            let latency = Duration::from_millis(5);
            let answer = ProbeResponse { report: Some(Box::new(report)), ..ProbeResponse::new(200, latency, body) };
            let received = at(*second);
            let probe = ProbeResult { monitor: "api".parse().unwrap(), received, result: Ok(answer) };
            engine.apply_tick(&config, Tick { at: received, received }, &[probe]);
            let incident = engine.monitors[&"api".parse().unwrap()].incidents.latest.clone();
            let timeline: Vec<_> = incident.into_iter().flat_map(|it| it.timeline).collect();
            prop_assert!(timeline.is_sorted_by_key(|entry| entry.at), "{timeline:?}");
            for (index, entry) in timeline.iter().enumerate() {
                prop_assert!(!timeline[..index].contains(entry), "twice: {entry:?}");
            }
        }
        let state = &engine.monitors[&"api".parse().unwrap()];
        let (restarts, exits) = expected(&instances, &ticks);
        prop_assert_eq!(Vec::from(state.persisted.restarts.clone()), restarts);
        let found = state.persisted.exits.iter().flatten();
        let found: Vec<Booked> = found.map(|it| (it.restarted.unwrap(), it.kind, it.at)).collect();
        prop_assert_eq!(&found, &exits);
        let crashes = exits.iter().filter(|(_, kind, _)| kind.is_failure()).count();
        prop_assert_eq!(state.persisted.crashes.iter().flatten().count(), crashes);
        // Only the time in which no process accepted connections is down.
        for segment in state.ledger.segments(at(end)).filter(|it| it.state == State::Down) {
            let is_served = |it: &Instance| at(it.started) < segment.to && segment.from < at(it.served.min(end));
            prop_assert!(!instances.iter().any(is_served), "{segment:?}");
        }
        // A gap between two reports in which nothing else happened is known to be one.
        // An instance that was never seen and still drains leaves it open what it served.
        let unseen_drains = |now: usize, second: i64| {
            (0..now).any(|it| instances[it].ended > second && ticks.iter().all(|tick| tick.1 != it))
        };
        let known = |pair: &&[(i64, usize)]| {
            pair[1].1 == pair[0].1 + 1 && !unseen_drains(pair[1].1, pair[1].0)
        };
        for pair in ticks.windows(2).filter(known) {
            let (gone, next) = (instances[pair[0].1], instances[pair[1].1]);
            for second in gone.ended..next.started {
                let entry = state.ledger.segments(at(end)).find(|it| it.from <= at(second) && at(second) < it.to);
                prop_assert_eq!(entry.map(|it| it.state), Some(State::Down), "second {}", second);
            }
        }
    }
}
