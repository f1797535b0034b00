//! What the supervisor awaits of the front: that an instance is ready, and that no requests are in flight to one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use super::Supervisor;
use crate::supervisor::gateway::Gateway;
use crate::supervisor::listening::{exposed_address, listening_ports, stranger_at};
use crate::supervisor::machine::{MachineEvent, WorkerNumber};
use crate::supervisor::policy::AFTER_DRAIN;
use crate::supervisor::process_tree;
use crate::supervisor::readiness::{ProgramHabits, Verdict};

/// Time between two looks at the front, of which a request may wait for the result.
const LOOK: Duration = Duration::from_millis(10);

/// Time between two looks at an instance that takes longer than a second to start.
const SLOW_LOOK: Duration = Duration::from_millis(50);

/// Time after which an instance that is not ready is looked at for other ports, and after as long again, until one is found.
const LATE: Duration = Duration::from_secs(5);

/// Time between two looks at whether an instance listens where it was told to, after it did not.
const LATER_LOOK: Duration = Duration::from_secs(5);

/// Ports of a program that are logged at most.
const MAX_PORTS: usize = 8;

/// Longest time at the end for responses that are being written.
const FINISH: Duration = Duration::from_secs(1);

/// Whether the front was asked to close, and whether all its connections have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    NotAsked,
    Awaited,
    Closed,
}

/// An instance that did not listen where it was told to, when its time to get ready was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Elsewhere {
    number: WorkerNumber,
    next_look: Instant,
    /// Whether it is noted that it listens elsewhere.
    noted: bool,
}

/// The front, and what is awaited of it.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) gateway: Box<dyn Gateway>,
    /// Instances that are not ready yet, and when they were started.
    starting: BTreeMap<WorkerNumber, Instant>,
    /// Instances that were not ready in time.
    failed: BTreeSet<WorkerNumber>,
    /// Instances that take long to get ready, and when to look at them again; `None`: no more.
    late_looks: BTreeMap<WorkerNumber, Option<Instant>>,
    habits: ProgramHabits,
    /// An instance that did not listen where it was told to.
    elsewhere: Option<Elsewhere>,
    /// Instances whose requests in flight are awaited.
    draining: BTreeSet<WorkerNumber>,
    closing: Closing,
    /// The instances that get new requests.
    active: BTreeSet<WorkerNumber>,
    /// Time without a sign of life after which an instance is hung; `None`: never.
    hang_timeout: Option<Duration>,
    /// Whether the end of the front was noticed that nobody asked for.
    failure_noted: bool,
    /// Whether it was said that the program can be reached beside the front.
    exposure_noted: bool,
}

impl Requests {
    pub(super) fn new(gateway: Box<dyn Gateway>, hang_timeout: Option<Duration>) -> Self {
        Requests {
            gateway,
            starting: BTreeMap::new(),
            failed: BTreeSet::new(),
            late_looks: BTreeMap::new(),
            habits: ProgramHabits::default(),
            elsewhere: None,
            draining: BTreeSet::new(),
            closing: Closing::NotAsked,
            active: BTreeSet::new(),
            hang_timeout,
            failure_noted: false,
            exposure_noted: false,
        }
    }

    /// Begins to await that an instance is ready.
    pub(super) fn started(&mut self, number: WorkerNumber, now: Instant) {
        if self.asks() {
            self.gateway.probe(number);
            self.starting.insert(number, now);
        }
    }

    /// Passes new requests on to an instance.
    pub(super) fn activate(&mut self, number: WorkerNumber) {
        self.gateway.activate(number);
        self.active.insert(number);
    }

    /// Passes no new requests on to an instance that is to end, and awaits those in flight.
    pub(super) fn drain(&mut self, number: WorkerNumber) {
        self.gateway.drain(number);
        self.forget_active(number);
        self.draining.insert(number);
    }

    /// Passes no new requests on to an instance that may go on, or that has ended by itself.
    pub(super) fn deactivate(&mut self, number: WorkerNumber) {
        self.gateway.deactivate(number);
        self.forget_active(number);
    }

    /// If no instance is active requests wait, so none has to be refused to save memory.
    fn forget_active(&mut self, number: WorkerNumber) {
        if self.active.remove(&number) && self.active.is_empty() {
            self.gateway.shed(0);
        }
    }

    /// Refuses a share of new requests, in thousandths, while they reach an instance.
    pub(super) fn shed(&mut self, thousandths: u16) {
        self.gateway.shed(if self.active.is_empty() { 0 } else { thousandths });
    }

    /// Accepts no more connections, and awaits the end of the open ones.
    pub(super) fn close(&mut self) {
        self.gateway.close();
        self.closing = Closing::Awaited;
    }

    /// Forgets an instance that has exited.
    pub(super) fn release(&mut self, number: WorkerNumber) {
        self.starting.remove(&number);
        self.draining.remove(&number);
        self.failed.remove(&number);
        self.late_looks.remove(&number);
        self.gateway.release(number);
    }

    /// Whether the instance is ready; `None` if it cannot be asked.
    pub(super) fn is_ready(&self, number: WorkerNumber) -> Option<bool> {
        self.asks().then(|| !self.starting.contains_key(&number) && !self.failed.contains(&number))
    }

    /// Whether the program can be asked whether it is ready.
    fn asks(&self) -> bool {
        self.gateway.expects_listener() && !self.habits.never_listens
    }

    /// Returns when to look at the front again; `None` if nothing is awaited.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let newest = self.starting.values().max();
        let quick = self.closing == Closing::Awaited
            || !self.draining.is_empty()
            || newest.is_some_and(|since| now.duration_since(*since) < Duration::from_secs(1));
        let pause = if quick { LOOK } else { SLOW_LOOK };
        (quick || newest.is_some()).then(|| now + pause)
    }

    /// Returns the instances that are hung.
    fn find_hung(&mut self) -> Vec<WorkerNumber> {
        let Some(timeout) = self.hang_timeout else { return Vec::new() };
        let gateway = &mut self.gateway;
        self.active.iter().copied().filter(|number| gateway.is_hung(*number, timeout)).collect()
    }

    /// Whether the front has failed; once.
    fn take_failure(&mut self) -> bool {
        self.closing == Closing::NotAsked && !self.failure_noted && self.gateway.is_closed() && {
            self.failure_noted = true;
            true
        }
    }

    /// Returns what is decided about instances now.
    fn take_verdicts(&mut self, alone: bool) -> Vec<(WorkerNumber, Verdict)> {
        let numbers: Vec<WorkerNumber> = self.starting.keys().copied().collect();
        let mut verdicts = Vec::new();
        for number in numbers {
            match self.habits.judge(self.gateway.readiness(number), alone) {
                Verdict::Wait => {}
                verdict => {
                    self.starting.remove(&number);
                    self.failed.extend(matches!(verdict, Verdict::NotReady(_)).then_some(number));
                    verdicts.push((number, verdict));
                }
            }
        }
        verdicts
    }

    /// Returns whose answer it was that an instance seemed to give, if it was another user's or program's, who may want its requests.
    fn foreign_answer(&self, number: WorkerNumber, family: &[u32]) -> Option<String> {
        let address = self.gateway.address(number)?;
        let user = stranger_at(address, family)?;
        Some(format!(
            "at {address} listens not the program but another process, of the user with the id {user}"
        ))
    }

    /// Returns where others than this machine reach an instance beside the front; once.
    fn take_exposure(&mut self, number: WorkerNumber, family: &[u32]) -> Option<SocketAddr> {
        if self.exposure_noted {
            return None;
        }
        let exposed = exposed_address(family, self.gateway.address(number)?.port())?;
        self.exposure_noted = true;
        Some(exposed)
    }

    /// Returns each instance that takes long to get ready and is to be looked at now, and whether for the first time.
    fn take_late(&mut self, now: Instant) -> Vec<(WorkerNumber, bool)> {
        let mut late = Vec::new();
        for (number, since) in &self.starting {
            let look = self.late_looks.get(number);
            let is_due = look.map_or(Some(*since + LATE), |look| *look).is_some_and(|at| now >= at);
            if is_due {
                late.push((*number, look.is_none()));
                self.late_looks.insert(*number, Some(now + LATE));
            }
        }
        late
    }

    /// Looks no more at an instance that takes long, as it is known where it listens.
    fn end_late_looks(&mut self, number: WorkerNumber) {
        self.late_looks.insert(number, None);
    }

    /// Whether all connections have ended after the front was told to close; once.
    fn take_closed(&mut self) -> bool {
        let closed = self.closing == Closing::Awaited && self.gateway.is_closed();
        if closed {
            self.closing = Closing::Closed;
            self.draining.clear();
        }
        closed
    }

    /// Returns the instances that are drained now.
    fn take_drained(&mut self) -> Vec<WorkerNumber> {
        let gateway = &self.gateway;
        self.draining.extract_if(.., |number| gateway.in_flight(*number) == 0).collect()
    }
}

impl Supervisor {
    /// Does something with the front, if there is one.
    pub(super) fn with_requests(&mut self, apply: impl FnOnce(&mut Requests)) {
        if let Some(requests) = &mut self.requests {
            apply(requests);
        }
    }

    /// Logs that a guarded program is asked to stop, and what that waits for.
    pub(super) fn log_stop(&self, signal: &str) {
        let Some(requests) = &self.requests else { return };
        if self.stops > 1 {
            tracing::info!("{signal} again: ending at once");
            return;
        }
        let in_flight: usize = self.live.iter().map(|live| requests.gateway.in_flight(live.number)).sum();
        let waiting = requests.gateway.waiting();
        let waiting =
            if waiting > 0 { format!(", waiting for an instance: {waiting}") } else { String::new() };
        // What is added to it is for the end of processes that are late.
        let time = self.program_drain.saturating_sub(AFTER_DRAIN).as_secs_f64();
        tracing::info!(
            "{signal}: stopping; requests in flight: {in_flight}{waiting}, time to finish: at most {time} s"
        );
    }

    /// Whether no request reaches an instance, as it listens elsewhere, and the log says so.
    pub(super) fn is_unreachable(&self, number: WorkerNumber) -> bool {
        let elsewhere = self.requests.as_ref().and_then(|requests| requests.elsewhere.as_ref());
        elsewhere.is_some_and(|it| it.number == number && it.noted)
    }

    /// Closes the front before the end, so that responses that are being written arrive. Requests that wait are answered, as nobody else
    /// will.
    pub(super) fn finish_requests(&mut self) {
        let Some(requests) = &mut self.requests else { return };
        requests.gateway.close();
        requests.gateway.refuse_waiting();
        let deadline = Instant::now() + FINISH;
        while !requests.gateway.is_closed() && Instant::now() < deadline {
            let pause = Timespec::try_from(LOOK).unwrap_or_default();
            // It waits for nothing but the time.
            let _ = poll(&mut [], Some(&pause));
        }
    }

    /// Looks for instances that are hung, and for a front that has failed.
    pub(super) fn poll_failures(&mut self, events: &mut VecDeque<MachineEvent>) {
        let Some(requests) = &mut self.requests else { return };
        if requests.take_failure() {
            tracing::error!(
                "the front has failed, so no request is answered; stopping the program, and exiting with code 1"
            );
            events.push_back(MachineEvent::FrontFailed);
        }
        let time = requests.hang_timeout.unwrap_or_default();
        events
            .extend(requests.find_hung().into_iter().map(|number| MachineEvent::Unresponsive(number, time)));
    }

    /// Looks at the front.
    pub(super) fn poll_requests(&mut self, events: &mut VecDeque<MachineEvent>) {
        let alone = !self.live.iter().any(|live| live.was_ready && !live.stop.has_exited());
        let now = Instant::now();
        self.look_elsewhere(now);
        let Some(requests) = &mut self.requests else { return };
        events.extend(requests.take_closed().then_some(MachineEvent::FrontClosed));
        events.extend(requests.take_drained().into_iter().map(MachineEvent::Drained));
        let verdicts = requests.take_verdicts(alone);
        let late = requests.take_late(now);
        if verdicts.is_empty() && late.is_empty() {
            return;
        }
        let families = self.read_families().1;
        let family = |number: &WorkerNumber| families.get(number).map_or(&[][..], Vec::as_slice);
        for (number, is_first) in late {
            let expected = self.requests.as_ref().and_then(|it| it.gateway.address(number));
            let ports = listening_ports(family(&number));
            if log_other_ports(number, expected, &ports) {
                self.with_requests(|requests| requests.end_late_looks(number));
            } else if is_first && ports.is_empty() {
                tracing::info!(
                    heapbeat.supervisor.worker = number,
                    "instance {number} listens on no port yet; requests wait for it meanwhile (--hold, --ready-timeout)"
                );
            }
        }
        for (number, mut verdict) in verdicts {
            if let Some(why) =
                self.requests.as_ref().and_then(|it| it.foreign_answer(number, family(&number)))
            {
                verdict = Verdict::NotReady(why);
                self.with_requests(|requests| requests.failed.extend([number]));
            }
            let expected = self.requests.as_ref().and_then(|it| it.gateway.address(number));
            let ports = listening_ports(family(&number));
            if matches!(verdict, Verdict::TakesNoRequests(_)) {
                let noted = !ports.is_empty();
                let next_look = now + LATER_LOOK;
                self.with_requests(|requests| {
                    requests.elsewhere = Some(Elsewhere { number, next_look, noted });
                });
                if noted {
                    self.record_unreachable(true);
                }
            }
            if log_verdict(number, &verdict, expected, &ports) {
                if let Some(address) =
                    self.requests.as_mut().and_then(|it| it.take_exposure(number, family(&number)))
                {
                    log_exposure(number, address);
                }
                // Its memory at the start is what the next one will need.
                let memory = process_tree::memory(family(&number));
                events.extend([MachineEvent::Heartbeat(number, 0, memory), MachineEvent::Ready(number)]);
            }
        }
    }
}

impl Supervisor {
    fn record_unreachable(&mut self, unreachable: bool) {
        self.external.iter_mut().for_each(|external| external.recorder.record_unreachable(unreachable));
    }

    /// Looks whether a program that listened on other ports listens where it was told to by now.
    fn look_elsewhere(&mut self, now: Instant) {
        let Some(requests) = &mut self.requests else { return };
        let Some(elsewhere) = requests.elsewhere.as_mut().filter(|it| now >= it.next_look) else { return };
        elsewhere.next_look = now + LATER_LOOK;
        let Elsewhere { number, noted, .. } = *elsewhere;
        let expected = requests.gateway.address(number);
        let families = self.read_families().1;
        let Some(family) = families.get(&number) else {
            // What the next instance does is the same; requests would show otherwise.
            self.with_requests(|requests| requests.elsewhere = None);
            return;
        };
        let ports = listening_ports(family);
        if expected.is_some_and(|address| ports.contains(&address.port())) {
            self.with_requests(|requests| {
                requests.elsewhere = None;
                requests.habits = ProgramHabits { listens: true, ..ProgramHabits::default() };
            });
            self.record_unreachable(false);
            tracing::info!(
                heapbeat.supervisor.worker = number,
                "instance {number} listens where it was told to by now"
            );
        } else if !ports.is_empty() && !noted {
            log_other_ports(number, expected, &ports);
            self.with_requests(|requests| requests.elsewhere.iter_mut().for_each(|it| it.noted = true));
            self.record_unreachable(true);
        }
    }
}

/// Logs what was decided about an instance, unless it is just ready. Returns whether it counts as ready.
fn log_verdict(
    number: WorkerNumber,
    verdict: &Verdict,
    expected: Option<SocketAddr>,
    ports: &BTreeSet<u16>,
) -> bool {
    match verdict {
        Verdict::Wait => return false,
        Verdict::Ready => {}
        Verdict::ReadyAnyway(why) => tracing::warn!(
            heapbeat.supervisor.worker = number,
            "instance {number} gets requests although it is not ready: {why}; --ready-path names a path that it answers with a status \
             below 500"
        ),
        // It takes them elsewhere.
        Verdict::TakesNoRequests(_) if !ports.is_empty() => {
            log_other_ports(number, expected, ports);
        }
        Verdict::TakesNoRequests(why) => {
            tracing::warn!(
                heapbeat.supervisor.worker = number,
                "instance {number} takes no requests: {why}; it counts as ready because it runs, and its replacements do after \
                 --ready-after; --no-listen says so from the start"
            );
        }
        Verdict::NotReady(why) => {
            tracing::error!(heapbeat.supervisor.worker = number, "instance {number} is not ready: {why}");
            return false;
        }
    }
    true
}

/// Logs that an instance can be reached beside the front.
fn log_exposure(number: WorkerNumber, address: SocketAddr) {
    tracing::info!(
        heapbeat.supervisor.worker = number,
        server.address = %address.ip(),
        server.port = address.port(),
        "instance {number} listens at {address}, so whoever reaches this machine can pass heapbeat by; on a machine without a firewall \
         let it listen on 127.0.0.1 (platforms pass on PORT alone)"
    );
}

/// Logs that an instance listens on other ports than the one that it was given. Returns whether it does.
fn log_other_ports(number: WorkerNumber, expected: Option<SocketAddr>, ports: &BTreeSet<u16>) -> bool {
    let others = || ports.iter().filter(|port| expected.is_none_or(|address| address.port() != **port));
    let Some(first) = others().next() else { return false };
    let expected =
        expected.map_or_else(|| "its address".to_owned(), |address| format!("port {}", address.port()));
    let ports: Vec<String> = others().take(MAX_PORTS).map(u16::to_string).collect();
    tracing::warn!(
        heapbeat.supervisor.worker = number,
        "instance {number} gets no requests: it listens on port {} and not on {expected}, which PORT names; let it listen on $PORT, or name \
         its port with --upstream {first}; one that takes no requests needs --no-listen",
        ports.join(", ")
    );
    true
}

#[cfg(test)]
mod tests;
