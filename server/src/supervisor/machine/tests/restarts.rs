//! Workers that start, crash, and are started again.

use super::*;

#[test]
fn it_starts_a_worker_and_waits_for_it() {
    let mut machine = machine();
    assert_eq!(machine.next_step(), Duration::ZERO);
    assert_eq!(machine.step(Tick, secs(0.0), MIDDLE), [RespondUnavailable(None), Start(1)]);
    assert_eq!(machine.step(Tick, secs(1.0), MIDDLE), []);
    assert_eq!(
        machine.step(Ready(1), secs(2.0), MIDDLE),
        [Send(1, Command::Replacement(ReplacementStatus::Available))]
    );
    assert_eq!(machine.next_step(), secs(3.0), "the next tick");
}

#[test]
fn a_first_crash_is_followed_by_a_start_at_once() {
    let mut machine = serving(100);
    let effects = play(&mut machine, &[], &[(61.0, Exited(1, KILLED))]);
    assert_eq!(effects, [Investigate(1, KILLED, None), Start(2)]);
}

#[test]
fn a_crash_loop_is_retried_with_growing_pauses_and_logged() {
    let mut machine = machine();
    machine.step(Tick, secs(0.0), MIDDLE);
    let mut now = 0.0;
    let mut waits = Vec::new();
    let mut reported = false;
    for number in 1..=8 {
        now += 0.1;
        let effects = machine.step(Exited(number, ProcessExit::Code(3)), secs(now), MIDDLE);
        reported |= effects.contains(&Log(Notice::CrashLoop(5)));
        let again = machine.retry_at.map_or(now, |at| at.as_secs_f64());
        assert_eq!(effects.contains(&Start(number + 1)), again <= now, "{effects:?}");
        let stands_in = effects
            .iter()
            .any(|it| matches!(it, RespondUnavailable(Some(Outage { failures, .. })) if *failures == number));
        // Short waits are left to the kernel's queue.
        assert_eq!(stands_in, again > now + 2.0, "{effects:?}");
        waits.push((again - now).round());
        now = again;
        machine.step(Tick, secs(now), MIDDLE);
    }
    assert_eq!(waits, [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]);
    assert!(reported);
}

#[test]
fn a_worker_that_was_ready_is_replaced_at_once_every_time() {
    let mut machine = machine();
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Ready(1))]);
    for number in 1..=20 {
        let died = f64::from(number) * 2.0;
        let effects = play(&mut machine, &[], &[(died, Exited(number, KILLED))]);
        assert_eq!(quiet(effects), [Start(number + 1)], "death {number}");
        play(&mut machine, &[], &[(died + 0.1, Ready(number + 1))]);
    }
}

#[test]
fn readiness_ends_the_pauses_after_failures_to_start() {
    let mut machine = machine();
    let failed = |number, at| (at, Exited(number, ProcessExit::Code(3)));
    play(&mut machine, &[], &[(0.0, Tick), failed(1, 0.1), failed(2, 0.2)]);
    assert!(machine.retry_at.is_some());
    play(&mut machine, &[], &[(1.0, Tick), (1.5, Ready(3))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(1.6, Exited(3, KILLED))])), [Start(4)]);
    let effects = play(&mut machine, &[], &[failed(4, 1.7)]);
    assert_eq!(quiet(effects), [Start(5)], "the first failure after it");
}

#[test]
fn a_program_that_cannot_report_readiness_is_proven_by_time() {
    let mut policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
    policy.failure_reset_after = Some(secs(1.0));
    let mut machine = Machine::new(policy);
    machine.step(Tick, secs(0.0), MIDDLE);
    for number in 1..=5 {
        let effects = play(&mut machine, &[], &[(f64::from(number) * 1.1, Exited(number, KILLED))]);
        assert_eq!(quiet(effects), [Start(number + 1)], "death {number}");
    }
    play(&mut machine, &[], &[(5.6, Exited(6, KILLED)), (5.7, Exited(7, KILLED))]);
    assert!(machine.retry_at.is_some(), "it backs off when it dies early");
}

#[test]
fn a_crash_loop_of_workers_that_get_ready_is_bounded_by_the_budget_and_logged_once() {
    let mut machine = machine();
    machine.step(Tick, secs(0.0), MIDDLE);
    let (mut now, mut number, mut notices, mut starts) = (0.0, 1, 0, 0);
    while now < 60.0 {
        machine.step(Ready(number), secs(now), MIDDLE);
        let effects = machine.step(Exited(number, KILLED), secs(now + 0.01), MIDDLE);
        notices += effects.iter().filter(|it| matches!(it, Log(Notice::RestartBudgetSpent(60)))).count();
        assert!(
            !effects.iter().any(|it| matches!(it, RespondUnavailable(Some(_)))),
            "clients wait: {effects:?}"
        );
        now = machine.retry_at.map_or(now + 0.01, |at| at.as_secs_f64());
        machine.step(Tick, secs(now), MIDDLE);
        number += 1;
        starts += 1;
    }
    assert!((55..=60).contains(&starts), "{starts} restarts");
    assert_eq!(notices, 1);
}

#[test]
fn an_invalid_configuration_is_not_retried() {
    let mut machine = machine();
    let effects = play(&mut machine, &[], &[(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(2)))]);
    assert_eq!(quiet(effects), [Exit(2)]);
    let mut machine = serving(50);
    let effects = play(&mut machine, &[], &[(61.0, Exited(1, ProcessExit::Code(2)))]);
    assert_eq!(quiet(effects), [Start(2)], "it worked before");
}

#[test]
fn a_process_that_cannot_be_started_is_retried() {
    let mut machine = machine();
    machine.step(Tick, secs(0.0), MIDDLE);
    let failed = |n| StartFailed(n, "no memory".into());
    assert!(machine.step(failed(1), secs(0.1), MIDDLE).contains(&Start(2)), "once at once");
    let effects = machine.step(failed(2), secs(0.2), MIDDLE);
    assert!(effects.contains(&Log(Notice::StartFailed("no memory".into()))) && machine.retry_at.is_some());
}

#[test]
fn an_application_that_has_finished_is_not_restarted() {
    let mut machine = serving(100);
    let effects =
        play(&mut machine, &[], &[(61.0, ApplicationDone(1)), (61.1, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(quiet(effects), [Exit(0)]);
}

#[test]
fn events_of_unknown_workers_have_no_effect() {
    let mut machine = serving(100);
    let events = [
        Ready(9),
        Heartbeat(9, 1, mb(9)),
        RecycleRequested(9, mb(480), "x".into()),
        ApplicationDone(9),
        Exited(9, KILLED),
    ];
    for event in events {
        assert_eq!(machine.step(event, secs(60.5), MIDDLE), []);
    }
}
