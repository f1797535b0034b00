//! A worker that leaks and the one that starts beside it, in a model of both: together they stay below the limit.

use proptest::prelude::*;

use Effect::{Activate, Hold};
use MachineEvent::MemoryShort;

use super::*;
use crate::config::thresholds::Thresholds;
use crate::supervisor::policy::FrontPolicy;

const STEP: Duration = Duration::from_millis(50);
const MB: f64 = 1_048_576.0;
const GRACE: Duration = SECOND;
const SECOND: Duration = Duration::from_secs(1);

/// What a program does, in MB and MB a second.
#[derive(Clone, Debug)]
struct Leak {
    limit: f64,
    base: f64,
    rate: f64,
    /// Time of the first start, and by how much each later one is longer.
    start: Duration,
    delay: Duration,
    /// Time from the beginning of a drain to the exit.
    drain: Duration,
}

/// An instance.
#[derive(Debug)]
struct Instance {
    number: WorkerNumber,
    since: Duration,
    start: Duration,
    memory: f64,
    exits_at: Option<Duration>,
}

/// A replacement that began beside the old instance.
#[derive(Clone, Copy, Debug)]
struct Begin {
    memory: f64,
    /// Longest start and drain that were known.
    known: Duration,
}

/// The machine with the instances whose memory it is told every second. Requests that wait leak when they are passed on.
struct Model {
    machine: Machine,
    leak: Leak,
    now: Duration,
    instances: Vec<Instance>,
    serving: Option<WorkerNumber>,
    waiting: f64,
    highest: f64,
    begins: Vec<Begin>,
    /// Times at which requests waited, after the first instance was ready.
    waited: Vec<Duration>,
    aborted: u32,
    replaced: u32,
    started: bool,
}

impl Model {
    fn new(leak: Leak) -> Self {
        let limit = bytes(leak.limit);
        let mut policy = SupervisorPolicy::new(limit, secs(10.0), secs(25.0), 60);
        policy.front = Some(FrontPolicy { hold: secs(30.0), drain_window: secs(2.0) });
        policy.replaces_early = true;
        policy.judged_from =
            Some(Thresholds::default().levels(limit).unwrap().enter(heapbeat_shared::Pressure::Alert));
        Model {
            machine: Machine::new(policy),
            leak,
            now: Duration::ZERO,
            instances: Vec::new(),
            serving: None,
            waiting: 0.0,
            highest: 0.0,
            begins: Vec::new(),
            waited: Vec::new(),
            aborted: 0,
            replaced: 0,
            started: false,
        }
    }

    fn play(&mut self, until: Duration) {
        self.step(Tick);
        while self.now < until {
            self.now += STEP;
            self.advance();
            if self.now.as_millis().is_multiple_of(SECOND.as_millis()) {
                self.measure();
            } else {
                self.measure_quickly();
            }
            self.step(Tick);
        }
    }

    /// Lets memory grow, and instances get ready and exit.
    fn advance(&mut self) {
        let (now, leak) = (self.now, self.leak.clone());
        if self.serving.is_some() || self.started {
            self.started = true;
            self.waiting += leak.rate * STEP.as_secs_f64();
        }
        for instance in &mut self.instances {
            let age = now.saturating_sub(instance.since);
            if age <= instance.start {
                instance.memory = leak.base * age.as_secs_f64() / instance.start.as_secs_f64();
            }
            if Some(instance.number) == self.serving {
                // What waited is served three times as fast as new requests arrive.
                let served = self.waiting.min(3.0 * leak.rate * STEP.as_secs_f64());
                instance.memory += served;
                self.waiting -= served;
            }
        }
        if self.serving.is_none() && (self.replaced > 0 || !self.begins.is_empty()) {
            self.waited.push(now);
        }
        self.highest = self.highest.max(self.total());
        let ready = self.instances.iter().filter(|it| now == it.since + it.start);
        let ready: Vec<(WorkerNumber, Bytes)> = ready.map(|it| (it.number, bytes(it.memory))).collect();
        for (number, memory) in ready {
            self.step(Heartbeat(number, 0, memory));
            self.step(Ready(number));
        }
        let gone = self.instances.iter().filter(|it| it.exits_at.is_some_and(|at| now >= at));
        let gone: Vec<WorkerNumber> = gone.map(|it| it.number).collect();
        for number in gone {
            self.instances.retain(|it| it.number != number);
            self.replaced += 1;
            self.step(Exited(number, ProcessExit::Signal(15)));
        }
    }

    fn total(&self) -> f64 {
        self.instances.iter().map(|it| it.memory).sum()
    }

    /// Tells the machine what the guard measures each second.
    fn measure(&mut self) {
        let polls = self.now.as_secs();
        let measured: Vec<_> = self.instances.iter().map(|it| (it.number, it.memory)).collect();
        for (number, memory) in measured {
            self.step(Heartbeat(number, polls, bytes(memory)));
        }
        self.judge();
    }

    /// Reads memory more often near the thresholds, and near the limit for all together.
    fn measure_quickly(&mut self) {
        let (limit, now) = (self.leak.limit, self.now);
        let serving = self.instances.iter().filter(|it| Some(it.number) == self.serving);
        let near = serving.map(|it| it.memory).sum::<f64>() >= limit * 0.75;
        let beside = self.instances.len() > 1 && self.total() >= limit * 0.75;
        if near || beside && now.as_millis().is_multiple_of((STEP * 2).as_millis()) {
            self.measure();
        }
    }

    /// Does what the ladder does: at the threshold, and before by the forecast.
    fn judge(&mut self) {
        let serving = self.machine.workers.iter().find(|it| it.serves());
        let serving = serving.filter(|it| it.ready_at.is_some_and(|at| self.now >= at + GRACE));
        let Some((number, memory)) = serving.map(|it| (it.number, it.memory.0 as f64 / MB)) else { return };
        let Leak { limit, base, rate, .. } = self.leak;
        self.step(MachineEvent::Leaking(number, memory - base >= limit * 0.1));
        let left = (limit - memory) / rate;
        if memory >= limit * 0.9375 || left <= self.machine.replacement_time().at(bytes(memory)).as_secs_f64()
        {
            self.step(RecycleRequested(number, bytes(memory), "memory".into()));
        }
        self.step(MachineEvent::MemoryShort(number, 0));
    }

    fn step(&mut self, event: MachineEvent) {
        let known = self.machine.expected_start() + self.machine.expected_drain();
        let memory = self.total();
        for effect in self.machine.step(event, self.now, MIDDLE) {
            match effect {
                Start(number) => {
                    if !self.instances.is_empty() {
                        self.begins.push(Begin { memory, known });
                    }
                    let delay = if number > 1 { self.leak.delay } else { Duration::ZERO };
                    let start = self.leak.start + delay;
                    self.instances.push(Instance {
                        number,
                        since: self.now,
                        start,
                        memory: 0.0,
                        exits_at: None,
                    });
                }
                Effect::Activate(number) => self.serving = Some(number),
                Effect::Hold(number) => self.serving = self.serving.filter(|it| *it != number),
                Effect::Drain(number) => {
                    self.serving = self.serving.filter(|it| *it != number);
                    let (at, drain) = (self.now, self.leak.drain);
                    self.instances
                        .iter_mut()
                        .filter(|it| it.number == number)
                        .for_each(|it| it.exits_at = Some(at + drain));
                }
                Effect::AbortRequests(number) | Kill(number) => {
                    self.aborted += 1;
                    let at = self.now + STEP;
                    self.instances
                        .iter_mut()
                        .filter(|it| it.number == number)
                        .for_each(|it| it.exits_at = Some(at));
                }
                _ => {}
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is positive and less than 2^53"
)]
fn bytes(mb: f64) -> Bytes {
    Bytes((mb * MB) as u64)
}

/// A time in twentieths of a second.
fn time(range: std::ops::Range<u32>) -> impl Strategy<Value = Duration> {
    range.prop_map(|steps| STEP * steps)
}

prop_compose! {
    fn leak()(
        limit in 256_u32..1024,
        base in 0.05_f64..0.4,
        rate in 0.002_f64..0.1,
        start in time(4..120),
        delay in prop_oneof![Just(Duration::ZERO), time(1..60)],
        drain in time(1..100),
    ) -> Leak {
        let limit = f64::from(limit);
        Leak { limit, base: base * limit, rate: rate * limit, start, delay, drain }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn an_instance_and_the_one_beside_it_stay_below_the_limit(leak in leak()) {
        let mut model = Model::new(leak.clone());
        model.play(Duration::from_secs(240));
        // A reading is up to 100 ms older than a burst.
        let highest = leak.limit * 1.01;
        prop_assert!(model.highest <= highest, "{} MB of {}, {:?}", model.highest, leak.limit, model.begins);
    }

    /// Requests wait only where the plan could not be kept, and no replacement begins earlier than the plan needs.
    #[test]
    fn a_replacement_beside_begins_as_late_as_both_allow(leak in leak()) {
        let leak = Leak { delay: Duration::ZERO, ..leak };
        let mut model = Model::new(leak.clone());
        model.play(Duration::from_secs(240));
        for begin in &model.begins {
            // The age of a reading, the time until the next one, and that to the one at which it began.
            let spare = leak.rate * (begin.known.as_secs_f64() + 3.0);
            let both = begin.memory + leak.base + spare;
            prop_assert!(both >= leak.limit * 0.89, "{begin:?}: {both} of {}", leak.limit);
        }
    }
}

#[test]
fn a_leak_that_leaves_time_for_start_and_drain_lets_no_request_wait_once_both_are_known() {
    // Limit, memory at the start, growth a second in MB, start and drain in seconds.
    let cases = [
        (256.0, 40.0, 5.0, 1.5, 0.5),
        (256.0, 40.0, 20.0, 1.0, 0.5),
        (256.0, 40.0, 10.0, 2.0, 3.0),
        (512.0, 60.0, 1.0, 20.0, 1.0),
        (1024.0, 200.0, 30.0, 3.0, 2.0),
    ];
    for (limit, base, rate, start, drain) in cases {
        let leak = Leak { limit, base, rate, start: secs(start), delay: Duration::ZERO, drain: secs(drain) };
        let mut model = Model::new(leak.clone());
        model.play(Duration::from_secs(2000));
        let last = model.waited.last().copied().unwrap_or_default();
        let first = model.waited.first().copied().unwrap_or_default();
        assert!(
            last <= first + secs(start + drain + 1.0),
            "{leak:?}: requests waited at {first:?} and {last:?}"
        );
        assert!(model.highest <= limit && model.replaced > 2, "{leak:?}: {} MB", model.highest);
        assert_eq!(model.aborted, 0, "{leak:?}");
    }
}

/// A machine of 512 MB whose instance of 40 MB grows by 20 MB a second; another one starts beside it at 61 s.
fn replacing(held: u64) -> Machine {
    let mut machine = machine_behind_front();
    let events = [
        (0.0, Tick),
        (0.1, Heartbeat(1, 1, mb(40))),
        (0.5, Ready(1)),
        (60.0, Heartbeat(1, 1000, mb(held - 20))),
        (61.0, Heartbeat(1, 1001, mb(held))),
        (61.0, RecycleRequested(1, mb(held), "forecast".into())),
    ];
    assert!(play(&mut machine, &[], &events).contains(&Start(2)));
    machine
}

#[test]
fn requests_wait_while_a_start_takes_longer_than_any_before_and_until_the_old_instance_has_exited() {
    let mut machine = replacing(400);
    let effects = [(62.0, Heartbeat(1, 1002, mb(420))), (62.0, MemoryShort(1, 0))];
    assert_eq!(play(&mut machine, &[], &effects), [], "with 40 MB it grows to 480 MB in a second");
    let effects = [(63.0, Heartbeat(1, 1003, mb(460))), (63.0, MemoryShort(1, 0))];
    assert_eq!(play(&mut machine, &[], &effects), [Hold(1)]);
    let effects = [(63.5, Heartbeat(1, 1004, mb(460))), (63.5, MemoryShort(1, 0))];
    assert_eq!(play(&mut machine, &[], &effects), [], "it would grow on with requests");
    let effects = play(&mut machine, &[], &[(64.0, Ready(2))]);
    assert!(!effects.contains(&Activate(2)), "there is no room for both yet: {effects:?}");
    assert!(effects.contains(&Effect::Drain(1)), "{effects:?}");
    play(&mut machine, &[], &[(64.1, MachineEvent::Drained(1))]);
    let effects = quiet(play(&mut machine, &[], &[(64.3, Exited(1, ProcessExit::Signal(15)))]));
    assert_eq!(effects, [Activate(2)]);
}

/// When the guard stops nothing makes room any more, so requests that wait are served while the front still accepts.
#[test]
fn requests_that_wait_for_room_are_passed_on_when_a_stop_is_requested() {
    let full = [(63.0, Heartbeat(1, 1003, mb(460))), (63.0, MemoryShort(1, 0))];
    let stop = [(63.5, MachineEvent::StopRequested(StopSignal::Terminate))];
    let mut starting = replacing(400);
    assert!(play(&mut starting, &[], &full).contains(&Hold(1)));
    assert!(play(&mut starting, &[], &stop).contains(&Activate(1)), "its replacement was still starting");
    let mut ready = replacing(400);
    play(&mut ready, &[], &full);
    assert!(!play(&mut ready, &[], &[(63.2, Ready(2))]).contains(&Activate(2)));
    assert!(play(&mut ready, &[], &stop).contains(&Activate(2)), "it waited for the exit of the first");
}

#[test]
fn a_drain_that_requests_wait_for_is_cut_short() {
    let mut machine = replacing(400);
    play(&mut machine, &[], &[(61.9, Heartbeat(2, 1, mb(40))), (62.0, Ready(2))]);
    let effects = [(63.0, Heartbeat(2, 2, mb(60))), (63.0, MemoryShort(2, 0))];
    assert_eq!(play(&mut machine, &[], &effects), [], "there is room for 20 MB");
    let effects = [(64.0, Heartbeat(2, 3, mb(95))), (64.0, MemoryShort(2, 0))];
    assert_eq!(play(&mut machine, &[], &effects), [Hold(2)]);
    let effects = quiet(play(&mut machine, &[], &[(64.1, Heartbeat(2, 4, mb(95)))]));
    assert_eq!(effects, [Effect::AbortRequests(1), Send(1, Command::HandOver(secs(1.0)))]);
}

#[test]
fn starts_and_drains_are_expected_to_take_as_long_as_the_longest_of_the_last_four() {
    let mut machine = machine_behind_front();
    for (took, expected) in [(1.0, 1.0), (7.0, 7.0), (1.0, 7.0), (1.0, 7.0), (1.0, 7.0), (1.0, 1.0)] {
        machine.start_times.record(secs(took));
        assert_eq!(machine.expected_start(), secs(expected), "{took}");
    }
    assert_eq!(machine.expected_drain(), secs(1.0));
    for (took, expected) in
        [(0.3, 0.3), (2.0, 2.0), (0.4, 2.0), (0.4, 2.0), (0.4, 2.0), (0.4, 0.4), (20.0, 5.0)]
    {
        machine.drain_times.record(secs(took));
        assert_eq!(machine.expected_drain(), secs(expected), "{took}");
    }
}

#[test]
fn a_start_that_needs_more_than_the_ready_program_counts_with_that() {
    for (peak, beside) in [(80, true), (120, false)] {
        let mut machine = machine_behind_front();
        let start =
            [(0.0, Tick), (0.2, Heartbeat(1, 1, mb(peak))), (0.5, Heartbeat(1, 1, mb(40))), (0.6, Ready(1))];
        play(&mut machine, &[], &start);
        let grown = [(60.0, Heartbeat(1, 1000, mb(400))), (63.0, ReplaceRequested)];
        let effects = play(&mut machine, &[], &grown);
        assert_eq!(effects.contains(&Start(2)), beside, "{peak} {effects:?}");
    }
}

#[test]
fn a_start_that_needed_much_memory_is_forgotten_after_four_others() {
    let mut machine = machine_behind_front();
    for (needed, expected) in [(300, 300), (40, 300), (40, 300), (40, 300), (40, 40)] {
        machine.start_sizes.record(mb(needed));
        assert_eq!(machine.start_size(), mb(expected), "{needed}");
    }
}
