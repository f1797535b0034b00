//! The live view. It measures on a thread of its own, and draws on the main thread.
//!
//! A target that does not answer for ten seconds must not block the keys, so the threads share only a channel of one measurement. The
//! terminal is restored at every exit, including a panic (`ratatui::init`).

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::screen;
use super::screen::View;
use super::target::{Source, TargetError};
use super::trace::Trace;
use super::{CheckStatus, InspectTarget, Options, Snapshot, advice};

/// Longest wait for a key before the screen is drawn again.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);

type Measurement = Result<Snapshot, TargetError>;

/// Measures and draws until `q`, Esc or Ctrl-C, and returns the verdict of the last measurement.
pub(super) fn run(source: Source, options: &Options) -> CheckStatus {
    let (measurements, received) = sync_channel(1);
    let (_running, stopped) = channel();
    let interval = options.interval;
    // The thread is not joined, as it may wait for a response; it ends with the process.
    let started = thread::Builder::new()
        .name("measure".into())
        .spawn(move || measure_repeatedly(source, &measurements, &stopped, interval));
    let target = match &options.target {
        InspectTarget::Url { url, .. } => url.clone(),
        InspectTarget::Pid { pid, .. } => format!("pid {pid}"),
    };
    let terminal = started.and_then(|_| ratatui::try_init());
    let mut state = State { target, color: options.color, ..State::default() };
    let result = terminal.and_then(|mut terminal| state.show(&mut terminal, &received));
    ratatui::restore();
    match result {
        Ok(()) => state.verdict(),
        Err(error) => {
            super::print_error(&format!("cannot use the terminal: {error}; --once works without one"));
            CheckStatus::Unknown
        }
    }
}

/// Measures until the receiver is dropped.
fn measure_repeatedly(
    mut source: Source,
    measurements: &SyncSender<Measurement>,
    stopped: &Receiver<()>,
    interval: Duration,
) {
    while measurements.send(source.measure()).is_ok() {
        if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// The state of the screen.
#[derive(Debug, Default)]
struct State {
    target: String,
    color: bool,
    snapshot: Option<Snapshot>,
    error: Option<String>,
    trace: Trace,
    /// The content of the screen when it was paused; measuring continues.
    frozen: Option<(Option<Snapshot>, Trace)>,
}

/// The effect of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyAction {
    Quit,
    Pause,
    Nothing,
}

impl State {
    fn show(
        &mut self,
        terminal: &mut DefaultTerminal,
        received: &Receiver<Measurement>,
    ) -> std::io::Result<()> {
        loop {
            terminal.draw(|frame| screen::draw(frame, &self.view()))?;
            if event::poll(FRAME_INTERVAL)?
                && let Event::Key(key) = event::read()?
            {
                match key_action(key) {
                    KeyAction::Quit => return Ok(()),
                    KeyAction::Pause => self.pause(),
                    KeyAction::Nothing => {}
                }
            }
            match received.try_recv() {
                Ok(measurement) => self.update(measurement),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    return Err(std::io::Error::other("the measuring thread has ended"));
                }
            }
        }
    }

    fn update(&mut self, measurement: Measurement) {
        match measurement {
            Ok(snapshot) => {
                self.trace.push(&snapshot);
                self.snapshot = Some(snapshot);
                self.error = None;
            }
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some((self.snapshot.clone(), self.trace.clone())),
        };
    }

    fn view(&self) -> View<'_> {
        let (snapshot, trace) = match &self.frozen {
            Some((snapshot, trace)) => (snapshot.as_ref(), trace),
            None => (self.snapshot.as_ref(), &self.trace),
        };
        let (target, error, paused) = (&*self.target, self.error.as_deref(), self.frozen.is_some());
        View { target, snapshot, error, trace, paused, color: self.color }
    }

    fn verdict(&self) -> CheckStatus {
        match (&self.error, &self.snapshot) {
            (None, Some(snapshot)) => advice::worst_severity(snapshot).into(),
            _ => CheckStatus::Unknown,
        }
    }
}

/// Returns the effect of a key.
fn key_action(key: KeyEvent) -> KeyAction {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        _ if key.kind == KeyEventKind::Release => KeyAction::Nothing,
        KeyCode::Char('q') | KeyCode::Esc => KeyAction::Quit,
        KeyCode::Char('c') if control => KeyAction::Quit,
        KeyCode::Char('p') if !control => KeyAction::Pause,
        _ => KeyAction::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::advice::tests::steady;

    #[test]
    fn keys_have_the_effects_that_the_footer_names() {
        let none = KeyModifiers::NONE;
        let cases = [
            (KeyCode::Char('q'), none, KeyAction::Quit),
            (KeyCode::Esc, none, KeyAction::Quit),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, KeyAction::Quit),
            (KeyCode::Char('c'), none, KeyAction::Nothing),
            (KeyCode::Char('p'), none, KeyAction::Pause),
            (KeyCode::Enter, none, KeyAction::Nothing),
        ];
        for (code, modifiers, expected) in cases {
            assert_eq!(key_action(KeyEvent::new(code, modifiers)), expected, "{code:?}");
        }
    }

    #[test]
    fn a_paused_screen_does_not_change_while_measuring_continues() {
        let mut state = State::default();
        state.update(Ok(steady()));
        state.pause();
        let mut next = steady();
        next.sample.at.0 += 1000;
        state.update(Ok(next.clone()));
        assert_eq!((state.view().snapshot, state.view().trace.points().len()), (Some(&steady()), 1));
        state.pause();
        assert_eq!((state.view().snapshot, state.view().trace.points().len()), (Some(&next), 2));
    }

    #[test]
    fn the_last_snapshot_stays_when_the_target_is_gone_but_the_verdict_is_unknown() {
        let mut state = State::default();
        assert_eq!(state.verdict(), CheckStatus::Unknown);
        state.update(Ok(steady()));
        assert_eq!(state.verdict(), CheckStatus::Ok);
        state.update(Err(TargetError::Exited(7)));
        assert_eq!(
            (state.view().snapshot, state.view().error),
            (Some(&steady()), Some("process 7 has exited"))
        );
        assert_eq!(state.verdict(), CheckStatus::Unknown);
    }
}
