//! Random days: every channel ends up having been told the truth, exactly once for each change, in order, however its server behaves.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::harness::{Fate, Service, World, monitors};
use crate::domain::incident::Severity;

const DAYS: u64 = 40;
const MINUTES: i64 = 1440;
/// The end of a day, in which all is well.
const TAIL: i64 = 150;
/// A channel that accepts messages for this long has been told everything: a retry is due after fifteen minutes at the latest, and the
/// requests of a turn are shared.
const BOUND: i64 = 25;

fn entries(job: &str) -> Vec<String> {
    [
        r#""id":"db""#,
        r#""id":"api","depends-on":["db"]"#,
        r#""id":"web""#,
        r#""id":"cdn","alerts":["ops","pager"]"#,
        job,
    ]
    .iter()
    .filter(|entry| !entry.is_empty())
    .map(|entry| (*entry).to_owned())
    .collect()
}

/// A value for each minute, in spells of random length. The first of `values` holds in most, and in the tail.
fn spells<T: Copy>(random: &mut Rng, values: &[T], most: u64) -> Vec<T> {
    let mut minutes = Vec::new();
    while minutes.len() < usize::try_from(MINUTES - TAIL).unwrap() {
        let value = if random.bool() { values[0] } else { values[random.usize(..values.len())] };
        minutes.extend((0..=random.u64(..most)).map(|_| value));
    }
    minutes.truncate(usize::try_from(MINUTES - TAIL).unwrap());
    minutes.extend((0..TAIL).map(|_| values[0]));
    minutes
}

struct Day {
    letters: Vec<Vec<char>>,
    fates: BTreeMap<&'static str, Vec<Fate>>,
    ticks: Vec<u8>,
    jobs: Vec<&'static str>,
}

impl Day {
    fn random(random: &mut Rng) -> Day {
        let mut fates = BTreeMap::new();
        for channel in ["hook", "ops", "pager"] {
            let mut all = vec![Service::Works.into(), Fate::KillsTheEdge];
            for _ in 0..5 {
                all.push(match Service::random_failure(random, false) {
                    // Longer delays than a retry would leave little to be checked.
                    Service::Busy(seconds) => Service::Busy(seconds % 600).into(),
                    service => service.into(),
                });
            }
            fates.insert(channel, spells(random, &all, 90));
        }
        let job = r#""id":"job""#;
        Day {
            letters: (0..5).map(|_| spells(random, &['u', 'u', 'd', 'd', 'g'], 45)).collect(),
            fates,
            ticks: spells(random, &[1, 1, 1, 2, 0], 3),
            jobs: spells(random, &[job, job, "", r#""id":"job","alerts":["hook"]"#], 200),
        }
    }

    fn run(&self) -> World {
        let list = [r#"hook webhook "reminder":"15m""#, "ops slack", r#"pager pagerduty "reminder":"1h""#];
        let mut world = World::new(&entries(self.jobs[0]), &list);
        for minute in 0..usize::try_from(MINUTES).unwrap() {
            if minute > 0 && self.jobs[minute] != self.jobs[minute - 1] {
                world.config = monitors(&entries(self.jobs[minute]));
            }
            for (channel, fates) in &self.fates {
                // An edge that is killed in each tick tells nobody anything.
                let is_kill = fates[minute] == Fate::KillsTheEdge && minute % 9 != 0;
                world.set(channel, if is_kill { Service::Mute.into() } else { fates[minute] });
            }
            let letters: String =
                self.letters[..world.config.monitors.len()].iter().map(|all| all[minute]).collect();
            for tick in 0..self.ticks[minute] {
                if tick == 0 {
                    world.probe(&letters);
                }
                world.notify();
            }
            self.check_beliefs(&world, minute);
            world.minute += 1;
        }
        world
    }

    /// Whether something was so for as long as a channel may take to learn of it.
    fn held(&self, minute: usize, is_so: impl Fn(usize) -> bool) -> bool {
        let bound = usize::try_from(BOUND).unwrap();
        minute >= bound && (minute - bound..=minute).all(|at| is_so(at) && self.ticks[at] > 0)
    }

    /// A channel that has worked for a while knows of the outages that have lasted as long, and of no others.
    fn check_beliefs(&self, world: &World, minute: usize) {
        for (index, monitor) in world.config.monitors.iter().enumerate() {
            let Some(incident) = world.engine.latest_incident(&monitor.id) else { continue };
            let letters = &self.letters[index];
            for (channel, fates) in &self.fates {
                let is_wanted =
                    monitor.alerts.as_ref().is_none_or(|ids| ids.iter().any(|id| id.as_str() == *channel));
                let works =
                    |at: usize| fates[at] == Service::Works.into() && self.jobs[at] == self.jobs[minute];
                if !is_wanted {
                    continue;
                }
                let belief = world.beliefs.get(&((*channel).to_owned(), incident.id().to_string()));
                let belief = belief.copied().flatten();
                let is_explained =
                    monitor.id.as_str() == "api" && !self.held(minute, |at| self.letters[0][at] == 'u');
                if self.held(minute, |at| works(at) && letters[at] == 'd') && !is_explained {
                    assert_eq!(belief, Some(Severity::Down), "minute {minute}, {channel}, {}", monitor.id);
                }
                // It may have closed just now, and a channel that failed before gets one message at a time.
                let changed = incident.timeline.back().map(|entry| entry.at).unwrap_or_default();
                let is_over = incident.closed.is_some() && world.now().since(changed).as_secs() >= 600;
                if self.held(minute, |at| works(at) && letters[at] == 'u') && is_over {
                    assert_eq!(belief, None, "minute {minute}, {channel}, {}", monitor.id);
                }
            }
        }
    }
}

#[test]
fn every_channel_ends_up_having_been_told_the_truth() {
    let (mut received, mut failed) = (0, 0);
    for seed in 1..=DAYS {
        let day = Day::random(&mut Rng::with_seed(seed));
        let world = day.run();
        for ((channel, incident), belief) in &world.beliefs {
            assert_eq!(*belief, None, "seed {seed}: {channel} was not told that {incident} is over");
        }
        for (channel, keys) in &world.received {
            check_repetitions(keys, &format!("seed {seed}, {channel}"));
            received += keys.iter().filter(|key| *key != "?").count();
            failed += keys.iter().filter(|key| *key == "?").count();
        }
    }
    assert!(received > 2000 && failed > 1000, "{received} received, {failed} failed");
}

/// A key is repeated only after an attempt whose result is not known.
fn check_repetitions(keys: &[String], context: &str) {
    for (index, key) in keys.iter().enumerate().filter(|(_, key)| *key != "?") {
        let Some(before) = keys[..index].iter().rposition(|other| other == key) else { continue };
        assert!(keys[before..index].iter().any(|other| other == "?"), "{context}: {key} without a reason");
    }
}
