//! The stop of everything. Behind a front, service goes on until the front has closed: for a while it still accepts connections, and requests
//! that are there are answered. Meanwhile a worker that is starting gets ready, and one that nobody has stopped is followed by another one.

use std::time::Duration;

use heapbeat_shared::exit::{ProcessExit, StopReason};

use super::exit::code_of;
use super::{Command, Effect, Machine, Role, StopSignal, Succession, SupervisorPolicy, Worker, WorkerNumber};
use crate::supervisor::policy::FrontPolicy;

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A stop that was requested.
#[derive(Debug)]
pub(super) struct StopProgress {
    requests: u32,
    pub(super) until: Duration,
    code: u8,
    /// When the front accepts no more connections; `None` once it does not, or without a front.
    pub(super) close_front_at: Option<Duration>,
    /// Until when requests are awaited; `None` if no more are.
    service_end: Option<ServiceEnd>,
}

/// The end of the service behind a front.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServiceEnd {
    /// The signal that requested the stop.
    pub(super) signal: StopSignal,
    /// When workers are requested to stop although requests are still in flight, or wait.
    pub(super) at: Duration,
    /// Time that a worker has to stop.
    pub(super) time_to_stop: Duration,
}

impl ServiceEnd {
    /// Whether other workers are started until then. After Ctrl-C a person waits, and a worker that exits has had it from the terminal; one
    /// that is started later would not have.
    fn starts_others(&self) -> bool {
        self.signal == StopSignal::Terminate
    }
}

impl Machine {
    pub(super) fn stop(&mut self, signal: StopSignal, now: Duration, effects: &mut Vec<Effect>) {
        let policy = self.policy;
        // A person at a terminal does not wait for load balancers.
        let window = |front: FrontPolicy| match signal {
            StopSignal::Terminate => front.drain_window,
            StopSignal::Interrupt => Duration::ZERO,
        };
        let close_front_at = policy.front.map(|front| now + window(front));
        let time = policy.full_drain();
        let end = ServiceEnd { signal, at: now + time.requests, time_to_stop: time.stop };
        let stopping = self.stopping.get_or_insert(StopProgress {
            requests: 0,
            until: now + policy.drain_timeout,
            code: 0,
            close_front_at,
            service_end: policy.front.is_some().then_some(end),
        });
        stopping.requests += 1;
        let requests = stopping.requests;
        if requests > 1 {
            stopping.close_front_at = stopping.close_front_at.map(|at| at.min(now));
            stopping.service_end = None;
        }
        let service_end = stopping.service_end;
        // Requests may wait for the next attempt.
        let next_end = service_end.filter(ServiceEnd::starts_others);
        self.retry_at = self.retry_at.filter(|at| next_end.is_some_and(|end| *at < end.at));
        // From now on nothing makes room, and requests that wait are to be served before the front closes.
        for number in self.held_workers() {
            self.end_hold(number, effects);
        }
        for worker in &mut self.workers {
            worker.stop_reason.get_or_insert(StopReason::Stop);
            match (worker.role, service_end) {
                _ if worker.termination.is_some() => {}
                // It has no requests yet.
                (Role::Replacement, _) => worker.kill(effects),
                // Another one follows it, for the requests that wait.
                (Role::Draining(_), Some(end))
                    if end.starts_others() && worker.succession == Succession::DrainsFirst => {}
                (Role::Serving | Role::Draining(_), Some(end)) => worker.begin_stop(&end, effects),
                (Role::Serving | Role::Draining(_), None) => {
                    worker.abort_requests(effects);
                    effects.push(Effect::Send(worker.number, Command::Stop(signal, requests)));
                }
            }
        }
        self.exit_if_all_is_over(effects);
    }

    /// Exits when no worker runs and no other one is to follow.
    fn exit_if_all_is_over(&self, effects: &mut Vec<Effect>) {
        if let Some(stopping) = &self.stopping
            && self.workers.is_empty()
            && self.retry_at.is_none()
        {
            effects.push(Effect::Exit(stopping.code));
        }
    }

    /// Handles the failure of the front: nothing can be served any more.
    pub(super) fn front_failed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.stop(StopSignal::Terminate, now, effects);
        if let Some(stopping) = &mut self.stopping {
            stopping.code = 1;
            stopping.service_end = None;
        }
        self.retry_at = None;
        self.exit_if_all_is_over(effects);
    }

    /// Handles the end of the last connection to the front: whatever was in flight has ended with it.
    pub(super) fn front_closed(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        if let Some(stopping) = &mut self.stopping {
            stopping.service_end = None;
            self.retry_at = None;
        }
        for worker in &mut self.workers {
            worker.abort_requests_at = None;
            worker.finish_requests(now, effects);
        }
        self.exit_if_all_is_over(effects);
    }

    /// Makes a worker that was started during a stop serve until its end.
    pub(super) fn serve_until_the_end(&mut self, number: WorkerNumber, effects: &mut Vec<Effect>) {
        let Some(end) = self.stopping.as_ref().and_then(|stopping| stopping.service_end) else { return };
        if let Some(worker) = self.worker(number) {
            worker.stop_reason = Some(StopReason::Stop);
            worker.begin_stop(&end, effects);
        }
    }

    /// Notes that a worker got ready during a stop: those before it that failed do not count.
    pub(super) fn forget_failures_before_the_stop(&mut self) {
        if let Some(stopping) = self.stopping.as_mut().filter(|stopping| stopping.service_end.is_some()) {
            stopping.code = 0;
        }
    }

    /// Whether a worker has failed before it was told to stop: that a stop was requested is not the reason.
    pub(super) fn has_failed_before_the_stop(&self, worker: &Worker, exit: ProcessExit) -> bool {
        self.stopping.is_some() && worker.request_drain.is_some() && !self.is_expected(worker, Some(exit))
    }

    /// Whether a worker was killed by the supervisor, or ended by the signal that requested the stop, and so has not failed.
    fn is_expected(&self, worker: &Worker, exit: Option<ProcessExit>) -> bool {
        let is_stop = |signal| is_stop(&self.policy, signal);
        worker.termination.is_some() || exit.is_some_and(|exit| exit.is_end_by(is_stop))
    }

    /// Decides what follows a worker that has exited, or could not be started, after a stop was requested.
    pub(super) fn exited_while_stopping(
        &mut self,
        worker: &Worker,
        exit: Option<ProcessExit>,
        now: Duration,
        random: u32,
        effects: &mut Vec<Effect>,
    ) {
        let expected = self.is_expected(worker, exit);
        let Some(stopping) = &mut self.stopping else { return };
        let code = if expected { 0 } else { code_of(exit) };
        stopping.code = stopping.code.max(code);
        let drained_first = worker.succession == Succession::DrainsFirst;
        let crashed = !expected && exit != Some(ProcessExit::Code(0));
        if self.workers.is_empty()
            && (drained_first || crashed)
            && let Some(end) = stopping.service_end.filter(ServiceEnd::starts_others)
            && now + self.expected_start() < end.at
        {
            let was_ready = drained_first || worker.ready_at.is_some();
            self.retry(was_ready, now, random, effects);
            self.retry_at = self.retry_at.filter(|at| *at < end.at);
        }
        self.exit_if_all_is_over(effects);
    }
}

/// Whether workers are stopped with this signal.
fn is_stop(policy: &SupervisorPolicy, signal: i32) -> bool {
    matches!(signal, SIGINT | SIGTERM) || policy.stop_signal == Some(signal)
}
