//! The supervisor's event loop: waits for sockets, signals and deadlines, passes events to the machine and applies its effects.

mod exit_history;
mod exits;
mod passed_sockets;
mod process_kills;
mod programs;
mod requests;

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use heapbeat_shared::Exit;
use heapbeat_shared::exit::{ProcessExit, SupervisorKill};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{WaitOptions, getpid, wait};
use sd_notify::NotifyState;

use super::Integrations;
use super::agent_link::AgentLink;
use super::fallback_responder::FallbackResponder;
use super::family::Families;
use super::ipc::{SupervisorMessage, WorkerMessage};
use super::linux_calls::set_child_subreaper;
use super::lost_processes::LostProcesses;
use super::machine::{Command, Effect, Machine, MachineEvent, Notice, WorkerNumber};
use super::oom::OomWatch;
use super::policy::SupervisorPolicy;
use super::postmortem;
use super::postmortem::leftover_exit;
use super::process::{Program, WorkerProcess};
use super::program_observer::ProgramObserver;
use super::program_status::recorder::StartedInstance;
use super::signals::Signals;
use super::stderr_tail::StderrTail;
use super::trim_memory;
use super::watchdog::Watchdog;
use crate::clock::Clock;
use crate::flight_recorder::RecorderDirectory;

use exit_history::ExitHistory;
pub(super) use passed_sockets::warn_of_closing_starter;
pub(super) use programs::ProgramStop;
use programs::STOP_INTERVAL;
use requests::Requests;

/// Time between two polls of everything that sends no event.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Time from the last start of a worker until the pages that only the start needed are released.
const TRIM_DELAY: Duration = Duration::from_secs(2);

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
            signals: Signals::listen()?,
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
                        // From now on it is judged, and whoever got an answer of it gets its figures from `/health` as well.
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
            }
            _ => {}
        }
    }

    fn apply(&mut self, effect: Effect, events: &mut VecDeque<MachineEvent>) -> Option<u8> {
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

    /// Measures all processes of a guarded program, and ends those that it has left.
    fn measure(&mut self, events: &mut VecDeque<MachineEvent>) {
        let now = Instant::now();
        let (table, families) =
            if self.external.is_some() { self.read_families() } else { Default::default() };
        if self.external.is_some() {
            self.kill_leftovers(&families);
            self.watch_process_kills(&table, &families, now);
        }
        self.check_passed_socket(&families, now);
        if let Some(external) = &mut self.external {
            let requests = self.requests.as_ref();
            let ready = |number| requests.and_then(|it| it.is_ready(number));
            let agents = self.agents.as_deref_mut();
            external.set_replacement_time(self.machine.replacement_time());
            events.extend(external.measure(&self.live, &families, ready, agents, now));
        }
    }

    fn poll_periodic(&mut self, events: &mut VecDeque<MachineEvent>) {
        let now = Instant::now();
        if now.duration_since(self.polled_at) >= POLL_INTERVAL {
            self.polled_at = now;
            self.oom.poll(now);
            notify_systemd(&[NotifyState::Watchdog]);
            self.poll_failures(events);
            if self.trim_at.take_if(|at| *at <= now).is_some() {
                trim_memory::release_clean_pages();
            }
            self.measure(events);
        } else if let Some(external) = &mut self.external
            && external.next_quick_reading().is_some_and(|at| at <= now)
        {
            let requests = self.requests.as_ref();
            let ready = |number| requests.and_then(|it| it.is_ready(number));
            external.set_replacement_time(self.machine.replacement_time());
            events.extend(external.measure_quickly(&self.live, ready, self.agents.as_deref_mut(), now));
        }
        if let Some(short) = self.external.as_ref().map(ProgramObserver::is_memory_short) {
            self.with_requests(|it| it.gateway.set_memory_short(short));
        }
        if let Some(fallback) = &mut self.fallback {
            fallback.serve(&self.listeners, now);
        }
        self.fallback = self.fallback.take().filter(|fallback| !fallback.is_done());
    }

    /// Waits for an event or the next deadline.
    fn wait(&self) {
        let now = Instant::now();
        let machine = self.started_at + self.machine.next_step();
        let clients = self.fallback.as_ref().and_then(|fallback| fallback.clients.deadline());
        let agents = self.agents.as_ref().and_then(|agents| agents.deadline());
        let until = [clients, agents]
            .into_iter()
            .flatten()
            .chain([machine])
            .fold(self.polled_at + POLL_INTERVAL, Instant::min);
        let front = self.requests.as_ref().and_then(|requests| requests.next_look(now));
        let memory = self.external.as_ref().and_then(ProgramObserver::next_quick_reading);
        let until = front.into_iter().chain(memory).fold(until, Instant::min);
        let until = if self.is_stopping_program() { until.min(now + STOP_INTERVAL) } else { until };
        // One millisecond more, so that the deadline has passed.
        let timeout = until.saturating_duration_since(now) + Duration::from_millis(1);
        let mut sockets = vec![PollFd::new(self.signals.wakeup(), PollFlags::IN)];
        sockets.extend(
            self.live.iter().filter_map(WorkerProcess::socket).map(|it| PollFd::new(it, PollFlags::IN)),
        );
        if let Some(fallback) = &self.fallback {
            sockets.extend(fallback.clients.sockets().map(|it| PollFd::from_borrowed_fd(it, PollFlags::IN)));
            if fallback.accepts() {
                sockets.extend(self.listeners.iter().map(|it| PollFd::new(it, PollFlags::IN)));
            }
        }
        if let Some(agents) = &self.agents {
            let agents = agents.sockets().into_iter();
            sockets.extend(agents.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        }
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match poll(&mut sockets, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            // The kernel is out of memory, or fewer descriptors are allowed than are open: the loop goes on without spinning.
            #[expect(
                clippy::disallowed_methods,
                reason = "there is nothing that could be waited for instead"
            )]
            Err(_) => std::thread::sleep(POLL_INTERVAL / 10),
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
