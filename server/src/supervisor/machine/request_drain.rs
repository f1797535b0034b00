//! Behind a front, a worker is requested to stop only when no requests are in flight to it. Until then the front passes new ones to its
//! successor, or holds them until there is one.

use std::time::Duration;

use super::stopping::ServiceEnd;
use super::{Command, Effect, Machine, Role, StopSignal, SupervisorPolicy, Worker, WorkerNumber};
use crate::supervisor::policy::AFTER_DRAIN;

/// Time that a worker has after the request to stop to end what is still in flight itself, as only it can say goodbye to a WebSocket.
const GOODBYE: Duration = Duration::from_secs(1);

/// A worker whose requests in flight are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestDrain {
    /// When the worker is requested to stop although requests are still in flight.
    until: Duration,
    /// Until when the worker may then take to stop.
    stop_until: Duration,
    then: AfterRequests,
}

/// What follows for a worker after its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterRequests {
    HandOver,
    Stop(StopSignal, u32),
}

/// The time of a drain: for requests in flight, and for the worker to stop after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DrainTime {
    pub(super) requests: Duration,
    pub(super) stop: Duration,
}

impl SupervisorPolicy {
    /// Returns the time of a drain while another worker serves: the drain timeout, of which the stop gets a fifth, at most 5 s.
    pub(super) fn full_drain(&self) -> DrainTime {
        let total = self.drain_timeout.saturating_sub(AFTER_DRAIN);
        let stop = (total / 5).min(Duration::from_secs(5));
        DrainTime { requests: total.saturating_sub(stop), stop }
    }

    /// Returns the time of a drain while new requests wait: what the longest wait leaves after the start of the next worker, which took
    /// `start_time` last, with a second to spare. Both halves have at most the short drain timeout, and at least a second.
    pub(super) fn drain_while_held(&self, hold: Duration, start_time: Duration) -> DrainTime {
        let spare = hold.saturating_sub(start_time).saturating_sub(Duration::from_secs(1));
        let half = (spare / 2).min(self.short_drain_timeout).max(Duration::from_secs(1));
        DrainTime { requests: half, stop: half }
    }
}

impl Worker {
    /// Returns the next deadline of the requests in flight.
    pub(super) fn requests_end_at(&self) -> Option<Duration> {
        self.request_drain.map(|drain| drain.until).into_iter().chain(self.abort_requests_at).min()
    }

    /// Ends the requests in flight that are awaited.
    pub(super) fn abort_requests(&mut self, effects: &mut Vec<Effect>) {
        let requested = self.abort_requests_at.take().is_some();
        if self.request_drain.take().is_some() || requested {
            effects.push(Effect::AbortRequests(self.number));
        }
    }

    /// Makes the worker drain, because another one takes over or follows.
    pub(super) fn begin_hand_over(
        &mut self,
        time: DrainTime,
        kill_at: Duration,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.drain_started = now;
        self.role = Role::Draining(kill_at);
        let until = now + time.requests;
        self.request_drain =
            Some(RequestDrain { until, stop_until: until + time.stop, then: AfterRequests::HandOver });
        effects.push(Effect::Drain(self.number));
    }

    /// Awaits the requests in flight, and those that wait for a worker that is starting, before it is requested to stop.
    pub(super) fn begin_stop(&mut self, end: &ServiceEnd, effects: &mut Vec<Effect>) {
        let then = AfterRequests::Stop(end.signal, 1);
        match (&mut self.request_drain, self.role) {
            (Some(drain), _) => drain.then = then,
            (None, Role::Serving) => {
                self.request_drain =
                    Some(RequestDrain { until: end.at, stop_until: end.at + end.time_to_stop, then });
            }
            // One that drains without awaiting them was requested to stop already.
            (None, _) => effects.push(Effect::Send(self.number, Command::Stop(end.signal, 1))),
        }
    }

    /// Ends the wait for requests: tells the worker to stop.
    pub(super) fn finish_requests(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        let Some(drain) = self.request_drain.take() else { return };
        let command = match drain.then {
            AfterRequests::HandOver => Command::HandOver(drain.stop_until.saturating_sub(now)),
            AfterRequests::Stop(signal, count) => Command::Stop(signal, count),
        };
        effects.push(Effect::Send(self.number, command));
    }

    /// Ends the wait for requests because memory is short: they are ended, and the worker gets the rest of its time to stop.
    pub(super) fn cut_requests_short(
        &mut self,
        stop_until: Duration,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(drain) = &mut self.request_drain else { return false };
        drain.stop_until = stop_until;
        effects.push(Effect::AbortRequests(self.number));
        self.finish_requests(now, effects);
        true
    }
}

impl Machine {
    /// Handles the end of the last request in flight to a worker.
    pub(super) fn drained(&mut self, number: WorkerNumber, now: Duration, effects: &mut Vec<Effect>) {
        if let Some(worker) = self.worker(number) {
            worker.abort_requests_at = None;
            worker.finish_requests(now, effects);
        }
    }

    /// Ends requests whose time is over.
    pub(super) fn end_late_requests(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for worker in &mut self.workers {
            if let Some(drain) = worker.request_drain.filter(|drain| now >= drain.until) {
                let half = drain.stop_until.saturating_sub(drain.until) / 2;
                worker.finish_requests(now, effects);
                worker.abort_requests_at = Some(now + half.min(GOODBYE));
            } else if worker.abort_requests_at.take_if(|at| now >= *at).is_some() {
                effects.push(Effect::AbortRequests(worker.number));
            }
        }
    }
}
