//! The agents inside of a guarded program's processes, as the supervisor's loop uses them.
//!
//! An agent reports the heap of its process as the runtime knows it (Node, Python). The library knows neither their protocol nor how
//! they get into a program: the command line does, and implements [`AgentLink`]. Figures are found by process id, and the supervisor asks
//! only for processes of the instance that it measures, so that a connection of another process counts nowhere.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use heapbeat_shared::{Bytes, UnixMillis};

use crate::sampling::RuntimeHeap;

/// The connections to the agents of all instances.
pub trait AgentLink {
    /// Returns the variables that load the agents into a program, with their whole values. `given` is the environment that it gets
    /// otherwise.
    fn variables(
        &self,
        command: &[OsString],
        given: &dyn Fn(&str) -> Option<OsString>,
    ) -> Vec<(&'static str, OsString)>;

    /// Returns the sockets to poll for reading.
    fn sockets(&self) -> Vec<BorrowedFd<'_>>;

    /// Returns when [`serve`](Self::serve) has to be called even if no socket is ready.
    fn deadline(&self) -> Option<Instant>;

    /// Reads what has arrived, without blocking. `wall` is the time of `now`.
    fn serve(&mut self, now: Instant, wall: UnixMillis) -> Vec<AgentNotice>;

    /// Returns the heaps of those of `processes` that have an agent.
    fn heaps(&self, processes: &[u32], now: Instant) -> Vec<ProcessHeap>;

    /// Returns the functions of `processes` whose memory grows, the fastest first.
    fn growing(&self, processes: &[u32], now: Instant) -> Vec<GrowingFunction>;

    /// Returns the types of which `processes` had more objects at the last count than at the one before.
    fn growing_types(&self, processes: &[u32]) -> Vec<GrowingType>;

    /// Requests a full collection from a process; the answer is an [`AgentNoticeKind::Purged`]. Returns whether it has an agent.
    fn request_purge(&mut self, pid: u32) -> bool;

    /// Requests the functions that hold the memory of a process; they are found by [`growing`](Self::growing) afterwards. An agent that has
    /// to record allocations does so for `seconds`. Returns whether it has an agent.
    fn request_holders(&mut self, pid: u32, seconds: u32) -> bool;

    /// Requests a profile of what a process allocates within `seconds` and still holds at their end; 0: of all that it holds. The answer
    /// is an [`AgentNoticeKind::Profile`]. Returns whether it has an agent.
    fn request_profile(&mut self, pid: u32, seconds: u32) -> bool;
}

/// What an agent reported besides its heap.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentNotice {
    /// Its process.
    pub pid: u32,
    /// What it reported.
    pub kind: AgentNoticeKind,
}

/// What an agent reported besides its heap.
#[derive(Clone, Debug, PartialEq)]
pub enum AgentNoticeKind {
    /// It is connected. The text names the runtime and its version.
    Connected(String),
    /// It has answered a request for a collection.
    Purged(PurgeReport),
    /// It has answered a request for a profile: in the format of pprof, or the reason why there is none.
    Profile(Result<Vec<u8>, String>),
    /// Its process is about to end because of an exception of this class.
    UncaughtException(String),
}

/// The answer to a request for a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct PurgeReport {
    /// Bytes that the heap freed.
    pub freed: Bytes,
    /// Used bytes of the heap afterwards, if the agent tells them.
    pub used: Option<Bytes>,
    /// Bytes by which the resident set shrank, if the runtime knows.
    pub resident_freed: Option<Bytes>,
    /// How long the program stood still.
    pub took: Duration,
    /// The reason if nothing was done.
    pub refused: Option<String>,
}

/// The heap of one process, as its runtime reported it last. A runtime leaves out what it does not know.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessHeap {
    /// The process.
    pub pid: u32,
    /// The runtime's name, such as `node`.
    pub runtime: String,
    /// Bytes of objects, those included that a collection would free.
    pub used: Option<Bytes>,
    /// Bytes that the runtime holds for its heap.
    pub total: Option<Bytes>,
    /// Bytes outside of the heap that its objects hold.
    pub external: Option<Bytes>,
    /// Used bytes at which the runtime gives up.
    pub limit: Option<Bytes>,
    /// When the figures arrived.
    pub at: Instant,
    /// Whether figures have been missing for seconds: the program may be blocked.
    pub is_stale: bool,
}

/// A function whose live memory grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowingFunction {
    /// The process.
    pub pid: u32,
    /// The function's name.
    pub function: String,
    /// Path of its file; empty for the runtime's own code.
    pub file: String,
    /// Line in that file, from 1; 0 if unknown.
    pub line: u32,
    /// Live bytes.
    pub bytes: Bytes,
    /// By how much they grew.
    pub growth: Bytes,
    /// Time over which they grew.
    pub span: Duration,
}

impl GrowingFunction {
    /// Whether it is the same function, in whichever process.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.function, &self.file, self.line) == (&other.function, &other.file, other.line)
    }
}

/// A type of which a process has more and more objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowingType {
    /// The process.
    pub pid: u32,
    /// The type's qualified name.
    pub name: String,
    /// Number of objects at the last count.
    pub count: u64,
    /// How many more these are than at the count before.
    pub growth: u64,
}

/// Sums over the processes of an instance that have an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapTotals {
    /// Used bytes.
    pub used: Option<Bytes>,
    /// Bytes that the runtimes hold for their heaps.
    pub total: Option<Bytes>,
    /// Bytes outside of the heaps that their objects hold.
    pub external: Option<Bytes>,
    /// Sum of the limits at which the runtimes give up, of those that have one.
    pub limit: Option<Bytes>,
    /// The same sum, and the number, of those whose heap is at least a quarter of the largest: the primary of a cluster, or a starter, does
    /// not compete with the processes that do the work.
    pub working: (Bytes, usize),
}

impl From<HeapTotals> for RuntimeHeap {
    fn from(totals: HeapTotals) -> Self {
        let HeapTotals { used, total, external, limit, working: _ } = totals;
        RuntimeHeap { used, total, external, limit }
    }
}

impl HeapTotals {
    /// Returns what the objects of the program hold, in the heaps and outside of them, if the heaps are known.
    pub fn held(&self) -> Option<Bytes> {
        Some(Bytes(self.used?.0.saturating_add(self.external.unwrap_or_default().0)))
    }

    /// Sums up; `None` if no process has figures. A figure is known if one of the processes knows it.
    pub fn of(heaps: &[ProcessHeap]) -> Option<Self> {
        let sum = |figure: fn(&ProcessHeap) -> Option<Bytes>| {
            let known: Vec<u64> = heaps.iter().filter_map(figure).map(|bytes| bytes.0).collect();
            (!known.is_empty()).then(|| Bytes(known.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))))
        };
        let largest = heaps.iter().filter_map(|heap| heap.used).max().unwrap_or_default();
        let works = |heap: &&ProcessHeap| heap.used.is_none_or(|used| used.0 >= largest.0 / 4);
        let working: Vec<Bytes> = heaps.iter().filter(works).filter_map(|heap| heap.limit).collect();
        (!heaps.is_empty()).then(|| HeapTotals {
            used: sum(|heap| heap.used),
            total: sum(|heap| heap.total),
            external: sum(|heap| heap.external),
            limit: sum(|heap| heap.limit),
            working: (
                working.iter().fold(Bytes::ZERO, |sum, limit| Bytes(sum.0.saturating_add(limit.0))),
                working.len(),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_some_runtimes_do_not_know_are_summed_over_the_others() {
        let now = Instant::now();
        let heap = |used, external, limit| ProcessHeap {
            pid: 1,
            runtime: String::new(),
            used,
            total: Some(Bytes(5)),
            external,
            limit,
            at: now,
            is_stale: false,
        };
        let node = heap(Some(Bytes(10)), Some(Bytes(u64::MAX)), Some(Bytes(100)));
        let python = heap(None, None, None);
        let totals = HeapTotals::of(&[node.clone(), python.clone(), node.clone()]).unwrap();
        assert_eq!((totals.used, totals.total), (Some(Bytes(20)), Some(Bytes(15))));
        assert_eq!((totals.limit, totals.working), (Some(Bytes(200)), (Bytes(200), 2)));
        assert_eq!(totals.held(), Some(Bytes(u64::MAX)), "no overflow");
        assert_eq!(HeapTotals::of(&[python]).unwrap().held(), None);
        let primary = heap(Some(Bytes(1)), None, Some(Bytes(100)));
        let cluster = HeapTotals::of(&[primary, node]).unwrap();
        assert_eq!((cluster.limit, cluster.working), (Some(Bytes(200)), (Bytes(100), 1)));
        assert_eq!(HeapTotals::of(&[]), None);
    }
}

#[cfg(test)]
pub(crate) mod fake;
