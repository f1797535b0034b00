//! Waits for what sends an event, and looks at what sends none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sd_notify::NotifyState;

use super::programs::STOP_INTERVAL;
use super::{Supervisor, notify_systemd};
use crate::supervisor::machine::MachineEvent;
use crate::supervisor::process::WorkerProcess;
use crate::supervisor::program_observer::ProgramObserver;
use crate::supervisor::trim_memory;

/// Time between two polls of everything that sends no event.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Measures all processes of a guarded program, and ends those that it has left.
    pub(super) fn measure(&mut self, events: &mut VecDeque<MachineEvent>) {
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

    pub(super) fn poll_periodic(&mut self, events: &mut VecDeque<MachineEvent>) {
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
    pub(super) fn wait(&self) {
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
