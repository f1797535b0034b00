//! The supervisor is asked to stop.

use proptest::prelude::*;

use Effect::{AbortRequests, Activate, CloseFront, Drain};
use MachineEvent::{Drained, FrontClosed};

use super::front::serving_behind_front;
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

#[test]
fn a_stop_awaits_the_front_before_it_reaches_the_worker() {
    let mut machine = serving_behind_front(100);
    assert_eq!(play(&mut machine, &[], &[(61.0, StopRequested(TERM))]), [], "balancers still send requests");
    assert_eq!(play(&mut machine, &[], &[(63.0, Tick)]), [CloseFront]);
    assert_eq!(play(&mut machine, &[], &[(64.0, FrontClosed)]), [Send(1, Command::Stop(TERM, 1))]);
    let effects = play(&mut machine, &[], &[(64.5, Exited(1, ProcessExit::Signal(15)))]);
    assert_eq!(quiet(effects), [Exit(0)]);

    let mut machine = serving_behind_front(100);
    let interrupt = StopSignal::Interrupt;
    assert_eq!(play(&mut machine, &[], &[(61.0, StopRequested(interrupt))]), [CloseFront]);
    let effects = play(&mut machine, &[], &[(62.0, StopRequested(interrupt))]);
    assert_eq!(effects, [AbortRequests(1), Send(1, Command::Stop(interrupt, 2))]);

    let mut machine = serving_behind_front(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
    let effects = play(&mut machine, &[], &[(81.0, Tick)]);
    assert_eq!(effects, [Send(1, Command::Stop(TERM, 1))], "requests take too long");
    assert_eq!(play(&mut machine, &[], &[(82.0, Tick)]), [AbortRequests(1)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(88.0, Tick)])), [Kill(1)]);
}

#[test]
fn a_stop_during_a_replacement_awaits_the_requests_of_the_old_worker() {
    let mut machine = serving_behind_front(300);
    play(&mut machine, &[], &[(61.0, ReplaceRequested), (63.0, Ready(2)), (64.0, StopRequested(TERM))]);
    assert_eq!(play(&mut machine, &[], &[(65.0, Drained(1))]), [Send(1, Command::Stop(TERM, 1))]);
    assert_eq!(play(&mut machine, &[], &[(66.5, FrontClosed)]), [Send(2, Command::Stop(TERM, 1))]);
}

#[test]
fn if_the_front_fails_the_worker_is_stopped_and_the_exit_code_says_so() {
    let mut machine = serving_behind_front(100);
    let effects = play(&mut machine, &[], &[(61.0, MachineEvent::FrontFailed)]);
    assert!(effects.iter().all(|effect| matches!(effect, CloseFront | Log(_))), "{effects:?}");
    let effects = play(&mut machine, &[], &[(61.1, FrontClosed)]);
    assert_eq!(effects.last(), Some(&Send(1, Command::Stop(StopSignal::Terminate, 1))));
    let effects = play(&mut machine, &[], &[(61.2, Exited(1, ProcessExit::Code(0)))]);
    assert_eq!(effects.last(), Some(&Effect::Exit(1)));
}

#[test]
fn a_worker_that_is_starting_gets_ready_for_the_requests_that_wait() {
    let mut machine = machine_behind_front();
    assert_eq!(play(&mut machine, &[], &[(0.0, Tick), (1.0, StopRequested(TERM))]), [], "it goes on");
    assert!(play(&mut machine, &[], &[(1.5, Ready(1))]).contains(&Activate(1)));
    assert_eq!(play(&mut machine, &[], &[(3.0, Tick)]), [CloseFront]);
    assert_eq!(play(&mut machine, &[], &[(3.1, FrontClosed)]), [Send(1, Command::Stop(TERM, 1))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(3.2, Exited(1, ProcessExit::Signal(15)))])), [Exit(0)]);

    // Nobody waits, and a person does not want to.
    let mut machine = machine_behind_front();
    let interrupt = StopSignal::Interrupt;
    assert_eq!(play(&mut machine, &[], &[(0.0, Tick), (1.0, StopRequested(interrupt))]), [CloseFront]);
    assert_eq!(play(&mut machine, &[], &[(1.1, FrontClosed)]), [Send(1, Command::Stop(interrupt, 1))]);
    assert!(!play(&mut machine, &[], &[(1.2, Ready(1))]).contains(&Activate(1)), "it was told to stop");

    // It does not get ready in time.
    let mut machine = machine_behind_front();
    play(&mut machine, &[], &[(0.0, Tick), (1.0, StopRequested(TERM))]);
    assert_eq!(play(&mut machine, &[], &[(21.0, Tick)]), [Send(1, Command::Stop(TERM, 1))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(28.0, Tick)])), [Kill(1)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(28.1, Exited(1, KILLED))])), [Exit(0)]);

    // A second signal ends it at once.
    let mut machine = machine_behind_front();
    play(&mut machine, &[], &[(0.0, Tick), (1.0, StopRequested(TERM))]);
    let effects = play(&mut machine, &[], &[(1.5, StopRequested(TERM))]);
    assert_eq!(effects, [AbortRequests(1), Send(1, Command::Stop(TERM, 2)), CloseFront]);
}

#[test]
fn what_nobody_stopped_is_followed_by_another_worker_until_the_front_has_closed() {
    // How the worker that serves ends after the stop was requested, and what follows.
    let cases: [(ProcessExit, &[Effect]); 4] = [
        (KILLED, &[Start(2)]),
        (ProcessExit::Code(3), &[Start(2)]),
        (ProcessExit::Signal(15), &[Exit(0)]),
        (ProcessExit::Code(0), &[Exit(0)]),
    ];
    for (exit, expected) in cases {
        let mut machine = serving_behind_front(100);
        play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
        assert_eq!(quiet(play(&mut machine, &[], &[(62.0, Exited(1, exit))])), expected, "{exit:?}");
    }
    // At a terminal the program has got Ctrl-C as well, and may exit in its own way.
    for exit in [KILLED, ProcessExit::Code(1)] {
        let mut machine = serving_behind_front(100);
        play(&mut machine, &[], &[(61.0, StopRequested(StopSignal::Interrupt))]);
        assert_eq!(quiet(play(&mut machine, &[], &[(61.1, Exited(1, exit))])), [Exit(1)], "{exit:?}");
    }
    // Too late for another one.
    let mut machine = serving_behind_front(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM))]);
    assert_eq!(quiet(play(&mut machine, &[], &[(80.8, Exited(1, KILLED))])), [Exit(1)]);
    let mut machine = serving_behind_front(100);
    play(&mut machine, &[], &[(61.0, StopRequested(TERM)), (63.0, Tick), (63.1, FrontClosed)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(63.2, Exited(1, ProcessExit::Code(3)))])), [Exit(3)]);
    // It never got ready.
    let mut machine = machine_behind_front();
    play(&mut machine, &[], &[(0.0, Tick), (1.0, StopRequested(TERM))]);
    let effects = play(&mut machine, &[], &[(1.1, Exited(1, ProcessExit::Code(3)))]);
    assert_eq!(effects, [Investigate(1, ProcessExit::Code(3), None), Start(2)], "the stop is not the reason");
    assert_eq!(quiet(play(&mut machine, &[], &[(1.2, Exited(2, ProcessExit::Code(3)))])), []);
    assert_eq!(quiet(play(&mut machine, &[], &[(1.8, Tick)])).last(), Some(&Start(3)), "after a pause");
    assert_eq!(
        quiet(play(&mut machine, &[], &[(3.0, Tick), (3.1, FrontClosed)])).last(),
        Some(&Send(3, Command::Stop(TERM, 1)))
    );
    assert_eq!(quiet(play(&mut machine, &[], &[(3.2, Exited(3, ProcessExit::Signal(15)))])), [Exit(3)]);
}

#[test]
fn a_stop_in_a_pause_between_two_attempts_waits_for_the_next_one_until_the_front_has_closed() {
    let failed =
        [(0.0, Tick), (0.1, Exited(1, ProcessExit::Code(3))), (0.2, Exited(2, ProcessExit::Code(3)))];
    let stopped = || {
        let mut machine = machine_behind_front();
        play(&mut machine, &[], &failed);
        assert_eq!(quiet(play(&mut machine, &[], &[(0.3, StopRequested(TERM))])), []);
        machine
    };
    let mut machine = stopped();
    assert_eq!(quiet(play(&mut machine, &[], &[(0.8, Tick)])).last(), Some(&Start(3)));
    assert!(play(&mut machine, &[], &[(1.5, Ready(3))]).contains(&Activate(3)));
    play(&mut machine, &[], &[(2.3, Tick), (2.4, FrontClosed)]);
    assert_eq!(quiet(play(&mut machine, &[], &[(2.5, Exited(3, ProcessExit::Signal(15)))])), [Exit(0)]);

    let mut machine = stopped();
    assert_eq!(play(&mut machine, &[], &[(0.4, FrontClosed)]), [Exit(0)]);
    let mut machine = stopped();
    assert_eq!(play(&mut machine, &[], &[(0.4, StopRequested(TERM))])[..1], [Exit(0)], "a second signal");
}

/// What the machine's effects bring about, with one request that arrives when the stop is requested.
struct World {
    machine: Machine,
    now: Duration,
    /// Events that are to come, and when.
    coming: Vec<(Duration, MachineEvent)>,
    /// Times from a start until the worker is ready, from its drain until it has no requests, and from the request to stop until it exits.
    times: [Duration; 3],
    /// Number of workers that exit instead of getting ready.
    failing: u32,
    active: Vec<WorkerNumber>,
    closing: bool,
    waits: bool,
    log: Vec<(Duration, Effect)>,
}

impl World {
    fn new(machine: Machine, times: [f64; 3]) -> Self {
        let (active, log) = (Vec::new(), Vec::new());
        let coming = vec![(Duration::ZERO, Tick)];
        let (now, times) = (Duration::ZERO, times.map(secs));
        World { machine, now, coming, times, failing: 0, active, closing: false, waits: false, log }
    }

    fn plan(&mut self, after: Duration, event: MachineEvent) {
        self.coming.push((self.now + after, event));
    }

    /// Plays until nothing is to come before `end`, or the machine exits.
    fn run(&mut self, end: Duration) {
        loop {
            let next = (0..self.coming.len()).min_by_key(|index| self.coming[*index].0);
            let due = self.machine.next_step();
            let event = match next.filter(|index| self.coming[*index].0 <= due) {
                Some(index) if self.coming[index].0 <= end => self.coming.remove(index),
                _ if due <= end => (due, Tick),
                _ => return,
            };
            self.now = event.0.max(self.now);
            let alive: Vec<_> =
                self.machine.workers.iter().map(|it| (it.number, it.runtime_polls, it.memory)).collect();
            for (number, polls, memory) in alive {
                let effects = self.machine.step(Heartbeat(number, polls + 1, memory), self.now, MIDDLE);
                self.apply(effects);
            }
            let effects = self.machine.step(event.1, self.now, MIDDLE);
            if self.apply(effects) {
                return;
            }
        }
    }

    /// Returns whether the machine exits.
    fn apply(&mut self, effects: Vec<Effect>) -> bool {
        let [start, drain, stop] = self.times;
        for effect in effects {
            match &effect {
                Start(number) if *number <= self.failing => {
                    self.plan(start / 2, Exited(*number, ProcessExit::Code(3)));
                }
                Start(number) => self.plan(start, Ready(*number)),
                Activate(number) => self.active.push(*number),
                Drain(number) => {
                    self.active.retain(|it| it != number);
                    self.plan(drain, Drained(*number));
                }
                Send(number, Command::Stop(..) | Command::HandOver(_)) => {
                    self.plan(stop, Exited(*number, ProcessExit::Signal(15)));
                }
                Kill(number) => self.plan(Duration::ZERO, Exited(*number, KILLED)),
                CloseFront => self.closing = true,
                _ => {}
            }
            self.log.push((self.now, effect));
        }
        self.waits &= self.active.is_empty();
        if self.closing && !self.waits {
            self.closing = false;
            self.plan(Duration::ZERO, FrontClosed);
        }
        self.log.iter().any(|(_, effect)| matches!(effect, Exit(_)))
    }

    fn time_of(&self, sought: impl Fn(&Effect) -> bool) -> Option<Duration> {
        self.log.iter().find(|(_, effect)| sought(effect)).map(|(at, _)| *at)
    }
}

proptest! {
    #[test]
    fn a_request_that_waits_when_a_stop_is_requested_is_served(
        // Whether two may run at a time, and when what happens to the serving worker, if anything, in seconds.
        single: bool,
        happens in proptest::option::of((any::<bool>(), 20.0..60.0_f64)),
        // Workers that do not get ready at first.
        failing in 0..5_u32,
        times in [0.05..3.0_f64, 0.0..4.0_f64, 0.0..4.0_f64],
        stop_after in 0.0..12.0_f64,
        by_terminal: bool,
    ) {
        let mut policy = SupervisorPolicy::new(mb(512), secs(10.0), secs(25.0), 60);
        policy.front = Some(FrontPolicy { hold: secs(30.0), drain_window: secs(2.0) });
        policy.one_at_a_time = single;
        let mut world = World::new(Machine::new(policy), times);
        world.failing = failing;
        let begun = happens.map_or(0.0, |(killed, at)| {
            let event = if killed { Exited(failing + 1, KILLED) } else { ReplaceRequested };
            world.coming.push((secs(at), event));
            at
        });
        let stop = secs(begun + stop_after);
        world.run(stop);
        if happens.is_some_and(|(killed, _)| killed) {
            world.active.retain(|number| *number != failing + 1);
        }
        let signal = if by_terminal { StopSignal::Interrupt } else { TERM };
        world.waits = world.active.is_empty();
        world.coming.push((stop, StopRequested(signal)));
        world.run(stop + secs(60.0));

        // After Ctrl-C only a worker that is starting gets ready.
        let needs_another = failing > 0 || happens.is_some();
        prop_assert!(!world.waits || by_terminal && needs_another, "{:?}", world.log);
        let window = if by_terminal { 0.0 } else { 2.0 };
        let closed = world.time_of(|it| *it == CloseFront).expect("the front closes");
        prop_assert!(closed == stop + secs(window), "{closed:?} {:?}", world.log);
        let exit = world.time_of(|it| matches!(it, Exit(_))).expect("it ends");
        prop_assert!(exit >= closed && exit <= stop + secs(27.0), "{exit:?} {:?}", world.log);
        let clean = world.log.last().is_some_and(|(_, it)| *it == Exit(0));
        prop_assert!(clean || by_terminal && needs_another, "{:?}", world.log);
    }
}
