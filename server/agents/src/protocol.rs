//! The messages between an agent and the guard. Each is one line: a JSON object with one key, the message's kind.

use serde::{Deserialize, Serialize};

/// Most functions and types of a report that are kept, and most bytes of a text: an agent sends ten of each.
const MAX_LISTED: usize = 16;
const MAX_TEXT: usize = 512;

/// What an agent sends.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentMessage {
    /// The first message of a connection.
    Hello(Hello),
    /// Heap figures, once a second.
    Sample(HeapSample),
    /// The functions that hold the memory.
    Holders(HolderReport),
    /// The types with the most objects, where a runtime cannot name functions cheaply.
    Types(Vec<TypeCount>),
    /// The answer to a purge.
    Purge(PurgeAnswer),
    /// The answer to a request for a profile.
    Profile(ProfileAnswer),
    /// An exception that nothing catches; the process is about to end.
    Exception(UncaughtException),
}

/// What the guard sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardMessage {
    /// Collect garbage, and return memory to the kernel.
    Purge {},
    /// Report which functions hold the memory. An agent that has to record allocations first does so for `seconds`.
    Holders {
        /// Length of the recording.
        seconds: u32,
    },
    /// Send a profile of the memory that is allocated within `seconds` and still held at their end; 0: of all memory held now.
    Profile {
        /// Length of the window.
        seconds: u32,
    },
}

/// Who the agent is. The process id comes from the socket's credentials instead, as the agent could state any.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Hello {
    /// The runtime's name: `node`, `python`.
    pub runtime: String,
    /// The runtime's version.
    pub version: String,
    /// The version of the protocol; 1 where it is missing.
    #[serde(default = "first_version")]
    pub protocol: u32,
    /// Path of the program's main file.
    #[serde(default)]
    pub program: String,
    /// Bytes at which the runtime gives up, if it has a limit of its own.
    #[serde(default)]
    pub heap_limit: Option<u64>,
}

fn first_version() -> u32 {
    1
}

/// Heap figures at one instant, in bytes and milliseconds. A runtime leaves out what it does not know.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct HeapSample {
    /// Milliseconds since 1970, by the agent's clock.
    pub at: u64,
    /// Bytes of live and not yet collected objects.
    pub heap_used: Option<u64>,
    /// Bytes that the runtime holds for its heap.
    pub heap_total: Option<u64>,
    /// Bytes outside of the heap that its objects hold.
    pub external: Option<u64>,
    /// The part of `external` that belongs to array buffers.
    pub array_buffers: Option<u64>,
    /// Bytes at which the runtime gives up.
    pub heap_limit: Option<u64>,
    /// Resident set, and its parts.
    pub rss: Option<u64>,
    /// Resident anonymous memory.
    pub rss_anon: Option<u64>,
    /// Resident pages of files.
    pub rss_file: Option<u64>,
    /// Resident shared memory.
    pub rss_shmem: Option<u64>,
    /// Longest delay of the event loop, or of the agent's own thread, since the last sample.
    pub lag_ms: Option<f64>,
    /// Sum of the garbage collector's pauses since the last sample.
    pub gc_ms: Option<f64>,
    /// The longest of these pauses.
    pub gc_longest_ms: Option<f64>,
    /// Number of collections since the last sample.
    pub gc_count: Option<u64>,
    /// Number of allocated memory blocks (Python).
    pub allocated_blocks: Option<u64>,
    /// Number of worker threads with heaps of their own (Node).
    pub threads: Option<u64>,
    /// Sum of the used bytes of their heaps, where the runtime tells it.
    pub threads_heap_used: Option<u64>,
}

/// The functions that hold the memory, the largest first. On the wire `held` and `seconds` stand beside the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HolderReport {
    /// The functions.
    pub holders: Vec<Holder>,
    /// Bytes that the process held when the functions were measured, if the runtime knows them.
    pub held: Option<u64>,
    /// Length of the recording if only memory that was allocated meanwhile is reported; its growth is then that of the recording.
    pub seconds: Option<f64>,
}

/// A function and the live memory that it allocated.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Holder {
    /// The function's name.
    pub function: String,
    /// Path of its file; empty for the runtime's own code.
    #[serde(default)]
    pub file: String,
    /// Line in that file, from 1; 0 if unknown.
    #[serde(default)]
    pub line: u32,
    /// Live bytes.
    pub bytes: u64,
    /// The part of them that was there at the last report already; none if the agent cannot tell. 0 in its first report.
    #[serde(default)]
    pub survived: Option<u64>,
    /// Difference to the last report.
    #[serde(default)]
    pub growth: i64,
}

/// A type and the number of its objects, extrapolated from a sample of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct TypeCount {
    /// The type's qualified name.
    pub r#type: String,
    /// Number of objects.
    pub count: u64,
    /// Difference to the last report.
    #[serde(default)]
    pub growth: i64,
}

/// What a purge gave.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PurgeAnswer {
    /// Bytes that the heap freed.
    pub freed: u64,
    /// Used bytes of the heap afterwards.
    pub heap_used: Option<u64>,
    /// Bytes by which the resident set shrank.
    pub rss_freed: Option<u64>,
    /// Duration.
    pub ms: f64,
    /// The reason if nothing was done.
    pub refused: Option<String>,
}

/// Live memory by call stack.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ProfileAnswer {
    /// Length of the window; 0: all memory held.
    pub seconds: f64,
    /// Time from the request to the answer.
    pub ms: f64,
    /// Mean distance between two samples in bytes; 0 if every allocation is recorded.
    pub interval: u64,
    /// Function, file and line of each frame.
    pub frames: Vec<(String, String, u32)>,
    /// The call stacks.
    pub stacks: Vec<HeapStack>,
    /// The reason if there is no profile.
    pub refused: Option<String>,
}

/// The live memory of one call stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct HeapStack {
    /// Live bytes.
    pub bytes: u64,
    /// Number of objects, or of samples.
    pub count: u64,
    /// Positions in [`ProfileAnswer::frames`], innermost first.
    pub frames: Vec<u32>,
}

/// An exception that ends the process. Its message is not sent, as it may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UncaughtException {
    /// The exception's class.
    pub name: String,
}

/// A line: the kinds of message are its keys. Other keys are skipped without being kept in memory.
#[derive(Deserialize)]
struct Line {
    hello: Option<Hello>,
    sample: Option<HeapSample>,
    holders: Option<Vec<Holder>>,
    held: Option<u64>,
    seconds: Option<f64>,
    types: Option<Vec<TypeCount>>,
    purge: Option<PurgeAnswer>,
    profile: Option<ProfileAnswer>,
    exception: Option<UncaughtException>,
}

impl Line {
    /// Leaves what an agent has no reason to send: a line may have 64 kB, and what many processes report last is kept.
    fn bounded(mut self) -> Self {
        if let Some(hello) = &mut self.hello {
            for text in [&mut hello.runtime, &mut hello.version, &mut hello.program] {
                bound_text(text);
            }
        }
        if let Some(holders) = &mut self.holders {
            bound_list(holders);
            for holder in holders {
                bound_text(&mut holder.function);
                bound_text(&mut holder.file);
            }
        }
        if let Some(types) = &mut self.types {
            bound_list(types);
            for one in types {
                bound_text(&mut one.r#type);
            }
        }
        let refusals = [
            self.purge.as_mut().and_then(|purge| purge.refused.as_mut()),
            self.profile.as_mut().and_then(|profile| profile.refused.as_mut()),
            self.exception.as_mut().map(|exception| &mut exception.name),
        ];
        refusals.into_iter().flatten().for_each(bound_text);
        self
    }
}

fn bound_list<T>(list: &mut Vec<T>) {
    list.truncate(MAX_LISTED);
    list.shrink_to_fit();
}

fn bound_text(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.shrink_to_fit();
}

/// Parses one line; `None` if it holds no message that is known.
pub(crate) fn parse_line(line: &[u8]) -> Result<Option<AgentMessage>, serde_json::Error> {
    let line = serde_json::from_slice::<Line>(line)?.bounded();
    let (held, seconds) = (line.held, line.seconds);
    let message = line
        .hello
        .map(AgentMessage::Hello)
        .or(line.sample.map(AgentMessage::Sample))
        .or(line.holders.map(|holders| AgentMessage::Holders(HolderReport { holders, held, seconds })))
        .or(line.types.map(AgentMessage::Types))
        .or(line.purge.map(AgentMessage::Purge))
        .or(line.profile.map(AgentMessage::Profile))
        .or(line.exception.map(AgentMessage::Exception));
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> AgentMessage {
        parse_line(line.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn the_lines_of_the_contract_are_understood() {
        let hello =
            parse(r#"{"hello":{"runtime":"node","version":"22.1.0","pid":7,"heap_limit":4345298944}}"#);
        let AgentMessage::Hello(hello) = hello else { panic!("{hello:?}") };
        assert_eq!((&*hello.runtime, hello.protocol, hello.heap_limit), ("node", 1, Some(4_345_298_944)));
        let sample =
            parse(r#"{"sample":{"at":5,"heap_used":1,"heap_total":2,"external":3,"lag_ms":0.5,"gc_ms":1}}"#);
        let AgentMessage::Sample(sample) = sample else { panic!("{sample:?}") };
        assert_eq!((sample.heap_used, sample.heap_total, sample.external), (Some(1), Some(2), Some(3)));
        assert_eq!((sample.lag_ms, sample.gc_ms, sample.rss), (Some(0.5), Some(1.0), None));
        let holders = parse(
            r#"{"holders":[{"function":"listOrders","file":"orders.js","line":12,"bytes":9,"growth":-2}],"ms":5}"#,
        );
        let AgentMessage::Holders(HolderReport { holders, held: None, seconds: None }) = holders else {
            panic!("{holders:?}")
        };
        assert_eq!((&*holders[0].function, holders[0].line, holders[0].growth), ("listOrders", 12, -2));
        let purge = parse(r#"{"purge":{"freed":1024,"ms":25.5}}"#);
        assert_eq!(
            purge,
            AgentMessage::Purge(PurgeAnswer { freed: 1024, ms: 25.5, ..PurgeAnswer::default() })
        );
    }

    #[test]
    fn the_guard_sends_the_lines_of_the_contract() {
        let line = |message| serde_json::to_string(&message).unwrap();
        assert_eq!(line(GuardMessage::Purge {}), r#"{"purge":{}}"#);
        assert_eq!(line(GuardMessage::Profile { seconds: 30 }), r#"{"profile":{"seconds":30}}"#);
    }

    #[test]
    fn a_message_of_a_later_version_is_skipped() {
        assert_eq!(parse_line(br#"{"threads":[1,2]}"#).unwrap(), None);
    }

    #[test]
    fn what_is_kept_of_a_line_is_bounded() {
        let text = "é".repeat(20_000);
        let hello = parse(&format!(r#"{{"hello":{{"runtime":"{text}","version":"1","program":"{text}"}}}}"#));
        let AgentMessage::Hello(hello) = hello else { panic!("{hello:?}") };
        assert_eq!((hello.runtime.len(), hello.program.capacity()), (MAX_TEXT, MAX_TEXT));
        let holder = format!(r#"{{"function":"{}","bytes":1}}"#, "f".repeat(1000));
        let holders = parse(&format!(r#"{{"holders":[{}]}}"#, vec![holder; 60].join(",")));
        let AgentMessage::Holders(report) = holders else { panic!("{holders:?}") };
        assert_eq!((report.holders.len(), report.holders[0].function.len()), (MAX_LISTED, MAX_TEXT));
        let types = parse(&format!(r#"{{"types":[{}]}}"#, vec![r#"{"type":"","count":0}"#; 3000].join(",")));
        let AgentMessage::Types(types) = types else { panic!("{types:?}") };
        assert_eq!((types.len(), types.capacity()), (MAX_LISTED, MAX_LISTED));
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_line(&line);
        }
    }
}
