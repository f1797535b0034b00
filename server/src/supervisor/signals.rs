//! Signals as events that can be polled beside sockets.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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
    /// When SIGTERM and SIGINT arrived last.
    stops: [RequestedStop; 2],
}

/// Time within which the same signal again is the same request: Ctrl-C reaches all processes of a terminal, and systemd's stop all of a
/// service, and npm passes it on besides.
const SAME_REQUEST: Duration = Duration::from_millis(500);

/// A signal that requests a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RequestedStop {
    arrived: Option<Instant>,
}

impl RequestedStop {
    /// Notes that the signal has arrived, and returns whether it is a new request.
    fn note(&mut self, now: Instant) -> bool {
        let is_new = self.arrived.is_none_or(|arrived| now.duration_since(arrived) >= SAME_REQUEST);
        if is_new {
            self.arrived = Some(now);
        }
        is_new
    }
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
        let signals = Signals {
            wakeup,
            terminate: Arc::default(),
            interrupt: Arc::default(),
            recycle: Arc::default(),
            stops: [RequestedStop::default(); 2],
        };
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
        let is_received = |flag: &AtomicUsize| flag.swap(0, Ordering::SeqCst) == RECEIVED;
        let now = Instant::now();
        let mut events = Vec::new();
        events.extend(is_received(&self.recycle).then_some(MachineEvent::ReplaceRequested));
        let flags = [(&self.terminate, StopSignal::Terminate), (&self.interrupt, StopSignal::Interrupt)];
        for ((flag, signal), stop) in flags.into_iter().zip(&mut self.stops) {
            let is_request = is_received(flag) && stop.note(now);
            events.extend(is_request.then_some(MachineEvent::StopRequested(signal)));
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_arrives_twice_at_once_is_one_request() {
        let begin = Instant::now();
        // Milliseconds since the first one, and whether it is a request.
        let cases = [(0, true), (3, false), (499, false), (500, true), (900, false), (5_000, true)];
        let mut stop = RequestedStop::default();
        for (at, expected) in cases {
            assert_eq!(stop.note(begin + Duration::from_millis(at)), expected, "{at} ms");
        }
    }
}
