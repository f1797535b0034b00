//! What the supervisor does with the agents of the instance that it judges: it sums up the heaps, requests collections and waits for their
//! answers, and names the functions whose memory grows.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use heapbeat_shared::Bytes;
use heapbeat_shared::event::{EventKind, cut};
use heapbeat_shared::report::{FunctionReport, MAX_FUNCTIONS};

use super::agent_link::{AgentLink, GrowingFunction, GrowingType, HeapTotals, PurgeReport};
use super::program_heap::{FullHeap, HeapWatch, is_plausible};
use crate::overload::ladder::PurgeResult;
use crate::sampling::Process;

/// Time after an alert in which functions are named, as some agents have to record allocations first.
const NAMING_TIME: Duration = Duration::from_secs(120);

/// Shortest time between two requests for the functions that hold the memory.
const HOLDERS_PAUSE: Duration = Duration::from_secs(60);

/// How long an agent records allocations that has to: a third of the time that is left, as the function is to be named before the program is
/// replaced, and within these bounds.
const RECORDING_SHARE: u32 = 3;
const RECORDING: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(10);

/// Time for the answers to a purge.
const PURGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of functions that are named.
const MAX_NAMED: usize = 3;

/// Age of an instance at which the limits of its runtimes are compared with the memory limit.
const LIMITS_CHECKED_AT: Duration = Duration::from_secs(10);

/// The agents of one instance.
#[derive(Debug, Default)]
pub(super) struct HeapMonitor {
    watch: HeapWatch,
    purge: Option<PendingPurge>,
    /// Until when functions are named.
    naming_until: Option<Instant>,
    holders_requested: Option<Instant>,
    /// The function that was recorded last, and the one that the log named last.
    named: Option<GrowingFunction>,
    logged: Option<GrowingFunction>,
    limits_checked: bool,
    /// Whether a process has answered a request for a collection since the heaps were observed last.
    has_answers: bool,
    /// Functions whose memory grows, fastest first.
    growing: Vec<GrowingFunction>,
    /// The function whose memory grew fastest in an instance before.
    former: Option<GrowingFunction>,
}

/// A purge whose answers are not complete.
#[derive(Debug)]
struct PendingPurge {
    waits_for: BTreeSet<u32>,
    before: Bytes,
    begun: Instant,
    collected: usize,
    freed: Bytes,
    took: Duration,
}

impl HeapMonitor {
    /// Returns what is known when other instances serve. A leak that fills the memory within seconds is not found in each of them.
    pub(super) fn next(&mut self) -> Self {
        let known = self.growing.drain(..).next().or_else(|| self.named.take());
        let former = known.or_else(|| self.logged.take()).or_else(|| self.former.take());
        HeapMonitor { former, ..HeapMonitor::default() }
    }

    /// Looks at the heaps of an instance, and requests collections from processes whose heap fills up. Returns the sums, and the heap that
    /// is full.
    pub(super) fn observe(
        &mut self,
        agents: &mut dyn AgentLink,
        family: &[u32],
        now: Instant,
    ) -> (Option<HeapTotals>, Option<FullHeap>) {
        self.has_answers = false;
        let mut heaps = agents.heaps(family, now);
        heaps.retain(|heap| is_plausible(heap, || held_by(heap.pid)));
        let (requests, full) = self.watch.step(&heaps, now);
        for pid in requests {
            tracing::debug!("the heap of process {pid} fills up; requested a collection");
            agents.request_purge(pid);
        }
        self.growing = agents.growing(family, now);
        (HeapTotals::of(&heaps), full)
    }

    /// Requests a collection from all processes of an instance that has `memory`; false if none can be asked.
    pub(super) fn request_purge(
        &mut self,
        agents: &mut dyn AgentLink,
        family: &[u32],
        memory: Bytes,
        now: Instant,
    ) -> bool {
        let asked: BTreeSet<u32> = family.iter().copied().filter(|pid| agents.request_purge(*pid)).collect();
        if asked.is_empty() {
            return false;
        }
        tracing::info!("requested a collection from {} to free memory", processes(asked.len()));
        self.purge = Some(PendingPurge {
            waits_for: asked,
            before: memory,
            begun: now,
            collected: 0,
            freed: Bytes::ZERO,
            took: Duration::ZERO,
        });
        true
    }

    /// Records an answer to a request for a collection.
    pub(super) fn record_answer(&mut self, pid: u32, report: &PurgeReport, now: Instant) {
        self.has_answers = true;
        if report.refused.is_none() {
            self.watch.record_collection(pid, report.used, now);
        }
        let Some(purge) = &mut self.purge else { return };
        if purge.waits_for.remove(&pid) && report.refused.is_none() {
            purge.collected += 1;
            let freed = report.resident_freed.unwrap_or_default().max(report.freed);
            purge.freed = Bytes(purge.freed.0.saturating_add(freed.0));
            purge.took = purge.took.max(report.took);
        }
    }

    /// Whether a process has answered a request for a collection since [`HeapMonitor::observe`].
    pub(super) fn has_answers(&self) -> bool {
        self.has_answers
    }

    /// Returns the result of a purge once all answers are there, or the time for them is over; `None` if no process collected anything.
    pub(super) fn finish_purge(&mut self, now: Instant) -> Option<PurgeResult> {
        let is_over = |purge: &mut PendingPurge| {
            purge.waits_for.is_empty() || now.duration_since(purge.begun) >= PURGE_TIMEOUT
        };
        let purge = self.purge.take_if(is_over)?;
        if !purge.waits_for.is_empty() {
            tracing::warn!(
                "{} did not answer the request for a collection within {} s",
                processes(purge.waits_for.len()),
                PURGE_TIMEOUT.as_secs()
            );
        }
        if purge.collected == 0 {
            return None;
        }
        let took = purge.took.as_millis();
        tracing::info!(
            "{} collected garbage in {took} ms: {} freed",
            processes(purge.collected),
            purge.freed
        );
        Some(PurgeResult { before: purge.before, after: purge.before.saturating_sub(purge.freed) })
    }

    /// Begins to name functions because of an alert, and returns a sentence about what is known already, for its line in the log. `left` is
    /// the time to the limit, if it is known.
    pub(super) fn begin_naming(
        &mut self,
        agents: &mut dyn AgentLink,
        family: &[u32],
        left: Option<Duration>,
        now: Instant,
    ) -> Option<String> {
        self.allow_naming(now);
        // What was asked before an alert does not count: it may have found nothing.
        if self.holders_requested.is_none_or(|at| now.duration_since(at) >= HOLDERS_PAUSE) {
            self.holders_requested = Some(now);
            request_holders(agents, family, left);
        }
        self.logged = self.growing.first().cloned();
        if !self.growing.is_empty() {
            return Some(format!("Live memory grows: {}.", describe_growing(&self.growing)));
        }
        let former = self.former.as_ref().map(|function| {
            format!(
                "In an instance before, live memory grew: {}.",
                describe_growing(std::slice::from_ref(function))
            )
        });
        former.or_else(|| describe_types(agents.growing_types(family)))
    }

    /// Requests the functions that hold the memory although there is no alert yet, as the program is replaced after `left`. They are to be
    /// known well before.
    pub(super) fn look_ahead(agents: &mut dyn AgentLink, family: &[u32], left: Duration) {
        request_holders(agents, family, Some(left / 2));
    }

    /// Names functions for a while.
    pub(super) fn allow_naming(&mut self, now: Instant) {
        self.naming_until = Some(now + NAMING_TIME);
    }

    /// Returns the function whose memory grows fastest, if it is to be named now and was not already.
    pub(super) fn name_function(&mut self, now: Instant) -> Option<EventKind> {
        self.naming_until = self.naming_until.filter(|until| now < *until);
        self.naming_until?;
        let first = self.growing.first()?;
        if self.named.as_ref().is_some_and(|named| named.is_same(first)) {
            return None;
        }
        self.named = Some(first.clone());
        if !self.logged.as_ref().is_some_and(|logged| logged.is_same(first)) {
            tracing::warn!("live memory grows: {}", describe_growing(&self.growing));
        }
        let report = to_report(first);
        Some(EventKind::Growth {
            function: cut(&report.place()),
            growth: report.growth,
            duration_ms: report.duration_ms,
        })
    }

    /// Returns the functions whose memory grows, for the report.
    pub(super) fn functions(&self) -> Vec<FunctionReport> {
        self.growing.iter().take(MAX_FUNCTIONS).map(to_report).collect()
    }

    /// Returns what is wrong if the heaps of an instance can become much larger than its memory limit. It is said once.
    pub(super) fn check_limits(
        &mut self,
        totals: Option<&HeapTotals>,
        age: Duration,
        limit: Bytes,
    ) -> Option<String> {
        let totals = totals.filter(|_| !self.limits_checked && age >= LIMITS_CHECKED_AT)?;
        self.limits_checked = true;
        describe_limits(totals, limit)
    }
}

/// Returns what a process holds in memory and has swapped out; `None` if nobody can tell.
fn held_by(pid: u32) -> Option<Bytes> {
    let memory = Process::at(&Path::new("/proc").join(pid.to_string()))?.read()?;
    Some(Bytes(memory.rss.0.saturating_add(memory.swap.0)))
}

/// Least cap for each of several processes that is worth a proposal, in MB: with less, a process gives up that a small program fills.
const LEAST_CAP_MB: u64 = 128;

/// Describes limits of runtimes that add up to more than a quarter above the memory limit. The guard itself sets that of one Node process to
/// the memory limit.
fn describe_limits(totals: &HeapTotals, limit: Bytes) -> Option<String> {
    let (sum, count) = totals.working;
    if u128::from(sum.0) * 4 <= u128::from(limit.0) * 5 {
        return None;
    }
    let each = (limit.0 / u64::try_from(count.max(1)).unwrap_or(1)) >> 20;
    let cap = format!("set NODE_OPTIONS=--max-old-space-size={each}");
    let advice = match count {
        1 => cap,
        _ if each >= LEAST_CAP_MB => format!("run fewer, or {cap}, at which one that needs more gives up"),
        _ => "run fewer, or raise --limit".to_owned(),
    };
    let whose = if count == 1 {
        format!("the heap limit of the program's runtime is {sum}")
    } else {
        format!("the heap limits of {count} processes add up to {sum}")
    };
    Some(format!(
        "{whose}, more than the memory limit of {limit}: they collect garbage later than would be good; {advice}"
    ))
}

/// Requests the functions that hold the memory, to be known before `left` is over.
fn request_holders(agents: &mut dyn AgentLink, family: &[u32], left: Option<Duration>) {
    let seconds = recording_seconds(left);
    for pid in family {
        agents.request_holders(*pid, seconds);
    }
}

/// Returns how long an agent is to record if the limit is reached after `left`.
fn recording_seconds(left: Option<Duration>) -> u32 {
    let wanted = left.map_or(*RECORDING.end(), |left| left / RECORDING_SHARE);
    let seconds = wanted.clamp(*RECORDING.start(), *RECORDING.end()).as_secs();
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Describes the types of which there are most objects more; `None` if there are none.
fn describe_types(mut types: Vec<GrowingType>) -> Option<String> {
    types.sort_by_key(|it| std::cmp::Reverse(it.growth));
    let more = |it: &GrowingType| {
        let GrowingType { pid, name, count, growth } = it;
        format!("{name} by {growth} to {count} in process {pid}")
    };
    let named: Vec<String> = types.iter().take(MAX_NAMED).map(more).collect();
    (!named.is_empty()).then(|| format!("Objects became more: {}.", named.join(", ")))
}

/// Describes functions, the fastest first: at most [`MAX_NAMED`].
fn describe_growing(growing: &[GrowingFunction]) -> String {
    let mut text = String::new();
    for function in growing.iter().take(MAX_NAMED) {
        let GrowingFunction { pid, function: name, file, line, growth, span, .. } = function;
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{name}");
        if !file.is_empty() {
            let _ = write!(text, " ({file}:{line})");
        }
        // A recording may take less than a second.
        let decimals = usize::from(*span < Duration::from_secs(1));
        let _ = write!(text, " by {growth} within {:.decimals$} s in process {pid}", span.as_secs_f64());
    }
    text
}

fn to_report(function: &GrowingFunction) -> FunctionReport {
    FunctionReport {
        function: function.function.clone(),
        file: function.file.clone(),
        line: function.line,
        live: function.bytes,
        growth: function.growth,
        duration_ms: u64::try_from(function.span.as_millis()).unwrap_or(u64::MAX),
    }
}

fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

#[cfg(test)]
mod tests;
