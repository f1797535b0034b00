//! The framing of a client's requests: where each head and each body ends, decided strictly and before hyper sees a byte.
//!
//! Request smuggling needs two parsers that disagree. hyper repairs what is ambiguous (it drops a `Content-Length` beside a
//! `Transfer-Encoding`, merges equal lengths, and accepts a bare line feed), and after the repair nobody can see that there was
//! something to repair. So every byte passes this state machine first. It parses heads with the parser that hyper uses, accepts a
//! strict subset of what hyper accepts, and refuses everything else. On what is left the two cannot disagree.

mod chunked;
mod head;

use chunked::{ChunkProgress, ChunkedBody};
use head::{HeadKind, inspect};
pub(crate) use head::{RequestFault, find_end, is_acceptable, may_upgrade};

/// What comes next on the connection.
#[derive(Debug)]
enum State {
    /// A request head.
    Head,
    /// The rest of a body with a known length.
    Sized(u64),
    /// A chunked body.
    Chunked(ChunkedBody),
    /// Bytes after a request to upgrade, which wait for the answer to it.
    Withheld,
    /// Bytes of another protocol.
    Tunnel,
    /// A head that hyper refuses itself, because it is malformed or too long.
    Unparsable,
    /// Nothing that counts: a request was refused, and the connection is about to close.
    Refused,
}

/// The state machine of one connection.
#[derive(Debug)]
pub(crate) struct RequestFraming {
    state: State,
    /// The beginning of a head that is not complete yet.
    partial: Vec<u8>,
    max_head: usize,
    /// Number of complete heads so far.
    heads: u64,
    /// The refused request, counted from 1.
    refusal: Option<(u64, RequestFault)>,
}

/// What to do with the bytes of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// Number of bytes that hyper may see now.
    pub(crate) bytes: usize,
    /// The body of a request that was already passed on turned out to be malformed.
    pub(crate) broken_body: bool,
}

impl RequestFraming {
    pub(crate) fn new(max_head: usize) -> Self {
        RequestFraming { state: State::Head, partial: Vec::new(), max_head, heads: 0, refusal: None }
    }

    /// Follows the next bytes of the client, and returns how many of them are admitted.
    pub(crate) fn admit(&mut self, bytes: &[u8]) -> Admitted {
        let mut at = 0;
        let heads_before = self.heads;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.state {
                State::Head => at += self.follow_head(rest),
                State::Sized(left) => {
                    let step = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= step as u64;
                    at += step;
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::Chunked(body) => match body.follow(rest) {
                    ChunkProgress::Inside => at = bytes.len(),
                    ChunkProgress::Ended(step) => {
                        at += step;
                        self.state = State::Head;
                    }
                    ChunkProgress::Malformed(step) => {
                        at += step;
                        // hyper has not seen a head of this read yet, so the request itself can still be refused.
                        let unseen = self.heads > heads_before;
                        self.refuse(RequestFault::Chunk);
                        return Admitted { bytes: at, broken_body: !unseen };
                    }
                },
                State::Tunnel | State::Unparsable => at = bytes.len(),
                State::Withheld | State::Refused => break,
            }
        }
        Admitted { bytes: at, broken_body: false }
    }

    /// Follows a head, and returns how many bytes of it there are.
    fn follow_head(&mut self, bytes: &[u8]) -> usize {
        if self.partial.is_empty() {
            // Empty lines before a request line are ignored, by hyper as well.
            let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if blank > 0 {
                return blank;
            }
            if let Some(end) = find_end(bytes, 0) {
                self.finish_head(&bytes[..end]);
                return end;
            }
            self.keep_partial(bytes);
            return bytes.len();
        }
        let known = self.partial.len();
        let room = (self.max_head + 4).saturating_sub(known).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..room]);
        match find_end(&self.partial, known.saturating_sub(3)) {
            Some(end) => {
                let head = std::mem::take(&mut self.partial);
                self.finish_head(&head[..end]);
                end - known
            }
            None if room < bytes.len() || self.partial.len() > self.max_head => {
                self.partial = Vec::new();
                self.leave_to_hyper(self.heads + 1);
                bytes.len()
            }
            None => bytes.len(),
        }
    }

    fn keep_partial(&mut self, bytes: &[u8]) {
        if bytes.len() > self.max_head {
            self.leave_to_hyper(self.heads + 1);
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// Leaves the refusal of a request to hyper, which knows why. Should it see nothing wrong, the request is refused all the same.
    fn leave_to_hyper(&mut self, request: u64) {
        self.state = State::Unparsable;
        self.refusal = Some((request, RequestFault::Unparsable));
    }

    fn finish_head(&mut self, head: &[u8]) {
        self.heads += 1;
        match inspect(head) {
            Ok(HeadKind::NoBody | HeadKind::Sized(0)) => self.state = State::Head,
            Ok(HeadKind::Sized(length)) => self.state = State::Sized(length),
            Ok(HeadKind::Chunked) => self.state = State::Chunked(ChunkedBody::default()),
            Ok(HeadKind::Upgrade) => self.state = State::Withheld,
            Err(RequestFault::Unparsable) => self.leave_to_hyper(self.heads),
            Err(fault) => self.refuse(fault),
        }
    }

    fn refuse(&mut self, fault: RequestFault) {
        self.refusal = Some((self.heads, fault));
        self.state = State::Refused;
    }

    /// Returns why the request was refused; requests are counted from 1.
    pub(crate) fn refusal_of(&self, request: u64) -> Option<RequestFault> {
        self.refusal.filter(|(refused, _)| *refused == request).map(|(_, fault)| fault)
    }

    /// Whether bytes wait for the answer to a request to upgrade.
    pub(crate) fn is_withheld(&self) -> bool {
        matches!(self.state, State::Withheld)
    }

    /// Whether all heads that have arrived are complete, and as many as `requests`, and nothing of a body is awaited.
    pub(crate) fn is_between_requests(&self, requests: u64) -> bool {
        matches!(self.state, State::Head) && self.partial.is_empty() && self.heads == requests
    }

    /// Whether nothing more is read.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// Whether bytes wait for the answer to this request, counted from 1: it is the last one whose head has been read.
    pub(crate) fn is_withheld_for(&self, request: u64) -> bool {
        self.is_withheld() && self.heads == request
    }

    /// Ends the wait after a request to upgrade: the connection becomes a tunnel, or another request follows.
    pub(crate) fn answer_upgrade(&mut self, accepted: bool) {
        if self.is_withheld() {
            self.state = if accepted { State::Tunnel } else { State::Head };
        }
    }
}

#[cfg(test)]
mod tests;
