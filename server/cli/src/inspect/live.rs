//! The live view: looks on a thread of its own, draws on this one.
//!
//! A target that does not answer for ten seconds must not keep `q` from working, so the two only meet in a channel
//! that holds one look. The terminal is given back however this ends, a panic included (`ratatui::init`).

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::screen;
use super::screen::View;
use super::target::{TargetError, Watcher};
use super::trace::Trace;
use super::{Options, Picture, Target, Verdict, advice};

/// Longest wait for a key before what was seen is drawn.
const FRAME: Duration = Duration::from_millis(100);

type Look = Result<Picture, TargetError>;

/// Watches until `q`, Esc or Ctrl-C; the verdict is that of the last look.
pub(super) fn run(watcher: Watcher, options: &Options) -> Verdict {
    let (looks, seen) = sync_channel(1);
    let (_running, stopped) = channel();
    let interval = options.interval;
    // Not joined: it may be waiting for an answer, and ends with the process.
    let started =
        thread::Builder::new().name("watch".into()).spawn(move || watch(watcher, &looks, &stopped, interval));
    let target = match &options.target {
        Target::Url { url, .. } => url.clone(),
        Target::Pid(pid) => format!("pid {pid}"),
    };
    let terminal = started.and_then(|_| ratatui::try_init());
    let mut state = State { target, colour: options.colour, ..State::default() };
    let ended = terminal.and_then(|mut terminal| state.show(&mut terminal, &seen));
    ratatui::restore();
    match ended {
        Ok(()) => state.verdict(),
        Err(error) => {
            super::complain(&format!("the terminal cannot be used: {error}; --once needs none"));
            Verdict::CouldNotTell
        }
    }
}

/// Looks again and again until nobody listens.
fn watch(mut watcher: Watcher, looks: &SyncSender<Look>, stopped: &Receiver<()>, interval: Duration) {
    while looks.send(watcher.look()).is_ok() {
        if stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// What is on the screen.
#[derive(Debug, Default)]
struct State {
    target: String,
    colour: bool,
    picture: Option<Picture>,
    error: Option<String>,
    trace: Trace,
    /// What was on the screen when it was paused; watching goes on behind it.
    frozen: Option<(Option<Picture>, Trace)>,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Quit,
    Pause,
    Nothing,
}

impl State {
    fn show(&mut self, terminal: &mut DefaultTerminal, seen: &Receiver<Look>) -> std::io::Result<()> {
        loop {
            terminal.draw(|frame| screen::draw(frame, &self.view()))?;
            if event::poll(FRAME)?
                && let Event::Key(key) = event::read()?
            {
                match wish(key) {
                    Wish::Quit => return Ok(()),
                    Wish::Pause => self.pause(),
                    Wish::Nothing => {}
                }
            }
            match seen.try_recv() {
                Ok(look) => self.take(look),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err(std::io::Error::other("watching has ended")),
            }
        }
    }

    fn take(&mut self, look: Look) {
        match look {
            Ok(picture) => {
                self.trace.push(&picture);
                self.picture = Some(picture);
                self.error = None;
            }
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some((self.picture.clone(), self.trace.clone())),
        };
    }

    fn view(&self) -> View<'_> {
        let (picture, trace) = match &self.frozen {
            Some((picture, trace)) => (picture.as_ref(), trace),
            None => (self.picture.as_ref(), &self.trace),
        };
        let (target, error, paused) = (&*self.target, self.error.as_deref(), self.frozen.is_some());
        View { target, picture, error, trace, paused, colour: self.colour }
    }

    fn verdict(&self) -> Verdict {
        match (&self.error, &self.picture) {
            (None, Some(picture)) => advice::worst(picture).into(),
            _ => Verdict::CouldNotTell,
        }
    }
}

fn wish(key: KeyEvent) -> Wish {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        _ if key.kind == KeyEventKind::Release => Wish::Nothing,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Char('c') if control => Wish::Quit,
        KeyCode::Char('p') if !control => Wish::Pause,
        _ => Wish::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::advice::tests::steady;

    #[test]
    fn keys_do_what_the_footer_says() {
        let none = KeyModifiers::NONE;
        let cases = [
            (KeyCode::Char('q'), none, Wish::Quit),
            (KeyCode::Esc, none, Wish::Quit),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Wish::Quit),
            (KeyCode::Char('c'), none, Wish::Nothing),
            (KeyCode::Char('p'), none, Wish::Pause),
            (KeyCode::Enter, none, Wish::Nothing),
        ];
        for (code, modifiers, expected) in cases {
            assert_eq!(wish(KeyEvent::new(code, modifiers)), expected, "{code:?}");
        }
    }

    #[test]
    fn a_paused_screen_stands_still_while_watching_goes_on() {
        let mut state = State::default();
        state.take(Ok(steady()));
        state.pause();
        let mut next = steady();
        next.sample.at.0 += 1000;
        state.take(Ok(next.clone()));
        assert_eq!((state.view().picture, state.view().trace.points().len()), (Some(&steady()), 1));
        state.pause();
        assert_eq!((state.view().picture, state.view().trace.points().len()), (Some(&next), 2));
    }

    #[test]
    fn what_was_last_seen_stays_when_the_target_is_gone_but_the_verdict_does_not() {
        let mut state = State::default();
        assert_eq!(state.verdict(), Verdict::CouldNotTell);
        state.take(Ok(steady()));
        assert_eq!(state.verdict(), Verdict::Fine);
        state.take(Err(TargetError::Ended(7)));
        assert_eq!(
            (state.view().picture, state.view().error),
            (Some(&steady()), Some("process 7 has ended"))
        );
        assert_eq!(state.verdict(), Verdict::CouldNotTell);
    }
}
