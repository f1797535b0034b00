//! Recognizes in the end of standard error that the runtime of a program ran out of memory. Pure.

use heapbeat_shared::Bytes;
use heapbeat_shared::exit::{ProcessExit, RuntimeOutOfMemory};

const SIGABRT: i32 = 6;

/// Lines from the end in which a message counts; a native stack of V8 follows its message, with up to this many lines.
const MAX_LINES: usize = 80;

/// Most characters of a message.
const MAX_MESSAGE: usize = 120;

/// What a runtime writes when memory runs out.
struct Sign {
    /// How its line begins; empty if other text may precede.
    begin: &'static str,
    /// A text in the line.
    contains: &'static str,
    /// The text in reports, unless the line itself can be shown.
    message: &'static str,
    /// Whether a process ends so with it.
    ends_with: fn(ProcessExit) -> bool,
    /// Whether its heap is V8's.
    v8: bool,
}

/// The signs. Sources: V8 `V8::FatalProcessOutOfMemory`, `OOMErrorHandler` of Node, `HotSpot`, Go's `runtime/malloc.go`, Ruby's
/// `rb_memerror`, `alloc::alloc::handle_alloc_error` of Rust, PHP's `zend_alloc.c`, the .NET runtime.
const SIGNS: &[Sign] = &[
    sign("FATAL ERROR: ", "JavaScript heap out of memory", "JavaScript heap out of memory", v8_exit).of_v8(),
    sign("# Fatal JavaScript out of memory: ", "", "Fatal JavaScript out of memory", v8_exit).of_v8(),
    sign("# Fatal process OOM", "", "Fatal process out of memory", v8_exit).of_v8(),
    sign("Exception in thread ", "java.lang.OutOfMemoryError", "java.lang.OutOfMemoryError", jvm_exit),
    sign("Terminating due to java.lang.OutOfMemoryError", "", "java.lang.OutOfMemoryError", jvm_exit),
    sign("Aborting due to java.lang.OutOfMemoryError", "", "java.lang.OutOfMemoryError", jvm_exit),
    sign("MemoryError", "", "MemoryError", code_1),
    sign("numpy.", "_ArrayMemoryError: ", "MemoryError of numpy", code_1),
    sign("fatal error: runtime: out of memory", "", "fatal error: runtime: out of memory", code_2),
    sign(
        "fatal error: runtime: cannot allocate memory",
        "",
        "fatal error: runtime: cannot allocate memory",
        code_2,
    ),
    sign("runtime: out of memory: cannot allocate", "", "fatal error: runtime: out of memory", code_2),
    sign("[FATAL] failed to allocate memory", "", "failed to allocate memory (NoMemoryError)", code_1),
    sign(
        "",
        "failed to allocate memory (NoMemoryError)",
        "failed to allocate memory (NoMemoryError)",
        code_1,
    ),
    sign("memory allocation of ", " bytes failed", "memory allocation failed", aborted),
    sign("terminate called after throwing an instance of 'std::bad_alloc'", "", "std::bad_alloc", aborted),
    sign("PHP Fatal error:  Allowed memory size of ", "exhausted", "allowed memory size exhausted", code_255),
    sign("Unhandled exception. System.OutOfMemoryException", "", "System.OutOfMemoryException", aborted),
];

const fn sign(
    begin: &'static str,
    contains: &'static str,
    message: &'static str,
    ends_with: fn(ProcessExit) -> bool,
) -> Sign {
    Sign { begin, contains, message, ends_with, v8: false }
}

impl Sign {
    const fn of_v8(self) -> Self {
        Sign { v8: true, ..self }
    }
}

fn aborted(exit: ProcessExit) -> bool {
    exit.is_end_by(|signal| signal == SIGABRT)
}

/// V8 aborts, or traps by an instruction (SIGILL, SIGTRAP), by the platform.
fn v8_exit(exit: ProcessExit) -> bool {
    exit.is_end_by(|signal| matches!(signal, 4..=6))
}

/// Of its main thread; with `ExitOnOutOfMemoryError` 3.
fn jvm_exit(exit: ProcessExit) -> bool {
    matches!(exit, ProcessExit::Code(1 | 3)) || aborted(exit)
}

fn code_1(exit: ProcessExit) -> bool {
    exit == ProcessExit::Code(1)
}

fn code_2(exit: ProcessExit) -> bool {
    exit == ProcessExit::Code(2)
}

fn code_255(exit: ProcessExit) -> bool {
    exit == ProcessExit::Code(255)
}

/// A sign that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) oom: RuntimeOutOfMemory,
    /// The line of the sign, counted from the first one of the text.
    pub(super) line: usize,
    /// Whether V8's setting limited the heap.
    pub(super) is_v8: bool,
}

/// Finds the last sign in `text`, the redacted end of standard error of a process that exited like this.
pub(super) fn find_sign(text: &str, exit: ProcessExit) -> Option<Finding> {
    let lines: Vec<&str> = text.lines().collect();
    let (number, line, sign) = lines
        .iter()
        .enumerate()
        .rev()
        .take(MAX_LINES)
        .find_map(|(number, line)| Some((number, line.trim(), find(line.trim())?)))?;
    let message = if sign.v8 {
        line.trim_start_matches("FATAL ERROR: ").trim_start_matches("# ")
    } else {
        sign.message
    };
    let message = if is_presentable(message) { message } else { sign.message };
    let heap = sign.v8.then(|| lines.iter().rev().find_map(|line| heap_after_collection(line))).flatten();
    let oom = RuntimeOutOfMemory {
        message: message.to_owned(),
        by_its_exit: (sign.ends_with)(exit),
        heap,
        setting: None,
    };
    Some(Finding { oom, line: number, is_v8: sign.v8 })
}

/// Finds the process whose V8 gave up last, in the end of the standard error that all processes of a program write to: by the lines of
/// collections that precede the message, which begin with the process id, as in `[12:0x5c2f3a0]   1234 ms: Mark-Compact`.
pub(super) fn find_aborted_process(text: &str) -> Option<u32> {
    let lines: Vec<&str> = text.lines().collect();
    let message = lines.iter().rposition(|line| find(line.trim()).is_some_and(|sign| sign.v8))?;
    let collections = lines[..message].iter().rev().take(MAX_LINES);
    collections.into_iter().find_map(|line| line.trim().strip_prefix('[')?.split_once(":0x")?.0.parse().ok())
}

fn find(line: &str) -> Option<&'static Sign> {
    SIGNS.iter().find(|sign| line.starts_with(sign.begin) && line.contains(sign.contains))
}

/// Whether a message has only the characters of one of V8: it is shown on status pages.
fn is_presentable(message: &str) -> bool {
    message.len() <= MAX_MESSAGE
        && message
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, b' ' | b'-' | b'.' | b':' | b',' | b'_'))
}

/// Reads the size of the heap from V8's line of a full collection, such as `Mark-Compact 254.2 (258.3) -> 253.9 (258.6) MB`.
fn heap_after_collection(line: &str) -> Option<Bytes> {
    let (_, sizes) = line.split_once("Mark-")?;
    let (_, after) = sizes.split_once(" -> ")?;
    let (used, rest) = after.split_once(" (")?;
    let (_, unit) = rest.split_once(") ")?;
    let used: f64 = used.parse().ok()?;
    if !unit.starts_with("MB") || !(0.0..1e7).contains(&used) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded and not negative")]
    Some(Bytes((used * 1_048_576.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProcessExit::{Code, Signal};

    /// End of standard error, exit, expected message and whether it is by the runtime's own exit.
    type Case<'a> = (&'a str, ProcessExit, Option<(&'a str, bool)>);

    const V8: &str = "<--- Last few GCs --->
[12:0x5c2f3a0]   1234 ms: Mark-Compact 254.0 (258.3) -> 253.5 (258.6) MB, 103.41 / 0.00 ms  (average mu = 0.1)
[12:0x5c2f3a0]   1400 ms: Scavenge 254.1 (258.6) -> 254.0 (259.0) MB, 1.0 / 0.00 ms

<--- JS stacktrace --->

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----
 1: 0xb76dc5 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]
";

    #[test]
    fn the_words_and_the_heap_of_v8_are_found() {
        let found = find_sign(V8, Signal(6)).unwrap();
        assert_eq!(found.oom.message, "Reached heap limit Allocation failed - JavaScript heap out of memory");
        assert_eq!(found.oom.heap, Some(Bytes(253 * 1_048_576 + 524_288)));
        assert!(found.oom.by_its_exit && found.is_v8);
        assert_eq!(found.line, 6);
        assert!(!find_sign(V8, Code(1)).unwrap().oom.by_its_exit, "behind a wrapper");
        assert!(find_sign(V8, Code(134)).unwrap().oom.by_its_exit, "behind a shell");
    }

    #[test]
    fn the_process_whose_heap_was_full_is_found() {
        assert_eq!(find_aborted_process(V8), Some(12));
        let two = format!("{V8}{}", V8.replace("[12:", "[34:"));
        assert_eq!(find_aborted_process(&two), Some(34), "the last one");
        let bare = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
        assert_eq!(find_aborted_process(bare), None);
        assert_eq!(find_aborted_process("[12:0x1] Mark-Compact"), None);
    }

    #[test]
    fn each_runtime_has_its_sign() {
        let cases: [Case<'_>; 14] = [
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1\nMemoryError\n",
                Code(1),
                Some(("MemoryError", true)),
            ),
            ("MemoryError: 5\n", Code(3), Some(("MemoryError", false))),
            (
                "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat Main.main",
                Code(1),
                Some(("java.lang.OutOfMemoryError", true)),
            ),
            (
                "fatal error: runtime: out of memory\n\nruntime stack:\n",
                Code(2),
                Some(("fatal error: runtime: out of memory", true)),
            ),
            (
                "fatal error: runtime: cannot allocate memory",
                Code(2),
                Some(("fatal error: runtime: cannot allocate memory", true)),
            ),
            (
                "a.rb:1:in `*': failed to allocate memory (NoMemoryError)",
                Code(1),
                Some(("failed to allocate memory (NoMemoryError)", true)),
            ),
            (
                "memory allocation of 5000000 bytes failed",
                Signal(6),
                Some(("memory allocation failed", true)),
            ),
            (
                "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
                Code(134),
                Some(("std::bad_alloc", true)),
            ),
            (
                "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 5 bytes) in a.php",
                Code(255),
                Some(("allowed memory size exhausted", true)),
            ),
            (
                "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB",
                Code(1),
                Some(("MemoryError of numpy", true)),
            ),
            ("INFO handling MemoryError of a client", Code(1), None),
            ("a request said FATAL ERROR: x JavaScript heap out of memory", Signal(6), None),
            ("FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal", Signal(6), None),
            ("", Signal(6), None),
        ];
        for (text, exit, expected) in cases {
            let found = find_sign(text, exit);
            assert_eq!(found.as_ref().map(|it| (&*it.oom.message, it.oom.by_its_exit)), expected, "{text}");
        }
    }

    #[test]
    fn a_message_that_v8_would_not_write_is_not_shown() {
        let line = "FATAL ERROR: <b>call 555</b> JavaScript heap out of memory";
        assert_eq!(find_sign(line, Signal(6)).unwrap().oom.message, "JavaScript heap out of memory");
    }

    #[test]
    fn a_message_of_long_ago_does_not_count() {
        let text = format!("MemoryError\n{}", "request served\n".repeat(MAX_LINES));
        assert_eq!(find_sign(&text, Code(1)), None);
    }
}
