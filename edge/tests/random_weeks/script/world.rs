//! What is so in a week, from tick to tick, at random.

use fastrand::Rng;

use super::gaps::Gaps;
use super::{
    Action, CHANNELS, ExitPlan, Found, HOUR, JOB, MINUTE, MONITORS, MonitorTick, Place, RECIPIENTS, Report,
    SERVER, START, SUBSCRIBER, Script, Service, TickKind, TickPlan,
};

/// What is so at a tick, and how fast it changes.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct World {
    step: f64,
    place: Place,
    tick: TickPlan,
    /// The mean time for which each monitor is well, and is not, in minutes.
    tempers: [(f64, f64); MONITORS],
    /// Until when all websites are refused.
    storm: Option<i64>,
    /// The mean time for which services work, in minutes.
    works: f64,
    /// The next run of the job; `None` while it is dead.
    next_run: Option<i64>,
    has_job: bool,
    has_server: bool,
    /// Whether something of what recipients were told is not written yet.
    unwritten: bool,
    /// Whether the job runs at each full hour, instead of half an hour after its last report.
    is_hourly: bool,
    /// Whether it reports its starts, and when the runs that have started end. Those that never end are not among them.
    has_starts: bool,
    running: Vec<i64>,
    gaps: Gaps,
}

impl World {
    pub(super) fn new(rng: &mut Rng, script: &Script, place: Place, seed: u64) -> World {
        let (step, is_hourly) = (script.step, script.job_interval.is_none());
        // Every tick of a job has to be near enough to the one before, or nobody watched it.
        let has_job = step == MINUTE && rng.bool();
        let has_server = place == Place::Process && rng.bool();
        let listed = |monitor| match monitor {
            JOB => has_job,
            SERVER => has_server,
            _ => true,
        };
        let alerts = std::array::from_fn::<[bool; CHANNELS], MONITORS, _>(|_| {
            std::array::from_fn(|_| rng.u8(..10) < 8)
        });
        let monitors = std::array::from_fn(|monitor| MonitorTick {
            listed: listed(monitor),
            public: true,
            maintained: false,
            found: Found::Well,
            skipped: None,
            alerts: alerts[monitor],
        });
        let tempers = std::array::from_fn(|_| {
            // One of ten changes with nearly every tick.
            if rng.u8(..10) == 0 {
                (25.0, 5.0)
            } else {
                (300.0 + 3000.0 * rng.f64(), 5.0 + 150.0 * rng.f64() * rng.f64())
            }
        });
        let tick = TickPlan {
            at: START,
            kind: TickKind::Once,
            restarts: false,
            killed_after: None,
            store_fails: false,
            offline: false,
            subscribes: false,
            budget: 15,
            monitors,
            instance: 0,
            short_of_memory: false,
            services: [Service::Works; RECIPIENTS],
            report: None,
            action: None,
        };
        World {
            step: (step / MINUTE) as f64,
            place,
            tick,
            tempers,
            storm: None,
            works: 300.0 + 3000.0 * rng.f64(),
            next_run: Some(START + HOUR),
            has_job,
            has_server,
            unwritten: false,
            is_hourly,
            has_starts: script.has_starts,
            running: Vec::new(),
            gaps: Gaps::new(seed, step, place),
        }
    }

    /// What is so at the present tick.
    pub(super) fn tick(&self) -> &TickPlan {
        &self.tick
    }

    /// Whether something happens at this tick that happens once in `mean` minutes.
    fn happens(&self, rng: &mut Rng, mean: f64) -> bool {
        rng.f64() * mean < self.step
    }

    /// Goes on to the tick at `at`.
    pub(super) fn step(&mut self, rng: &mut Rng, at: i64, exits: &mut Vec<(i64, ExitPlan)>) {
        self.tick.at = at;
        // The edge has to have noticed by now that the subscription ended.
        let before = &self.tick;
        let was_usual = before.kind != TickKind::Missed && before.killed_after.is_none();
        let may_subscribe = was_usual && before.services[SUBSCRIBER] != Service::Gone;
        self.change_server(rng, exits);
        self.change_monitors(rng);
        self.change_services(rng);
        let is_native = self.place == Place::Process;
        let kind = match rng.u8(..80) {
            0 | 1 => TickKind::Missed,
            2 => TickKind::Doubled,
            _ => TickKind::Once,
        };
        let kind = if self.gaps.step(at, &mut self.tick.monitors) { kind } else { TickKind::Missed };
        // The edge reaches nothing for some minutes. A job would be watched only in part then.
        let is_offline = if self.tick.offline {
            !self.happens(rng, 20.0)
        } else {
            is_native && !self.has_job && self.happens(rng, 3000.0)
        };
        self.tick.kind = kind;
        self.tick.offline = is_offline;
        // Two faults at once, a store that fails and an edge that is killed before it can write again, are not promised.
        self.tick.restarts = is_native && self.happens(rng, 500.0) && !self.unwritten;
        self.tick.store_fails = is_native && self.happens(rng, 1000.0);
        let is_killed = self.happens(rng, if is_native { 60.0 } else { 300.0 });
        let may_be_killed = is_killed && !self.unwritten && !self.tick.store_fails;
        // Requests to several recipients are under way at once there.
        let most = if is_native { 3 } else { 1 };
        self.tick.killed_after = may_be_killed.then(|| 1 + rng.usize(..most));
        if kind != TickKind::Missed {
            self.unwritten = self.tick.store_fails;
        }
        let is_there = kind != TickKind::Missed && self.tick.services[SUBSCRIBER] != Service::Gone;
        self.tick.subscribes = may_subscribe && is_there && self.happens(rng, 120.0);
        self.tick.budget = 5 + rng.usize(..11);
        self.tick.report = self.next_report(rng);
        let action = if rng.bool() { Action::Acknowledge } else { Action::Resolve };
        let monitor = rng.usize(..MONITORS);
        // Only what the page shows can be found there.
        let is_shown = self.tick.monitors[monitor].listed && self.tick.monitors[monitor].public;
        self.tick.action = (self.happens(rng, 100.0) && (is_native || is_shown)).then_some((monitor, action));
    }

    fn change_monitors(&mut self, rng: &mut Rng) {
        if self.storm.is_some_and(|until| self.tick.at > until) {
            self.storm = None;
            self.tick.monitors.iter_mut().for_each(|it| it.found = Found::Well);
        } else if self.storm.is_none() && self.happens(rng, 4000.0) {
            self.storm = Some(self.tick.at + rng.i64(1..40) * MINUTE);
            self.tick.monitors[..SERVER].iter_mut().for_each(|it| it.found = Found::Refused);
        }
        for monitor in 0..MONITORS {
            let (well, trouble) = self.tempers[monitor];
            let kinds: &[Found] = if monitor == SERVER {
                &[Found::Slow]
            } else {
                &[Found::Slow, Found::Refused, Found::Refused, Found::Missing]
            };
            let before = self.tick.monitors[monitor];
            let changes = match before.found {
                Found::Well => self.happens(rng, well),
                _ => self.storm.is_none() && self.happens(rng, trouble),
            };
            let maintained =
                if before.maintained { !self.happens(rng, 100.0) } else { self.happens(rng, 8000.0) };
            let is_edited = self.happens(rng, if before.listed { 15_000.0 } else { 400.0 });
            let moves = self.happens(rng, 5000.0);
            let publishes = self.happens(rng, if before.public { 15_000.0 } else { 400.0 });
            let (has_server, has_job) = (self.has_server, self.has_job);
            let now = &mut self.tick.monitors[monitor];
            if changes {
                let next = kinds[rng.usize(..kinds.len())];
                now.found = if before.found != Found::Well && rng.bool() { Found::Well } else { next };
            }
            now.maintained = maintained;
            now.public ^= publishes;
            if moves {
                let channel = rng.usize(..CHANNELS);
                now.alerts[channel] = !now.alerts[channel];
            }
            let may_be_edited = match monitor {
                0 => false,
                SERVER => has_server,
                JOB => has_job,
                _ => true,
            };
            if is_edited && may_be_edited {
                now.listed = !now.listed;
            }
        }
    }

    /// The process runs short of memory, ends between two ticks, and is back at once or some ticks later.
    fn change_server(&mut self, rng: &mut Rng, exits: &mut Vec<(i64, ExitPlan)>) {
        let server = self.tick.monitors[SERVER];
        if server.found == Found::Refused {
            if self.happens(rng, 10.0) {
                self.tick.monitors[SERVER].found = Found::Well;
            }
            return;
        }
        if self.tick.short_of_memory {
            self.tick.short_of_memory = !self.happens(rng, 30.0);
        } else {
            self.tick.short_of_memory = self.happens(rng, 1500.0);
        }
        let mean = if self.tick.short_of_memory { 60.0 } else { 1500.0 };
        if self.happens(rng, mean) {
            let kinds = [ExitPlan::OutOfMemory, ExitPlan::Crash, ExitPlan::Deploy];
            exits.push((self.tick.at - rng.i64(10..50) * 1000, kinds[rng.usize(..3)]));
            self.tick.instance = exits.len();
            self.tick.short_of_memory = false;
            if rng.u8(..3) == 0 {
                self.tick.monitors[SERVER].found = Found::Refused;
            }
        }
    }

    fn change_services(&mut self, rng: &mut Rng) {
        for recipient in 0..RECIPIENTS {
            let service = self.tick.services[recipient];
            // Some outages are longer than the day for which the past is told; a subscriber would be removed after three.
            let outage = if recipient == 0 { 600.0 } else { 90.0 };
            let changes = match service {
                Service::Works => self.happens(rng, self.works),
                _ => self.happens(rng, if recipient == SUBSCRIBER { 60.0 } else { outage }),
            };
            if changes {
                let may_be_gone = recipient == SUBSCRIBER && self.place == Place::Process;
                let next = Service::random_failure(rng, may_be_gone);
                let is_over = service != Service::Works && rng.u8(..3) > 0;
                self.tick.services[recipient] = if is_over { Service::Works } else { next };
            }
        }
    }

    /// What the job reports after this tick. It runs on time, late, or not at all, and may fail.
    fn next_report(&mut self, rng: &mut Rng) -> Option<Report> {
        let is_heard = self.tick.monitors[JOB].listed && self.tick.kind != TickKind::Missed;
        if !self.has_job {
            return None;
        }
        if let Some(ended) = self.running.iter().position(|end| *end <= self.tick.at) {
            self.running.remove(ended);
            return is_heard.then(|| random_end(rng));
        }
        let Some(run) = self.next_run else {
            if self.happens(rng, 200.0) {
                self.next_run = Some(self.tick.at);
            }
            return None;
        };
        if self.tick.at < run {
            return None;
        }
        // The next run begins with a full hour, or half an hour after this one.
        let interval = if self.is_hourly { HOUR } else { 30 * MINUTE };
        let next = if self.is_hourly { run - run.rem_euclid(HOUR) + HOUR } else { self.tick.at + interval };
        self.next_run = match rng.u8(..40) {
            0 => None,
            1 | 2 => Some(next + rng.i64(0..30) * MINUTE),
            3 => Some(next - rng.i64(0..8) * MINUTE),
            _ => Some(next),
        };
        if rng.u8(..30) == 0 {
            return None;
        }
        if self.has_starts {
            // Few runs last too long, or for ever.
            match rng.u8(..40) {
                0 => {}
                1 | 2 => self.running.push(run + rng.i64(15..90) * MINUTE),
                _ => self.running.push(run + rng.i64(1..15) * MINUTE),
            }
            return is_heard.then_some(Report::Start);
        }
        is_heard.then(|| random_end(rng))
    }
}

/// Few runs fail.
fn random_end(rng: &mut Rng) -> Report {
    if rng.u8(..30) == 0 { Report::Failure } else { Report::Success }
}
