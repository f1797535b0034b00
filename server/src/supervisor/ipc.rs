//! What supervisor and worker say to each other: lines of text over a socket that is the worker's standard input.
//!
//! Text, because it can be read in a trace and a newer supervisor may meet an older worker when a binary was replaced:
//! a line that is not understood is passed over.

use std::io::{self, Read};
use std::time::Duration;

use heapbeat_shared::report::LastSamples;
use heapbeat_shared::{Bytes, Exit};

use super::machine::{Chance, Order, Signal};
use crate::flight_recorder;

/// Longest line; an ending with its backtrace has less than 16 kB, the last samples of an instance less than 28 kB.
const LONGEST: usize = 32 << 10;

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It can take requests, and holds so much.
    Ready(Bytes),
    /// It has made so many turns, and holds so much.
    Beat(u64, Bytes),
    /// Its ladder wants a fresh worker; it holds so much by now.
    Wanted(Bytes, String),
    /// Its application is done.
    Done,
}

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Something to do.
    Order(Order),
    /// How the worker before this one ended.
    Ended(Box<Exit>),
    /// The last samples of a worker before this one.
    Samples(LastSamples),
}

impl Word {
    /// With its end of line.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Word::Ready(memory) => format!("ready {}\n", memory.0),
            Word::Beat(turns, memory) => format!("beat {turns} {}\n", memory.0),
            Word::Wanted(memory, why) => format!("wanted {} {}\n", memory.0, why.replace('\n', " ")),
            Word::Done => "done\n".to_owned(),
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "ready" => Word::Ready(Bytes(rest.parse().ok()?)),
            "beat" => {
                let (turns, memory) = rest.split_once(' ')?;
                Word::Beat(turns.parse().ok()?, Bytes(memory.parse().ok()?))
            }
            "wanted" => {
                let (memory, why) = rest.split_once(' ')?;
                Word::Wanted(Bytes(memory.parse().ok()?), why.to_owned())
            }
            "done" => Word::Done,
            _ => return None,
        })
    }
}

impl Command {
    /// With its end of line.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Command::Order(Order::Stop(Signal::Terminate, count)) => format!("stop TERM {count}\n"),
            Command::Order(Order::Stop(Signal::Interrupt, count)) => format!("stop INT {count}\n"),
            Command::Order(Order::HandOver(within)) => format!("handover {}\n", within.as_millis()),
            Command::Order(Order::Replacement(Chance::Possible)) => "replacement possible\n".to_owned(),
            Command::Order(Order::Replacement(Chance::Underway)) => "replacement underway\n".to_owned(),
            Command::Order(Order::Replacement(Chance::NotNow)) => "replacement not-now\n".to_owned(),
            Command::Order(Order::Report) => "report\n".to_owned(),
            Command::Ended(ending) => {
                let json =
                    serde_json::to_string(ending).expect("numbers, texts and fixed words always serialise");
                format!("ended {json}\n")
            }
            Command::Samples(samples) => {
                let json = serde_json::to_string(samples).expect("numbers and texts always serialise");
                format!("samples {json}\n")
            }
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(Command::Order(match (word, rest) {
            ("stop", _) => match rest.split_once(' ')? {
                ("TERM", count) => Order::Stop(Signal::Terminate, count.parse().ok()?),
                ("INT", count) => Order::Stop(Signal::Interrupt, count.parse().ok()?),
                _ => return None,
            },
            ("handover", _) => Order::HandOver(Duration::from_millis(rest.parse().ok()?)),
            ("replacement", "possible") => Order::Replacement(Chance::Possible),
            ("replacement", "underway") => Order::Replacement(Chance::Underway),
            ("replacement", "not-now") => Order::Replacement(Chance::NotNow),
            ("report", "") => Order::Report,
            ("ended", _) => {
                let ending: Exit = heapbeat_shared::wire::parse(rest.as_bytes()).ok()?;
                return Some(Command::Ended(Box::new(ending.bounded())));
            }
            ("samples", _) => return flight_recorder::read_remnant(rest).map(Command::Samples),
            _ => return None,
        }))
    }
}

/// Puts lines together from what comes.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    /// Reads what is there from a non-blocking source and passes each complete line on. Says whether the other side is
    /// still there.
    pub(crate) fn read(&mut self, source: &mut impl Read, mut line: impl FnMut(&str)) -> bool {
        let mut chunk = [0; 2048];
        let there = loop {
            match source.read(&mut chunk) {
                Ok(0) => break false,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                if let Ok(text) = std::str::from_utf8(&self.buffer[..end]) {
                    line(text);
                }
                self.buffer.drain(..=end);
            }
            if self.buffer.len() > LONGEST {
                self.buffer.clear();
            }
        };
        if !there {
            self.buffer = Vec::new();
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::report::Block;
    use heapbeat_shared::{ExitKind, InstanceId};

    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let words = [
            Word::Ready(Bytes(5)),
            Word::Beat(7, Bytes(9)),
            Word::Wanted(Bytes(3), "memory is at the mark".into()),
            Word::Done,
        ];
        for word in words {
            let line = word.to_line();
            assert_eq!(Word::parse(line.strip_suffix('\n').unwrap()), Some(word));
        }
        let ending = Exit { kind: ExitKind::Panic, panic: Some("a\nb \"c\"".into()), ..Exit::default() };
        let commands = [
            Command::Order(Order::Stop(Signal::Terminate, 1)),
            Command::Order(Order::Stop(Signal::Interrupt, 2)),
            Command::Order(Order::HandOver(Duration::from_millis(25_000))),
            Command::Order(Order::Replacement(Chance::Possible)),
            Command::Order(Order::Replacement(Chance::Underway)),
            Command::Order(Order::Replacement(Chance::NotNow)),
            Command::Order(Order::Report),
            Command::Ended(Box::new(ending)),
            Command::Samples(LastSamples {
                instance: InstanceId(7),
                samples: Block { first: 3, count: 2, lost: 0, data: vec![7; 20 << 10] },
            }),
        ];
        for command in commands {
            let line = command.to_line();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.len() <= LONGEST, "{}", line.len());
            assert_eq!(Command::parse(line.strip_suffix('\n').unwrap()), Some(command));
        }
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for line in [
            "",
            "beat",
            "beat 1",
            "beat x 1",
            "stop",
            "stop HUP 1",
            "handover soon",
            "ended {",
            "samples {}",
            "sing",
        ] {
            assert_eq!((Word::parse(line), Command::parse(line)), (None, None), "{line}");
        }
    }

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        let mut hear = |text: &[u8]| {
            let mut text = text;
            lines.read(&mut text, |line| heard.push(line.to_owned()))
        };
        assert!(!hear(b"one\ntwo\nthr"), "a slice ends, as a closed socket does");
        hear(b"ee\n\xff\n");
        hear(&vec![b'x'; LONGEST + 4096]);
        hear(b"\nfour\n");
        assert_eq!(heard, ["one", "two", "ee", "", "four"], "what was cut off is lost with the other side");
    }
}
