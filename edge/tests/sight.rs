//! Days in which the edge itself is cut off at times, through the real engine, against a model that knows when.
//!
//! Two monitors on two hosts go down and come back, each by itself; at times the edge's way out is gone, and then both are
//! silent and so is the reference target. Counted: every second of both ledgers.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use heapbeat_edge::config::Config;
use heapbeat_edge::domain::Failure;
use heapbeat_edge::domain::check::outcome::{ProbeResponse, ProbeResult, ResponseBody};
use heapbeat_edge::domain::check::self_check::{SelfCheck, is_suspect, mark_unobserved};
use heapbeat_edge::domain::engine::{Engine, Tick};
use heapbeat_shared::UnixMillis;

const SEEDS: u64 = 60;
const MINUTES: usize = 720;

fn roll(state: &mut u64, sides: u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
}

/// Stretches of about so many minutes: in which of them something is the case.
fn stretches(seed: &mut u64, no: u64, yes: u64) -> Vec<bool> {
    let (mut minutes, mut on) = (Vec::new(), false);
    while minutes.len() < MINUTES {
        let length = 1 + roll(seed, 2 * if on { yes } else { no });
        minutes.extend((0..length).map(|_| on));
        on = !on;
    }
    minutes.truncate(MINUTES);
    minutes
}

/// Minutes of up, down and not observed; with a threshold of one each probe speaks for itself and for 90 s.
fn model(down: &[bool], cut: &[bool]) -> (f64, f64) {
    let (mut up, mut gone) = (0.0, 0.0);
    for half in 0..2 * MINUTES {
        // The newest minute whose probe saw something, within three half minutes.
        let newest = (half.saturating_sub(2)..=half).rev().find(|h| h % 2 == 0 && !cut[h / 2]);
        match newest.map(|h| down[h / 2]) {
            Some(true) => gone += 0.5,
            Some(false) => up += 0.5,
            None => {}
        }
    }
    (up, gone)
}

#[test]
fn what_the_edge_could_not_see_is_nobodys_downtime() {
    let entry = |id: &str| format!(r#"{{"id":"{id}","kind":"http","url":"https://{id}.example"}}"#);
    let config = Config::parse(Some(&format!("[{},{}]", entry("a"), entry("b"))), false);
    assert_eq!(config.problems, []);
    let (mut covered, mut both) = (0, 0);
    for seed in 1..=SEEDS {
        let state = &mut seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let down = [stretches(state, 40, 6), stretches(state, 60, 9)];
        let mut cut = stretches(state, 70, 5);
        // With the way gone from the beginning nothing is known to have been there.
        cut[0] = false;
        let mut engine = Engine::default();
        for minute in 0..MINUTES {
            let at = UnixMillis(i64::try_from(minute).unwrap() * 60_000);
            let probe = |(id, down): (&str, &Vec<bool>)| {
                let latency = Duration::from_millis(5);
                let result = match (cut[minute], down[minute]) {
                    (true, _) => Err(Failure::Timeout.into()),
                    // Half of the outages look just like a way that is gone.
                    (_, true) if minute / 50 % 2 == 0 => Err(Failure::Timeout.into()),
                    (_, true) => Err(Failure::Refused.into()),
                    _ => Ok(ProbeResponse { status: 200, latency, body: ResponseBody::Unread, report: None }),
                };
                ProbeResult { monitor: id.parse().unwrap(), received: at, result }
            };
            let mut probes: Vec<_> = ["a", "b"].into_iter().zip(&down).map(probe).collect();
            let sight = if cut[minute] { SelfCheck::Offline } else { SelfCheck::Online };
            if is_suspect(&engine, &config, &probes, true) {
                let blind = mark_unobserved(&engine, &mut probes, sight, at);
                assert_eq!(blind, cut[minute]);
                covered += usize::from(blind);
            }
            both += usize::from(down[0][minute] && down[1][minute] && !cut[minute]);
            let _ = engine.apply_tick(&config, Tick { at, came: at }, &probes);
        }
        let now = UnixMillis(i64::try_from(MINUTES).unwrap() * 60_000);
        let window = Duration::from_secs(60 * MINUTES as u64);
        for (id, down) in ["a", "b"].into_iter().zip(&down) {
            let past = engine.window_statistics(&id.parse().unwrap(), window, now).uptime;
            let (up, gone) = model(down, &cut);
            let percent = 100.0 * up / (up + gone);
            assert!((past.percent.unwrap() - percent).abs() < 1e-6, "seed {seed}, {id}: {past:?}, {percent}");
            let coverage = 100.0 * (up + gone) / MINUTES as f64;
            assert!((past.coverage - coverage).abs() < 1e-6, "seed {seed}, {id}: {past:?}, {coverage}");
        }
    }
    assert!(covered > 1000 && both > 100, "{covered} ticks without a way, {both} with both down");
}
