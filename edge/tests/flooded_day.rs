//! A day on which fifty addresses ask 300 times a minute each, with the real engine and the real quota: no probe is late.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::check::probe_schedule::AttemptOutcome;
use heapbeat_edge::domain::check::request_plan::RoundBudget;
use heapbeat_edge::domain::engine::{Engine, ProbeAttempt, Tick};
use heapbeat_edge::domain::quota::{FREE_PLAN, QuotaCost, QuotaUsage, ReaderCost};
use heapbeat_edge::hub_api::MAX_QUESTION_ROWS;
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_shared::UnixMillis;
use serde_json::json;

const MINUTE: i64 = 60_000;

/// What a day was like.
#[derive(Debug, Default)]
struct Day {
    /// Results of all monitors.
    results: usize,
    /// Probes that came later than a minute after the one before.
    late: usize,
    answered: u64,
    refused: u64,
}

/// Runs a day of 15,000 questions a minute, each of which reads `rows` rows. `is_apart`: readers are counted apart.
fn run(rows: u64, is_apart: bool) -> Day {
    let monitors: Vec<_> = (0..40)
        .map(|n| json!({"id": format!("m{n}"), "name": "M", "kind": "http", "url": "https://example.com/"}))
        .collect();
    let config = MonitorConfig::parse(Some(&json!(monitors).to_string()), false);
    assert_eq!((config.monitors.len(), &config.problems), (40, &Vec::new()));
    let (mut engine, mut usage, mut day) = (Engine::default(), QuotaUsage::default(), Day::default());
    let mut probed = vec![None; 40];
    for minute in 0..1440 {
        let at = UnixMillis(minute * MINUTE);
        let mut readers = ReaderCost::default();
        for _ in 0..50 * 300 {
            if is_apart && usage.is_closed_for_readers(readers, at, FREE_PLAN) {
                // An isolate that was refused asks again after five minutes; there are fifty of them.
                readers.requests += if minute % 5 == 0 { 50 } else { 0 };
                day.refused += 1;
                break;
            }
            readers.requests += 1;
            readers.rows_read += rows;
            day.answered += 1;
        }
        let round = engine.plan_round(&config, at, RoundBudget { local: 45, regional: 45 });
        let mut results = Vec::new();
        for planned in &round.probes {
            let monitor = planned.monitor.id.clone();
            let response = ProbeResponse::new(200, Duration::from_millis(9), ResponseBody::Unread);
            results.push(ProbeResult { monitor, received: at, result: Ok(response) });
        }
        let attempts: Vec<_> = results
            .iter()
            .map(|result| ProbeAttempt {
                monitor: result.monitor.clone(),
                outcome: AttemptOutcome::Responded(1),
                result: Some(result.clone()),
            })
            .collect();
        engine.record_attempts(at, &attempts);
        let _ = engine.apply_tick(&config, Tick { at, received: at }, &results);
        for result in &results {
            let number: usize = result.monitor.as_str()[1..].parse().unwrap();
            let before = probed[number].replace(minute);
            day.late += usize::from(before.is_some_and(|before| minute - before > 1));
        }
        day.results += results.len();
        let (requests, rows_read) = (1 + readers.requests, 25 + readers.rows_read);
        let readers = if is_apart { readers } else { ReaderCost::default() };
        let cost =
            QuotaCost { requests, rows_read, rows_written: 1, subrequests: 40, active_ms: 9_000, readers };
        usage.record_tick(at, at, Some(at.minus(Duration::from_secs(60))).filter(|_| minute > 0), cost);
        usage.throttle(at, FREE_PLAN);
        engine.set_min_interval(usage.min_interval());
    }
    day
}

#[test]
fn no_probe_is_late_on_a_day_on_which_readers_ask_all_the_time() {
    let day = run(MAX_QUESTION_ROWS, true);
    assert_eq!((day.results, day.late), (40 * 1440, 0), "{day:?}");
    assert!(day.answered > 9_000 && day.refused > 1000, "readers have their part: {day:?}");
}

/// The same day as it was before readers were counted apart, and before the rows of a question were bounded.
#[test]
fn the_same_readers_would_blind_the_monitors_if_they_were_counted_with_them() {
    let day = run(4_513, false);
    assert!(day.results < 40 * 200 && day.late > 40 * 60, "{day:?}");
}
