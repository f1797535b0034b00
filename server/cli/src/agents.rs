//! The agents of `heapbeat run`: their files and their socket in a run directory, and the supervisor's view of what they report.

mod run_directory;

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use heapbeat::supervisor::agent_link::{
    AgentLink, AgentNotice, AgentNoticeKind, GrowingFunction, GrowingType, ProcessHeap, PurgeReport,
};
use heapbeat_agents::injection::inject;
use heapbeat_agents::pprof;
use heapbeat_agents::protocol::{ProfileAnswer, PurgeAnswer};
use heapbeat_agents::registry::AgentRegistry;
use heapbeat_agents::server::{AgentEvent, AgentEventKind, AgentServer, BindError};
use heapbeat_shared::text::printable;
use heapbeat_shared::{Bytes, UnixMillis};

use self::run_directory::RunDirectory;

/// Time after which the agents' files are written again.
const FILES_WRITTEN_EVERY: Duration = Duration::from_secs(3600);

/// Part of V8's limit that is kept for the young generation.
const YOUNG_GENERATION: u64 = 48 << 20;

/// Size of V8's old generation up to which it gives up earlier, as it collects more than it works.
const SMALL_HEAP: u64 = 128 << 20;

/// Longest name of a function, and longest path, that is passed on; in characters.
const MAX_TEXT: usize = 300;

/// Number of objects of a type that are worth a word; the counts are extrapolated from a sample.
const MIN_MORE_OBJECTS: u64 = 5_000;

/// Why there are no agents.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentsError {
    /// The run directory could not be written.
    #[error("cannot write the agents' files: {0}")]
    Files(#[from] io::Error),
    /// The socket could not be created.
    #[error(transparent)]
    Socket(#[from] BindError),
}

/// The agents' socket, and what they reported.
#[derive(Debug)]
pub(crate) struct Agents {
    // It is closed before its directory is removed.
    server: AgentServer,
    registry: AgentRegistry,
    directory: RunDirectory,
    /// When the files were written last.
    written_at: Option<Instant>,
}

impl Agents {
    /// Writes the agents' files and opens their socket.
    pub(crate) fn start() -> Result<Self, AgentsError> {
        let directory = RunDirectory::create()?;
        let server = AgentServer::bind(&directory.socket_directory())?;
        Ok(Agents { server, registry: AgentRegistry::default(), directory, written_at: None })
    }

    /// Writes the files again from time to time: without them no process of the program could start, and what removes old files from the
    /// directory for temporary files must not find them old.
    fn keep_files(&mut self, now: Instant) {
        let written_at = *self.written_at.get_or_insert(now);
        if now.duration_since(written_at) < FILES_WRITTEN_EVERY {
            return;
        }
        self.written_at = Some(now);
        if let Err(error) = self.directory.write_files() {
            tracing::warn!("cannot keep the agents' files: {error}");
        }
    }

    fn to_notice(&self, event: AgentEvent, wall: UnixMillis) -> Option<AgentNotice> {
        let pid = event.pid;
        let kind = match event.kind {
            AgentEventKind::Connected(hello) => {
                AgentNoticeKind::Connected(bounded(&format!("{} {}", hello.runtime, hello.version)))
            }
            AgentEventKind::Purged(answer) => AgentNoticeKind::Purged(to_purge_report(&answer)),
            AgentEventKind::Profile(answer) => {
                AgentNoticeKind::Profile(self.encode_profile(pid, &answer, wall))
            }
            AgentEventKind::UncaughtException(name) => AgentNoticeKind::UncaughtException(bounded(&name)),
            AgentEventKind::Sample(_)
            | AgentEventKind::Holders(_)
            | AgentEventKind::Types(_)
            | AgentEventKind::Disconnected => return None,
        };
        Some(AgentNotice { pid, kind })
    }

    fn encode_profile(&self, pid: u32, answer: &ProfileAnswer, wall: UnixMillis) -> Result<Vec<u8>, String> {
        if let Some(reason) = &answer.refused {
            return Err(bounded(reason));
        }
        let process = self.registry.process(pid).ok_or_else(|| "the process has exited".to_owned())?;
        let nanos = u64::try_from(wall.0).unwrap_or(0).saturating_mul(1_000_000);
        Ok(pprof::encode(answer, &process.hello, nanos))
    }
}

impl AgentLink for Agents {
    fn variables(
        &self,
        command: &[OsString],
        given: &dyn Fn(&str) -> Option<OsString>,
    ) -> Vec<(&'static str, OsString)> {
        inject(command, given, self.directory.path(), self.server.path())
    }

    fn sockets(&self) -> Vec<BorrowedFd<'_>> {
        self.server.sockets().collect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.server.deadline()
    }

    fn serve(&mut self, now: Instant, wall: UnixMillis) -> Vec<AgentNotice> {
        self.keep_files(now);
        let events = self.server.serve(now);
        let mut notices = Vec::new();
        for event in events {
            self.registry.record(&event, now);
            notices.extend(self.to_notice(event, wall));
        }
        notices
    }

    fn heaps(&self, processes: &[u32], now: Instant) -> Vec<ProcessHeap> {
        let heap = |pid: &u32| {
            let process = self.registry.process(*pid)?;
            let (sample, at) = process.sample.as_ref()?;
            let used =
                sample.heap_used.map(|used| used.saturating_add(sample.threads_heap_used.unwrap_or(0)));
            Some(ProcessHeap {
                pid: *pid,
                runtime: bounded(&process.hello.runtime),
                used: used.map(Bytes),
                total: sample.heap_total.map(Bytes),
                external: sample.external.map(Bytes),
                limit: process.heap_limit().map(|limit| usable_limit(&process.hello.runtime, limit)),
                at: *at,
                is_stale: process.is_stale(now),
            })
        };
        processes.iter().filter_map(heap).collect()
    }

    fn growing(&self, processes: &[u32], now: Instant) -> Vec<GrowingFunction> {
        let growing = self.registry.growing(processes, now).into_iter();
        let function = |(pid, holder): (u32, heapbeat_agents::growth::GrowingHolder)| GrowingFunction {
            pid,
            function: bounded(&holder.function),
            file: bounded(&holder.file),
            line: holder.line,
            bytes: Bytes(holder.bytes),
            growth: Bytes(holder.growth),
            span: holder.span,
        };
        growing.map(function).collect()
    }

    fn growing_types(&self, processes: &[u32]) -> Vec<GrowingType> {
        let reports = processes.iter().filter_map(|pid| Some((*pid, self.registry.process(*pid)?)));
        let types = reports.flat_map(|(pid, process)| process.types.iter().map(move |it| (pid, it)));
        let growing = types.filter_map(|(pid, it)| {
            let growth = u64::try_from(it.growth).ok().filter(|growth| *growth >= MIN_MORE_OBJECTS)?;
            Some(GrowingType { pid, name: bounded(&it.r#type), count: it.count, growth })
        });
        growing.collect()
    }

    fn request_purge(&mut self, pid: u32) -> bool {
        self.server.request_purge(pid)
    }

    fn request_holders(&mut self, pid: u32, seconds: u32) -> bool {
        self.server.request_holders(pid, seconds)
    }

    fn request_profile(&mut self, pid: u32, seconds: u32) -> bool {
        self.server.request_profile(pid, seconds)
    }
}

fn to_purge_report(answer: &PurgeAnswer) -> PurgeReport {
    PurgeReport {
        freed: Bytes(answer.freed),
        used: answer.heap_used.map(Bytes),
        resident_freed: answer.rss_freed.map(Bytes),
        took: Duration::try_from_secs_f64(answer.ms / 1000.0).unwrap_or_default(),
        refused: answer.refused.as_deref().map(bounded),
    }
}

/// The part of a runtime's limit that objects can use. V8 counts three semi-spaces of the young generation (16 MB each by default) into
/// its limit, and gives up when the rest, the old generation, is nearly full: with caps of 200 and 512 MB at 88 to 99 % of the cap, with 64 MB
/// at 80 to 96 % (Node 20). Below 48 MB the semi-spaces may have been made smaller as well.
fn usable_limit(runtime: &str, limit: u64) -> Bytes {
    if runtime != "node" {
        return Bytes(limit);
    }
    let old = limit - YOUNG_GENERATION.min(limit / 2);
    Bytes(if old <= SMALL_HEAP { old - old / 8 } else { old })
}

/// A program chooses its texts itself: without control characters and those that change the direction of text they cannot forge lines of
/// the log, and they are bounded.
fn bounded(text: &str) -> String {
    printable(text, MAX_TEXT)
}

#[cfg(test)]
mod tests;
