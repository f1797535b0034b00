//! What the supervisor awaits of the front: that an instance is ready, and that no requests are in flight to one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use super::Supervisor;
use crate::supervisor::gateway::{Gateway, Readiness};
use crate::supervisor::machine::{MachineEvent, WorkerNumber};
use crate::supervisor::process_tree;

/// Time between two looks at the front, of which a request may wait for the result.
const LOOK: Duration = Duration::from_millis(10);

/// Time between two looks at an instance that takes longer than a second to start.
const SLOW_LOOK: Duration = Duration::from_millis(50);

/// Longest time at the end for responses that are being written.
const FINISH: Duration = Duration::from_secs(1);

/// The front, and what is awaited of it.
#[derive(Debug)]
pub(super) struct Requests {
    pub(super) gateway: Box<dyn Gateway>,
    /// Instances that are not ready yet, and when they were started.
    starting: BTreeMap<WorkerNumber, Instant>,
    /// Instances whose requests in flight are awaited.
    draining: BTreeSet<WorkerNumber>,
    /// Whether the end of all connections is awaited.
    closing: bool,
}

impl Requests {
    pub(super) fn new(gateway: Box<dyn Gateway>) -> Self {
        Requests { gateway, starting: BTreeMap::new(), draining: BTreeSet::new(), closing: false }
    }

    /// Begins to await that an instance is ready.
    pub(super) fn started(&mut self, number: WorkerNumber, now: Instant) {
        if self.gateway.expects_listener() {
            self.gateway.probe(number);
            self.starting.insert(number, now);
        }
    }

    /// Passes no new requests on to an instance, and awaits those in flight.
    pub(super) fn drain(&mut self, number: WorkerNumber) {
        self.gateway.drain(number);
        self.draining.insert(number);
    }

    /// Accepts no more connections, and awaits the end of the open ones.
    pub(super) fn close(&mut self) {
        self.gateway.close();
        self.closing = true;
    }

    /// Forgets an instance that has exited.
    pub(super) fn release(&mut self, number: WorkerNumber) {
        self.starting.remove(&number);
        self.draining.remove(&number);
        self.gateway.release(number);
    }

    /// Whether the instance is still getting ready.
    pub(super) fn is_starting(&self, number: WorkerNumber) -> bool {
        self.starting.contains_key(&number)
    }

    /// Returns when to look at the front again; `None` if nothing is awaited.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        let newest = self.starting.values().max();
        let quick = self.closing
            || !self.draining.is_empty()
            || newest.is_some_and(|since| now.duration_since(*since) < Duration::from_secs(1));
        let pause = if quick { LOOK } else { SLOW_LOOK };
        (quick || newest.is_some()).then(|| now + pause)
    }

    /// Returns the instances that are drained now.
    fn take_drained(&mut self, live: &[WorkerNumber]) -> Vec<WorkerNumber> {
        if self.closing && self.gateway.is_closed() {
            self.closing = false;
            self.draining.clear();
            return live.to_vec();
        }
        let gateway = &self.gateway;
        let drained: Vec<WorkerNumber> =
            self.draining.iter().copied().filter(|number| gateway.in_flight(*number) == 0).collect();
        for number in &drained {
            self.draining.remove(number);
        }
        drained
    }
}

impl Supervisor {
    /// Does something with the front, if there is one.
    pub(super) fn with_requests(&mut self, apply: impl FnOnce(&mut Requests)) {
        if let Some(requests) = &mut self.requests {
            apply(requests);
        }
    }

    /// Closes the front before the end, so that responses that are being written arrive.
    pub(super) fn finish_requests(&mut self) {
        let Some(requests) = &mut self.requests else { return };
        requests.gateway.close();
        let deadline = Instant::now() + FINISH;
        while !requests.gateway.is_closed() && Instant::now() < deadline {
            let pause = Timespec::try_from(LOOK).unwrap_or_default();
            // It waits for nothing but the time.
            let _ = poll(&mut [], Some(&pause));
        }
    }

    /// Looks at the front.
    pub(super) fn poll_requests(&mut self, events: &mut VecDeque<MachineEvent>) {
        let numbers: Vec<WorkerNumber> = self.live.iter().map(|live| live.number).collect();
        let Some(requests) = &mut self.requests else { return };
        events.extend(requests.take_drained(&numbers).into_iter().map(MachineEvent::Drained));
        let mut ready = Vec::new();
        for number in requests.starting.keys().copied().collect::<Vec<_>>() {
            match requests.gateway.readiness(number) {
                Readiness::Pending => continue,
                Readiness::Ready(_) => ready.push(number),
                Readiness::NotAnswering(why) | Readiness::NotListening(why) => {
                    tracing::error!(
                        heapbeat.supervisor.worker = number,
                        "instance {number} is not ready: {why}"
                    );
                }
            }
            requests.starting.remove(&number);
        }
        if ready.is_empty() {
            return;
        }
        let families = self.read_families().1;
        for number in ready {
            // Its memory at the start is what the next one will need.
            let memory = process_tree::memory(families.get(&number).map_or(&[], Vec::as_slice));
            events.extend([MachineEvent::Heartbeat(number, 0, memory), MachineEvent::Ready(number)]);
        }
    }
}
