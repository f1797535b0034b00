//! Timelines: what happens at which second, and what is done about it.

use Effect::{Exit, Investigate, Kill, Log, RespondUnavailable, Send, Start};
use MachineEvent::{
    ApplicationDone, Exited, Heartbeat, Ready, RecycleRequested, ReplaceRequested, StartFailed,
    StopRequested, Tick,
};

use super::*;

const MIDDLE: u32 = u32::MAX / 2;
const TERM: StopSignal = StopSignal::Terminate;
const KILLED: ProcessExit = ProcessExit::Signal(9);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn mb(mb: u64) -> Bytes {
    Bytes::from_mb(mb)
}

fn machine() -> Machine {
    Machine::new(Limits::new(mb(512), secs(10.0), secs(25.0)))
}

/// Plays events at their seconds, and returns the effects of the last one. Workers beat every second meanwhile, as long
/// as they are not named in `silent`.
fn play(machine: &mut Machine, silent: &[WorkerNumber], events: &[(f64, MachineEvent)]) -> Vec<Effect> {
    let mut last = Vec::new();
    for (at, event) in events {
        let at = secs(*at);
        while machine.seen + secs(1.0) < at {
            let now = machine.seen + secs(1.0);
            let alive: Vec<_> = machine.workers.iter().map(|it| (it.number, it.turns, it.memory)).collect();
            for (number, turns, memory) in alive.into_iter().filter(|it| !silent.contains(&it.0)) {
                machine.step(Heartbeat(number, turns + 1, memory), now, MIDDLE);
            }
            machine.step(Tick, now, MIDDLE);
        }
        last = machine.step(event.clone(), at, MIDDLE);
    }
    last
}

fn quiet(effects: Vec<Effect>) -> Vec<Effect> {
    effects.into_iter().filter(|effect| !matches!(effect, Log(_) | Investigate(..))).collect()
}

/// One worker that has been serving for a minute, holding so many megabytes.
fn serving(held: u64) -> Machine {
    let mut machine = machine();
    play(
        &mut machine,
        &[],
        &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(8))), (0.2, Ready(1)), (60.0, Heartbeat(1, 1000, mb(held)))],
    );
    machine
}

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
fn a_crash_loop_is_waited_out_and_said() {
    let mut machine = machine();
    machine.step(Tick, secs(0.0), MIDDLE);
    let mut now = 0.0;
    let mut waits = Vec::new();
    let mut said = false;
    for number in 1..=8 {
        now += 0.1;
        let effects = machine.step(Exited(number, ProcessExit::Code(3)), secs(now), MIDDLE);
        said |= effects.contains(&Log(Notice::CrashLoop(5)));
        let again = machine.again_at.map_or(now, |at| at.as_secs_f64());
        assert_eq!(effects.contains(&Start(number + 1)), again <= now, "{effects:?}");
        let stands_in = effects
            .iter()
            .any(|it| matches!(it, RespondUnavailable(Some(Outage { failures, .. })) if *failures == number));
        // Short waits are left to the kernel's queue.
        assert_eq!(stands_in, again > now + 1.5, "{effects:?}");
        waits.push((again - now).round());
        now = again;
        machine.step(Tick, secs(now), MIDDLE);
    }
    assert_eq!(waits, [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]);
    assert!(said);
}

#[test]
fn a_worker_that_proved_itself_makes_failures_forgotten() {
    let mut machine = machine();
    play(
        &mut machine,
        &[],
        &[(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(3))), (0.2, Exited(2, ProcessExit::Code(3)))],
    );
    assert!(machine.again_at.is_some());
    play(&mut machine, &[], &[(1.0, Tick), (1.5, Ready(3)), (90.0, Tick)]);
    let effects = play(&mut machine, &[], &[(90.5, Exited(3, KILLED))]);
    assert_eq!(quiet(effects), [Start(4)]);
}

#[test]
fn a_configuration_that_cannot_work_is_not_tried_again() {
    let mut machine = machine();
    let effects = play(&mut machine, &[], &[(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(2)))]);
    assert_eq!(quiet(effects), [Exit(2)]);
    let mut machine = serving(50);
    let effects = play(&mut machine, &[], &[(61.0, Exited(1, ProcessExit::Code(2)))]);
    assert_eq!(quiet(effects), [Start(2)], "it worked before");
}

#[test]
fn a_process_that_cannot_be_made_is_tried_again() {
    let mut machine = machine();
    machine.step(Tick, secs(0.0), MIDDLE);
    let failed = |n| StartFailed(n, "no memory".into());
    assert!(machine.step(failed(1), secs(0.1), MIDDLE).contains(&Start(2)), "once at once");
    let effects = machine.step(failed(2), secs(0.2), MIDDLE);
    assert!(effects.contains(&Log(Notice::StartFailed("no memory".into()))) && machine.again_at.is_some());
}

#[test]
fn a_recycle_hands_over_when_the_new_worker_is_ready() {
    let mut machine = serving(480);
    let effects = play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into()))]);
    assert_eq!(quiet(effects), [Start(2), Send(1, Command::Replacement(ReplacementStatus::InProgress))]);
    let effects = play(&mut machine, &[], &[(61.5, Ready(2))]);
    assert_eq!(
        effects,
        [
            Log(Notice::Replaced(2)),
            Send(1, Command::HandOver(secs(25.0))),
            Send(2, Command::Replacement(ReplacementStatus::TooSoon))
        ]
    );
    let effects = play(&mut machine, &[], &[(62.0, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(
        effects,
        [Investigate(1, ProcessExit::Code(0), Some(StopReason::Recycle))],
        "nothing is started in its place"
    );
    let effects = play(&mut machine, &[], &[(66.5, Tick)]);
    assert_eq!(
        effects,
        [Send(2, Command::Replacement(ReplacementStatus::Available))],
        "five seconds after the last"
    );
}

#[test]
fn two_recycles_keep_their_distance() {
    let mut machine = serving(480);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into())), (61.5, Ready(2))]);
    play(&mut machine, &[], &[(61.6, Exited(1, ProcessExit::Code(0)))]);
    let effects = play(&mut machine, &[], &[(62.0, RecycleRequested(2, mb(480), "mark".into()))]);
    assert_eq!(effects, [Send(2, Command::Replacement(ReplacementStatus::TooSoon))]);
    let effects = play(&mut machine, &[], &[(67.0, RecycleRequested(2, mb(480), "mark".into()))]);
    assert!(effects.contains(&Start(3)), "{effects:?}");
}

#[test]
fn if_the_new_worker_does_not_get_ready_the_old_one_stays() {
    for (late, exit) in [(0.5, ProcessExit::Code(3)), (59.0, ProcessExit::Signal(11))] {
        let mut machine = serving(300);
        play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into()))]);
        let effects = play(&mut machine, &[], &[(61.0 + late, Exited(2, exit))]);
        assert_eq!(
            effects,
            [
                Investigate(2, exit, None),
                Log(Notice::ReplacementFailed),
                Send(1, Command::Replacement(ReplacementStatus::TooSoon))
            ]
        );
    }
    let mut machine = serving(300);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into()))]);
    let effects = play(&mut machine, &[], &[(121.0, Tick)]);
    assert_eq!(effects, [Log(Notice::StartTimedOut(2)), Kill(2)]);
    let effects = play(&mut machine, &[], &[(121.1, Exited(2, KILLED))]);
    assert_eq!(quiet(effects), [Send(1, Command::Replacement(ReplacementStatus::TooSoon))]);
}

#[test]
fn a_worker_that_dies_while_its_replacement_starts_is_replaced_by_it() {
    let mut machine = serving(480);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into()))]);
    let effects = play(&mut machine, &[], &[(61.2, Exited(1, KILLED))]);
    assert_eq!(quiet(effects), []);
    let effects = play(&mut machine, &[], &[(61.5, Ready(2))]);
    assert_eq!(effects, [Send(2, Command::Replacement(ReplacementStatus::Available))]);
}

#[test]
fn two_that_would_not_fit_follow_one_after_the_other() {
    let mut machine = machine();
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(100))), (0.2, Ready(1))]);
    play(&mut machine, &[], &[(60.0, Heartbeat(1, 2000, mb(480)))]);
    let effects = play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "mark".into()))]);
    assert_eq!(
        effects,
        [Log(Notice::OneAfterTheOther("mark".into())), Send(1, Command::HandOver(secs(5.0)))]
    );
    let effects = play(&mut machine, &[], &[(62.0, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(effects, [Investigate(1, ProcessExit::Code(0), Some(StopReason::Recycle)), Start(2)]);
    assert_eq!(machine.failures, 0);
    assert!(play(&mut machine, &[], &[(62.5, Ready(2))]).contains(&Log(Notice::Replaced(2))));
}

#[test]
fn a_worker_that_leaves_is_cut_in_time() {
    let mut machine = serving(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (62.0, Ready(2))]);
    assert_eq!(play(&mut machine, &[], &[(88.9, Tick)]), []);
    assert_eq!(play(&mut machine, &[], &[(89.0, Tick)]), [Log(Notice::Cut(1)), Kill(1)]);
    let effects = play(&mut machine, &[], &[(89.1, Exited(1, KILLED))]);
    assert_eq!(effects, [Investigate(1, KILLED, Some(StopReason::Recycle))]);
}

#[test]
fn a_worker_that_leaves_is_cut_sooner_when_there_is_no_room_for_both() {
    let mut machine = serving(480);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (62.0, Ready(2))]);
    assert_eq!(play(&mut machine, &[], &[(62.5, Heartbeat(2, 400, mb(20)))]), [], "its moment is not over");
    assert_eq!(play(&mut machine, &[], &[(63.0, Heartbeat(2, 500, mb(16)))]), [], "496 of 512 MB");
    let effects = play(&mut machine, &[], &[(64.0, Heartbeat(2, 900, mb(17)))]);
    assert_eq!(effects, [Log(Notice::NoRoom(1)), Send(1, Command::Stop(TERM, 2))]);
    assert_eq!(play(&mut machine, &[], &[(64.5, Heartbeat(2, 901, mb(18)))]), [], "said once");
    assert_eq!(play(&mut machine, &[], &[(65.0, Tick)]), [Log(Notice::Cut(1)), Kill(1)]);
}

#[test]
fn a_hung_worker_may_report_and_is_killed() {
    let mut machine = serving(100);
    let effects = play(&mut machine, &[1], &[(69.9, Tick)]);
    assert_eq!(effects, []);
    // Turns that do not go on are no sign of life.
    let effects = play(&mut machine, &[1], &[(70.0, Heartbeat(1, 1000, mb(100)))]);
    assert_eq!(effects, [Log(Notice::Hung(1)), Send(1, Command::Report)]);
    let effects = play(&mut machine, &[1], &[(71.0, Tick)]);
    assert_eq!(effects, [Kill(1)]);
    let effects = play(&mut machine, &[1], &[(71.1, Exited(1, KILLED))]);
    assert_eq!(effects, [Investigate(1, KILLED, Some(StopReason::Hung)), Start(2)]);
}

/// Steps as often as the loop does where nothing is heard, until `until`; the seconds at which a worker was called hung.
fn hung_at(machine: &mut Machine, until: f64) -> Option<f64> {
    while machine.seen < secs(until) {
        // The loop sleeps for a millisecond more than it was asked to.
        let now = machine.next_step() + Duration::from_millis(1);
        let effects = machine.step(Tick, now, MIDDLE);
        if effects.iter().any(|effect| matches!(effect, Log(Notice::Hung(_)))) {
            return Some(now.as_secs_f64());
        }
    }
    None
}

#[test]
fn a_worker_that_falls_silent_is_hung_in_time_whatever_the_timeout_and_the_phase_of_the_ticks() {
    for hang in [0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0] {
        for silent_after in [0.0, 0.05, 0.3, 0.5, 0.7, 0.95] {
            let mut machine = Machine::new(Limits::new(mb(512), secs(hang), secs(25.0)));
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
        let mut machine = Machine::new(Limits::new(mb(512), secs(1.0), secs(25.0)));
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
    assert_eq!(effects, [], "its runtime has not begun to take turns");
    let effects = play(&mut machine, &[], &[(60.0, Tick)]);
    assert_eq!(effects, [Log(Notice::StartTimedOut(1)), Kill(1)]);
}

#[test]
fn a_supervisor_that_was_starved_gives_a_worker_time_to_speak() {
    let mut machine = serving(100);
    // The worker is silent since second 60; the supervisor misses the moment at which it would count as hung.
    assert_eq!(hung_at(&mut machine, 68.9), None);
    assert_eq!(machine.step(Tick, secs(90.0), MIDDLE), []);
    assert_eq!(machine.step(Heartbeat(1, 2000, mb(100)), secs(90.1), MIDDLE), []);
}

#[test]
fn a_supervisor_that_slept_calls_nobody_hung() {
    let mut machine = serving(100);
    assert_eq!(machine.step(Tick, secs(3600.0), MIDDLE), []);
    assert_eq!(machine.step(Tick, secs(3604.0), MIDDLE), []);
    assert_eq!(machine.step(Tick, secs(3608.0), MIDDLE), []);
    assert!(machine.step(Tick, secs(3612.0), MIDDLE).contains(&Log(Notice::Hung(1))));
}

#[test]
fn stopping_asks_waits_and_leaves_with_the_workers_code() {
    let mut machine = serving(100);
    assert_eq!(play(&mut machine, &[], &[(61.0, StopRequested(TERM))]), [Send(1, Command::Stop(TERM, 1))]);
    assert_eq!(
        play(&mut machine, &[], &[(62.0, StopRequested(StopSignal::Interrupt))]),
        [Send(1, Command::Stop(StopSignal::Interrupt, 2))]
    );
    let effects = play(&mut machine, &[], &[(63.0, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(effects, [Investigate(1, ProcessExit::Code(0), Some(StopReason::Stop)), Exit(0)]);
}

#[test]
fn stopping_does_not_take_longer_than_the_drain() {
    let mut machine = serving(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
    assert_eq!(play(&mut machine, &[], &[(88.0, Tick)]), [Log(Notice::Cut(1)), Kill(1)]);
    assert_eq!(play(&mut machine, &[], &[(88.1, Exited(1, KILLED))])[1..], [Exit(0)]);
}

#[test]
fn stopping_in_the_middle_of_anything_ends_everything() {
    let mut machine = machine();
    play(
        &mut machine,
        &[],
        &[(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(3))), (0.2, Exited(2, ProcessExit::Code(3)))],
    );
    assert_eq!(play(&mut machine, &[], &[(0.3, StopRequested(TERM))]), [Exit(0)], "nobody lives");

    let mut machine = serving(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested)]);
    let effects = play(&mut machine, &[], &[(61.1, StopRequested(TERM))]);
    assert_eq!(effects, [Send(1, Command::Stop(TERM, 1)), Kill(2)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.2, Exited(2, KILLED))])), []);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.3, Exited(1, ProcessExit::Code(0)))])), [Exit(0)]);

    let mut machine = serving(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
    let effects = play(&mut machine, &[], &[(61.1, Exited(1, ProcessExit::Signal(11)))]);
    assert_eq!(quiet(effects), [Exit(1)], "a crash while stopping is no success");
}

#[test]
fn an_application_that_is_done_is_not_started_again() {
    let mut machine = serving(100);
    let effects =
        play(&mut machine, &[], &[(61.0, ApplicationDone(1)), (61.1, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(quiet(effects), [Exit(0)]);
}

#[test]
fn asking_for_a_fresh_worker_while_waiting_tries_at_once() {
    let mut machine = machine();
    play(
        &mut machine,
        &[],
        &[(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(3))), (0.2, Exited(2, ProcessExit::Code(3)))],
    );
    assert_eq!(play(&mut machine, &[], &[(0.3, ReplaceRequested)]), [RespondUnavailable(None), Start(3)]);
    let effects = play(&mut machine, &[], &[(0.4, ReplaceRequested)]);
    assert_eq!(effects, [Log(Notice::CannotReplace)], "it has only just begun");
}

#[test]
fn by_hand_a_worker_that_works_is_not_given_up_where_two_do_not_fit() {
    let mut machine = machine();
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(300))), (0.2, Ready(1))]);
    assert_eq!(play(&mut machine, &[], &[(60.0, ReplaceRequested)]), [Log(Notice::NoRoomForTwo)]);
}

#[test]
fn a_worker_that_works_is_not_given_up_after_a_replacement_has_failed() {
    let mut machine = serving(480);
    play(
        &mut machine,
        &[],
        &[(61.0, RecycleRequested(1, mb(480), "mark".into())), (61.5, Exited(2, ProcessExit::Code(3)))],
    );
    let effects = play(&mut machine, &[], &[(67.0, RecycleRequested(1, mb(510), "mark".into()))]);
    assert_eq!(
        effects,
        [Log(Notice::NoRoomForTwo), Send(1, Command::Replacement(ReplacementStatus::TooSoon))]
    );
    let effects = play(
        &mut machine,
        &[],
        &[(72.5, Heartbeat(1, 6000, mb(400))), (73.0, RecycleRequested(1, mb(480), "mark".into()))],
    );
    assert_eq!(
        quiet(effects),
        [Start(3), Send(1, Command::Replacement(ReplacementStatus::InProgress))],
        "it fits again"
    );
}

#[test]
fn a_program_that_cannot_share_is_replaced_one_after_the_other() {
    let mut machine = serving(10);
    machine.rules.one_at_a_time = true;
    let effects = play(&mut machine, &[], &[(61.0, ReplaceRequested)]);
    assert_eq!(quiet(effects), [Send(1, Command::HandOver(secs(5.0)))]);
    let effects = play(&mut machine, &[], &[(62.0, Exited(1, ProcessExit::Signal(15)))]);
    assert_eq!(quiet(effects), [Start(2)]);
}

#[test]
fn what_unknown_workers_say_is_nothing() {
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
