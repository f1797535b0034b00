//! Workers that are replaced by fresh ones.

use super::*;

#[test]
fn a_recycle_hands_over_when_the_new_worker_is_ready() {
    let mut machine = serving(480);
    let effects = play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into()))]);
    assert_eq!(quiet(effects), [Start(2), Send(1, Command::Replacement(ReplacementStatus::InProgress))]);
    let effects = play(&mut machine, &[], &[(61.5, Ready(2))]);
    assert_eq!(
        effects,
        [
            Log(Notice::Replaced(2)),
            Send(1, Command::HandOver(secs(25.0))),
            Send(2, Command::Replacement(ReplacementStatus::RateLimited))
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
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into())), (61.5, Ready(2))]);
    play(&mut machine, &[], &[(61.6, Exited(1, ProcessExit::Code(0)))]);
    let effects = play(&mut machine, &[], &[(62.0, RecycleRequested(2, mb(480), "threshold".into()))]);
    assert_eq!(effects, [Send(2, Command::Replacement(ReplacementStatus::RateLimited))]);
    let effects = play(&mut machine, &[], &[(67.0, RecycleRequested(2, mb(480), "threshold".into()))]);
    assert!(effects.contains(&Start(3)), "{effects:?}");
}

#[test]
fn if_the_new_worker_does_not_get_ready_the_old_one_stays() {
    for (late, exit) in [(0.5, ProcessExit::Code(3)), (59.0, ProcessExit::Signal(11))] {
        let mut machine = serving(300);
        play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into()))]);
        let effects = play(&mut machine, &[], &[(61.0 + late, Exited(2, exit))]);
        assert_eq!(
            effects,
            [
                Investigate(2, exit, None),
                Log(Notice::ReplacementFailed(2)),
                Send(1, Command::Replacement(ReplacementStatus::RateLimited))
            ]
        );
    }
    let mut machine = serving(300);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into()))]);
    let effects = play(&mut machine, &[], &[(121.0, Tick)]);
    assert_eq!(effects, [Log(Notice::StartTimedOut(2, secs(60.0))), Kill(2)]);
    let effects = play(&mut machine, &[], &[(121.1, Exited(2, KILLED))]);
    assert_eq!(quiet(effects), [Send(1, Command::Replacement(ReplacementStatus::RateLimited))]);
}

#[test]
fn a_worker_that_dies_while_its_replacement_starts_is_replaced_by_it() {
    let mut machine = serving(480);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into()))]);
    let effects = play(&mut machine, &[], &[(61.2, Exited(1, KILLED))]);
    assert_eq!(quiet(effects), []);
    let effects = play(&mut machine, &[], &[(61.5, Ready(2))]);
    assert_eq!(effects, [Send(2, Command::Replacement(ReplacementStatus::Available))]);
}

#[test]
fn without_room_for_two_the_old_worker_drains_first() {
    let mut machine = machine();
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(100))), (0.2, Ready(1))]);
    play(&mut machine, &[], &[(60.0, Heartbeat(1, 2000, mb(480)))]);
    let effects = play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(480), "threshold".into()))]);
    assert_eq!(
        effects,
        [
            Log(Notice::DrainingFirst("threshold".into(), OneAtATime::Memory)),
            Send(1, Command::HandOver(secs(5.0)))
        ]
    );
    let effects = play(&mut machine, &[], &[(62.0, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(effects, [Investigate(1, ProcessExit::Code(0), Some(StopReason::Recycle)), Start(2)]);
    assert_eq!(machine.failures, 0);
    assert!(play(&mut machine, &[], &[(62.5, Ready(2))]).contains(&Log(Notice::Replaced(2))));
}

#[test]
fn a_draining_worker_is_killed_at_its_timeout() {
    let mut machine = serving(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (62.0, Ready(2))]);
    assert_eq!(play(&mut machine, &[], &[(88.9, Tick)]), []);
    assert_eq!(
        play(&mut machine, &[], &[(89.0, Tick)]),
        [Log(Notice::DrainTimedOut(1, secs(27.0))), Kill(1)]
    );
    let effects = play(&mut machine, &[], &[(89.1, Exited(1, KILLED))]);
    assert_eq!(effects, [Investigate(1, KILLED, Some(StopReason::Recycle))]);
}

#[test]
fn a_draining_worker_is_stopped_sooner_without_room_for_both() {
    let mut machine = serving(480);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (62.0, Ready(2))]);
    assert_eq!(
        play(&mut machine, &[], &[(62.5, Heartbeat(2, 400, mb(20)))]),
        [],
        "the grace period is not over"
    );
    assert_eq!(play(&mut machine, &[], &[(63.0, Heartbeat(2, 500, mb(16)))]), [], "496 of 512 MB");
    let effects = play(&mut machine, &[], &[(64.0, Heartbeat(2, 900, mb(17)))]);
    assert_eq!(effects, [Log(Notice::DrainCutShort(1, mb(497), mb(512))), Send(1, Command::Stop(TERM, 2))]);
    assert_eq!(play(&mut machine, &[], &[(64.5, Heartbeat(2, 901, mb(18)))]), [], "logged once");
    assert_eq!(play(&mut machine, &[], &[(65.0, Tick)]), [Log(Notice::DrainTimedOut(1, secs(3.0))), Kill(1)]);
}

#[test]
fn a_request_during_a_pause_is_tried_at_once() {
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
fn a_working_worker_is_not_drained_on_request_without_room_for_two() {
    let mut machine = machine();
    play(&mut machine, &[], &[(0.0, Tick), (0.1, Heartbeat(1, 1, mb(300))), (0.2, Ready(1))]);
    assert_eq!(play(&mut machine, &[], &[(60.0, ReplaceRequested)]), [Log(Notice::TooLittleHeadroom)]);
}

#[test]
fn a_working_worker_is_not_drained_after_a_replacement_has_failed() {
    let mut machine = serving(480);
    play(
        &mut machine,
        &[],
        &[(61.0, RecycleRequested(1, mb(480), "threshold".into())), (61.5, Exited(2, ProcessExit::Code(3)))],
    );
    let effects = play(&mut machine, &[], &[(67.0, RecycleRequested(1, mb(510), "threshold".into()))]);
    assert_eq!(
        effects,
        [Log(Notice::TooLittleHeadroom), Send(1, Command::Replacement(ReplacementStatus::RateLimited))]
    );
    let effects = play(
        &mut machine,
        &[],
        &[(72.5, Heartbeat(1, 6000, mb(400))), (73.0, RecycleRequested(1, mb(480), "threshold".into()))],
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
    machine.policy.one_at_a_time = true;
    let effects = play(&mut machine, &[], &[(61.0, ReplaceRequested)]);
    assert_eq!(quiet(effects), [Send(1, Command::HandOver(secs(5.0)))]);
    let effects = play(&mut machine, &[], &[(62.0, Exited(1, ProcessExit::Signal(15)))]);
    assert_eq!(quiet(effects), [Start(2)]);
}
