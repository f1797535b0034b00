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

    /// Whether there are no figures, or only old ones: the program's event loop may be blocked.
    pub fn is_stale(&self, now: Instant) -> bool {
        self.sample.as_ref().is_none_or(|(_, at)| now.saturating_duration_since(*at) > STALE)
    }

    /// Returns the functions whose memory grows, the fastest first.
    pub fn growing(&self, now: Instant) -> Vec<GrowingHolder> {
        self.history.growing(now)
    }
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
    fn figures_become_stale() {
        let begun = Instant::now();
        let registry = registry(vec![(1, hello(Some(100))), (1, sample(99)), (2, hello(None))], begun);
        let process = registry.process(1).unwrap();
        assert_eq!(process.heap_limit(), Some(100));
        assert!(!process.is_stale(begun));
        assert!(process.is_stale(begun + Duration::from_secs(6)));
        assert!(registry.process(2).unwrap().is_stale(begun), "no figures yet");
    }

    #[test]
    fn a_process_that_disconnects_is_forgotten() {
        let now = Instant::now();
        let registry =
            registry(vec![(1, hello(None)), (1, sample(9)), (1, AgentEventKind::Disconnected)], now);
        assert!(registry.process(1).is_none());
    }
}
