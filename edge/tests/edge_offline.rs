//! Days in which the edge itself is offline at times, through the real engine, compared with a model that knows when.
//!
//! Two monitors on two hosts go down and recover independently. At times the edge's network is down; then both monitors and the reference
//! target are silent. Every second of both ledgers is compared.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::domain::Failure;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::check::self_check::{SelfCheck, is_suspect, mark_unobserved};
use heapbeat_edge::domain::engine::{Engine, Tick};
use heapbeat_edge::monitor_config::MonitorConfig;
use heapbeat_shared::UnixMillis;

const SEEDS: u64 = 60;
const MINUTES: usize = 720;

fn roll(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
}

/// Random spells of about `no` and `yes` minutes; `true` in the minutes of the latter.
fn random_spells(seed: &mut u64, no: u64, yes: u64) -> Vec<bool> {
    let (mut minutes, mut on) = (Vec::new(), false);
    while minutes.len() < MINUTES {
        let length = 1 + roll(seed, 2 * if on { yes } else { no });
        minutes.extend((0..length).map(|_| on));
        on = !on;
    }
    minutes.truncate(MINUTES);
    minutes
}

/// The minutes of up and of down. The threshold is one, and a result is valid for 90 s.
fn model(down: &[bool], offline: &[bool]) -> (f64, f64) {
    let (mut up, mut down_minutes) = (0.0, 0.0);
    for half in 0..2 * MINUTES {
        // The newest valid result is of one of the last three half minutes.
        let newest = (half.saturating_sub(2)..=half).rev().find(|h| h % 2 == 0 && !offline[h / 2]);
        match newest.map(|h| down[h / 2]) {
            Some(true) => down_minutes += 0.5,
            Some(false) => up += 0.5,
            None => {}
        }
    }
    (up, down_minutes)
}

#[test]
fn time_in_which_the_edge_is_offline_is_no_downtime() {
    let entry = |id: &str| format!(r#"{{"id":"{id}","kind":"http","url":"https://{id}.example"}}"#);
    let config = MonitorConfig::parse(Some(&format!("[{},{}]", entry("a"), entry("b"))), false);
    assert_eq!(config.problems, []);
    let (mut marked, mut both) = (0, 0);
    for seed in 1..=SEEDS {
        let state = &mut seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let down = [random_spells(state, 40, 6), random_spells(state, 60, 9)];
        let mut offline = random_spells(state, 70, 5);
        // If the edge is offline from the beginning, nothing is known of the monitors.
        offline[0] = false;
        let mut engine = Engine::default();
        for minute in 0..MINUTES {
            let at = UnixMillis(i64::try_from(minute).unwrap() * 60_000);
            let probe = |(id, down): (&str, &Vec<bool>)| {
                let latency = Duration::from_millis(5);
                let result = match (offline[minute], down[minute]) {
                    (true, _) => Err(Failure::Timeout.into()),
                    // Half of the outages look like a network that is down.
                    (_, true) if minute / 50 % 2 == 0 => Err(Failure::Timeout.into()),
                    (_, true) => Err(Failure::ConnectionRefused.into()),
                    _ => Ok(ProbeResponse::new(200, latency, ResponseBody::Unread)),
                };
                ProbeResult { monitor: id.parse().unwrap(), received: at, result }
            };
            let mut probes: Vec<_> = ["a", "b"].into_iter().zip(&down).map(probe).collect();
            let check = if offline[minute] { SelfCheck::Offline } else { SelfCheck::Online };
            if is_suspect(&engine, &config, &probes, true) {
                let is_offline = mark_unobserved(&engine, &mut probes, check, at);
                assert_eq!(is_offline, offline[minute]);
                marked += usize::from(is_offline);
            }
            both += usize::from(down[0][minute] && down[1][minute] && !offline[minute]);
            let _ = engine.apply_tick(&config, Tick { at, received: at }, &probes);
        }
        let now = UnixMillis(i64::try_from(MINUTES).unwrap() * 60_000);
        let window = Duration::from_secs(60 * MINUTES as u64);
        for (id, down) in ["a", "b"].into_iter().zip(&down) {
            let uptime = engine.window_statistics(&id.parse().unwrap(), window, now).uptime;
            let (up, down_minutes) = model(down, &offline);
            let percent = 100.0 * up / (up + down_minutes);
            assert!(
                (uptime.percent.unwrap() - percent).abs() < 1e-6,
                "seed {seed}, {id}: {uptime:?}, {percent}"
            );
            let coverage = 100.0 * (up + down_minutes) / MINUTES as f64;
            assert!((uptime.coverage - coverage).abs() < 1e-6, "seed {seed}, {id}: {uptime:?}, {coverage}");
        }
    }
    assert!(marked > 1000 && both > 100, "{marked} ticks without a way, {both} with both down");
}
