//! The worker's end of the line: what it hears from its supervisor, and the signs of life that it gives.
//!
//! A thread of its own, as a hung runtime must not keep the process from hearing and from stopping. A turn counts as a
//! sign of life only when the runtime has made one and the sampler has looked: a process whose threads are busy but
//! take turns is well, one in which nothing moves is not, however alive it looks to the kernel.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use heapbeat_shared::Bytes;
use listenfd::ListenFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ipc::{LineReader, SupervisorMessage, WorkerMessage};
use super::machine::{Command, StopSignal};
use super::process::WORKER;
use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::{PreviousRuns, RecordedNote};
use crate::overload::ladder::ReplacementStatus;

/// Beyond its drain, how long an orphan may take to leave.
const ORPHAN_TIME: Duration = Duration::from_secs(2);

/// A process that a supervisor started.
#[derive(Debug)]
pub struct Worker {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) stop_requests: Receiver<StopRequest>,
    pub(crate) link: Arc<SupervisorLink>,
}

/// Shows that the runtime takes turns.
pub(crate) async fn take_turns(link: Arc<SupervisorLink>, hang: Duration) {
    loop {
        link.record_turn();
        tokio::time::sleep(hang / 10).await;
    }
}

/// What a worker is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopRequest {
    /// Stop; asked for the `n`th time.
    Stop(StopSignal, u32),
    /// Finish what there is, within this time.
    HandOver(Duration),
    /// The supervisor is gone.
    Orphaned,
}

/// What the worker's other parts need of the line.
#[derive(Debug)]
pub(crate) struct SupervisorLink {
    socket: UnixStream,
    /// The index of the [`ReplacementStatus`] in [`STATUSES`].
    replacement_status: AtomicU8,
    turns: AtomicU64,
    samples: AtomicU64,
    resident: AtomicU64,
    previous: Arc<PreviousRuns>,
}

const STATUSES: [ReplacementStatus; 3] =
    [ReplacementStatus::TooSoon, ReplacementStatus::InProgress, ReplacementStatus::Available];

/// Times that the line's thread goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerTiming {
    /// Nothing moved for so long is a hang.
    pub(crate) hang: Duration,
    /// Longest time between two looks of the sampler.
    pub(crate) sample_interval: Duration,
    /// Time for what is in flight.
    pub(crate) drain: Duration,
}

impl Worker {
    /// The worker that this process is, if a supervisor has started it as one.
    pub(crate) fn adopt(timing: WorkerTiming) -> io::Result<Option<Self>> {
        if !is_worker()? {
            return Ok(None);
        }
        // Children of the application shall neither hold the line nor read from it.
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        socket.set_nonblocking(true)?;
        let mut sockets = ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..sockets.len() {
            listeners.extend(sockets.take_tcp_listener(index)?);
        }
        be_killed_first();
        let (stop_sender, stop_requests) = channel(8);
        let link = Arc::new(SupervisorLink {
            socket: socket.try_clone()?,
            replacement_status: AtomicU8::new(0),
            turns: AtomicU64::new(0),
            samples: AtomicU64::new(0),
            resident: AtomicU64::new(0),
            previous: Arc::default(),
        });
        let reader = IpcReader {
            socket: socket,
            link: Arc::clone(&link),
            timing,
            stop_sender,
            lines: LineReader::default(),
        };
        std::thread::Builder::new().name("heapbeat-line".to_owned()).spawn(move || reader.run())?;
        Ok(Some(Worker { listeners, stop_requests, link }))
    }
}

impl SupervisorLink {
    /// Whether a replacement is to be had.
    pub(crate) fn replacement(&self) -> ReplacementStatus {
        STATUSES[usize::from(self.replacement_status.load(Ordering::Relaxed)) % STATUSES.len()]
    }

    /// Asks for a fresh worker. Until there is an answer, it counts as on its way.
    pub(crate) fn request_replacement(&self, why: &str) {
        self.replacement_status.store(1, Ordering::Relaxed);
        self.send(&WorkerMessage::RecycleRequested { memory: self.resident(), reason: why.to_owned() });
    }

    /// The runtime has made a turn.
    pub(crate) fn record_turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// The sampler has looked.
    pub(crate) fn record_sample(&self, resident: Bytes) {
        self.resident.store(resident.0, Ordering::Relaxed);
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests can be taken.
    pub(crate) fn report_ready(&self) {
        self.send(&WorkerMessage::Ready { memory: self.resident() });
    }

    /// The application is done and shall not be started anew.
    pub(crate) fn report_done(&self) {
        self.send(&WorkerMessage::ApplicationDone);
    }

    /// The instances before this one.
    pub(crate) fn previous_runs(&self) -> &Arc<PreviousRuns> {
        &self.previous
    }

    fn resident(&self) -> Bytes {
        Bytes(self.resident.load(Ordering::Relaxed))
    }

    /// A supervisor that is gone is noticed by the line's thread.
    fn send(&self, message: &WorkerMessage) {
        let _ = (&self.socket).write_all(message.to_line().as_bytes());
    }
}

/// The thread.
struct IpcReader {
    socket: UnixStream,
    link: Arc<SupervisorLink>,
    timing: WorkerTiming,
    stop_sender: Sender<StopRequest>,
    lines: LineReader,
}

impl IpcReader {
    fn run(mut self) {
        let interval = (self.timing.hang / 5).clamp(Duration::from_millis(100), Duration::from_secs(1));
        let mut tracker = LivenessTracker::default();
        loop {
            let patience = Timespec::try_from(interval).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&patience));
            let mut messages = Vec::new();
            let connected =
                self.lines.read(&mut self.socket, |socket| messages.extend(SupervisorMessage::parse(socket)));
            for command in messages {
                self.handle_message(command);
            }
            if !connected {
                return self.leave_orphaned();
            }
            let turns = tracker.turns(&self.link, self.timing, Instant::now());
            self.link.send(&WorkerMessage::Heartbeat { turns, memory: self.link.resident() });
        }
    }

    fn handle_message(&self, command: SupervisorMessage) {
        match command {
            SupervisorMessage::Command(Command::Stop(signal, count)) => {
                self.forward_stop(StopRequest::Stop(signal, count));
            }
            SupervisorMessage::Command(Command::HandOver(within)) => {
                self.forward_stop(StopRequest::HandOver(within))
            }
            SupervisorMessage::Command(Command::Replacement(replacement_status)) => {
                let index = match replacement_status {
                    ReplacementStatus::TooSoon => 0,
                    ReplacementStatus::InProgress => 1,
                    ReplacementStatus::Available => 2,
                };
                self.link.replacement_status.store(index, Ordering::Relaxed);
            }
            SupervisorMessage::Command(Command::Report) => flight_recorder::record_hang(&describe_threads()),
            SupervisorMessage::PreviousExit(exit) => self.link.previous.set_exit(*exit),
            SupervisorMessage::Samples(samples) => self.link.previous.add_samples(samples),
        }
    }

    /// A full queue means that the same was asked for many times.
    fn forward_stop(&self, stop_sender: StopRequest) {
        let _ = self.stop_sender.try_send(stop_sender);
    }

    /// The supervisor is gone, and nobody can restart, stop or watch this process any more.
    fn leave_orphaned(&self) {
        tracing::error!("the supervisor is gone: finishing requests in flight, then exiting");
        self.forward_stop(StopRequest::Orphaned);
        #[expect(clippy::disallowed_methods, reason = "a thread that has nothing else to do")]
        std::thread::sleep(self.timing.drain + ORPHAN_TIME);
        std::process::exit(1);
    }
}

/// What was seen of the counters.
#[derive(Debug, Default)]
struct LivenessTracker {
    turns: u64,
    samples: u64,
    sampled_at: Option<Instant>,
}

impl LivenessTracker {
    /// The runtime's turns, unless the sampler does not look any more.
    fn turns(&mut self, link: &SupervisorLink, timing: WorkerTiming, now: Instant) -> u64 {
        let samples = link.samples.load(Ordering::Relaxed);
        if samples != self.samples || self.sampled_at.is_none() {
            (self.samples, self.sampled_at) = (samples, Some(now));
        }
        let late = self
            .sampled_at
            .is_some_and(|at| now.duration_since(at) > timing.sample_interval + timing.hang / 2);
        if !late {
            self.turns = link.turns.load(Ordering::Relaxed);
        }
        self.turns
    }
}

/// Whether this process was started as a worker, rather than by a worker's application. Standard input tells, as a worker
/// gives its own to nobody; an error, when the supervisor is gone before the worker has begun.
fn is_worker() -> io::Result<bool> {
    let Ok(value) = std::env::var(WORKER) else { return Ok(false) };
    if FileType::from_raw_mode(rustix::fs::fstat(io::stdin())?.st_mode) != FileType::Socket {
        return Ok(false);
    }
    let supervisor = value.split_once(' ').and_then(|(_, pid)| pid.parse::<u32>().ok());
    if supervisor.is_some_and(|pid| pid == std::os::unix::process::parent_id()) {
        return Ok(true);
    }
    Err(io::Error::other("it is gone already"))
}

/// Makes this process a better choice in an OOM kill than its supervisor: without the worker there is a new one in a
/// moment, without the supervisor there is nobody.
pub(super) fn be_killed_first() {
    const PATH: &str = "/proc/self/oom_score_adj";
    let now =
        std::fs::read_to_string(PATH).ok().and_then(|text| text.trim().parse::<i32>().ok()).unwrap_or(0);
    if let Err(error) = std::fs::write(PATH, (now + 300).min(1000).to_string()) {
        tracing::debug!("the kernel's choice cannot be steered: {error}");
    }
}

/// What every thread of this process is doing, as far as the kernel tells.
fn describe_threads() -> RecordedNote {
    let mut lines = Vec::new();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    for task in tasks.take(128) {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let stat = read("stat");
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('?');
        lines.push(format!("{} {state} {}", read("comm").trim(), read("wchan").trim()));
    }
    lines.sort_unstable();
    let text = format!("{} threads, see the stack for what each waits for", lines.len());
    RecordedNote { at: Clock::of_this_process().now().wall, text, stack: lines.join("\n") }
}
