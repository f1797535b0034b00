//! Replacements that help, and those that would not.

use std::collections::BTreeMap;

use super::*;

const LIMIT: u64 = 256;
const RECYCLE_AT: u64 = 240;

/// Plays a program for some seconds, of which an instance of a given age has so many MB, and requests a replacement whenever its memory
/// is at the threshold. Instances are ready after a second. Returns the seconds at which instances were replaced, and at which the
/// supervisor said that a replacement would not help.
fn play_program(seconds: u32, memory: impl Fn(u32) -> u64) -> (Vec<u32>, Vec<u32>) {
    let mut policy = SupervisorPolicy::new(mb(LIMIT), secs(10.0), secs(25.0), 60);
    policy.judged_from = Some(mb(200));
    policy.one_at_a_time = true;
    let mut machine = Machine::new(policy);
    let mut started: BTreeMap<WorkerNumber, u32> = BTreeMap::new();
    let (mut replaced, mut refused) = (Vec::new(), Vec::new());
    for second in 0..seconds {
        let mut events = vec![Tick];
        for (number, since) in &started {
            let held = memory(second - since);
            events.push(Heartbeat(*number, u64::from(second), mb(held)));
            events.extend((second - since >= 1).then_some(Ready(*number)));
            events.extend((held >= RECYCLE_AT).then(|| RecycleRequested(*number, mb(held), "memory".into())));
        }
        while !events.is_empty() {
            let effects: Vec<Effect> = events
                .drain(..)
                .flat_map(|event| machine.step(event, secs(f64::from(second)), MIDDLE))
                .collect();
            for effect in effects {
                match effect {
                    Start(number) => drop(started.insert(number, second)),
                    Send(number, Command::HandOver(_)) => {
                        replaced.push(second);
                        started.remove(&number);
                        events.push(Exited(number, ProcessExit::Signal(15)));
                    }
                    Log(Notice::ReplacementUseless { .. }) => refused.push(second),
                    _ => {}
                }
            }
        }
    }
    (replaced, refused)
}

#[test]
fn a_program_that_needs_too_much_from_its_start_is_not_replaced_and_told_once() {
    assert_eq!(play_program(600, |_| 244), (vec![], vec![1]));
    let noisy = play_program(600, |age| 243 + u64::from(age % 5));
    assert_eq!(noisy, (vec![], vec![1]));
}

#[test]
fn a_start_that_needs_much_for_a_while_is_waited_for() {
    let (replaced, refused) = play_program(600, |age| if age < 12 { 244 } else { 100 });
    assert_eq!((replaced, refused), (vec![], vec![1]));
    // When it leaks later, it is replaced.
    let (replaced, _) = play_program(300, |age| if age < 12 { 244 } else { 100 + u64::from(age) });
    assert_eq!(replaced.len(), 2, "{replaced:?}");
}

#[test]
fn a_program_that_comes_up_as_high_again_is_replaced_twice_and_then_left_alone() {
    let (replaced, refused) = play_program(600, |age| if age < 4 { 60 } else { 244 });
    assert_eq!(replaced.len(), 2, "{replaced:?}");
    assert_eq!(refused.len(), 1, "{refused:?}");
}

#[test]
fn leaks_of_any_speed_are_replaced_every_time() {
    for (mb_per_second, baseline) in [(20, 40), (5, 40), (1, 40), (5, 200), (2, 230)] {
        let grow = |age: u32| baseline + mb_per_second * u64::from(age);
        let (replaced, _) = play_program(900, grow);
        let lives = replaced.windows(2).map(|pair| pair[1] - pair[0]);
        let highest = lives.map(grow).max().unwrap();
        assert!(highest <= LIMIT + 20, "{mb_per_second} MB/s from {baseline}: {highest} MB {replaced:?}");
    }
}

#[test]
fn a_replacement_for_another_reason_than_memory_is_not_judged() {
    let mut policy = SupervisorPolicy::new(mb(4096), secs(10.0), secs(25.0), 60);
    policy.judged_from = Some(mb(3200));
    let mut machine = Machine::new(policy);
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(100))), (0.2, Ready(1))]);
    let full = RecycleRequested(1, mb(150), "the heap of V8 is full".into());
    let effects = play(&mut machine, &[], &[(30.0, full)]);
    assert!(effects.contains(&Start(2)), "{effects:?}");
}

#[test]
fn workers_of_this_program_are_not_judged() {
    let mut machine = serving(500);
    let effects = play(&mut machine, &[], &[(90.0, RecycleRequested(1, mb(500), "threshold".into()))]);
    assert!(effects.contains(&Start(2)), "{effects:?}");
}

/// A program that reaches the level at which requests are refused at once, and so does not grow on.
#[test]
fn a_program_whose_requests_are_refused_is_replaced_with_growing_pauses() {
    let mut policy = SupervisorPolicy::new(mb(LIMIT), secs(10.0), secs(25.0), 60);
    policy.judged_from = Some(mb(200));
    policy.front = Some(FrontPolicy { hold: secs(15.0), drain_window: secs(2.0) });
    let mut machine = Machine::new(policy);
    let mut started: BTreeMap<WorkerNumber, u32> = BTreeMap::new();
    let mut replaced = Vec::new();
    for second in 0..200 {
        let mut events = vec![Tick];
        for (number, since) in &started {
            let held = if second - since < 2 { 60 } else { 250 };
            events.push(Heartbeat(*number, u64::from(second), mb(held)));
            events.extend((second - since >= 1).then_some(Ready(*number)));
            if held == 250 {
                events.push(RecycleRequested(*number, mb(held), "memory".into()));
                events.push(MachineEvent::MemoryShort(*number, 500));
            }
        }
        while !events.is_empty() {
            let step = |event| machine.step(event, secs(f64::from(second)), MIDDLE);
            for effect in events.drain(..).flat_map(step).collect::<Vec<_>>() {
                match effect {
                    Start(number) => drop(started.insert(number, second)),
                    Effect::Drain(number) => {
                        replaced.push(second);
                        started.remove(&number);
                        events.push(Exited(number, ProcessExit::Signal(15)));
                    }
                    _ => {}
                }
            }
        }
    }
    let pauses: Vec<u32> = replaced.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // One that has served for more than a minute is not young, and begins anew.
    assert_eq!(pauses[..7], [2, 2, 10, 20, 40, 80, 2], "{replaced:?}");
}
