//! The supervisor's event loop: waits for sockets, signals and deadlines, passes events to the machine and applies its effects.

mod effects;
mod exit_history;
mod exits;
mod front_polling;
mod passed_sockets;
mod polling;
mod process_kills;
mod programs;
mod requests;

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use heapbeat_shared::Exit;
use heapbeat_shared::exit::ProcessExit;
use rustix::process::{WaitOptions, getpid, wait};
use sd_notify::NotifyState;

use super::Integrations;
use super::agent_link::AgentLink;
use super::fallback_responder::FallbackResponder;
use super::family::Families;
use super::ipc::WorkerMessage;
use super::linux_calls::set_child_subreaper;
use super::lost_processes::LostProcesses;
use super::machine::{Machine, MachineEvent, WorkerNumber};
use super::oom::OomWatch;
use super::policy::SupervisorPolicy;
use super::postmortem;
use super::postmortem::leftover_exit;
use super::process::{Program, WorkerProcess};
use super::program_observer::ProgramObserver;
use super::signals::Signals;
use super::watchdog::Watchdog;
use crate::clock::Clock;
use crate::flight_recorder::RecorderDirectory;

use exit_history::ExitHistory;
pub(super) use passed_sockets::warn_of_closing_starter;
pub(super) use programs::ProgramStop;
use programs::STOP_INTERVAL;
use requests::Requests;

/// The supervisor.
pub(super) struct Supervisor {
    machine: Machine,
    program: Program,
    listeners: Vec<TcpListener>,
    signals: Signals,
    recorders: RecorderDirectory,
    oom: OomWatch,
    live: Vec<WorkerProcess>,
    fallback: Option<FallbackResponder>,
    external: Option<ProgramObserver>,
    /// The front of a guarded program.
    requests: Option<Requests>,
    /// The agents inside of the program's processes.
    agents: Option<Box<dyn AgentLink>>,
    /// Time from the request to stop a program until it is killed.
    program_drain: Duration,
    families: Families,
    lost: LostProcesses,
    /// Stops the program if this process is killed.
    watchdog: Option<Watchdog>,
    /// Whether it was checked that the program has the socket that was passed to it.
    passed_socket_checked: bool,
    /// Whether systemd was notified that the service is ready.
    announced: bool,
    /// Number of requests to stop.
    stops: u32,
    /// Exit of the last worker.
    last: Option<Exit>,
    history: ExitHistory,
    started_at: Instant,
    polled_at: Instant,
    /// When the processes of programs that are being stopped were looked at.
    stops_advanced_at: Instant,
    /// When to release the pages that only the start needed.
    trim_at: Option<Instant>,
    clock: Clock,
}

impl Supervisor {
    pub(super) fn new(
        policy: &SupervisorPolicy,
        signals: Signals,
        listeners: Vec<TcpListener>,
        mut recorders: RecorderDirectory,
        version: &str,
    ) -> io::Result<Self> {
        let now = Instant::now();
        let (recordings, last_exit) = recorders.take_leftovers();
        let clock = Clock::of_this_process();
        let unreported = recordings.iter().map(|recording| leftover_exit(recording, clock.now().wall));
        let last = unreported.chain(last_exit).max_by_key(|exit| exit.at).map(|exit| exit.before(version));
        let program_drain = policy.drain_timeout;
        Ok(Supervisor {
            machine: Machine::new(*policy),
            program: Program::this()?,
            listeners,
            signals,
            recorders,
            oom: OomWatch::new(),
            live: Vec::new(),
            fallback: None,
            external: None,
            requests: None,
            agents: None,
            program_drain,
            families: Families::default(),
            lost: LostProcesses::default(),
            watchdog: None,
            passed_socket_checked: false,
            announced: false,
            stops: 0,
            history: ExitHistory::after(last.as_ref()),
            last,
            started_at: now,
            polled_at: now,
            stops_advanced_at: now,
            trim_at: None,
            clock,
        })
    }

    /// Supervises another program instead of running this one as a worker.
    pub(super) fn with_program(
        mut self,
        program: Program,
        external: ProgramObserver,
        integrations: Integrations,
    ) -> Self {
        self.last.iter().for_each(|exit| external.recorder.list_exit(exit));
        let hang_timeout = integrations.hang_timeout;
        self.requests = integrations.gateway.map(|gateway| Requests::new(gateway, hang_timeout));
        self.agents = integrations.agents;
        (self.program, self.external) = (program, Some(external));
        // Orphans of the program become children of this process, so that they can be measured, stopped and reaped.
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            tracing::warn!("processes that lose their parent cannot be guarded: {error}");
        }
        self
    }

    /// Runs until the machine exits, and returns the exit code.
    pub(super) fn run(mut self) -> u8 {
        if let Some(last) = &self.last {
            postmortem::log_exit(last, "the previous instance");
        }
        let mut events = VecDeque::from([MachineEvent::Tick]);
        loop {
            while let Some(event) = events.pop_front() {
                self.notify_of(&event);
                if let MachineEvent::Ready(number) = event
                    && let Some(live) = self.live.iter_mut().find(|live| live.number == number)
                {
                    let is_new = !std::mem::replace(&mut live.was_ready, true);
                    self.external.iter_mut().for_each(|external| external.recorder.record_ready(number));
                    if is_new {
                        // It is judged from now on, and `/health` has its figures as soon as clients get its answers.
                        self.measure(&mut events);
                    }
                }
                let now = self.started_at.elapsed();
                for effect in self.machine.step(event, now, random()) {
                    if let Some(code) = self.apply(effect, &mut events) {
                        self.finish_requests();
                        return code;
                    }
                }
            }
            self.wait();
            events.extend(self.signals.take_events());
            for live in &mut self.live {
                let number = live.number;
                events
                    .extend(live.read_messages().into_iter().flat_map(|message| to_events(number, message)));
            }
            self.serve_agents();
            let reaped = self.reap(&mut events);
            if self.is_stopping_program() && (reaped || self.stops_advanced_at.elapsed() >= STOP_INTERVAL) {
                self.advance_stops();
                self.finish_program_exits(&mut events);
            }
            self.poll_requests(&mut events);
            self.poll_periodic(&mut events);
            events.push_back(MachineEvent::Tick);
        }
    }

    /// Notifies systemd and those who ask for readiness of changes of the service's state.
    fn notify_of(&mut self, event: &MachineEvent) {
        match event {
            MachineEvent::Ready(_) if !self.announced => {
                self.announced = true;
                notify_systemd(&[NotifyState::Ready]);
            }
            MachineEvent::StopRequested(signal) => {
                notify_systemd(&[NotifyState::Stopping]);
                // Load balancers learn it at once, before the front closes.
                self.external.iter_mut().for_each(|external| external.recorder.record_stop(signal.name()));
                self.stops += 1;
                self.log_stop(signal.name());
                self.with_requests(|it| it.gateway.announce_close());
            }
            _ => {}
        }
    }

    /// Reaps workers and, as PID 1, any other child that has exited. Returns whether there was one.
    fn reap(&mut self, events: &mut VecDeque<MachineEvent>) -> bool {
        let mut reaped = false;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            reaped = true;
            let Some(live) = self.live.iter_mut().find(|live| live.pid == pid) else { continue };
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => ProcessExit::Code(code),
                (_, Some(signal)) => ProcessExit::Signal(signal),
                // Stopped or continued, which is not requested.
                _ => continue,
            };
            let number = live.number;
            events.extend(live.read_messages().into_iter().flat_map(|message| to_events(number, message)));
            if self.program.is_external() {
                live.stop.set_exit(exit);
                // New requests wait for the next instance.
                self.with_requests(|it| it.deactivate(number));
                continue;
            }
            events.push_back(MachineEvent::Exited(number, exit));
        }
        reaped
    }

    /// Reads what the agents have sent.
    fn serve_agents(&mut self) {
        let (now, wall) = (Instant::now(), self.clock.now().wall);
        let notices = self.agents.as_mut().map(|agents| agents.serve(now, wall)).unwrap_or_default();
        if let Some(external) = &mut self.external {
            for notice in &notices {
                external.record_notice(notice, now);
            }
        }
    }
}

fn to_events(number: WorkerNumber, message: WorkerMessage) -> Vec<MachineEvent> {
    match message {
        WorkerMessage::Ready { memory } => {
            vec![MachineEvent::Heartbeat(number, 0, memory), MachineEvent::Ready(number)]
        }
        WorkerMessage::Heartbeat { runtime_polls, memory } => {
            vec![MachineEvent::Heartbeat(number, runtime_polls, memory)]
        }
        WorkerMessage::RecycleRequested { memory, reason } => {
            vec![MachineEvent::RecycleRequested(number, memory, reason)]
        }
        WorkerMessage::ApplicationDone => vec![MachineEvent::ApplicationDone(number)],
    }
}

/// Notifies systemd; does nothing unless systemd started this process.
fn notify_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("cannot notify systemd: {error}");
    }
}

/// Returns a random number, or a constant if there is no source of randomness.
fn random() -> u32 {
    getrandom::u32().unwrap_or(u32::MAX / 2)
}
