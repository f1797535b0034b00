//! Recommendations for a snapshot.
//!
//! Each rule is a pure function of the snapshot. Its advice names the figures that it follows from, and has a severity. The highest
//! severity decides the exit code.

use std::time::Duration;

use heapbeat_forecast::{Assessment, Basis, MemoryPart, Verdict};
use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::{RouteReport, top_route};
use heapbeat_shared::{Bytes, ExitKind, Pressure, Status};
use serde::Serialize;

use super::snapshot::{Detail, GIVEN_LIMIT, Snapshot};
use super::text::{describe_exit, memory_stall_percent, span};

/// The severity of an advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Information only.
    Ok,
    /// Needs attention.
    Warning,
    /// Needs attention now.
    Critical,
}

/// One finding, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Advice {
    /// The severity.
    pub(crate) severity: Severity,
    /// The text, in full sentences.
    pub(crate) text: String,
}

/// A leak that reaches the limit in less than this can be critical, as finding the cause takes time.
pub(crate) const SOON: Duration = Duration::from_secs(3600);

/// What is shown while an instance starts.
const STARTING: &str =
    "An instance of the program is starting; the memory shown is that of the instance before it.";

/// What a first measurement of a target without a history cannot tell.
const ONE_LOOK: &str = "One measurement cannot tell whether memory grows: measure for some minutes without --once, or keep the measurements of a process between runs with --state FILE.";

/// Share of the limit above which a peak leaves no headroom.
const PEAK_SHARE: f64 = 0.9;

/// Share of the limit above which memory outside the heap is mentioned.
const NOTABLE_SHARE: f64 = 0.2;

/// Share of time in which tasks wait for memory that slows down requests, in percent (PSI `some avg10`).
const STALLED_PERCENT: f64 = 10.0;

/// Lateness of the async runtime that delays all requests, in milliseconds.
const LONG_RUNTIME_DELAY_MS: u64 = 250;

/// Time for which an exit that nobody requested is reported.
const RECENT_EXIT: Duration = Duration::from_secs(5 * 60);

/// Returns the advice on `snapshot`, most severe first. There is always some.
pub(crate) fn advise(snapshot: &Snapshot) -> Vec<Advice> {
    let rules = [
        check_usage,
        check_fast_growth,
        check_forecast,
        check_functions,
        check_previous_exit,
        check_oom_kills,
        check_swap,
        check_headroom,
        check_stalls,
        check_memory_outside_heap,
        check_shed_requests,
        check_access,
    ];
    let mut advice: Vec<Advice> = rules.iter().flat_map(|rule| rule(snapshot)).collect();
    if advice.iter().all(|a| a.severity == Severity::Ok) {
        let text = match snapshot.forecast.verdict {
            _ if snapshot.starting => STARTING.into(),
            // Whether memory grows is not known, so nobody can say that nothing needs attention.
            Verdict::Unknown if snapshot.limit.is_some() => {
                "Memory is not near its limit now; whether it grows is not known yet.".into()
            }
            Verdict::Unknown => {
                "The limit is not known here, and whether memory grows is not known yet.".into()
            }
            Verdict::Growing => "Nothing to do yet.".into(),
            _ => "Nothing to do.".into(),
        };
        advice.insert(0, Advice { severity: Severity::Ok, text });
    }
    advice.sort_by_key(|a| std::cmp::Reverse(a.severity));
    advice
}

/// Returns the highest severity of the advice on `snapshot`.
pub(crate) fn worst_severity(snapshot: &Snapshot) -> Severity {
    advise(snapshot).iter().map(|advice| advice.severity).max().unwrap_or(Severity::Ok)
}

/// Returns one advice.
fn one_advice(severity: Severity, text: impl Into<String>) -> Vec<Advice> {
    vec![Advice { severity, text: text.into() }]
}

/// Compares memory with its limit.
fn check_usage(snapshot: &Snapshot) -> Vec<Advice> {
    // The instance whose memory it was is being replaced, or has ended.
    if snapshot.starting {
        return Vec::new();
    }
    let used = snapshot.sample.working_set;
    let of = match (&snapshot.limit, snapshot.used_percent()) {
        (Some(limit), Some(percent)) => format!("{used} of {} ({percent})", limit.bytes),
        _ => used.to_string(),
    };
    let level = snapshot.pressure.map(|pressure| pressure.level);
    let by_share = match snapshot.used_share() {
        Some(share) if share >= 0.9375 => Some(Pressure::Recycle),
        Some(share) if share >= 0.78125 => Some(Pressure::Alert),
        _ => None,
    };
    match (level.or(by_share), snapshot.status) {
        (Some(Pressure::Shed), _) => {
            one_advice(Severity::Critical, format!("Memory is at {of}: requests are being refused with 503."))
        }
        (Some(Pressure::Recycle), _) => {
            one_advice(Severity::Critical, format!("Memory is at {of}{}", describe_end(snapshot)))
        }
        (Some(Pressure::Purge | Pressure::Alert), _) => {
            one_advice(Severity::Warning, format!("Memory is at {of}."))
        }
        (_, Some(Status::Critical)) => {
            one_advice(Severity::Critical, format!("The server reports status critical with {of} in use."))
        }
        (_, Some(Status::Degraded)) => {
            let what = "its memory is above a threshold, or requests wait for its next instance";
            one_advice(
                Severity::Warning,
                format!("The server reports status degraded with {of} in use: {what}."),
            )
        }
        _ => Vec::new(),
    }
}

/// Describes what follows memory that has come close to its limit.
fn describe_end(snapshot: &Snapshot) -> &'static str {
    let is_given = snapshot.limit.as_ref().is_some_and(|limit| limit.origin == GIVEN_LIMIT);
    match snapshot.detail {
        // The ladder of the server says so.
        Detail::Full => ": the process will soon be replaced or killed.",
        Detail::Public | Detail::Kernel if is_given => {
            ". The limit is the one that --limit states: whether anything enforces it is not known from here."
        }
        Detail::Public => ".",
        Detail::Kernel => {
            ": at the limit the kernel kills a process of the control group. `heapbeat run` would replace the program before."
        }
    }
}

/// Reports growth that is too young for a forecast and too fast to wait for one.
fn check_fast_growth(snapshot: &Snapshot) -> Vec<Advice> {
    let (Some(time), Some(limit)) = (snapshot.reaches_limit_in, &snapshot.limit) else { return Vec::new() };
    if snapshot.forecast.verdict != Verdict::Unknown || snapshot.starting {
        return Vec::new();
    }
    let text = format!(
        "At the growth of the last seconds memory reaches {} in {}. Whether that is a leak is not known yet.",
        limit.bytes,
        span(time.as_secs().max(1))
    );
    one_advice(Severity::Warning, text)
}

/// Reports the forecast, and where to search for the cause.
fn check_forecast(snapshot: &Snapshot) -> Vec<Advice> {
    let forecast = &snapshot.forecast;
    if forecast.verdict == Verdict::Unknown && forecast.observed.is_zero() && snapshot.detail != Detail::Full
    {
        return one_advice(Severity::Ok, ONE_LOOK);
    }
    let severity = match forecast.verdict {
        Verdict::Steady | Verdict::Unknown => return one_advice(Severity::Ok, forecast.to_string()),
        _ if forecast.reaches_limit_within(SOON) => Severity::Critical,
        Verdict::Leaking | Verdict::Fragmenting => Severity::Warning,
        Verdict::Growing if takes_the_limit(forecast) => Severity::Warning,
        Verdict::Growing => Severity::Ok,
    };
    let mut advice = one_advice(severity, forecast.to_string());
    advice.extend(match (forecast.verdict, forecast.part) {
        (Verdict::Fragmenting, _) | (_, MemoryPart::AllocatorOverhead) => one_advice(
            severity,
            "Allocated memory is flat while resident memory grows: fragmentation. Reduce jemalloc's decay time or its number of arenas (see docs/tuning.md).",
        ),
        (_, MemoryPart::OutsideHeap) if snapshot.detail == Detail::Public => one_advice(
            severity,
            "Memory outside the heap grows: of a Node program, check where Buffers, streams and responses are kept; of others, thread stacks, mapped files and libraries with an allocator of their own.",
        ),
        (_, MemoryPart::BeyondLiveHeap) => one_advice(
            severity,
            "Resident memory grows beside what the program holds: fragmentation, or libraries with an allocator of their own.",
        ),
        (_, MemoryPart::External) => one_advice(
            severity,
            "Objects hold memory outside the heap: check where Buffers, streams and responses are kept.",
        ),
        (_, MemoryPart::OutsideHeap) => one_advice(
            severity,
            "Memory outside the heap grows: check thread stacks, mapped files and libraries with an allocator of their own.",
        ),
        _ => describe_suspect_route(&snapshot.routes).map(|text| Advice { severity, text }).into_iter().collect(),
    });
    advice
}

/// Whether growth that is no leak of the application lasts, and takes the limit: outside of the heap, or in a heap that may grow beyond it.
fn takes_the_limit(forecast: &Assessment) -> bool {
    forecast.time_to_limit.is_some_and(|time| match forecast.basis {
        Basis::OutsideLiveHeap => true,
        Basis::HeapMayFill => time.expected <= SOON,
        _ => false,
    })
}

/// Reports the functions of a guarded program whose live memory grows.
fn check_functions(snapshot: &Snapshot) -> Vec<Advice> {
    let Some(first) = snapshot.functions.first() else { return Vec::new() };
    let file =
        if first.file.is_empty() { String::new() } else { format!(" ({}:{})", first.file, first.line) };
    let text = format!(
        "{}{file} allocated {} that are still held, {} more than {} ago: check where it stores what it creates.",
        first.function,
        first.live,
        first.growth,
        span(first.duration_ms / 1000)
    );
    one_advice(Severity::Warning, text)
}

/// Returns the route that explains the growth, and where to search in it; `None` if no route does.
fn describe_suspect_route(routes: &[RouteReport]) -> Option<String> {
    let top_route = top_route(routes)?;
    let hint = if top_route.route.starts_with('(') {
        "check background tasks, connections, and tasks that are spawned without their route (attribution::propagate)"
    } else {
        "check its caches, maps and channels"
    };
    Some(format!("{top_route}: {hint}."))
}

/// Reports a recent exit that nobody requested.
fn check_previous_exit(snapshot: &Snapshot) -> Vec<Advice> {
    let Some(exit) = &snapshot.previous_exit else { return Vec::new() };
    let unrequested = matches!(
        exit.kind,
        ExitKind::OomKill
            | ExitKind::OutOfMemory
            | ExitKind::Panic
            | ExitKind::Crash
            | ExitKind::Hang
            | ExitKind::Platform
            | ExitKind::Unknown
    );
    if !unrequested || snapshot.at.since(exit.at) > RECENT_EXIT {
        return Vec::new();
    }
    one_advice(
        Severity::Warning,
        format!("The previous instance exited {}.", describe_exit(snapshot.at, exit).trim_end_matches('.')),
    )
}

/// Reports processes that the kernel killed.
fn check_oom_kills(snapshot: &Snapshot) -> Vec<Advice> {
    match snapshot.system.oom_kills {
        Some(kills) if kills > 0 => one_advice(
            Severity::Warning,
            format!("Out of memory: the kernel has killed processes of this cgroup ({kills} so far)."),
        ),
        _ => Vec::new(),
    }
}

/// Reports memory that is swapped out.
fn check_swap(snapshot: &Snapshot) -> Vec<Advice> {
    match snapshot.system.swap {
        Some(swap) if swap > Bytes::from_mb(16) => one_advice(
            Severity::Warning,
            format!("{swap} are swapped out: every access to it waits for the disk."),
        ),
        _ => Vec::new(),
    }
}

/// Reports a steady process whose peak is too close to its limit.
fn check_headroom(snapshot: &Snapshot) -> Vec<Advice> {
    let (Some(peak), Some(limit)) = (snapshot.system.peak, &snapshot.limit) else { return Vec::new() };
    let settled = matches!(snapshot.forecast.verdict, Verdict::Steady | Verdict::Unknown);
    if settled && peak.0 as f64 >= PEAK_SHARE * limit.bytes.0 as f64 {
        let text = format!(
            "Memory peaked at {peak}: a limit of {} leaves no headroom. Reduce the peak, or raise the limit.",
            limit.bytes
        );
        return one_advice(Severity::Warning, text);
    }
    Vec::new()
}

/// Reports waiting for memory, and a late async runtime.
fn check_stalls(snapshot: &Snapshot) -> Vec<Advice> {
    let system = &snapshot.system;
    let mut advice = Vec::new();
    if let Some(percent) = memory_stall_percent(system).filter(|percent| *percent >= STALLED_PERCENT) {
        let text = format!(
            "Tasks waited for memory {percent:.0} % of the last ten seconds: the machine is short of memory."
        );
        advice.extend(one_advice(Severity::Warning, text));
    }
    if let Some(late) = system.runtime_delay_ms.filter(|late| *late >= LONG_RUNTIME_DELAY_MS) {
        let text = format!(
            "The async runtime was up to {late} ms late in the last minute: a handler blocks its thread (use spawn_blocking)."
        );
        advice.extend(one_advice(Severity::Warning, text));
    }
    advice
}

/// Reports much memory outside the heap.
fn check_memory_outside_heap(snapshot: &Snapshot) -> Vec<Advice> {
    let (external, limit) = (snapshot.sample.external(), snapshot.limit.as_ref());
    let large = limit.is_some_and(|limit| external.0 as f64 >= NOTABLE_SHARE * limit.bytes.0 as f64);
    let is_told = matches!(snapshot.forecast.part, MemoryPart::External | MemoryPart::OutsideHeap);
    if snapshot.heap_known && large && !is_told {
        let text = format!(
            "{external} are resident outside the heap: thread stacks, code, mapped files, other allocators, Buffers of Node."
        );
        return one_advice(Severity::Ok, text);
    }
    Vec::new()
}

/// Reports recently refused requests.
fn check_shed_requests(snapshot: &Snapshot) -> Vec<Advice> {
    let refused: u64 = snapshot
        .events
        .iter()
        .map(|event| if let EventKind::Shed { refused, .. } = event.kind { refused } else { 0 })
        .sum();
    if refused == 0 {
        return Vec::new();
    }
    one_advice(
        Severity::Warning,
        format!("{refused} requests were recently refused with 503, as memory was short."),
    )
}

/// Reports which figures are missing, and how to get them.
fn check_access(snapshot: &Snapshot) -> Vec<Advice> {
    if let Some(note) = &snapshot.note {
        return one_advice(Severity::Ok, format!("{note} Only its public figures are shown."));
    }
    match snapshot.detail {
        Detail::Full | Detail::Public
            if !snapshot.heap_known && snapshot.sample.heap_total.known().is_some() =>
        {
            one_advice(
                Severity::Ok,
                "What is used of the heap is not known, as the program's runtime has no figure for it (Python).",
            )
        }
        Detail::Full | Detail::Public if !snapshot.heap_known => one_advice(
            Severity::Ok,
            "The heap is not known: the program is guarded from outside. Node tells its heap unless its agent is switched off (HEAPBEAT_AGENT); Python and others have no figure for it.",
        ),
        Detail::Full => Vec::new(),
        Detail::Public => one_advice(
            Severity::Ok,
            "Only the public figures are shown. Set HEAPBEAT_SECRET to the server's secret to see the limit, routes and events as well.",
        ),
        Detail::Kernel => one_advice(
            Severity::Ok,
            "The process is measured from outside, so only the kernel's figures are known. A Node program under `heapbeat run` also reports its heap, a backend that embeds heapbeat its routes as well.",
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests;
