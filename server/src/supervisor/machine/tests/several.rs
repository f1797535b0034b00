//! Several workers that serve at the same time: each crash has its own successor, and they are replaced one by one.

use Effect::{Activate, Drain};
use MachineEvent::Drained;

use super::*;

/// Creates a machine with three workers that have been serving for a minute behind a front, and hold so many megabytes each.
fn three_serving(held: u64) -> Machine {
    let mut policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
    policy.front = Some(FrontPolicy { hold: secs(15.0), drain_window: secs(2.0) });
    policy.instances = 3;
    let mut machine = Machine::new(policy);
    let started = quiet(play(&mut machine, &[], &[(0.0, Tick)]));
    assert_eq!(started[1..], [Start(1), Start(2), Start(3)]);
    for number in 1..=3 {
        let effects =
            quiet(play(&mut machine, &[], &[(0.2, Heartbeat(number, 1, mb(40))), (0.5, Ready(number))]));
        assert_eq!(effects[0], Activate(number));
    }
    for second in [59.0, 60.0] {
        for number in 1..=3 {
            play(&mut machine, &[], &[(second, Heartbeat(number, 1000, mb(held)))]);
        }
    }
    machine
}

#[test]
fn a_crash_is_followed_by_one_worker_and_the_others_go_on() {
    let mut machine = three_serving(100);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.0, Exited(2, KILLED))])), [Start(4)]);
    // Two that are never ready back off, and nobody answers in their place, as two others serve.
    assert_eq!(quiet(play(&mut machine, &[], &[(61.1, Exited(4, KILLED))])), [Start(5)]);
    let mut last = 5;
    let mut at = 61.2;
    for _ in 0..4 {
        let effects = play(&mut machine, &[], &[(at, Exited(last, KILLED))]);
        assert!(!effects.iter().any(|it| matches!(it, RespondUnavailable(Some(_)))), "{effects:?}");
        at = machine.next_step().as_secs_f64() + 30.0;
        last += 1;
        assert!(
            !quiet(play(&mut machine, &[], &[(at, Tick)])).contains(&Start(last)),
            "it was started before"
        );
        assert_eq!(machine.workers.len(), 3);
    }
}

#[test]
fn the_operator_has_all_of_them_replaced_one_by_one() {
    let mut machine = three_serving(60);
    let mut effects = quiet(play(&mut machine, &[], &[(61.0, ReplaceRequested)]));
    for (old, at) in [(1, 62.0), (2, 63.0), (3, 64.0)] {
        let new = old + 3;
        assert!(effects.contains(&Start(new)), "{effects:?}");
        effects = quiet(play(&mut machine, &[], &[(at, Ready(new))]));
        assert_eq!(effects[..2], [Activate(new), Drain(old)]);
    }
    assert!(!effects.contains(&Start(7)), "{effects:?}");
}

#[test]
fn without_room_for_another_one_is_drained_while_the_others_serve() {
    let mut machine = three_serving(160);
    let effects = quiet(play(&mut machine, &[], &[(61.0, RecycleRequested(2, mb(160), "threshold".into()))]));
    assert_eq!(effects, [Drain(2)]);
    let again = play(&mut machine, &[], &[(61.1, RecycleRequested(3, mb(160), "threshold".into()))]);
    assert_eq!(again, [Send(1, Command::Replacement(ReplacementStatus::InProgress))], "one by one");
    play(&mut machine, &[], &[(61.2, Drained(2))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.3, Exited(2, ProcessExit::Code(0)))])), [Start(4)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.9, Ready(4))]))[0], Activate(4));
}

#[test]
fn workers_that_have_finished_their_work_are_not_followed() {
    let mut machine = three_serving(60);
    let done = |number| [(61.0, ApplicationDone(number)), (61.0, Exited(number, ProcessExit::Code(0)))];
    assert_eq!(quiet(play(&mut machine, &[], &done(2))), []);
    assert_eq!(quiet(play(&mut machine, &[], &[(62.0, Exited(1, KILLED))])), [Start(4)]);
    assert_eq!(quiet(play(&mut machine, &[], &done(3))), []);
    assert_eq!(quiet(play(&mut machine, &[], &done(4))), [Exit(0)]);
}
