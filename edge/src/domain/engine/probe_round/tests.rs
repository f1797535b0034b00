//! That every monitor is asked: timelines of the cases that once left monitors unasked, and random hubs.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use proptest::prelude::*;

use super::simulation::{Behavior, Hub, REQUESTS};
use crate::domain::State;
use crate::domain::check::request_plan::{MAX_FOLLOW_UPS, MAX_PROBE_REQUESTS};
use crate::domain::check::schedule::TICK;
use crate::monitor_config::{MonitorConfig, MonitorId, REGIONS};

const MINUTE: i64 = 60_000;

/// A list of monitors `m0`, `m1` and so on, each with further settings in JSON.
fn config(settings: impl IntoIterator<Item = String>) -> MonitorConfig {
    let entries = settings
        .into_iter()
        .enumerate()
        .map(|(number, settings)| format!(r#"{{"id":"m{number}",{settings}}}"#));
    let config = MonitorConfig::parse(Some(&format!("[{}]", entries.collect::<Vec<_>>().join(","))), false);
    assert_eq!(config.problems, []);
    config
}

fn http(count: usize, more: &str) -> MonitorConfig {
    config((0..count).map(|_| format!(r#""kind":"http","url":"https://a.example"{more}"#)))
}

/// Runs so many minutes of one behavior, and returns the hub with the longest time between two results of a monitor, in seconds, after
/// the first five minutes.
fn run_minutes<'c>(
    config: &'c MonitorConfig,
    minutes: i64,
    behavior: &dyn Fn(&MonitorId, UnixMillis) -> Behavior,
) -> (Hub<'c>, u64) {
    let mut hub = Hub::new(config);
    for minute in 0..minutes {
        hub.run_tick(UnixMillis(minute * MINUTE), UnixMillis((minute + 1) * MINUTE), behavior);
    }
    let gap = config.monitors.iter().map(|it| longest_gap(&hub, &it.id, 5 * MINUTE, minutes * MINUTE)).max();
    (hub, gap.unwrap().as_secs())
}

/// The longest time between two results of a monitor, both ends of the time included.
fn longest_gap(hub: &Hub<'_>, id: &MonitorId, from: i64, to: i64) -> Duration {
    let results = hub.record.results.get(id).map(Vec::as_slice).unwrap_or_default();
    let within = results.iter().map(|at| at.0).filter(|at| (from..to).contains(at));
    let instants: Vec<i64> = [from].into_iter().chain(within).chain([to]).collect();
    let gap = instants.windows(2).map(|pair| pair[1] - pair[0]).max();
    Duration::from_millis(gap.unwrap().unsigned_abs())
}

/// The number of monitors in each state at an instant.
fn count(hub: &Hub<'_>, state: State, at: i64) -> usize {
    hub.engine.snapshot(hub.config, UnixMillis(at)).monitors.iter().filter(|it| it.state == state).count()
}

#[test]
fn monitors_that_redirect_are_all_asked_every_minute() {
    // (monitors, redirects of each, the longest time between two results at most)
    for (monitors, redirects, most) in [(23, 1, 60), (40, 1, 62), (40, 3, 68), (40, 5, 75)] {
        let config = http(monitors, "");
        let (hub, gap) = run_minutes(&config, 60, &|_, _| Behavior::Answers(redirects));
        assert!(gap <= most, "{monitors} monitors with {redirects} redirects: {gap} s");
        assert_eq!(count(&hub, State::Up, 60 * MINUTE - 1), monitors);
        assert!(hub.record.most_requests <= REQUESTS);
    }
}

#[test]
fn a_total_outage_with_retries_is_observed_at_every_monitor() {
    let config = http(40, r#","retries":3,"failure-threshold":2"#);
    let is_out = |at: UnixMillis| (10 * MINUTE..30 * MINUTE).contains(&at.0);
    for failure in [Behavior::Refuses, Behavior::Errs] {
        let (hub, gap) =
            run_minutes(&config, 60, &|_, at| if is_out(at) { failure } else { Behavior::Answers(0) });
        assert!(gap <= 70, "{gap} s");
        assert_eq!(count(&hub, State::Up, 60 * MINUTE - 1), 40);
        let (during, _) =
            run_minutes(&config, 12, &|_, at| if is_out(at) { failure } else { Behavior::Answers(0) });
        assert_eq!(count(&during, State::Down, 12 * MINUTE - 1), 40, "within two minutes");
    }
}

#[test]
fn a_failure_waits_for_its_retry_once_and_no_longer() {
    let config = http(40, r#","retries":1,"failure-threshold":1"#);
    // All fail for a moment, at the tick of minute 10; the retries find no requests, and succeed in the follow-up.
    let blip = |_: &MonitorId, at: UnixMillis| {
        let fails = (10 * MINUTE..10 * MINUTE + 500).contains(&at.0);
        if fails { Behavior::Refuses } else { Behavior::Answers(0) }
    };
    let (hub, _) = run_minutes(&config, 11, &blip);
    // The budget has five retries, of which two are left to the references.
    let up = count(&hub, State::Up, 11 * MINUTE - 1);
    assert_eq!(up, 40, "{up} of 40 are up");
}

#[test]
fn targets_that_hang_leave_no_monitor_unobserved_for_long() {
    let config = http(40, r#","timeout":"10s""#);
    let (hub, gap) = run_minutes(&config, 60, &|_, _| Behavior::Hangs);
    // Six connections serve forty timeouts of ten seconds in seventy.
    assert!(gap <= 110, "{gap} s");
    assert_eq!(count(&hub, State::Down, 60 * MINUTE - 1), 40);
    // Healthy monitors are not slowed by eighteen that hang.
    let hangs = |id: &MonitorId| id.as_str()[1..].parse::<u32>().unwrap() < 18;
    let (hub, _) =
        run_minutes(&config, 60, &|id, _| if hangs(id) { Behavior::Hangs } else { Behavior::Answers(0) });
    for monitor in config.monitors.iter().filter(|monitor| !hangs(&monitor.id)) {
        let gap = longest_gap(&hub, &monitor.id, 5 * MINUTE, 60 * MINUTE);
        assert!(gap <= Duration::from_secs(90), "{}: {gap:?}", monitor.id);
    }
}

/// The time within which all monitors of a hub can be asked once, whatever they do: rounds that are full of requests, rounds that are
/// full of timeouts, and three in which it learns how many requests a monitor needs.
fn time_for_all(config: &MonitorConfig, longest_round: Duration) -> Duration {
    let monitors = u32::try_from(config.monitors.len()).unwrap();
    let region_requests = u32::try_from(REGIONS.len()).unwrap();
    let by_requests =
        (monitors * MAX_PROBE_REQUESTS).div_ceil(REQUESTS - region_requests - MAX_PROBE_REQUESTS + 1);
    let timeout = config.monitors.iter().map(|monitor| monitor.timeout).max().unwrap();
    let started =
        6 * (1 + u32::try_from(Duration::from_secs(25).as_millis() / timeout.as_millis()).unwrap().min(20));
    let rounds = by_requests + monitors.div_ceil(started) + 3;
    (longest_round + Duration::from_secs(3)) * rounds + TICK * (rounds / (1 + MAX_FOLLOW_UPS) + 1)
}

fn any_behavior() -> impl Strategy<Value = Behavior> {
    prop_oneof![
        4 => (0_u32..=5).prop_map(Behavior::Answers),
        1 => Just(Behavior::Errs),
        1 => Just(Behavior::Refuses),
        1 => Just(Behavior::Hangs),
    ]
}

prop_compose! {
    /// The settings of one monitor, and what its target does in each part of the time.
    fn any_monitor()(
        kind in 0_u8..4,
        interval in prop::sample::select(vec!["5s", "30s", "60s", "61s", "90s", "5m", "17m"]),
        timeout in prop::sample::select(vec!["1s", "10s", "30s"]),
        retries in 0_u8..=3,
        regions in prop::collection::btree_set(prop::sample::select(REGIONS.to_vec()), 0..=2),
        behaviors in prop::collection::vec(any_behavior(), 1..5),
    ) -> (String, Vec<Behavior>) {
        let target = match kind {
            0 => r#""kind":"tcp","url":"tcp://a.example:443""#,
            1 => r#""kind":"heapbeat","url":"https://a.example""#,
            _ => r#""kind":"http","url":"https://a.example""#,
        };
        let regions = regions.iter().map(|region| format!("\"{region}\"")).collect::<Vec<_>>().join(",");
        let settings = format!(
            r#"{target},"interval":"{interval}","timeout":"{timeout}","retries":{retries},"regions":[{regions}]"#
        );
        (settings, behaviors)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However targets behave, however many regions, retries and redirects there are, and whichever ticks are missing, late or doubled:
    /// each monitor has a result within its interval, two ticks, the missing ticks, and twice the time that asking all of them takes.
    #[test]
    fn every_monitor_is_asked_within_a_bound(
        monitors in prop::collection::vec(any_monitor(), 1..=40),
        ticks in prop::collection::vec((prop::bool::weighted(0.9), 0_i64..10), 90),
    ) {
        let (settings, behaviors): (Vec<_>, Vec<_>) = monitors.into_iter().unzip();
        let config = config(settings);
        let behavior = |id: &MonitorId, at: UnixMillis| {
            let of_monitor = &behaviors[id.as_str()[1..].parse::<usize>().unwrap()];
            // Behaviors change every seven minutes, at another minute for each monitor.
            let part = (at.0 / MINUTE + i64::try_from(id.as_str().len()).unwrap()) / 7;
            of_monitor[usize::try_from(part).unwrap() % of_monitor.len()]
        };
        let mut hub = Hub::new(&config);
        let (mut missing, mut most_missing) = (0, 0);
        for ((comes, late), minute) in ticks.iter().zip(0_i64..) {
            missing = if *comes { 0 } else { missing + 1 };
            most_missing = most_missing.max(missing);
            if *comes {
                let at = UnixMillis(minute * MINUTE + late * 1000);
                let until = UnixMillis((minute + 1) * MINUTE);
                hub.run_tick(at, until, &behavior);
                hub.run_tick(at, until, &behavior);
            }
        }
        prop_assert!(hub.record.most_requests <= REQUESTS, "{:?}", hub.record.most_requests);
        let end = 90 * MINUTE;
        let for_all = time_for_all(&config, hub.record.longest_round);
        for monitor in &config.monitors {
            let bound = monitor.interval + TICK * 2 + TICK * most_missing + for_all * 2;
            let gap = longest_gap(&hub, &monitor.id, 0, end);
            prop_assert!(gap <= bound, "{}: {gap:?}, and not {bound:?}", monitor.id);
        }
    }
}
