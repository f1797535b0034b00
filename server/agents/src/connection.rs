//! One agent's connection: lines in, requests out, all without blocking and within bounds.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::protocol::{AgentMessage, GuardMessage, Hello, parse_line};
use crate::rate_limit::RateLimit;

/// Maximum length of a line.
const MAX_LINE: usize = 64 << 10;

/// Maximum length of a line while a profile is expected.
const MAX_PROFILE_LINE: usize = 1 << 20;

/// Bytes that an agent may send in addition when a profile is requested.
const PROFILE_BYTES: u32 = (1 << 20) + 1;

/// Messages a second in the long run, and at once.
const MESSAGES: (u32, u32) = (50, 200);

/// Bytes a second in the long run, and at once. A sample has some 500 bytes, a list of functions up to 10 kB.
const BYTES: (u32, u32) = (64 << 10, 256 << 10);

/// Time for the hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a connection is closed by the guard.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProtocolError {
    #[error("a line is longer than {0} bytes")]
    LineTooLong(usize),
    /// The error's own text would quote the line, which the program chose.
    #[error("a line is not a message ({:?} error at column {})", .0.classify(), .0.column())]
    InvalidMessage(#[from] serde_json::Error),
    #[error("more than 50 messages a second")]
    TooManyMessages,
    #[error("more than 64 kB a second")]
    TooManyBytes,
    #[error("the first message is not a hello")]
    NoHello,
    #[error("no hello within 5 s")]
    HelloTimeout,
    #[error("the agent does not read its requests")]
    NotReading,
}

/// The state of a connection after reading.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    Open,
    Closed,
    Failed(ProtocolError),
}

/// One agent's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    pub(crate) pid: u32,
    pub(crate) hello: Option<Hello>,
    received: Vec<u8>,
    /// Up to where `received` holds no line break.
    searched: usize,
    messages: RateLimit,
    bytes: RateLimit,
    accepted: Instant,
    expects_profile: bool,
}

impl Connection {
    pub(crate) fn new(stream: UnixStream, pid: u32, now: Instant) -> Self {
        Connection {
            stream,
            pid,
            hello: None,
            received: Vec::new(),
            searched: 0,
            messages: RateLimit::new(MESSAGES.0, MESSAGES.1, now),
            bytes: RateLimit::new(BYTES.0, BYTES.1, now),
            accepted: now,
            expects_profile: false,
        }
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// When the connection is closed if it stays silent.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.hello.is_none().then(|| self.accepted + HELLO_TIMEOUT)
    }

    /// Reads what has arrived, at most `budget` bytes, from which what was read is taken.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        budget: &mut usize,
        messages: &mut Vec<AgentMessage>,
    ) -> ReadOutcome {
        let outcome = self.read_available(now, budget, messages);
        match outcome {
            Ok(false) => ReadOutcome::Closed,
            Ok(true) if self.deadline().is_some_and(|deadline| deadline <= now) => {
                ReadOutcome::Failed(ProtocolError::HelloTimeout)
            }
            Ok(true) => ReadOutcome::Open,
            Err(error) => ReadOutcome::Failed(error),
        }
    }

    /// Returns whether the connection is still open.
    fn read_available(
        &mut self,
        now: Instant,
        budget: &mut usize,
        messages: &mut Vec<AgentMessage>,
    ) -> Result<bool, ProtocolError> {
        let mut chunk = [0; 16 << 10];
        while *budget > 0 {
            let room = chunk.len().min(*budget);
            match self.stream.read(&mut chunk[..room]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    *budget -= count;
                    if !u32::try_from(count).is_ok_and(|count| self.bytes.admit(count, now)) {
                        return Err(ProtocolError::TooManyBytes);
                    }
                    self.received.extend_from_slice(&chunk[..count]);
                    self.split_lines(now, messages)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    fn split_lines(&mut self, now: Instant, messages: &mut Vec<AgentMessage>) -> Result<(), ProtocolError> {
        while let Some(position) = self.received[self.searched..].iter().position(|byte| *byte == b'\n') {
            let rest = self.received.split_off(self.searched + position + 1);
            let line = std::mem::replace(&mut self.received, rest);
            self.searched = 0;
            self.handle_line(line.trim_ascii(), now, messages)?;
        }
        self.searched = self.received.len();
        self.check_length(self.received.len())
    }

    fn check_length(&self, length: usize) -> Result<(), ProtocolError> {
        let limit = if self.expects_profile { MAX_PROFILE_LINE } else { MAX_LINE };
        if length > limit { Err(ProtocolError::LineTooLong(limit)) } else { Ok(()) }
    }

    fn handle_line(
        &mut self,
        line: &[u8],
        now: Instant,
        messages: &mut Vec<AgentMessage>,
    ) -> Result<(), ProtocolError> {
        self.check_length(line.len())?;
        if !self.messages.admit(1, now) {
            return Err(ProtocolError::TooManyMessages);
        }
        if line.is_empty() {
            return Ok(());
        }
        let Some(message) = parse_line(line)? else { return Ok(()) };
        match &message {
            AgentMessage::Hello(hello) => self.hello = Some(hello.clone()),
            _ if self.hello.is_none() => return Err(ProtocolError::NoHello),
            AgentMessage::Profile(_) => self.expects_profile = false,
            _ => {}
        }
        messages.push(message);
        Ok(())
    }

    /// Sends a request. It is small, so an agent that reads has room for it.
    pub(crate) fn send(&mut self, message: GuardMessage) -> Result<(), ProtocolError> {
        let mut line = serde_json::to_vec(&message)?;
        line.push(b'\n');
        match self.stream.write(&line) {
            Ok(count) if count == line.len() => {
                if matches!(message, GuardMessage::Profile { .. }) {
                    self.expects_profile = true;
                    self.bytes.grant(PROFILE_BYTES);
                }
                Ok(())
            }
            _ => Err(ProtocolError::NotReading),
        }
    }
}
