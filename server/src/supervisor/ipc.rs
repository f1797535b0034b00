//! The messages between supervisor and worker: one JSON object a line, over a socket that is the worker's standard input.
//!
//! JSON lines can be read in a trace. After an update of the binary, the versions of supervisor and worker may differ, so an unknown
//! line is skipped.

use std::io::{self, Read};

use heapbeat_shared::report::LastSamples;
use heapbeat_shared::{Bytes, Exit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::machine::Command;
use crate::flight_recorder::{PreviousRuns, fits_one_message};

/// Longest line in bytes. An exit with its backtrace has less than 16 kB, the last samples of an instance less than 28 kB.
const MAX_LINE: usize = 32 << 10;

/// A message from a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorkerMessage {
    /// The worker is ready to serve.
    Ready { memory: Bytes },
    /// The worker is alive; its runtime has polled its tasks so often.
    Heartbeat { runtime_polls: u64, memory: Bytes },
    /// The worker's ladder requests a replacement worker.
    RecycleRequested { memory: Bytes, reason: String },
    /// The worker's application has finished and must not be started again.
    ApplicationDone,
}

/// A message from a supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SupervisorMessage {
    /// A command.
    Command(Command),
    /// The exit of the worker that served before this one.
    PreviousExit(Box<Exit>),
    /// The exit of another earlier worker.
    EarlierExit(Box<Exit>),
    /// The number of earlier workers that still run.
    EarlierRunning(u32),
    /// The last samples of a previous worker.
    Samples(LastSamples),
}

impl WorkerMessage {
    /// Writes the message as a line with its end.
    pub(crate) fn to_line(&self) -> String {
        to_line(self)
    }

    /// Reads a line without its end; `None` if it is unknown.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        parse(line)
    }
}

impl SupervisorMessage {
    /// Writes the message as a line with its end.
    pub(crate) fn to_line(&self) -> String {
        to_line(self)
    }

    /// Records what the message says about earlier instances; returns the command, if it is one.
    pub(crate) fn record_in(self, previous: &PreviousRuns) -> Option<Command> {
        match self {
            SupervisorMessage::Command(command) => return Some(command),
            SupervisorMessage::PreviousExit(exit) => previous.set_exit(*exit),
            SupervisorMessage::EarlierExit(exit) => previous.add_earlier_exit(*exit),
            SupervisorMessage::EarlierRunning(running) => previous.set_earlier_running(running),
            SupervisorMessage::Samples(samples) => previous.add_samples(samples),
        }
        None
    }

    /// Reads a line without its end; `None` if it is unknown or too long.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        match parse(line)? {
            SupervisorMessage::PreviousExit(exit) => {
                Some(SupervisorMessage::PreviousExit(Box::new(exit.bounded())))
            }
            SupervisorMessage::EarlierExit(exit) => {
                Some(SupervisorMessage::EarlierExit(Box::new(exit.bounded())))
            }
            SupervisorMessage::EarlierRunning(running) => Some(SupervisorMessage::EarlierRunning(running)),
            SupervisorMessage::Samples(samples) => {
                fits_one_message(&samples).then_some(SupervisorMessage::Samples(samples))
            }
            SupervisorMessage::Command(command) => Some(SupervisorMessage::Command(command)),
        }
    }
}

fn to_line(message: &impl Serialize) -> String {
    let mut line = serde_json::to_string(message).expect("numbers, texts and unit variants always serialize");
    line.push('\n');
    line
}

fn parse<T: DeserializeOwned>(line: &str) -> Option<T> {
    serde_json::from_str(line).inspect_err(|error| tracing::debug!("skipped a message: {error}")).ok()
}

/// Splits a stream into lines.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
    /// Reads from a non-blocking source and passes on each complete line. Returns whether the connection is still open.
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
            if self.buffer.len() > MAX_LINE {
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
    use std::time::Duration;

    use heapbeat_shared::report::Block;
    use heapbeat_shared::{ExitKind, InstanceId};

    use super::*;
    use crate::overload::ladder::ReplacementStatus;
    use crate::supervisor::machine::StopSignal;

    #[test]
    fn every_message_reads_back_from_its_line() {
        let memory = Bytes(5);
        let messages = [
            WorkerMessage::Ready { memory },
            WorkerMessage::Heartbeat { runtime_polls: 7, memory },
            WorkerMessage::RecycleRequested { memory, reason: "memory is at\nthe threshold".into() },
            WorkerMessage::ApplicationDone,
        ];
        for message in messages {
            let line = message.to_line();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert_eq!(WorkerMessage::parse(line.trim_end()), Some(message));
        }
        let exit = Exit { kind: ExitKind::Panic, panic: Some("a\nb \"c\"".into()), ..Exit::default() };
        let messages = [
            SupervisorMessage::Command(Command::Stop(StopSignal::Terminate, 1)),
            SupervisorMessage::Command(Command::Stop(StopSignal::Interrupt, 2)),
            SupervisorMessage::Command(Command::HandOver(Duration::from_millis(25_000))),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::Available)),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::InProgress)),
            SupervisorMessage::Command(Command::Replacement(ReplacementStatus::RateLimited)),
            SupervisorMessage::Command(Command::Report),
            SupervisorMessage::PreviousExit(Box::new(exit.clone())),
            SupervisorMessage::EarlierExit(Box::new(exit)),
            SupervisorMessage::EarlierRunning(2),
            SupervisorMessage::Samples(LastSamples {
                instance: InstanceId(7),
                samples: Block { first: 3, count: 2, dropped: 0, data: vec![7; 20 << 10] },
            }),
        ];
        for message in messages {
            let line = message.to_line();
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.len() <= MAX_LINE, "{}", line.len());
            assert_eq!(SupervisorMessage::parse(line.trim_end()), Some(message));
        }
    }

    #[test]
    fn an_unknown_line_is_skipped() {
        for line in [
            "",
            "heartbeat",
            r#"{"heartbeat":{}}"#,
            r#"{"heartbeat":{"runtime_polls":"x","memory":1}}"#,
            r#"{"command":{"stop":["HUP",1]}}"#,
            r#"{"previous_exit":"#,
            r#"{"samples":{}}"#,
            r#"{"sing":{}}"#,
        ] {
            assert_eq!((WorkerMessage::parse(line), SupervisorMessage::parse(line)), (None, None), "{line}");
        }
    }

    #[test]
    fn lines_are_assembled_from_parts_and_bounded() {
        let mut lines = LineReader::default();
        let mut heard = Vec::new();
        let mut hear = |text: &[u8]| {
            let mut text = text;
            lines.read(&mut text, |line| heard.push(line.to_owned()))
        };
        assert!(!hear(b"one\ntwo\nthr"), "the end of a slice is like that of a socket");
        hear(b"ee\n\xff\n");
        hear(&vec![b'x'; MAX_LINE + 4096]);
        hear(b"\nfour\n");
        assert_eq!(
            heard,
            ["one", "two", "ee", "", "four"],
            "a partial line is lost when the connection closes"
        );
    }
}
