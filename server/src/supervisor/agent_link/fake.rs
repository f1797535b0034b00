//! Agents for tests of what the supervisor does with them.

use super::*;

const MB: u64 = 1 << 20;

/// Agents that answer nothing by themselves.
#[derive(Default)]
pub(crate) struct FakeAgents {
    pub(crate) heaps: Vec<ProcessHeap>,
    pub(crate) growing: Vec<GrowingFunction>,
    pub(crate) types: Vec<GrowingType>,
    pub(crate) purges: Vec<u32>,
    /// Processes that were asked for their functions, and how long they were to record.
    pub(crate) holders: Vec<(u32, u32)>,
}

impl AgentLink for FakeAgents {
    fn variables(
        &self,
        _: &[OsString],
        _: &dyn Fn(&str) -> Option<OsString>,
    ) -> Vec<(&'static str, OsString)> {
        Vec::new()
    }

    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn serve(&mut self, _: Instant, _: UnixMillis) -> Vec<AgentNotice> {
        Vec::new()
    }

    fn heaps(&self, processes: &[u32], _: Instant) -> Vec<ProcessHeap> {
        self.heaps.iter().filter(|heap| processes.contains(&heap.pid)).cloned().collect()
    }

    fn growing(&self, processes: &[u32], _: Instant) -> Vec<GrowingFunction> {
        self.growing.iter().filter(|function| processes.contains(&function.pid)).cloned().collect()
    }

    fn request_purge(&mut self, pid: u32) -> bool {
        self.purges.push(pid);
        self.heaps.iter().any(|heap| heap.pid == pid)
    }

    fn growing_types(&self, processes: &[u32]) -> Vec<GrowingType> {
        self.types.iter().filter(|it| processes.contains(&it.pid)).cloned().collect()
    }

    fn request_holders(&mut self, pid: u32, seconds: u32) -> bool {
        self.holders.push((pid, seconds));
        true
    }

    fn request_profile(&mut self, pid: u32, _: u32) -> bool {
        self.heaps.iter().any(|heap| heap.pid == pid)
    }
}

/// Returns the heap of a process with these used megabytes and this limit in megabytes.
pub(crate) fn heap(pid: u32, used: u64, limit: u64, at: Instant) -> ProcessHeap {
    ProcessHeap {
        pid,
        runtime: "node".into(),
        used: Some(Bytes(used * MB)),
        total: Some(Bytes(used * MB)),
        external: None,
        limit: Some(Bytes(limit * MB)),
        at,
        is_stale: false,
    }
}

/// Returns a function of a process that grew by 80 MB within 40 s.
pub(crate) fn function(pid: u32, name: &str, file: &str) -> GrowingFunction {
    GrowingFunction {
        pid,
        function: name.into(),
        file: file.into(),
        line: 12,
        bytes: Bytes(90 * MB),
        growth: Bytes(80 * MB),
        span: Duration::from_secs(40),
    }
}
