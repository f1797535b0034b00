//! What to do about it.
//!
//! Each piece of advice follows from figures of the picture, names them, and comes with how bad it is. The worst decides
//! the exit code. A pure function, so that each rule is a row of a table in the tests.

use heapbeat_shared::event::EventKind;
use heapbeat_forecast::{Place, Verdict};
use heapbeat_shared::report::{RouteReport, culprit};
use heapbeat_shared::{Bytes, Pressure, Status};
use serde::Serialize;

use super::snapshot::{Detail, Picture};
use super::text::stall;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Good to know.
    Fine,
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// One thing to know or do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Advice {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What was found and what follows, for people.
    pub(crate) text: String,
}

/// A limit that is reached sooner than this wants somebody now: an hour to find out and act.
const SOON_SECONDS: u64 = 3600;

/// Share of the limit from which an observed peak leaves no headroom for another like it.
const PEAK_SHARE: f64 = 0.9;

/// Share of the limit that memory outside the heap, or between the heap's figures, has to have to be worth a word.
const NOTABLE_SHARE: f64 = 0.2;

/// Waiting for memory more than this share of the time is felt by requests (percent, PSI `some avg10`).
const STALLED_PERCENT: f64 = 10.0;

/// A runtime that is late by more than this blocks everybody's requests, in milliseconds.
const LATE_RUNTIME_MS: u64 = 250;

/// Everything that follows from `picture`, worst first; never empty.
pub(crate) fn advise(picture: &Picture) -> Vec<Advice> {
    let rules = [standing, forecast, kernel, swap, headroom, stalls, outside_heap, refused, knowledge];
    let mut advice: Vec<Advice> = rules.iter().flat_map(|rule| rule(picture)).collect();
    if advice.iter().all(|a| a.severity == Severity::Fine) {
        let text = match picture.forecast.verdict {
            Verdict::Unknown => "Nothing is wrong now.".into(),
            Verdict::Growing => "Nothing to do yet.".into(),
            _ => "Nothing to do.".into(),
        };
        advice.insert(0, Advice { severity: Severity::Fine, text });
    }
    advice.sort_by_key(|a| std::cmp::Reverse(a.severity));
    advice
}

/// How bad it is, all in all.
pub(crate) fn worst(picture: &Picture) -> Severity {
    advise(picture).iter().map(|advice| advice.severity).max().unwrap_or(Severity::Fine)
}

fn say(severity: Severity, text: impl Into<String>) -> Vec<Advice> {
    vec![Advice { severity, text: text.into() }]
}

/// Where memory stands against its limit now.
fn standing(picture: &Picture) -> Vec<Advice> {
    let used = picture.sample.working_set;
    let of = match (&picture.limit, picture.used_share()) {
        (Some(limit), Some(share)) => format!("{used} of {} ({:.0} %)", limit.bytes, share * 100.0),
        _ => used.to_string(),
    };
    let rung = picture.pressure.map(|standing| standing.rung);
    let by_share = match picture.used_share() {
        Some(share) if share >= 0.9375 => Some(Pressure::Recycle),
        Some(share) if share >= 0.78125 => Some(Pressure::Alert),
        _ => None,
    };
    match (rung.or(by_share), picture.status) {
        (Some(Pressure::Shed), _) => {
            say(Severity::Critical, format!("Memory is at {of}: requests are being refused."))
        }
        (Some(Pressure::Recycle), _) => say(
            Severity::Critical,
            format!("Memory is at {of}: the process is about to be replaced or killed."),
        ),
        (Some(Pressure::Purge | Pressure::Alert), _) => say(Severity::Warning, format!("Memory is at {of}.")),
        (_, Some(Status::Critical)) => {
            say(Severity::Critical, format!("The server calls itself critical, with {of} in use."))
        }
        (_, Some(Status::Degraded)) => {
            say(Severity::Warning, format!("The server calls itself degraded, with {of} in use."))
        }
        _ => Vec::new(),
    }
}

/// What the forecast says, and where to look for it.
fn forecast(picture: &Picture) -> Vec<Advice> {
    let forecast = &picture.forecast;
    let severity = match (forecast.verdict, forecast.time_to_limit) {
        (Verdict::Steady | Verdict::Unknown, _) => return say(Severity::Fine, forecast.to_string()),
        (_, Some(time)) if time.expected.as_secs() < SOON_SECONDS => Severity::Critical,
        (Verdict::Leaking | Verdict::Fragmenting, _) => Severity::Warning,
        (Verdict::Growing, _) => Severity::Fine,
    };
    let mut advice = say(severity, forecast.to_string());
    advice.extend(match (forecast.verdict, forecast.place) {
        (Verdict::Fragmenting, _) | (_, Place::Gap) => say(
            severity,
            "Allocated is flat while resident grows: fragmentation. Lower jemalloc's decay or its number of arenas (docs/tuning.md).",
        ),
        (_, Place::Outside) => say(
            severity,
            "It grows outside the heap: look at thread stacks, mapped files and libraries with an allocator of their own.",
        ),
        _ => accused(&picture.routes).map(|text| Advice { severity, text }).into_iter().collect(),
    });
    advice
}

/// The route that explains the growth, if one does, and where to look.
fn accused(routes: &[RouteReport]) -> Option<String> {
    let culprit = culprit(routes)?;
    let look_at = if culprit.route.starts_with('(') {
        "look at background tasks, connections and what is spawned without its route (attribute::carry)"
    } else {
        "look at its caches, maps and channels"
    };
    Some(format!("{culprit}: {look_at}."))
}

/// What the kernel did already.
fn kernel(picture: &Picture) -> Vec<Advice> {
    match picture.system.oom_kills {
        Some(kills) if kills > 0 => say(
            Severity::Warning,
            format!("The kernel has killed processes of this cgroup for want of memory: {kills} so far."),
        ),
        _ => Vec::new(),
    }
}

fn swap(picture: &Picture) -> Vec<Advice> {
    match picture.system.swap {
        Some(swap) if swap > Bytes::from_mb(16) => {
            say(Severity::Warning, format!("{swap} are swapped out: every touch of them waits for a disk."))
        }
        _ => Vec::new(),
    }
}

/// A steady process that is too large for its limit.
fn headroom(picture: &Picture) -> Vec<Advice> {
    let (Some(peak), Some(limit)) = (picture.system.peak, &picture.limit) else { return Vec::new() };
    let settled = matches!(picture.forecast.verdict, Verdict::Steady | Verdict::Unknown);
    if settled && peak.0 as f64 >= PEAK_SHARE * limit.bytes.0 as f64 {
        let text = format!(
            "A peak of {peak} was seen: a limit of {} leaves no headroom for it. Bound what causes the peak, or take the next plan.",
            limit.bytes
        );
        return say(Severity::Warning, text);
    }
    Vec::new()
}

fn stalls(picture: &Picture) -> Vec<Advice> {
    let system = &picture.system;
    let mut advice = Vec::new();
    if let Some(percent) = stall(system).filter(|percent| *percent >= STALLED_PERCENT) {
        let text = format!(
            "Tasks waited for memory {percent:.0} % of the last ten seconds: the machine is short of it."
        );
        advice.extend(say(Severity::Warning, text));
    }
    if let Some(late) = system.runtime_stall_ms.filter(|late| *late >= LATE_RUNTIME_MS) {
        let text = format!(
            "The async runtime was {late} ms late within the last minute: a handler blocks its thread (spawn_blocking)."
        );
        advice.extend(say(Severity::Warning, text));
    }
    advice
}

/// Memory that no heap figure explains.
fn outside_heap(picture: &Picture) -> Vec<Advice> {
    let (external, limit) = (picture.sample.external(), picture.limit.as_ref());
    let large = limit.is_some_and(|limit| external.0 as f64 >= NOTABLE_SHARE * limit.bytes.0 as f64);
    if picture.heap_known && large {
        let text = format!(
            "{external} are resident outside the heap: stacks, code, mapped files, other allocators."
        );
        return say(Severity::Fine, text);
    }
    Vec::new()
}

/// Requests that were refused lately.
fn refused(picture: &Picture) -> Vec<Advice> {
    let refused: u64 = picture
        .events
        .iter()
        .map(|event| if let EventKind::Shed { refused, .. } = event.kind { refused } else { 0 })
        .sum();
    if refused == 0 {
        return Vec::new();
    }
    say(Severity::Warning, format!("{refused} requests were refused lately for want of memory."))
}

/// What would be known with more access.
fn knowledge(picture: &Picture) -> Vec<Advice> {
    if let Some(note) = &picture.note {
        return say(Severity::Fine, format!("{note} Only its public figures are seen."));
    }
    match picture.detail {
        Detail::Full => Vec::new(),
        Detail::Public => say(
            Severity::Fine,
            "Only the public figures are seen. With HEAPBEAT_SECRET (the server's) there are also the limit, routes and events.",
        ),
        Detail::Outside => say(
            Severity::Fine,
            "Seen from the outside: the kernel's figures only. A backend with heapbeat in it also tells heap and routes.",
        ),
    }
}

#[cfg(test)]
pub(crate) mod tests;
