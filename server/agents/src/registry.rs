//! What the agents of all processes reported last, by process id.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::growth::{GrowingHolder, HolderHistory};
use crate::protocol::{HeapSample, Hello, Holder, PurgeAnswer, TypeCount};
use crate::server::{AgentEvent, AgentEventKind};

/// Age from which on figures are stale: five samples are missing.
const STALE: Duration = Duration::from_secs(5);

/// The last reports of one process.
#[derive(Debug)]
pub struct ProcessReport {
    /// Who the agent is.
    pub hello: Hello,
    /// The last heap figures, and when they arrived.
    pub sample: Option<(HeapSample, Instant)>,
    /// The last report of holders.
    pub holders: Vec<Holder>,
    /// The types with the most objects.
    pub types: Vec<TypeCount>,
    /// The last answer to a purge, and when it arrived.
    pub purge: Option<(PurgeAnswer, Instant)>,
    history: HolderHistory,
}

impl ProcessReport {
    fn new(hello: Hello) -> Self {
        ProcessReport {
            hello,
            sample: None,
            holders: Vec::new(),
            types: Vec::new(),
            purge: None,
            history: HolderHistory::default(),
        }
    }

    /// Bytes at which the runtime gives up, if it has a limit of its own.
    pub fn heap_limit(&self) -> Option<u64> {
        self.sample.as_ref().and_then(|(sample, _)| sample.heap_limit).or(self.hello.heap_limit)
    }

    /// Used bytes of the heap as a share of the limit at which the runtime gives up.
    pub fn heap_share(&self) -> Option<f64> {
        let used = self.sample.as_ref()?.0.heap_used?;
        let limit = self.heap_limit().filter(|limit| *limit > 0)?;
        Some(used as f64 / limit as f64)
    }

    /// Whether there are no figures, or only old ones: the program's event loop may be blocked.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.sample.as_ref().is_none_or(|(_, at)| now.saturating_duration_since(*at) > STALE)
    }

    /// Returns the functions whose memory grows, the fastest first.
    pub fn growing(&self, now: Instant) -> Vec<GrowingHolder> {
        self.history.growing(now)
    }
}

/// Sums over the processes of a tree that have an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapTotals {
    /// Number of processes with figures.
    pub processes: usize,
    /// Sum of the used bytes, with those of worker threads where the runtime tells them.
    pub heap_used: u64,
    /// Sum of the bytes that the runtimes hold.
    pub heap_total: u64,
    /// Sum of the bytes outside of the heaps.
    pub external: u64,
    /// Sum of the limits of the runtimes that have one.
    pub heap_limit: u64,
    /// Whether one of the figures is stale.
    pub is_stale: bool,
}

/// The reports of all processes that have an agent.
#[derive(Debug, Default)]
pub struct AgentRegistry {
    processes: HashMap<u32, ProcessReport>,
}

impl AgentRegistry {
    /// Records what an agent reported.
    pub fn record(&mut self, event: &AgentEvent, now: Instant) {
        match &event.kind {
            AgentEventKind::Connected(hello) => {
                self.processes.insert(event.pid, ProcessReport::new(hello.clone()));
                return;
            }
            AgentEventKind::Disconnected => {
                self.processes.remove(&event.pid);
                return;
            }
            _ => {}
        }
        let Some(process) = self.processes.get_mut(&event.pid) else { return };
        match &event.kind {
            AgentEventKind::Sample(sample) => process.sample = Some((sample.clone(), now)),
            AgentEventKind::Holders(report) if !report.holders.is_empty() => {
                process.history.record(report, now);
                process.holders.clone_from(&report.holders);
            }
            AgentEventKind::Types(types) => process.types.clone_from(types),
            AgentEventKind::Purged(answer) => process.purge = Some((answer.clone(), now)),
            _ => {}
        }
    }

    /// Returns the report of a process.
    pub fn process(&self, pid: u32) -> Option<&ProcessReport> {
        self.processes.get(&pid)
    }

    /// Returns all processes that have an agent.
    pub fn processes(&self) -> impl Iterator<Item = (u32, &ProcessReport)> {
        self.processes.iter().map(|(pid, process)| (*pid, process))
    }

    /// Sums the figures of a process tree; `None` if none of its processes has figures.
    pub fn totals(&self, tree: &[u32], now: Instant) -> Option<HeapTotals> {
        let mut totals = HeapTotals::default();
        for process in tree.iter().filter_map(|pid| self.processes.get(pid)) {
            let Some((sample, _)) = &process.sample else { continue };
            totals.processes += 1;
            totals.heap_used += sample.heap_used.unwrap_or(0) + sample.threads_heap_used.unwrap_or(0);
            totals.heap_total += sample.heap_total.unwrap_or(0);
            totals.external += sample.external.unwrap_or(0);
            totals.heap_limit += process.heap_limit().unwrap_or(0);
            totals.is_stale |= process.is_stale(now);
        }
        (totals.processes > 0).then_some(totals)
    }

    /// Returns the process of a tree that is nearest to the limit of its runtime, with its share. Stale figures do not count.
    pub fn fullest(&self, tree: &[u32], now: Instant) -> Option<(u32, f64)> {
        tree.iter()
            .filter_map(|pid| {
                let process = self.processes.get(pid).filter(|process| !process.is_stale(now))?;
                Some((*pid, process.heap_share()?))
            })
            .max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Returns the growing functions of a process tree, the fastest first, each with its process.
    pub fn growing(&self, tree: &[u32], now: Instant) -> Vec<(u32, GrowingHolder)> {
        let mut growing: Vec<(u32, GrowingHolder)> = tree
            .iter()
            .filter_map(|pid| Some((*pid, self.processes.get(pid)?)))
            .flat_map(|(pid, process)| process.growing(now).into_iter().map(move |holder| (pid, holder)))
            .collect();
        growing.sort_by_key(|(_, holder)| std::cmp::Reverse(holder.growth));
        growing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(heap_limit: Option<u64>) -> AgentEventKind {
        AgentEventKind::Connected(Hello {
            runtime: "node".into(),
            version: "22.1.0".into(),
            protocol: 1,
            program: String::new(),
            heap_limit,
        })
    }

    fn sample(heap_used: u64) -> AgentEventKind {
        AgentEventKind::Sample(HeapSample {
            heap_used: Some(heap_used),
            heap_total: Some(2 * heap_used),
            ..HeapSample::default()
        })
    }

    fn registry(events: Vec<(u32, AgentEventKind)>, now: Instant) -> AgentRegistry {
        let mut registry = AgentRegistry::default();
        for (pid, kind) in events {
            registry.record(&AgentEvent { pid, kind }, now);
        }
        registry
    }

    #[test]
    fn a_tree_is_summed_and_other_processes_are_not() {
        let now = Instant::now();
        let events = vec![
            (1, hello(Some(100))),
            (1, sample(40)),
            (2, hello(Some(100))),
            (2, sample(90)),
            (3, hello(None)),
            (3, sample(7)),
            (4, hello(None)),
        ];
        let registry = registry(events, now);
        let totals = registry.totals(&[1, 2, 4, 9], now).unwrap();
        assert_eq!((totals.processes, totals.heap_used, totals.heap_limit), (2, 130, 200));
        assert_eq!(registry.fullest(&[1, 2, 3], now), Some((2, 0.9)));
        assert_eq!(registry.totals(&[4, 9], now), None);
    }

    #[test]
    fn figures_become_stale() {
        let begun = Instant::now();
        let registry = registry(vec![(1, hello(Some(100))), (1, sample(99))], begun);
        let later = begun + Duration::from_secs(6);
        assert!(!registry.process(1).unwrap().is_stale(begun));
        assert!(registry.totals(&[1], later).unwrap().is_stale);
        assert_eq!(registry.fullest(&[1], later), None);
    }

    #[test]
    fn a_process_that_disconnects_is_forgotten() {
        let now = Instant::now();
        let registry =
            registry(vec![(1, hello(None)), (1, sample(9)), (1, AgentEventKind::Disconnected)], now);
        assert!(registry.process(1).is_none());
    }
}
