//! Signals as events that can be polled beside sockets.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::low_level::pipe;

use super::machine::{MachineEvent, StopSignal};

/// Received signals. SIGCHLD has no flag: it only wakes the loop, which reaps children itself.
#[derive(Debug)]
pub(super) struct Signals {
    wakeup: UnixStream,
    terminate: Arc<AtomicUsize>,
    interrupt: Arc<AtomicUsize>,
    recycle: Arc<AtomicUsize>,
}

/// Value of a flag whose signal was received.
const RECEIVED: usize = 1;

/// Keeps SIGUSR2 from ending this process before the supervisor handles signals. One that arrives before is ignored, as there is nothing
/// to replace yet.
pub fn survive_early_signals() {
    if let Err(error) = signal_hook::flag::register(SIGUSR2, Arc::default()) {
        tracing::debug!("SIGUSR2 ends heapbeat while it starts: {error}");
    }
}

impl Signals {
    /// Handles the signals from now on, instead of their default actions.
    pub(super) fn listen() -> io::Result<Self> {
        let (wakeup, notifier) = UnixStream::pair()?;
        wakeup.set_nonblocking(true)?;
        let signals =
            Signals { wakeup, terminate: Arc::default(), interrupt: Arc::default(), recycle: Arc::default() };
        for (signal, flag) in
            [(SIGTERM, &signals.terminate), (SIGINT, &signals.interrupt), (SIGUSR2, &signals.recycle)]
        {
            signal_hook::flag::register_usize(signal, Arc::clone(flag), RECEIVED)?;
        }
        // After the flags: handlers run in this order, and the wakeup must not come before the flag is set.
        for signal in [SIGTERM, SIGINT, SIGUSR2, SIGCHLD] {
            pipe::register(signal, notifier.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Returns the socket to poll.
    pub(super) fn wakeup(&self) -> &UnixStream {
        &self.wakeup
    }

    /// Returns the events since the last call.
    pub(super) fn take_events(&mut self) -> Vec<MachineEvent> {
        let mut discarded = [0; 64];
        while matches!(self.wakeup.read(&mut discarded), Ok(1..)) {}
        [
            (&self.recycle, MachineEvent::ReplaceRequested),
            (&self.terminate, MachineEvent::StopRequested(StopSignal::Terminate)),
            (&self.interrupt, MachineEvent::StopRequested(StopSignal::Interrupt)),
        ]
        .into_iter()
        .filter(|(flag, _)| flag.swap(0, Ordering::SeqCst) == RECEIVED)
        .map(|(_, event)| event)
        .collect()
    }
}
