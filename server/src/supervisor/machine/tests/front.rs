//! Workers behind a front: they are requested to stop when no requests are in flight to them.

use Effect::{AbortRequests, Activate, Drain, Hold, Shed};
use MachineEvent::{Drained, MemoryShort};

use super::*;

/// Creates a machine whose worker has been serving for a minute behind a front, and holds so many megabytes.
pub(super) fn serving_behind_front(held: u64) -> Machine {
    let mut machine = machine_behind_front();
    let ready = [(0.0, Tick), (0.1, Heartbeat(1, 1, mb(40))), (0.5, Ready(1))];
    // The second one shows that it does not grow.
    let holds = [(59.0, Heartbeat(1, 1000, mb(held))), (60.0, Heartbeat(1, 1001, mb(held)))];
    play(&mut machine, &[], &[&ready[..], &holds].concat());
    machine
}

#[test]
fn a_worker_gets_requests_when_it_is_ready() {
    let mut machine = machine_behind_front();
    let effects = play(&mut machine, &[], &[(0.0, Tick), (0.5, Ready(1))]);
    let status = Send(1, Command::Replacement(ReplacementStatus::Available));
    assert_eq!(effects, [Log(Notice::Started(1, secs(0.5))), Activate(1), status]);
}

#[test]
fn a_replaced_worker_is_told_to_stop_when_it_has_no_requests_any_more() {
    let mut machine = serving_behind_front(300);
    let effects = play(&mut machine, &[], &[(61.0, ReplaceRequested), (63.0, Ready(2))]);
    assert_eq!(quiet(effects)[..2], [Activate(2), Drain(1)]);
    // Of the 25 s, 5 s are for the stop.
    assert_eq!(play(&mut machine, &[], &[(70.0, Drained(1))]), [Send(1, Command::HandOver(secs(18.0)))]);
    assert_eq!(play(&mut machine, &[], &[(70.1, Drained(1))]), [], "it is told once");
    let effects = play(&mut machine, &[], &[(71.0, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(effects, [Investigate(1, ProcessExit::Code(0), Some(StopReason::Recycle))]);
}

#[test]
fn requests_that_outlast_the_drain_are_ended_a_moment_after_the_worker_was_told_to_stop() {
    let mut machine = serving_behind_front(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (63.0, Ready(2))]);
    assert_eq!(play(&mut machine, &[], &[(82.9, Tick)]), []);
    assert_eq!(machine.next_step(), secs(83.0));
    let effects = play(&mut machine, &[], &[(83.0, Tick)]);
    assert_eq!(effects, [Send(1, Command::HandOver(secs(5.0)))], "it may say goodbye");
    assert_eq!(play(&mut machine, &[], &[(83.9, Tick)]), []);
    assert_eq!(machine.next_step(), secs(84.0));
    assert_eq!(play(&mut machine, &[], &[(84.0, Tick)]), [AbortRequests(1)]);
    let effects = play(&mut machine, &[], &[(90.0, Tick)]);
    assert_eq!(effects, [Log(Notice::DrainTimedOut(1, secs(27.0))), Kill(1)]);
}

#[test]
fn without_room_for_two_requests_wait_while_one_follows_the_other() {
    let mut machine = serving_behind_front(490);
    let effects = play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(490), "threshold".into()))]);
    assert_eq!(effects, [Log(Notice::DrainingFirst("threshold".into(), OneAtATime::MemoryHeld)), Drain(1)]);
    assert_eq!(play(&mut machine, &[], &[(61.2, Drained(1))]), [Send(1, Command::HandOver(secs(9.8)))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.3, Exited(1, ProcessExit::Code(0)))])), [Start(2)]);
    let effects = quiet(play(&mut machine, &[], &[(61.9, Ready(2))]));
    assert_eq!(effects[0], Activate(2));
}

#[test]
fn a_worker_that_fills_its_memory_at_once_is_replaced_again_after_a_second() {
    for (after, replaced) in [(0.9, false), (1.1, true)] {
        let mut machine = serving_behind_front(490);
        play(
            &mut machine,
            &[],
            &[(61.0, RecycleRequested(1, mb(490), "threshold".into())), (61.1, Drained(1))],
        );
        play(&mut machine, &[], &[(61.2, Exited(1, ProcessExit::Code(0))), (61.4, Heartbeat(2, 1, mb(40)))]);
        play(&mut machine, &[], &[(61.5, Ready(2)), (62.0, Heartbeat(2, 2, mb(490)))]);
        // The one before has exited at 61.2.
        let again = [(61.2 + after, RecycleRequested(2, mb(490), "threshold".into()))];
        let effects = play(&mut machine, &[], &again);
        assert_eq!(effects.contains(&Drain(2)), replaced, "{effects:?}");
    }
}

#[test]
fn a_worker_that_grows_needs_headroom_until_it_has_exited() {
    // Growth in MB a second, and whether the replacement starts beside the worker: 400 + 40 MB and 5 s of growth, of 512 MB.
    for (growth, beside) in [(10, true), (14, true), (15, false), (30, false)] {
        let mut machine = machine_behind_front();
        play(&mut machine, &[], &[(0.0, Tick), (1.0, Heartbeat(1, 1, mb(40))), (3.0, Ready(1))]);
        play(&mut machine, &[], &[(60.0, Heartbeat(1, 900, mb(400 - growth)))]);
        let grown = Heartbeat(1, 901, mb(400));
        let recycle = RecycleRequested(1, mb(400), "forecast".into());
        let effects = play(&mut machine, &[], &[(61.0, grown), (61.0, recycle)]);
        assert_eq!(effects.contains(&Start(2)), beside, "{growth} {effects:?}");
    }
}

#[test]
fn the_drain_leaves_the_next_worker_its_start_within_the_longest_wait() {
    let policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
    // Start of the last worker, time for its requests and for its stop, in seconds; a request waits for 15 s at most.
    for (start, half) in [(0.3, 5.0), (5.0, 4.5), (10.0, 2.0), (30.0, 1.0)] {
        let time = policy.drain_while_held(secs(15.0), secs(start));
        assert_eq!((time.requests, time.stop), (secs(half), secs(half)), "{start}");
    }
    let full = policy.full_drain();
    assert_eq!((full.requests, full.stop), (secs(20.0), secs(5.0)));
}

#[test]
fn a_crash_during_a_drain_starts_the_next_worker() {
    let mut machine = serving_behind_front(490);
    play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(490), "threshold".into()))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(61.1, Exited(1, KILLED))])), [Start(2)]);
}

#[test]
fn requests_are_ended_early_when_memory_is_short() {
    let mut machine = serving_behind_front(460);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (62.0, Ready(2))]);
    let effects = play(&mut machine, &[], &[(64.0, Heartbeat(2, 900, mb(40)))]);
    assert_eq!(
        effects,
        [
            Log(Notice::DrainCutShort(1, mb(500), mb(512))),
            AbortRequests(1),
            Send(1, Command::HandOver(secs(1.0)))
        ]
    );
    assert_eq!(quiet(play(&mut machine, &[], &[(65.0, Tick)])), [Kill(1)]);
}

#[test]
fn requests_wait_instead_of_being_refused_while_a_replacement_starts() {
    let start = || {
        let mut machine = serving_behind_front(300);
        play(&mut machine, &[], &[(61.0, RecycleRequested(1, mb(300), "forecast".into()))]);
        machine
    };
    let mut machine = start();
    assert_eq!(play(&mut machine, &[], &[(62.0, MemoryShort(1, 300))]), [Hold(1)]);
    assert_eq!(play(&mut machine, &[], &[(62.1, MemoryShort(1, 400))]), [], "it holds on");
    let effects = quiet(play(&mut machine, &[], &[(63.0, Ready(2))]));
    assert_eq!(effects[..2], [Activate(2), Drain(1)]);

    let mut machine = start();
    let short = [(62.0, MemoryShort(1, 300)), (62.5, MemoryShort(1, 0))];
    assert_eq!(play(&mut machine, &[], &short), [Activate(1)], "memory was freed meanwhile");

    let mut machine = start();
    play(&mut machine, &[], &[(62.0, MemoryShort(1, 300))]);
    let effects = quiet(play(&mut machine, &[], &[(63.0, Exited(2, KILLED))]));
    assert_eq!(effects[0], Activate(1), "there will be no replacement");
    assert_eq!(play(&mut machine, &[], &[(64.0, MemoryShort(1, 300))]), [Shed(300)]);
    assert_eq!(play(&mut machine, &[], &[(65.0, MemoryShort(1, 0))]), [Shed(0)]);
    assert_eq!(play(&mut machine, &[], &[(66.0, MemoryShort(1, 0))]), []);

    let mut machine = start();
    play(&mut machine, &[], &[(62.0, MemoryShort(1, 300))]);
    let effects = play(&mut machine, &[], &[(77.0, MemoryShort(1, 300))]);
    assert_eq!(effects, [Activate(1), Shed(300)], "a request waits no longer than 15 s");
}

#[test]
fn a_replacement_begins_when_it_only_just_fits_and_late_if_it_does_not() {
    // Growth in MB a second, seconds before the limit of 512 MB. At 300 MB another one of 40 MB fits, whose start takes 0.5 s and the drain of
    // the old one a second.
    for (growth, expected) in [(0, 3.5), (10, 7.5), (20, 5.5), (1, 20.0), (200, 1.0)] {
        let mut machine = serving_behind_front(300 - growth);
        play(&mut machine, &[], &[(61.0, Heartbeat(1, 1002, mb(300)))]);
        let time = machine.replacement_time();
        assert_eq!(time.at(mb(300)), secs(expected), "{growth}");
        assert_eq!(
            time.at(mb(500)),
            secs(1.0),
            "{growth}: measured just now, another one does not fit any more"
        );
    }
}

#[test]
fn a_replacement_by_hand_that_does_not_fit_beside_follows_while_requests_wait() {
    let mut machine = serving_behind_front(480);
    let effects = play(&mut machine, &[], &[(61.0, ReplaceRequested)]);
    let drained = Notice::DrainingFirst("requested by the operator".to_owned(), OneAtATime::MemoryHeld);
    assert_eq!(effects, [Log(drained), Drain(1)]);
    let effects = play(&mut machine, &[], &[(61.2, Drained(1)), (61.4, Exited(1, ProcessExit::Signal(15)))]);
    assert_eq!(quiet(effects), [Start(2)]);
    let effects = play(&mut machine, &[], &[(62.0, Heartbeat(2, 1, mb(40))), (62.5, Ready(2))]);
    assert!(effects.contains(&Activate(2)) && effects.contains(&Log(Notice::Replaced(2))), "{effects:?}");
}

#[test]
fn after_a_replacement_has_failed_none_by_hand_drains_the_running_worker() {
    let mut machine = serving_behind_front(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (61.5, Exited(2, ProcessExit::Code(3)))]);
    let effects = play(&mut machine, &[], &[(67.0, Heartbeat(1, 1002, mb(490))), (68.0, ReplaceRequested)]);
    assert_eq!(effects.first(), Some(&Log(Notice::TooLittleHeadroom)), "{effects:?}");
    assert!(!effects.contains(&Drain(1)), "{effects:?}");
}
