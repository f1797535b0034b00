//! The worker's thread that talks to the supervisor.
//!
//! It is a thread of its own, because a hung runtime must not keep the process from receiving commands and from stopping.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc::Sender;

use super::{StopRequest, SupervisorLink, WorkerTiming};
use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::RecordedNote;
use crate::overload::ladder::ReplacementStatus;
use crate::supervisor::ipc::{LineReader, SupervisorMessage, WorkerMessage};
use crate::supervisor::machine::Command;

/// Time beyond the drain timeout in which a worker without a supervisor may finish.
const ORPHAN_TIME: Duration = Duration::from_secs(2);

/// Reads messages of the supervisor and sends heartbeats.
pub(super) struct IpcReader {
    pub(super) socket: UnixStream,
    pub(super) link: Arc<SupervisorLink>,
    pub(super) timing: WorkerTiming,
    pub(super) stop_sender: Sender<StopRequest>,
    pub(super) lines: LineReader,
}

impl IpcReader {
    pub(super) fn run(mut self) {
        let interval = (self.timing.hang / 5).clamp(Duration::from_millis(100), Duration::from_secs(1));
        let mut tracker = LivenessTracker::default();
        loop {
            let timeout = Timespec::try_from(interval).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout));
            let mut messages = Vec::new();
            let connected =
                self.lines.read(&mut self.socket, |line| messages.extend(SupervisorMessage::parse(line)));
            for message in messages {
                self.handle_message(message);
            }
            if !connected {
                return self.leave_orphaned();
            }
            let runtime_polls = tracker.runtime_polls(&self.link, self.timing, Instant::now());
            self.link.send(&WorkerMessage::Heartbeat { runtime_polls, memory: self.link.resident() });
        }
    }

    fn handle_message(&self, message: SupervisorMessage) {
        match message.record_in(&self.link.previous) {
            Some(Command::Stop(signal, count)) => self.forward_stop(StopRequest::Stop(signal, count)),
            Some(Command::HandOver(within)) => self.forward_stop(StopRequest::HandOver(within)),
            Some(Command::Replacement(replacement_status)) => {
                let index = match replacement_status {
                    ReplacementStatus::RateLimited => 0,
                    ReplacementStatus::InProgress => 1,
                    ReplacementStatus::Available => 2,
                };
                self.link.replacement_status.store(index, Ordering::Relaxed);
            }
            Some(Command::Report) => flight_recorder::record_hang(&describe_threads()),
            None => {}
        }
    }

    /// Passes a request on to the server. If the queue is full, the same was requested many times already.
    fn forward_stop(&self, request: StopRequest) {
        let _ = self.stop_sender.try_send(request);
    }

    /// Stops a worker whose supervisor is gone, as nothing could restart or stop it any more.
    fn leave_orphaned(&self) {
        tracing::error!("lost the connection to the supervisor; finishing requests in flight, then exiting");
        self.forward_stop(StopRequest::Orphaned);
        #[expect(clippy::disallowed_methods, reason = "a thread that has nothing else to do")]
        std::thread::sleep(self.timing.drain + ORPHAN_TIME);
        std::process::exit(1);
    }
}

/// Derives liveness from the counters of runtime polls and samples.
#[derive(Debug, Default)]
pub(super) struct LivenessTracker {
    runtime_polls: u64,
    samples: u64,
    sampled_at: Option<Instant>,
}

impl LivenessTracker {
    /// Returns the polls of the runtime; the number stays at the last value while the sampler is stuck.
    pub(super) fn runtime_polls(&mut self, link: &SupervisorLink, timing: WorkerTiming, now: Instant) -> u64 {
        let samples = link.samples.load(Ordering::Relaxed);
        if samples != self.samples || self.sampled_at.is_none() {
            (self.samples, self.sampled_at) = (samples, Some(now));
        }
        let late = self
            .sampled_at
            .is_some_and(|at| now.duration_since(at) > timing.sample_interval + timing.hang / 2);
        if !late {
            self.runtime_polls = link.runtime_polls.load(Ordering::Relaxed);
        }
        self.runtime_polls
    }
}

/// Describes the state of every thread of this process, as far as the kernel tells.
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
