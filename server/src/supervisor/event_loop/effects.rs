//! Applies what the machine has decided.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use heapbeat_shared::exit::SupervisorKill;

use super::Supervisor;
use super::requests::Requests;
use crate::supervisor::fallback_responder::FallbackResponder;
use crate::supervisor::ipc::SupervisorMessage;
use crate::supervisor::machine::{Command, Effect, MachineEvent, Notice, WorkerNumber};
use crate::supervisor::postmortem;
use crate::supervisor::program_status::recorder::StartedInstance;
use crate::supervisor::stderr_tail::StderrTail;
use crate::supervisor::watchdog::Watchdog;

/// Time from the last start of a worker until the pages that only the start needed are released.
const TRIM_DELAY: Duration = Duration::from_secs(2);

impl Supervisor {
    pub(super) fn apply(&mut self, effect: Effect, events: &mut VecDeque<MachineEvent>) -> Option<u8> {
        match effect {
            Effect::Start(number) => {
                if let Err(error) = self.start(number) {
                    events.push_back(MachineEvent::StartFailed(number, error.to_string()));
                }
            }
            Effect::Send(number, command) => {
                if self.program.is_external() && matches!(command, Command::Stop(_, 2..)) {
                    self.note_kill(number, SupervisorKill::AtOnce);
                }
                if matches!(command, Command::HandOver(_)) {
                    self.hand_over(number);
                }
                if self.program.is_external() {
                    self.command_program(number, command);
                } else if let Some(live) = self.live.iter_mut().find(|live| live.number == number) {
                    live.send(&SupervisorMessage::Command(command));
                }
            }
            Effect::Kill(number) => {
                self.note_kill(number, SupervisorKill::AtOnce);
                if self.program.is_external() {
                    self.kill_program(number);
                } else if let Some(live) = self.live.iter().find(|live| live.number == number) {
                    live.kill();
                }
            }
            Effect::Activate(number) => self.with_requests(|it| it.activate(number)),
            Effect::Drain(number) => {
                self.hand_over(number);
                // What its processes do from now on was asked for, a stop by a terminal's Ctrl-C included.
                self.note_stop_requested(number);
                self.with_requests(|it| it.drain(number));
            }
            Effect::Hold(number) => {
                tracing::info!(
                    heapbeat.supervisor.worker = number,
                    "instance {number} gets no new requests for now, as memory is short while it is replaced or has replaced another; they wait"
                );
                self.with_requests(|it| it.deactivate(number));
            }
            Effect::Shed(share) => self.with_requests(|it| it.shed(share)),
            Effect::AbortRequests(number) => self.with_requests(|it| it.gateway.abort(number)),
            Effect::CloseFront => self.with_requests(Requests::close),
            Effect::Investigate(number, exit, stop_reason) => self.investigate(number, exit, stop_reason),
            Effect::RespondUnavailable(Some(down)) => self.respond_unavailable(down),
            Effect::RespondUnavailable(None) => self.fallback.iter_mut().for_each(FallbackResponder::close),
            // It was said that no request reaches it, and why.
            Effect::Log(Notice::Started(number, _)) if self.is_unreachable(number) => {}
            Effect::Log(notice) => {
                if let Notice::DrainTimedOut(number, _) = notice {
                    self.note_kill(number, SupervisorKill::TimedOut);
                }
                if let (Some(external), Notice::Replacing(why) | Notice::DrainingFirst(why, _)) =
                    (&self.external, &notice)
                {
                    external.record_recycle(why);
                }
                postmortem::log_notice(&notice, self.program.noun());
            }
            Effect::Exit(code) => return Some(code),
        }
        None
    }

    /// Notes why an instance is killed; the first reason counts.
    fn note_kill(&mut self, number: WorkerNumber, kill: SupervisorKill) {
        if let Some(live) = self.live.iter_mut().find(|live| live.number == number) {
            live.kill.get_or_insert(kill);
        }
    }

    fn start(&mut self, number: WorkerNumber) -> io::Result<()> {
        let in_use: Vec<&Path> = self.live.iter().filter_map(|live| live.flight.as_deref()).collect();
        let flight = self.recorders.create_recorder(&in_use);
        let variables = match &mut self.requests {
            Some(requests) => requests.gateway.assign(number)?,
            None => Vec::new(),
        };
        let mut live = self.program.start(number, &self.listeners, flight.as_deref(), &variables)?;
        self.with_requests(|it| it.started(number, Instant::now()));
        tracing::debug!("{} {number} is process {}", self.program.noun(), live.pid.as_raw_nonzero());
        for samples in self.recorders.orphaned().iter() {
            live.send(&SupervisorMessage::Samples(samples.clone()));
        }
        self.history.introduce(&mut live, &self.live);
        if let Some(external) = &mut self.external {
            let previous = live.previous.clone().unwrap_or_default();
            let started =
                StartedInstance { number, since: live.since, flight: live.flight.as_deref(), previous };
            external.recorder.record_start(started, self.clock.now().wall);
            if self.watchdog.is_none() {
                let started = Watchdog::start(self.program.stop_signal(), self.program_drain);
                let warn = |error: &io::Error| {
                    tracing::warn!("if heapbeat is killed, processes of the program may be left: {error}");
                };
                self.watchdog = started.inspect_err(warn).ok();
            }
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.announce(live.pid, live.stderr.as_ref().map(StderrTail::source));
            }
        }
        self.trim_at = Some(live.since + TRIM_DELAY);
        self.live.push(live);
        Ok(())
    }
}
