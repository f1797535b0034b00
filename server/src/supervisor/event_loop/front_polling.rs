//! What the supervisor does with what it sees of the front: instances become ready, are drained, hang, or listen elsewhere.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

use super::Supervisor;
use super::requests::{Elsewhere, LOOK, Requests};
use crate::supervisor::listening::listening_ports;
use crate::supervisor::machine::{MachineEvent, WorkerNumber};
use crate::supervisor::policy::AFTER_DRAIN;
use crate::supervisor::process_tree;
use crate::supervisor::readiness::{ProgramHabits, Verdict};

/// Time between two looks at whether an instance listens where it was told to, after it did not.
const LATER_LOOK: Duration = Duration::from_secs(5);

/// Ports of a program that are logged at most.
const MAX_PORTS: usize = 8;

/// Longest time at the end for responses that are being written.
const FINISH: Duration = Duration::from_secs(1);

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
        let waiting = requests.gateway.waiting();
        if waiting > 0 {
            tracing::warn!(
                "no instance got ready for {waiting} requests that waited; they are answered with 503"
            );
        }
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
