//! Workers that fall silent.

use super::*;

#[test]
fn a_hung_worker_may_record_its_state_and_is_killed() {
    let mut machine = serving(100);
    let effects = play(&mut machine, &[1], &[(69.9, Tick)]);
    assert_eq!(effects, []);
    // A heartbeat without a poll of the runtime proves no progress.
    let effects = play(&mut machine, &[1], &[(70.0, Heartbeat(1, 1000, mb(100)))]);
    assert_eq!(effects, [Log(Notice::Hung(1, secs(10.0))), Send(1, Command::Report)]);
    let effects = play(&mut machine, &[1], &[(71.0, Tick)]);
    assert_eq!(effects, [Kill(1)]);
    let effects = play(&mut machine, &[1], &[(71.1, Exited(1, KILLED))]);
    assert_eq!(effects, [Investigate(1, KILLED, Some(StopReason::Hung)), Start(2)]);
}

/// Steps as the loop does without messages until `until`; returns the second at which a worker was called hung.
fn hung_at(machine: &mut Machine, until: f64) -> Option<f64> {
    while machine.last_step < secs(until) {
        // The loop sleeps for a millisecond more than it was asked to.
        let now = machine.next_step() + Duration::from_millis(1);
        let effects = machine.step(Tick, now, MIDDLE);
        if effects.iter().any(|effect| matches!(effect, Log(Notice::Hung(..)))) {
            return Some(now.as_secs_f64());
        }
    }
    None
}

#[test]
fn a_worker_that_falls_silent_is_hung_in_time_whatever_the_timeout_and_the_phase_of_the_ticks() {
    for hang in [0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0] {
        for silent_after in [0.0, 0.05, 0.3, 0.5, 0.7, 0.95] {
            let mut machine = Machine::new(SupervisorPolicy::new(mb(512), secs(hang), secs(25.0), 60));
            machine.step(Tick, secs(0.0), MIDDLE);
            machine.step(Ready(1), secs(0.0), MIDDLE);
            machine.step(Heartbeat(1, 1, mb(8)), secs(silent_after), MIDDLE);
            let at = hung_at(&mut machine, 60.0).unwrap_or_else(|| panic!("{hang} {silent_after}: never"));
            assert!((hang..hang + 0.1).contains(&(at - silent_after)), "{hang} {silent_after}: {at}");
        }
    }
}

#[test]
fn a_worker_that_falls_silent_before_it_is_ready_is_hung_as_well() {
    let started = || {
        let mut machine = Machine::new(SupervisorPolicy::new(mb(512), secs(1.0), secs(25.0), 60));
        machine.step(Tick, secs(0.0), MIDDLE);
        machine
    };
    let mut never_heard = started();
    let at = hung_at(&mut never_heard, 60.0).unwrap();
    assert!((10.0..10.1).contains(&at), "{at}: a process may take a while to be loaded");
    let mut heard_once = started();
    heard_once.step(Heartbeat(1, 0, mb(8)), secs(0.3), MIDDLE);
    let at = hung_at(&mut heard_once, 60.0).unwrap();
    assert!((1.3..1.4).contains(&at), "{at}");
}

#[test]
fn a_worker_that_starts_slowly_is_not_hung_while_it_gives_signs_of_life() {
    let mut machine = machine();
    let effects = play(&mut machine, &[], &[(0.0, Tick), (59.9, Heartbeat(1, 0, mb(8)))]);
    assert_eq!(effects, [], "its runtime has not begun to take runtime_polls");
    let effects = play(&mut machine, &[], &[(60.0, Tick)]);
    assert_eq!(effects, [Log(Notice::StartTimedOut(1, secs(60.0))), Kill(1)]);
}

#[test]
fn a_starved_supervisor_gives_workers_more_time() {
    let mut machine = serving(100);
    // The worker is silent since second 60; the supervisor misses the moment at which it would count as hung.
    assert_eq!(hung_at(&mut machine, 68.9), None);
    assert_eq!(machine.step(Tick, secs(90.0), MIDDLE), []);
    assert_eq!(machine.step(Heartbeat(1, 2000, mb(100)), secs(90.1), MIDDLE), []);
}

#[test]
fn a_suspended_supervisor_calls_no_worker_hung() {
    let mut machine = serving(100);
    assert_eq!(machine.step(Tick, secs(3600.0), MIDDLE), []);
    assert_eq!(machine.step(Tick, secs(3604.0), MIDDLE), []);
    assert_eq!(machine.step(Tick, secs(3608.0), MIDDLE), []);
    assert!(machine.step(Tick, secs(3612.0), MIDDLE).contains(&Log(Notice::Hung(1, secs(10.0)))));
}
