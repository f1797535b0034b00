//! The supervisor is asked to stop.

use super::*;

#[test]
fn a_stop_drains_the_worker_and_exits_with_its_code() {
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
fn a_stop_takes_no_longer_than_the_drain_timeout() {
    let mut machine = serving(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
    assert_eq!(
        play(&mut machine, &[], &[(88.0, Tick)]),
        [Log(Notice::DrainTimedOut(1, secs(27.0))), Kill(1)]
    );
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
