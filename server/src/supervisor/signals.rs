//! Signals as events that can be polled beside sockets.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGVTALRM,
};
use signal_hook::low_level::pipe;

use super::machine::{MachineEvent, StopSignal};
use super::process_tree::is_in_mask;

/// Received signals. SIGCHLD has no flag: it only wakes the loop, which reaps children itself.
#[derive(Debug)]
pub struct Signals {
    wakeup: UnixStream,
    terminate: Arc<AtomicUsize>,
    interrupt: Arc<AtomicUsize>,
    recycle: Arc<AtomicUsize>,
    /// When SIGTERM and SIGINT arrived last.
    stops: [RequestedStop; 2],
    others: Vec<OtherSignal>,
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

/// Signals that end a process that does not handle them, and that mean nothing to a supervisor, with their names. Somebody who sends one means
/// the program, or takes this process for another one; that must not end what it guards.
const WITHOUT_EFFECT: [(i32, &str); 6] = [
    (SIGUSR1, "SIGUSR1"),
    (SIGALRM, "SIGALRM"),
    (SIGVTALRM, "SIGVTALRM"),
    (SIGPROF, "SIGPROF"),
    (SIGIO, "SIGIO"),
    (SIGPWR, "SIGPWR"),
];

/// Power fails, which init is told; `signal_hook` has no name for it. The number is that of x86 and ARM.
const SIGPWR: i32 = 30;

/// Signals that request a stop as SIGTERM does, unless this process was started so that it ignores them.
const OTHER_STOPS: [(i32, &str); 2] = [(SIGQUIT, "SIGQUIT"), (SIGHUP, "SIGHUP")];

/// What a signal means besides those that request something in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignalMeaning {
    Stop,
    Nothing,
}

/// Returns the meaning of each of the other signals. `ignored` are those that this process was started with as ignored: by `nohup`, or by a
/// shell in the background. Without a terminal SIGHUP is no hang-up: some send it to have a configuration read again.
fn other_meanings(
    has_terminal: bool,
    ignored: impl Fn(i32) -> bool,
) -> Vec<(i32, &'static str, SignalMeaning)> {
    let stops = OTHER_STOPS.into_iter().map(|(signal, name)| {
        let stops = signal == SIGQUIT || has_terminal;
        (signal, name, if stops { SignalMeaning::Stop } else { SignalMeaning::Nothing })
    });
    let others = WITHOUT_EFFECT.into_iter().map(|(signal, name)| (signal, name, SignalMeaning::Nothing));
    stops.chain(others).filter(|(signal, ..)| !ignored(*signal)).collect()
}

/// One of the other signals.
#[derive(Debug)]
struct OtherSignal {
    name: &'static str,
    meaning: SignalMeaning,
    received: Arc<AtomicUsize>,
}

/// Value of a flag whose signal was received.
const RECEIVED: usize = 1;

/// Keeps signals that request no stop from ending this process before the supervisor handles them. One that arrives before is ignored, as
/// there is nothing to replace yet.
pub fn survive_early_signals() {
    let is_ignored = ignored_signals();
    let without_effect = WITHOUT_EFFECT.into_iter().map(|(signal, _)| signal).filter(|it| !is_ignored(*it));
    for signal in without_effect.chain([SIGUSR2]) {
        if let Err(error) = signal_hook::flag::register(signal, Arc::default()) {
            tracing::debug!("signal {signal} ends heapbeat while it starts: {error}");
        }
    }
}

/// Returns which signals this process ignores.
fn ignored_signals() -> impl Fn(i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    move |signal| is_in_mask(&status, "SigIgn:", signal)
}

/// Whether this process has a terminal, whose end is announced by SIGHUP.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

impl Signals {
    /// Handles the signals from now on, instead of their default actions.
    pub fn listen() -> io::Result<Self> {
        let (wakeup, notifier) = UnixStream::pair()?;
        wakeup.set_nonblocking(true)?;
        let signals = Signals {
            wakeup,
            terminate: Arc::default(),
            interrupt: Arc::default(),
            recycle: Arc::default(),
            stops: [RequestedStop::default(); 2],
            others: other_meanings(has_terminal(), ignored_signals())
                .into_iter()
                .map(|(signal, name, meaning)| {
                    let received = Arc::<AtomicUsize>::default();
                    signal_hook::flag::register_usize(signal, Arc::clone(&received), RECEIVED)?;
                    pipe::register(signal, notifier.try_clone()?)?;
                    Ok(OtherSignal { name, meaning, received })
                })
                .collect::<io::Result<_>>()?,
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
        for OtherSignal { name, meaning, received } in &self.others {
            match meaning {
                _ if !is_received(received) => {}
                SignalMeaning::Nothing => tracing::warn!(
                    "{name} has no effect on heapbeat: SIGTERM stops it, SIGUSR2 replaces what it guards, and a signal that is meant for the \
                     program has to be sent to the program"
                ),
                SignalMeaning::Stop => {
                    tracing::info!("{name} stops heapbeat as SIGTERM does");
                    self.terminate.store(RECEIVED, Ordering::SeqCst);
                }
            }
        }
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
    fn a_signal_without_a_meaning_ends_nothing_and_one_that_was_ignored_stays_so() {
        let meaning = |signal, terminal, ignored: &[i32]| {
            let all = other_meanings(terminal, |signal| ignored.contains(&signal));
            all.into_iter().find(|(other, ..)| *other == signal).map(|(.., meaning)| meaning)
        };
        let (stop, nothing) = (Some(SignalMeaning::Stop), Some(SignalMeaning::Nothing));
        for signal in [SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR] {
            assert_eq!(meaning(signal, true, &[]), nothing, "{signal}");
        }
        assert_eq!(meaning(SIGQUIT, false, &[]), stop);
        assert_eq!(meaning(SIGHUP, true, &[]), stop, "the terminal is gone");
        assert_eq!(meaning(SIGHUP, false, &[]), nothing, "there is no terminal to be gone");
        assert_eq!(meaning(SIGHUP, true, &[SIGHUP]), None, "nohup");
        assert_eq!(meaning(SIGQUIT, true, &[SIGQUIT]), None, "a shell in the background");
    }

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
