//! Advice on a snapshot.
//!
//! Each advice follows from figures of the snapshot, names them, and has a severity; the highest severity decides the exit code. Advice
//! is a pure function, so that each rule is a row of a table in the tests.

use heapbeat_forecast::{MemoryPart, Verdict};
use heapbeat_shared::event::EventKind;
use heapbeat_shared::report::{RouteReport, top_route};
use heapbeat_shared::{Bytes, Pressure, Status};
use serde::Serialize;

use super::snapshot::{Detail, Snapshot};
use super::text::stall;

/// Severity of an advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Information.
    Fine,
    /// Needs attention.
    Warning,
    /// Needs attention now.
    Critical,
}

/// One advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Advice {
    /// Severity of an advice.
    pub(crate) severity: Severity,
    /// The finding, and what to do about it.
    pub(crate) text: String,
}

/// A limit that is reached sooner than this is critical: an hour to find the cause and act.
const SOON_SECONDS: u64 = 3600;

/// Share of the limit above which a peak leaves no headroom.
const PEAK_SHARE: f64 = 0.9;

/// Share of the limit above which memory outside the heap is mentioned.
const NOTABLE_SHARE: f64 = 0.2;

/// Share of time waiting for memory that slows down requests, in percent (PSI `some avg10`).
const STALLED_PERCENT: f64 = 10.0;

/// Lateness of the runtime that delays all requests, in milliseconds.
const LATE_RUNTIME_MS: u64 = 250;

/// The advice on `snapshot`, most severe first; never empty.
pub(crate) fn advise(snapshot: &Snapshot) -> Vec<Advice> {
    let rules =
        [usage, forecast, kernel, swap, headroom, stalls, memory_outside_heap, refused, missing_access];
    let mut advice: Vec<Advice> = rules.iter().flat_map(|rule| rule(snapshot)).collect();
    if advice.iter().all(|a| a.severity == Severity::Fine) {
        let text = match snapshot.forecast.verdict {
            Verdict::Unknown => "Nothing is wrong now.".into(),
            Verdict::Growing => "Nothing to do yet.".into(),
            _ => "Nothing to do.".into(),
        };
        advice.insert(0, Advice { severity: Severity::Fine, text });
    }
    advice.sort_by_key(|a| std::cmp::Reverse(a.severity));
    advice
}

/// The highest severity of the advice on `snapshot`.
pub(crate) fn worst_severity(snapshot: &Snapshot) -> Severity {
    advise(snapshot).iter().map(|advice| advice.severity).max().unwrap_or(Severity::Fine)
}

fn one(severity: Severity, text: impl Into<String>) -> Vec<Advice> {
    vec![Advice { severity, text: text.into() }]
}

/// Memory in relation to its limit.
fn usage(snapshot: &Snapshot) -> Vec<Advice> {
    let used = snapshot.sample.working_set;
    let of = match (&snapshot.limit, snapshot.used_share()) {
        (Some(limit), Some(share)) => format!("{used} of {} ({:.0} %)", limit.bytes, share * 100.0),
        _ => used.to_string(),
    };
    let rung = snapshot.pressure.map(|standing| standing.level);
    let by_share = match snapshot.used_share() {
        Some(share) if share >= 0.9375 => Some(Pressure::Recycle),
        Some(share) if share >= 0.78125 => Some(Pressure::Alert),
        _ => None,
    };
    match (rung.or(by_share), snapshot.status) {
        (Some(Pressure::Shed), _) => {
            one(Severity::Critical, format!("Memory is at {of}: requests are being refused."))
        }
        (Some(Pressure::Recycle), _) => one(
            Severity::Critical,
            format!("Memory is at {of}: the process will soon be replaced or killed."),
        ),
        (Some(Pressure::Purge | Pressure::Alert), _) => one(Severity::Warning, format!("Memory is at {of}.")),
        (_, Some(Status::Critical)) => {
            one(Severity::Critical, format!("The server reports status critical with {of} in use."))
        }
        (_, Some(Status::Degraded)) => {
            one(Severity::Warning, format!("The server reports status degraded with {of} in use."))
        }
        _ => Vec::new(),
    }
}

/// The forecast, and where to search for the cause.
fn forecast(snapshot: &Snapshot) -> Vec<Advice> {
    let forecast = &snapshot.forecast;
    let severity = match (forecast.verdict, forecast.time_to_limit) {
        (Verdict::Steady | Verdict::Unknown, _) => return one(Severity::Fine, forecast.to_string()),
        (_, Some(time)) if time.expected.as_secs() < SOON_SECONDS => Severity::Critical,
        (Verdict::Leaking | Verdict::Fragmenting, _) => Severity::Warning,
        (Verdict::Growing, _) => Severity::Fine,
    };
    let mut advice = one(severity, forecast.to_string());
    advice.extend(match (forecast.verdict, forecast.place) {
        (Verdict::Fragmenting, _) | (_, MemoryPart::Gap) => one(
            severity,
            "Allocated memory is flat while resident memory grows: fragmentation. Lower jemalloc's decay time or its number of arenas (docs/tuning.md).",
        ),
        (_, MemoryPart::Outside) => one(
            severity,
            "Memory outside the heap grows: check thread stacks, mapped files and libraries with an allocator of their own.",
        ),
        _ => suspect_route(&snapshot.routes).map(|text| Advice { severity, text }).into_iter().collect(),
    });
    advice
}

/// The route that explains the growth, if one does, and where to search.
fn suspect_route(routes: &[RouteReport]) -> Option<String> {
    let top_route = top_route(routes)?;
    let hint = if top_route.route.starts_with('(') {
        "check background tasks, connections, and tasks that are spawned without their route (attribution::carry)"
    } else {
        "check its caches, maps and channels"
    };
    Some(format!("{top_route}: {hint}."))
}

/// Kills by the kernel.
fn kernel(snapshot: &Snapshot) -> Vec<Advice> {
    match snapshot.system.oom_kills {
        Some(kills) if kills > 0 => one(
            Severity::Warning,
            format!("Out of memory: the kernel has killed processes of this cgroup ({kills} so far)."),
        ),
        _ => Vec::new(),
    }
}

fn swap(snapshot: &Snapshot) -> Vec<Advice> {
    match snapshot.system.swap {
        Some(swap) if swap > Bytes::from_mb(16) => {
            one(Severity::Warning, format!("{swap} are swapped out: every access to them waits for a disk."))
        }
        _ => Vec::new(),
    }
}

/// A steady process that is too large for its limit.
fn headroom(snapshot: &Snapshot) -> Vec<Advice> {
    let (Some(peak), Some(limit)) = (snapshot.system.peak, &snapshot.limit) else { return Vec::new() };
    let settled = matches!(snapshot.forecast.verdict, Verdict::Steady | Verdict::Unknown);
    if settled && peak.0 as f64 >= PEAK_SHARE * limit.bytes.0 as f64 {
        let text = format!(
            "Memory peaked at {peak}: a limit of {} leaves no headroom. Reduce the peak, or raise the limit.",
            limit.bytes
        );
        return one(Severity::Warning, text);
    }
    Vec::new()
}

fn stalls(snapshot: &Snapshot) -> Vec<Advice> {
    let system = &snapshot.system;
    let mut advice = Vec::new();
    if let Some(percent) = stall(system).filter(|percent| *percent >= STALLED_PERCENT) {
        let text = format!(
            "Tasks waited for memory {percent:.0} % of the last ten seconds: the machine is short of memory."
        );
        advice.extend(one(Severity::Warning, text));
    }
    if let Some(late) = system.runtime_stall_ms.filter(|late| *late >= LATE_RUNTIME_MS) {
        let text = format!(
            "The async runtime was up to {late} ms late in the last minute: a handler blocks its thread (use spawn_blocking)."
        );
        advice.extend(one(Severity::Warning, text));
    }
    advice
}

/// Memory outside the heap.
fn memory_outside_heap(snapshot: &Snapshot) -> Vec<Advice> {
    let (external, limit) = (snapshot.sample.external(), snapshot.limit.as_ref());
    let large = limit.is_some_and(|limit| external.0 as f64 >= NOTABLE_SHARE * limit.bytes.0 as f64);
    if snapshot.heap_known && large {
        let text = format!(
            "{external} are resident outside the heap: stacks, code, mapped files, other allocators."
        );
        return one(Severity::Fine, text);
    }
    Vec::new()
}

/// Recently refused requests.
fn refused(snapshot: &Snapshot) -> Vec<Advice> {
    let refused: u64 = snapshot
        .events
        .iter()
        .map(|event| if let EventKind::Shed { refused, .. } = event.kind { refused } else { 0 })
        .sum();
    if refused == 0 {
        return Vec::new();
    }
    one(Severity::Warning, format!("{refused} requests were refused recently because memory was short."))
}

/// Figures that more access would give.
fn missing_access(snapshot: &Snapshot) -> Vec<Advice> {
    if let Some(note) = &snapshot.note {
        return one(Severity::Fine, format!("{note} Only its public figures are shown."));
    }
    match snapshot.detail {
        Detail::Full => Vec::new(),
        Detail::Public => one(
            Severity::Fine,
            "Only the public figures are shown. HEAPBEAT_SECRET, set to the server's secret, adds the limit, routes and events.",
        ),
        Detail::Outside => one(
            Severity::Fine,
            "Measured from the outside: only the kernel's figures are known. A backend with heapbeat reports heap and routes as well.",
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests;
