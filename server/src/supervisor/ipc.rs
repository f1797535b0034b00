//! What supervisor and worker say to each other: lines of text over a socket that is the worker's standard input.
//!
//! Text, because it can be read in a trace and a newer supervisor may meet an older worker when a binary was replaced:
//! a line that is not understood is passed over.

use std::io::{self, Read};
use std::time::Duration;

use heapbeat_shared::report::LastSamples;
use heapbeat_shared::{Bytes, Exit};

use super::machine::{Command, StopSignal};
use crate::flight_recorder;
use crate::overload::ladder::ReplacementStatus;

/// Longest line; an ending with its backtrace has less than 16 kB, the last samples of an instance less than 28 kB.
const LONGEST: usize = 32 << 10;

/// What a worker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WorkerMessage {
    /// It can take requests, and holds so much.
    Ready(Bytes),
    /// It has made so many turns, and holds so much.
    Heartbeat(u64, Bytes),
    /// Its ladder wants a fresh worker; it holds so much by now.
    RecycleRequested(Bytes, String),
    /// Its application is done.
    ApplicationDone,
}

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SupervisorMessage {
    /// Something to do.
    Command(Command),
    /// How the worker before this one ended.
    PreviousExit(Box<Exit>),
    /// The last samples of a worker before this one.
    Samples(LastSamples),
}

impl WorkerMessage {
    /// With its end of line.
    pub(crate) fn to_line(&self) -> String {
        match self {
            WorkerMessage::Ready(memory) => format!("ready {}\n", memory.0),
            WorkerMessage::Heartbeat(turns, memory) => format!("beat {turns} {}\n", memory.0),
            WorkerMessage::RecycleRequested(memory, why) => {
                format!("wanted {} {}\n", memory.0, why.replace('\n', " "))
            }
            WorkerMessage::ApplicationDone => "done\n".to_owned(),
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "ready" => WorkerMessage::Ready(Bytes(rest.parse().ok()?)),
            "beat" => {
                let (turns, memory) = rest.split_once(' ')?;
                WorkerMessage::Heartbeat(turns.parse().ok()?, Bytes(memory.parse().ok()?))
            }
            "wanted" => {
                let (memory, why) = rest.split_once(' ')?;
                WorkerMessage::RecycleRequested(Bytes(memory.parse().ok()?), why.to_owned())
            }
            "done" => WorkerMessage::ApplicationDone,
            _ => return None,
        })
    }
}

impl SupervisorMessage {
    /// With its end of line.
    pub(crate) fn to_line(&self) -> String {
        match self {
            SupervisorMessage::Command(Command::Stop(StopSignal::Terminate, count)) => {
                format!("stop TERM {count}\n")
            }
            SupervisorMessage::Command(Command::Stop(StopSignal::Interrupt, count)) => {
                format!("stop INT {count}\n")
            }
            SupervisorMessage::Command(Command::HandOver(within)) => {
                format!("handover {}\n", within.as_millis())
            }
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::Available)) => {
                "replacement possible\n".to_owned()
            }
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::InProgress)) => {
                "replacement underway\n".to_owned()
            }
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::TooSoon)) => {
                "replacement not-now\n".to_owned()
            }
            SupervisorMessage::Command(Command::Report) => "report\n".to_owned(),
            SupervisorMessage::PreviousExit(ending) => {
                let json =
                    serde_json::to_string(ending).expect("numbers, texts and fixed words always serialise");
                format!("ended {json}\n")
            }
            SupervisorMessage::Samples(samples) => {
                let json = serde_json::to_string(samples).expect("numbers and texts always serialise");
                format!("samples {json}\n")
            }
        }
    }

    /// Reads a line without its end.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(SupervisorMessage::Command(match (word, rest) {
            ("stop", _) => match rest.split_once(' ')? {
                ("TERM", count) => Command::Stop(StopSignal::Terminate, count.parse().ok()?),
                ("INT", count) => Command::Stop(StopSignal::Interrupt, count.parse().ok()?),
                _ => return None,
            },
            ("handover", _) => Command::HandOver(Duration::from_millis(rest.parse().ok()?)),
            ("replacement", "possible") => Command::Replacement(ReplacementStatus::Available),
            ("replacement", "underway") => Command::Replacement(ReplacementStatus::InProgress),
            ("replacement", "not-now") => Command::Replacement(ReplacementStatus::TooSoon),
            ("report", "") => Command::Report,
            ("ended", _) => {
                let ending: Exit = serde_json::from_str(rest).ok()?;
                return Some(SupervisorMessage::PreviousExit(Box::new(ending.bounded())));
            }
            ("samples", _) => return flight_recorder::read_remnant(rest).map(SupervisorMessage::Samples),
            _ => return None,
        }))
    }
}

/// Puts lines together from what comes.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
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
            WorkerMessage::Ready(Bytes(5)),
            WorkerMessage::Heartbeat(7, Bytes(9)),
            WorkerMessage::RecycleRequested(Bytes(3), "memory is at the mark".into()),
            WorkerMessage::ApplicationDone,
        ];
        for word in words {
            let line = word.to_line();
            assert_eq!(WorkerMessage::parse(line.strip_suffix('\n').unwrap()), Some(word));
        }
        let ending = Exit { kind: ExitKind::Panic, panic: Some("a\nb \"c\"".into()), ..Exit::default() };
        let commands = [
            SupervisorMessage::Command(Command::Stop(StopSignal::Terminate, 1)),
            SupervisorMessage::Command(Command::Stop(StopSignal::Interrupt, 2)),
            SupervisorMessage::Command(Command::HandOver(Duration::from_millis(25_000))),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::Available)),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::InProgress)),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::TooSoon)),
            SupervisorMessage::Command(Command::Report),
            SupervisorMessage::PreviousExit(Box::new(ending)),
            SupervisorMessage::Samples(LastSamples {
                instance: InstanceId(7),
                samples: Block { first: 3, count: 2, lost: 0, data: vec![7; 20 << 10] },
            }),
        ];
        for command in commands {
            let line = command.to_line();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.len() <= LONGEST, "{}", line.len());
            assert_eq!(SupervisorMessage::parse(line.strip_suffix('\n').unwrap()), Some(command));
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
            assert_eq!((WorkerMessage::parse(line), SupervisorMessage::parse(line)), (None, None), "{line}");
        }
    }

    #[test]
    fn lines_are_put_together_and_bounded() {
        let mut lines = LineReader::default();
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
