//! What the supervisor awaits of the front: that an instance is ready, and that no requests are in flight to one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::supervisor::gateway::Gateway;
use crate::supervisor::listening::{exposed_address, stranger_at};
use crate::supervisor::machine::WorkerNumber;
use crate::supervisor::readiness::{ProgramHabits, Verdict};

/// Time between two looks at the front, of which a request may wait for the result.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// Time between two looks at an instance that takes longer than a second to start.
const SLOW_LOOK: Duration = Duration::from_millis(50);

/// Time after which an instance that is not ready is looked at for other ports, and after as long again, until one is found.
const LATE: Duration = Duration::from_secs(5);

/// Whether the front was asked to close, and whether all its connections have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    NotAsked,
    Awaited,
    Closed,
}

/// An instance that did not listen where it was told to, when its time to get ready was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    pub(super) number: WorkerNumber,
    pub(super) next_look: Instant,
    /// Whether it is noted that it listens elsewhere.
    pub(super) noted: bool,
}

/// The front, and what is awaited of it.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) gateway: Box<dyn Gateway>,
    /// Instances that are not ready yet, and when they were started.
    starting: BTreeMap<WorkerNumber, Instant>,
    /// Instances that were not ready in time.
    pub(super) failed: BTreeSet<WorkerNumber>,
    /// Instances that take long to get ready, and when to look at them again; `None`: no more.
    late_looks: BTreeMap<WorkerNumber, Option<Instant>>,
    pub(super) habits: ProgramHabits,
    /// An instance that did not listen where it was told to.
    pub(super) elsewhere: Option<Elsewhere>,
    /// Instances whose requests in flight are awaited.
    draining: BTreeSet<WorkerNumber>,
    closing: Closing,
    /// The instances that get new requests.
    active: BTreeSet<WorkerNumber>,
    /// Time without a sign of life after which an instance is hung; `None`: never.
    pub(super) hang_timeout: Option<Duration>,
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
    pub(super) fn find_hung(&mut self) -> Vec<WorkerNumber> {
        let Some(timeout) = self.hang_timeout else { return Vec::new() };
        let gateway = &mut self.gateway;
        self.active.iter().copied().filter(|number| gateway.is_hung(*number, timeout)).collect()
    }

    /// Whether the front has failed; once.
    pub(super) fn take_failure(&mut self) -> bool {
        self.closing == Closing::NotAsked && !self.failure_noted && self.gateway.is_closed() && {
            self.failure_noted = true;
            true
        }
    }

    /// Returns what is decided about instances now.
    pub(super) fn take_verdicts(&mut self, alone: bool) -> Vec<(WorkerNumber, Verdict)> {
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
    pub(super) fn foreign_answer(&self, number: WorkerNumber, family: &[u32]) -> Option<String> {
        let address = self.gateway.address(number)?;
        let user = stranger_at(address, family)?;
        Some(format!(
            "at {address} listens not the program but another process, of the user with the id {user}"
        ))
    }

    /// Returns where others than this machine reach an instance beside the front; once.
    pub(super) fn take_exposure(&mut self, number: WorkerNumber, family: &[u32]) -> Option<SocketAddr> {
        if self.exposure_noted {
            return None;
        }
        let exposed = exposed_address(family, self.gateway.address(number)?.port())?;
        self.exposure_noted = true;
        Some(exposed)
    }

    /// Returns each instance that takes long to get ready and is to be looked at now, and whether for the first time.
    pub(super) fn take_late(&mut self, now: Instant) -> Vec<(WorkerNumber, bool)> {
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
    pub(super) fn end_late_looks(&mut self, number: WorkerNumber) {
        self.late_looks.insert(number, None);
    }

    /// Whether all connections have ended after the front was told to close; once.
    pub(super) fn take_closed(&mut self) -> bool {
        let closed = self.closing == Closing::Awaited && self.gateway.is_closed();
        if closed {
            self.closing = Closing::Closed;
            self.draining.clear();
        }
        closed
    }

    /// Returns the instances that are drained now.
    pub(super) fn take_drained(&mut self) -> Vec<WorkerNumber> {
        let gateway = &self.gateway;
        self.draining.extract_if(.., |number| gateway.in_flight(*number) == 0).collect()
    }
}

#[cfg(test)]
mod tests;
