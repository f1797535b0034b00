//! Leaks behind a front, played through the ladder and the machine together: no request is refused while a replacement is possible.

use super::*;
use crate::config::thresholds::{Levels, Thresholds};
use crate::overload::ladder::{Action, Ladder, LadderRules, Observation};
use crate::overload::sample_interval::GrowthTracker;

const LIMIT: u64 = 256;
const BASELINE: Bytes = Bytes::from_mb(40);
const CHUNK: Bytes = Bytes::from_mb(2);
const STEP: Duration = Duration::from_millis(10);
const STEPS_PER_SECOND: u64 = 100;

/// Times of the program and the guard.
const START: Duration = Duration::from_millis(400);
const SLOW_START: Duration = Duration::from_secs(5);
const EXIT: Duration = Duration::from_millis(60);
const GRACE: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(50);

/// A program that leaks while it gets requests, with the ladder that judges it.
struct Program {
    machine: Machine,
    levels: Levels,
    mb_per_second: u64,
    start: Duration,
    /// How much later a reading is than it should be, as a factor.
    lateness: u32,
    now: Duration,
    /// What happens by itself.
    coming: Vec<(Duration, MachineEvent)>,
    serving: Option<Serving>,
    status: ReplacementStatus,
    shed: u16,
    replaced: u32,
    refused: Vec<(Duration, u16)>,
    /// Times at which requests waited.
    waited: Vec<Duration>,
    /// The memory of an instance that starts or ends beside the one that gets requests.
    beside: Option<(WorkerNumber, Bytes)>,
    highest: Bytes,
}

/// The instance that gets requests, or got them until now.
struct Serving {
    number: WorkerNumber,
    since: Duration,
    gets_requests: bool,
    leaked: Bytes,
    ladder: Ladder,
    growth: GrowthTracker,
    polls: u64,
    read_at: Duration,
}

impl Program {
    /// A program that cannot run twice, or one that can but starts slowly.
    fn new(mb_per_second: u64, lateness: u32, start: Duration) -> Self {
        let mut policy = SupervisorPolicy::new(mb(LIMIT), secs(10.0), secs(25.0), 60);
        policy.front = Some(FrontPolicy { hold: secs(30.0), drain_window: secs(2.0) });
        policy.one_at_a_time = start == START;
        policy.replaces_early = true;
        let levels = Thresholds::default().levels(mb(LIMIT)).unwrap();
        policy.judged_from = Some(levels.enter(heapbeat_shared::Pressure::Alert));
        Program {
            machine: Machine::new(policy),
            levels,
            mb_per_second,
            start,
            lateness,
            now: Duration::ZERO,
            coming: vec![(Duration::ZERO, Tick)],
            serving: None,
            status: ReplacementStatus::Available,
            shed: 0,
            replaced: 0,
            refused: Vec::new(),
            waited: Vec::new(),
            beside: None,
            highest: Bytes::ZERO,
        }
    }

    fn play(&mut self, until: Duration) {
        while self.now < until {
            self.now += STEP;
            let now = self.now;
            let (due, later) = self.coming.drain(..).partition(|(at, _)| *at <= now);
            self.coming = later;
            let due: Vec<(Duration, MachineEvent)> = due;
            for (_, event) in due {
                if let Exited(number, _) = event {
                    self.beside.take_if(|(beside, _)| *beside == number);
                }
                self.step(event);
            }
            if let Some(serving) = self.serving.as_mut().filter(|serving| serving.gets_requests) {
                let admitted = u64::from(1000 - self.shed);
                serving.leaked.0 += mb(self.mb_per_second).0 * admitted / 1000 / STEPS_PER_SECOND;
                if self.shed > 0 {
                    self.refused.push((now, self.shed));
                }
            } else if self.replaced > 0 {
                self.waited.push(now);
            }
            self.read();
        }
    }

    /// Reads the memory, if that is due, and applies the ladder as the guard does.
    fn read(&mut self) {
        let Some(serving) = self.serving.as_mut().filter(|serving| serving.read_at <= self.now) else {
            return;
        };
        // Memory grows in steps.
        let memory = Bytes(BASELINE.0 + serving.leaked.0 / CHUNK.0 * CHUNK.0);
        let beside = self.beside.map_or(Bytes::ZERO, |(_, memory)| memory);
        self.highest = self.highest.max(Bytes(memory.0 + beside.0));
        let age = self.now.saturating_sub(serving.since);
        let (growth, next) = serving.growth.expect(age, memory, &self.levels, secs(1.0));
        let step = serving.ladder.step(&Observation {
            now: age,
            read: age,
            memory: Bytes(memory.0 + growth.0),
            is_confirmed: false,
            levels: self.levels,
            reaches_limit_in: None,
            replacement: Some(self.status),
        });
        let longest = if step.pressure >= heapbeat_shared::Pressure::Recycle { 0.25 } else { 1.0 };
        serving.read_at = self.now + next.min(secs(longest)).max(SHORTEST) * self.lateness;
        serving.polls += 1;
        let (number, polls) = (serving.number, serving.polls);
        self.step(Heartbeat(number, polls, memory));
        if step.actions.iter().any(|action| matches!(action, Action::Recycle(_))) {
            self.step(RecycleRequested(number, memory, "memory".into()));
        }
        self.step(MachineEvent::MemoryShort(number, step.shed.thousandths()));
    }

    fn step(&mut self, event: MachineEvent) {
        for effect in self.machine.step(event, self.now, MIDDLE) {
            let now = self.now;
            match effect {
                Start(number) => {
                    self.beside = self.serving.is_some().then_some((number, BASELINE));
                    self.coming.push((now + self.start, Heartbeat(number, 0, BASELINE)));
                    self.coming.push((now + self.start, Ready(number)));
                }
                Effect::Activate(number) => self.begin(number),
                Effect::Hold(number) => self.hold(number),
                Effect::Drain(number) => {
                    self.hold(number);
                    self.coming.push((now + STEP, MachineEvent::Drained(number)));
                }
                Send(number, Command::HandOver(_)) => {
                    self.replaced += 1;
                    self.serving.take_if(|serving| serving.number == number);
                    self.coming.push((now + EXIT, Exited(number, ProcessExit::Signal(15))));
                }
                Send(_, Command::Replacement(status)) => self.status = status,
                Effect::Shed(share) => self.shed = share,
                _ => {}
            }
        }
    }

    fn begin(&mut self, number: WorkerNumber) {
        if let Some(serving) = self.serving.as_mut().filter(|serving| serving.number == number) {
            serving.gets_requests = true;
            return;
        }
        self.shed = 0;
        let before = self.serving.take();
        self.beside = before.map(|it| (it.number, Bytes(BASELINE.0 + it.leaked.0)));
        let rules = LadderRules { grace: self.start + GRACE, shed_in_grace: false, ..LadderRules::default() };
        self.serving = Some(Serving {
            number,
            since: self.now.saturating_sub(self.start),
            gets_requests: true,
            leaked: Bytes::ZERO,
            ladder: Ladder::new(rules),
            growth: GrowthTracker::default(),
            polls: 0,
            read_at: self.now,
        });
    }

    fn hold(&mut self, number: WorkerNumber) {
        if let Some(serving) = self.serving.as_mut().filter(|serving| serving.number == number) {
            serving.gets_requests = false;
        }
    }
}

#[test]
fn a_leak_of_a_program_that_cannot_run_twice_refuses_no_request() {
    // MB a second, and how much later than it should be each reading is.
    for (mb_per_second, lateness) in
        [(1, 1), (5, 1), (5, 4), (20, 1), (20, 2), (20, 4), (33, 2), (40, 1), (40, 2)]
    {
        let mut program = Program::new(mb_per_second, lateness, START);
        program.play(secs(600.0));
        let Program { replaced, refused, highest, .. } = program;
        assert!(
            u64::from(replaced) >= mb_per_second * 600 / LIMIT,
            "{mb_per_second} MB/s: {replaced} replacements"
        );
        assert!(refused.is_empty(), "{mb_per_second} MB/s, {lateness} times late: {:?}", refused.first());
        assert!(highest < mb(LIMIT), "{mb_per_second} MB/s: {highest}");
    }
}

#[test]
fn a_leak_of_a_program_that_starts_slowly_lets_requests_wait_once_until_it_is_known() {
    for (mb_per_second, lateness) in [(1, 1), (5, 1), (5, 4), (15, 1), (15, 2)] {
        let mut program = Program::new(mb_per_second, lateness, SLOW_START);
        program.play(secs(600.0));
        let Program { replaced, refused, waited, highest, .. } = program;
        assert!(u64::from(replaced) >= mb_per_second * 600 / LIMIT, "{mb_per_second} MB/s: {replaced}");
        assert!(refused.is_empty(), "{mb_per_second} MB/s, {lateness} times late: {:?}", refused.first());
        assert!(highest < mb(LIMIT), "{mb_per_second} MB/s: {highest}");
        let (first, last) =
            (waited.first().copied().unwrap_or_default(), waited.last().copied().unwrap_or_default());
        assert!(
            last < first + SLOW_START + secs(2.0),
            "{mb_per_second} MB/s: requests waited at {first:?} and {last:?}"
        );
    }
}
