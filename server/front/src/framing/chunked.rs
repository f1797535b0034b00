//! The end of a chunked body (RFC 9112 7.1), strictly: hexadecimal sizes, CRLF everywhere, no white space, no folded trailers.

/// Maximum of the bytes that are neither data nor sizes: chunk extensions and trailers. Chunks of one byte with long extensions
/// would otherwise cost a hundred times what they carry.
const MAX_OVERHEAD: u32 = 16 << 10;

#[derive(Clone, Copy, Debug)]
enum State {
    Size { value: u64, digits: u8 },
    Extension,
    SizeLineFeed,
    Data(u64),
    DataReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    EndLineFeed,
}

/// A chunked body whose end is searched.
#[derive(Debug)]
pub(super) struct ChunkedBody {
    state: State,
    /// Size of the current chunk; 0 for the last one.
    size: u64,
    overhead: u32,
}

/// Where the bytes that were followed end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChunkProgress {
    /// Inside the body.
    Inside,
    /// Behind the body, which ends after this many of them.
    Ended(usize),
    /// The byte at this offset is not allowed.
    Malformed(usize),
}

const START: State = State::Size { value: 0, digits: 0 };

impl Default for ChunkedBody {
    fn default() -> Self {
        ChunkedBody { state: START, size: 0, overhead: 0 }
    }
}

impl ChunkedBody {
    /// Follows the next bytes.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> ChunkProgress {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data(left) = self.state {
                let step = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - at);
                at += step;
                let left = left - step as u64;
                self.state = if left == 0 { State::DataReturn } else { State::Data(left) };
                continue;
            }
            let byte = bytes[at];
            if matches!((self.state, byte), (State::EndLineFeed, b'\n')) {
                return ChunkProgress::Ended(at + 1);
            }
            let Some(next) = self.next(byte) else { return ChunkProgress::Malformed(at) };
            self.state = next;
            at += 1;
        }
        ChunkProgress::Inside
    }

    /// Returns the state after a byte outside of data; `None` if it is not allowed.
    fn next(&mut self, byte: u8) -> Option<State> {
        match (self.state, byte) {
            (State::Size { value, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map(u64::from)?;
                (digits < 15).then_some(State::Size { value: value << 4 | digit, digits: digits + 1 })
            }
            (State::Size { value, digits: 1.. }, b'\r' | b';') => {
                self.size = value;
                Some(if byte == b'\r' { State::SizeLineFeed } else { State::Extension })
            }
            (State::Extension, b'\r') => Some(State::SizeLineFeed),
            (State::Extension, _) => self.overhead(byte).then_some(State::Extension),
            (State::SizeLineFeed, b'\n') => {
                Some(if self.size == 0 { State::TrailerStart } else { State::Data(self.size) })
            }
            (State::DataReturn, b'\r') => Some(State::DataLineFeed),
            (State::DataLineFeed, b'\n') => Some(START),
            (State::TrailerStart, b'\r') => Some(State::EndLineFeed),
            // White space here would continue the previous line.
            (State::TrailerStart, b' ' | b'\t' | b':') => None,
            (State::Trailer, b'\r') => Some(State::TrailerLineFeed),
            (State::TrailerStart | State::Trailer, _) => self.overhead(byte).then_some(State::Trailer),
            (State::TrailerLineFeed, b'\n') => Some(State::TrailerStart),
            _ => None,
        }
    }

    /// Counts a byte of overhead; false if it is a control character, or one too many.
    fn overhead(&mut self, byte: u8) -> bool {
        self.overhead += 1;
        self.overhead <= MAX_OVERHEAD && (byte == b'\t' || !byte.is_ascii_control())
    }
}
