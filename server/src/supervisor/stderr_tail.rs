//! The end of a guarded program's standard error, which explains many exits.
//!
//! Standard error of the program becomes a pipe. A thread passes on to the guard's own standard error whatever arrives, at once and
//! unchanged, and keeps the end of it. If that blocks, the pipe fills and the program waits, as without the guard. A terminal is
//! given to the program itself: on it, programs ask, use colors and draw.
//!
//! What may change: a program that checks for it sees a pipe; standard output that goes to the same place can be ahead by a moment.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use heapbeat_shared::exit::{MAX_STDERR_TAIL, ProcessExit};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::redact::redact;
use super::runtime_oom::{Finding, find_aborted_process, find_sign};

/// Bytes that are kept. V8 writes up to 6 kB after the line that says what happened.
const WINDOW: usize = 16 << 10;

/// Bytes that are read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Most bytes that are written at once, so that they are not mixed with other lines (`PIPE_BUF`).
const ATOMIC: usize = 4096;

/// Most lines of the excerpt, and of them those before the line that explains the exit.
const MAX_LINES: usize = 20;
const LINES_BEFORE: usize = 8;

/// Longest wait for the rest of the output of a program that has exited.
const REST_TIMEOUT: Duration = Duration::from_millis(500);

/// Stack of the thread, which calls nothing deep.
const STACK: usize = 128 << 10;

/// The standard error of one instance.
#[derive(Debug)]
pub(super) struct StderrTail {
    shared: Arc<(Mutex<Kept>, Condvar)>,
    source: PipeId,
}

/// A pipe of this process, as another process of the same user finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PipeId {
    pub(super) descriptor: i32,
    pub(super) inode: u64,
}

/// What standard error shows about an exit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StderrEvidence {
    /// The last lines, without secrets.
    pub(super) excerpt: Option<String>,
    /// The report of a runtime that memory ran out.
    pub(super) out_of_memory: Option<Finding>,
    /// Whether the program found its port taken.
    pub(super) port_taken: bool,
}

/// What programs say whose port is taken: Node's code, and the text of the error in all other languages (`errno(3)`).
const PORT_TAKEN: [&str; 2] = ["EADDRINUSE", "ddress already in use"];

impl StderrEvidence {
    /// Adds the setting that limited V8's heap.
    pub(super) fn with_setting(mut self, setting: impl FnOnce() -> Option<String>) -> Self {
        if let Some(found) = self.out_of_memory.as_mut().filter(|found| found.is_v8) {
            found.oom.setting = setting();
        }
        self
    }
}

#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Whether the first line has lost its beginning.
    cut: bool,
    /// Whether the program and all its children have closed standard error.
    ended: bool,
}

impl Kept {
    fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > 2 * WINDOW {
            self.bytes.drain(..self.bytes.len() - WINDOW);
            self.cut = true;
        }
    }

    /// Returns the whole lines of the window. A line without its beginning is left out, as the name of a secret may be missing.
    fn text(&self) -> String {
        let start = self.bytes.len().saturating_sub(WINDOW);
        let window = &self.bytes[start..];
        let whole = if self.cut || start > 0 {
            window.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &window[end + 1..])
        } else {
            window
        };
        String::from_utf8_lossy(whole).into_owned()
    }
}

impl StderrTail {
    /// Returns the descriptor that a program is to have as standard error, and its end; `None` at a terminal, and if this process has no
    /// standard error.
    pub(super) fn open() -> io::Result<Option<(OwnedFd, Self)>> {
        if io::stderr().is_terminal() {
            return Ok(None);
        }
        // A descriptor of its own: the lock of the standard library would block the log while this thread waits.
        let Ok(output) = io::stderr().as_fd().try_clone_to_owned() else { return Ok(None) };
        let (reader, writer) = io::pipe()?;
        let reader = File::from(OwnedFd::from(reader));
        let inode = rustix::fs::fstat(&reader)?.st_ino;
        let source = PipeId { descriptor: reader.as_raw_fd(), inode };
        let shared = Arc::<(Mutex<Kept>, Condvar)>::default();
        let kept = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("heapbeat-stderr".to_owned())
            .stack_size(STACK)
            .spawn(move || pass_on(reader, &output, &kept))?;
        Ok(Some((writer.into(), StderrTail { shared, source })))
    }

    /// Returns the pipe from which the output is read.
    pub(super) fn source(&self) -> PipeId {
        self.source
    }

    /// Returns the process whose V8 gave up last.
    pub(super) fn aborted_process(&self) -> Option<u32> {
        find_aborted_process(&self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).text())
    }

    /// Returns what the output of a program that has exited shows. It waits a moment for the rest of the output, as a rule none.
    pub(super) fn evidence(&self, exit: ProcessExit) -> StderrEvidence {
        let (kept, changed) = &*self.shared;
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (kept, _) = changed
            .wait_timeout_while(kept, REST_TIMEOUT, |kept| !kept.ended)
            .unwrap_or_else(PoisonError::into_inner);
        evidence_of(&kept.text(), exit)
    }
}

/// Passes on everything, until the other end is closed.
fn pass_on(mut reader: File, output: &OwnedFd, kept: &(Mutex<Kept>, Condvar)) {
    let mut chunk = vec![0; CHUNK];
    let mut open = true;
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let read = &chunk[..count];
        kept.0.lock().unwrap_or_else(PoisonError::into_inner).push(read);
        // If this process's standard error has no reader any more, the program must not fail because of it.
        open = open && write_lines(output, read);
    }
    kept.0.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
    kept.1.notify_all();
}

/// Writes all bytes in pieces that end with a line where possible. Returns whether the output still takes any.
pub(super) fn write_lines(output: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let most = &bytes[..bytes.len().min(ATOMIC)];
        let line_end = most.iter().rposition(|byte| *byte == b'\n').map_or(most.len(), |end| end + 1);
        let piece = if most.len() == bytes.len() { most } else { &most[..line_end] };
        match rustix::io::write(output, piece) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Somebody made it non-blocking, for every process that has it.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(output, PollFlags::OUT)], None);
            }
            Err(_) => return false,
        }
    }
    true
}

/// Returns what these last lines show about an exit.
fn evidence_of(text: &str, exit: ProcessExit) -> StderrEvidence {
    let text = redact(text);
    let out_of_memory = find_sign(&text, exit);
    let excerpt = excerpt(&text, out_of_memory.as_ref().map(|found| found.line));
    let port_taken = PORT_TAKEN.iter().any(|sign| excerpt.contains(sign));
    StderrEvidence { excerpt: Some(excerpt).filter(|it| !it.is_empty()), out_of_memory, port_taken }
}

/// Returns the last lines; if the line that explains the exit is before them, those around it.
fn excerpt(text: &str, explained_by: Option<usize>) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let start = last.saturating_sub(MAX_LINES);
    let start = explained_by.map_or(start, |line| start.min(line.saturating_sub(LINES_BEFORE)));
    let end = last.min(start + MAX_LINES);
    let excerpt = lines[start..end].join("\n");
    // The end is what counts, unless it is what was looked for that is at the beginning.
    let cut = excerpt.len().saturating_sub(MAX_STDERR_TAIL);
    match explained_by {
        Some(_) => excerpt[..excerpt.floor_char_boundary(MAX_STDERR_TAIL)].to_owned(),
        None => excerpt[excerpt.ceil_char_boundary(cut)..].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_without_a_line_that_has_lost_its_beginning() {
        let mut kept = Kept::default();
        kept.push(b"password=");
        for _ in 0..10 {
            kept.push(&vec![b'x'; 5000]);
        }
        kept.push(b"\nlast words\n");
        assert_eq!(kept.text(), "last words\n");
        assert!(kept.bytes.len() <= 2 * WINDOW + 20);
        let mut short = Kept::default();
        short.push(b"only \xff");
        assert_eq!(short.text(), "only \u{fffd}");
    }

    #[test]
    fn the_excerpt_is_the_end_or_what_explains_the_exit() {
        let lines: Vec<String> = (0..100).map(|line| format!("line {line}")).collect();
        let text = lines.join("\n") + "\n\n";
        let end = excerpt(&text, None);
        assert_eq!((end.lines().next(), end.lines().count()), (Some("line 80"), 20));
        let around = excerpt(&text, Some(50));
        assert_eq!((around.lines().next(), around.lines().count()), (Some("line 42"), 20));
        assert_eq!(excerpt(&text, Some(99)), end);
        let wide = excerpt(&"é".repeat(4000), None);
        assert_eq!(wide.len(), MAX_STDERR_TAIL);
        assert_eq!(excerpt("\n\n", None), "");
    }

    #[test]
    fn secrets_are_not_in_the_evidence() {
        let evidence = evidence_of("connecting to redis://u:p@h\nMemoryError\n", ProcessExit::Code(1));
        assert_eq!(evidence.excerpt.unwrap(), "connecting to redis://***@h\nMemoryError");
        assert!(evidence.out_of_memory.is_some());
        assert_eq!(evidence_of("", ProcessExit::Code(1)), StderrEvidence::default());
    }

    #[test]
    fn everything_is_passed_on_in_pieces_that_end_with_a_line() {
        let (mut reader, writer) = io::pipe().unwrap();
        let text = "a line of the program\n".repeat(2000);
        assert!(text.len() < CHUNK);
        assert!(write_lines(&writer.into(), text.as_bytes()));
        let mut passed = String::new();
        reader.read_to_string(&mut passed).unwrap();
        assert_eq!(passed, text);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(!write_lines(&writer.into(), b"x"), "nobody reads");
    }
}
