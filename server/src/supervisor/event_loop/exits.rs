//! What follows when a worker ends or hands over: its exit is explained and stored, and its samples go to the workers after it.

use std::time::Instant;

use heapbeat_shared::InstanceId;
use heapbeat_shared::exit::{ProcessExit, StopReason};

use super::Supervisor;
use crate::supervisor::fallback_responder::FallbackResponder;
use crate::supervisor::ipc::SupervisorMessage;
use crate::supervisor::machine::{Outage, WorkerNumber};
use crate::supervisor::postmortem::{self, ObservedExit};

impl Supervisor {
    /// Determines how a worker ended, stores the exit, and sends it to the remaining workers.
    pub(super) fn investigate(
        &mut self,
        number: WorkerNumber,
        exit: ProcessExit,
        stop_reason: Option<StopReason>,
    ) {
        let Some(index) = self.live.iter().position(|live| live.number == number) else { return };
        let gone = self.live.remove(index);
        let unfinished = self.requests.as_ref().map(|it| it.gateway.unfinished(number)).unwrap_or_default();
        let now = Instant::now();
        let oom = self.oom.attribute_kill(now);
        let recording = gone.flight.as_deref().map(|path| self.recorders.read_recording(path));
        let stderr = gone.stderr.as_ref().map(|tail| tail.evidence(exit)).unwrap_or_default();
        let may_be_own_end =
            stop_reason.is_some() || stderr.out_of_memory.is_some() || self.oom.counted_lately(now);
        if !may_be_own_end && postmortem::is_end_from_outside(exit, oom) {
            self.with_requests(|it| it.gateway.note_end_from_outside(number));
        }
        self.with_requests(|it| it.release(number));
        let port_taken = stderr.port_taken && !gone.was_ready;
        let observed = ObservedExit {
            exit,
            stderr: stderr.with_setting(|| self.program.heap_setting()),
            kill: gone.kill,
            share: self.external.as_mut().and_then(|external| external.take_share(number)),
            heap: self.external.as_mut().and_then(|external| external.take_heap(number)),
            growth: self.external.as_ref().and_then(|external| external.growth(number)),
            stop_reason,
            stop_signal: self.program.is_external().then(|| self.program.stop_signal().as_raw()),
            oom,
        };
        let is_finish = observed.is_finish();
        let mut exit = postmortem::worker_exit(recording.as_ref(), observed, self.clock.now().wall);
        if exit.kind.is_failure() && !unfinished.is_empty() {
            exit.in_flight = postmortem::in_flight(unfinished);
        }
        if is_finish {
            postmortem::log_finish(&exit, number);
        } else {
            postmortem::log_exit(&exit, &format!("{} {number}", self.program.noun()));
        }
        if port_taken {
            log_port_taken(number, self.requests.is_some());
        }
        self.recorders.write_last_exit(&exit);
        let history = self.external.as_ref().and_then(|external| external.recorder.samples_of_ended(number));
        if let Some(samples) = history {
            self.recorders.keep_history(samples);
        }
        self.send_samples_to_successors(exit.instance, number);
        self.history.record_exit(&gone, &exit, &mut self.live);
        if let Some(external) = &mut self.external {
            external.recorder.record_exit(number, &exit);
        }
        self.last = Some(exit);
    }

    /// Notes that another worker has taken over, and passes on the samples so far: the first report of the successor has them, even
    /// while this worker drains.
    pub(super) fn hand_over(&mut self, number: WorkerNumber) {
        let Some(live) = self.live.iter_mut().find(|live| live.number == number) else { return };
        // Behind a front it hands over when it gets no new requests, and is stopped later.
        if std::mem::replace(&mut live.handed_over, true) {
            return;
        }
        if let Some(external) = &mut self.external {
            if let Some(samples) = external.recorder.record_hand_over(number) {
                let instance = samples.instance;
                self.recorders.keep_history(samples);
                self.send_samples_to_successors(Some(instance), number);
            }
            self.external.iter_mut().for_each(|external| external.recorder.report_serving());
        } else if let Some(path) = live.flight.clone() {
            let instance = self.recorders.keep_samples_of_running(&path);
            self.send_samples_to_successors(instance, number);
        }
    }

    fn send_samples_to_successors(&mut self, instance: Option<InstanceId>, number: WorkerNumber) {
        let Some(samples) = self.recorders.orphaned().iter().find(|it| Some(it.instance) == instance) else {
            return;
        };
        for live in self.live.iter_mut().filter(|live| live.number > number) {
            live.send(&SupervisorMessage::Samples(samples.clone()));
        }
    }

    /// Answers requests with 503 until the next attempt.
    pub(super) fn respond_unavailable(&mut self, down: Outage) {
        let last = self.last.as_ref().map_or("could not be started", |exit| exit.kind.phrase());
        let noun = self.program.noun();
        let reason = if down.failures > 0 {
            format!("the last {noun} {last}; {} in a row did not get ready, trying again", down.failures)
        } else {
            format!("the last {noun} {last}; too many restarts in a minute, trying again")
        };
        let retry_at = self.started_at + down.retry_at;
        if let Some(external) = &self.external {
            external.recorder.record_outage(reason.clone(), retry_at);
        }
        let time = retry_at.saturating_duration_since(Instant::now());
        self.with_requests(|it| it.gateway.announce_outage(time));
        self.fallback = Some(FallbackResponder::new(reason, retry_at));
    }
}

/// Logs what helps a program that found its port taken. Behind a front it is heapbeat as a rule that has the port.
fn log_port_taken(number: WorkerNumber, has_front: bool) {
    let advice = if has_front {
        "heapbeat listens on its port itself; let it listen on $PORT, or on another port that --upstream names"
    } else {
        "another program listens on it, or an instance before it that goes on running"
    };
    tracing::warn!(heapbeat.supervisor.worker = number, "instance {number} found its port taken: {advice}");
}
