//! Random weeks through the real engine and the real turn of notifications, beside a simple model of what each recipient must have been
//! told.
//!
//! A week is a [`script`]; the [`simulation`] makes a [`record`] of it, and the [`judge`] holds the two against each other.
//! `tests/e2e/alerts/random-weeks.test.mjs` does the same with the real Worker in workerd.
//!
//! `HEAPBEAT_WEEKS=10000 cargo test --release -p heapbeat-edge --test random_weeks -- --nocapture` runs that many, from the seed
//! `HEAPBEAT_SEED` on. `HEAPBEAT_SEED=17` alone runs one week and prints it; `HEAPBEAT_WEEK_TICKS` shortens it.

#![allow(clippy::unwrap_used, reason = "a failed test reports where it failed")]

#[path = "model.rs"]
mod model;
#[path = "../support/replies.rs"]
mod replies;
mod reports;
mod simulation;
mod store;

use std::time::Instant;

use model::judge::{Judge, MOST_TURNS};
use model::script::{Place, Script};
use model::{episode, job, judge, record, script, service, truth, watch};

/// The weeks of a usual run.
const WEEKS: u64 = 4;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn every_recipient_ends_up_having_been_told_the_truth() {
    let (seed, weeks) = (variable("HEAPBEAT_SEED"), variable("HEAPBEAT_WEEKS"));
    let first = seed.unwrap_or(0);
    let count = weeks.unwrap_or(if seed.is_some() { 1 } else { WEEKS });
    let ticks = variable("HEAPBEAT_WEEK_TICKS").map(|ticks| usize::try_from(ticks).unwrap());
    let begin = Instant::now();
    let (mut failures, mut all, mut turns) = (Vec::new(), judge::Summary::default(), [0; MOST_TURNS + 1]);
    for seed in first..first + count {
        let script = Script::new(seed, Place::Process, ticks);
        let record = simulation::simulate(&script);
        match Judge::new(&script).judge(&record) {
            Ok(summary) => {
                all.incidents += summary.incidents;
                all.messages += summary.messages;
                turns.iter_mut().zip(summary.turns).for_each(|(sum, of_week)| *sum += of_week);
                all.longest = all.longest.max(summary.longest);
                for (event, times) in summary.events {
                    *all.events.entry(event).or_default() += times;
                }
            }
            Err(error) => {
                if count == 1 {
                    record.heard.iter().for_each(|heard| println!("{heard:?}"));
                    record.acted.iter().for_each(|acted| println!("{acted:?}"));
                }
                println!("HEAPBEAT_SEED={seed}: {error}");
                failures.push(format!("HEAPBEAT_SEED={seed}: {error}"));
            }
        }
        let done = seed - first + 1;
        if done.is_multiple_of(100) || done == count {
            println!(
                "{done} weeks in {} s: {} incidents, {} messages, {} weeks failed; later than in the first turn: {turns:?}, longest {}; {:?}",
                begin.elapsed().as_secs(),
                all.incidents,
                all.messages,
                failures.len(),
                all.longest,
                all.events,
            );
        }
    }
    failures.truncate(12);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(ticks.is_some() || all.messages > 20, "nothing happened");
}

/// The scripts of the weeks in workerd, which differ in what can be brought about there.
#[test]
fn the_scripts_for_workerd_pass_here_too() {
    for seed in 0..6 {
        let script = Script::new(seed, Place::Workerd, Some(600));
        let result = Judge::new(&script).judge(&simulation::simulate(&script));
        assert!(result.is_ok(), "{seed}: {}", result.unwrap_err());
    }
}
