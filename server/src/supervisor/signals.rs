//! Signals as something to wait for beside sockets.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::low_level::pipe;

use super::machine::{MachineEvent, StopSignal};

/// Signals that have come. A child's end has no flag of its own: it only wakes the loop, which looks for itself.
#[derive(Debug)]
pub(super) struct Signals {
    wakeup: UnixStream,
    terminate: Arc<AtomicUsize>,
    interrupt: Arc<AtomicUsize>,
    recycle: Arc<AtomicUsize>,
}

/// What a flag holds when its signal has come.
const RECEIVED: usize = 1;

impl Signals {
    /// From now on these signals end nothing by themselves.
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
        // After the flags: handlers run in this order, and the bell must not ring before there is something to see.
        for signal in [SIGTERM, SIGINT, SIGUSR2, SIGCHLD] {
            pipe::register(signal, notifier.try_clone()?)?;
        }
        Ok(signals)
    }

    /// What to wait for.
    pub(super) fn wakeup(&self) -> &UnixStream {
        &self.wakeup
    }

    /// What has come since the last time.
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
