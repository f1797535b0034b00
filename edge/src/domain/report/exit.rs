//! How an instance ended, as far as the edge can tell from both sides of the restart.
//!
//! The server's own flight recorder knows better where it survived; this is for where it did not, or said nothing.
//! What the evidence does not decide is `unknown`: a cause that is guessed sends somebody to the wrong place at night.

use heapbeat_shared::Pressure;
use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};

use crate::domain::report::last_report::LastReport;

/// Share of the limit, in percent, from which on a process that vanished was probably killed for it: the kernel kills
/// between two samples, so the last one stands below the limit.
const NEAR_PERCENT: u64 = 90;

/// How the instance of `last` ended, now that `next` has answered in its place.
pub fn infer(last: &LastReport, next: &LastReport) -> Exit {
    let deployed = last.version != next.version;
    let mut evidence = Vec::new();
    let (kind, sure, at) = match &last.leaving {
        Some(event) => {
            let (kind, piece) = match &event.kind {
                EventKind::Stop { by } if deployed => (ExitKind::Deploy, Evidence::StopAnnounced(by.clone())),
                EventKind::Stop { by } => (ExitKind::Stop, Evidence::StopAnnounced(by.clone())),
                EventKind::Recycle { reason } => (ExitKind::Recycle, Evidence::GuardReplaced(reason.clone())),
                _ => (ExitKind::Recycle, Evidence::GuardGaveUp),
            };
            evidence.push(piece);
            (kind, true, event.at)
        }
        None if near(last) => (ExitKind::OomKill, false, last.latest.at),
        None if deployed => (ExitKind::Deploy, false, last.latest.at),
        None => (ExitKind::Unknown, false, last.latest.at),
    };
    if deployed {
        evidence.push(Evidence::VersionChanged { from: last.version.clone(), to: next.version.clone() });
    }
    let seen = last.latest != heapbeat_shared::Sample::default();
    if seen {
        evidence.push(Evidence::LastSample {
            memory: last.latest.working_set,
            limit: last.limit,
            pressure: last.pressure,
        });
    }
    if last.leaving.is_none() {
        evidence.push(Evidence::NoStopAnnounced);
    }
    Exit {
        kind,
        sure,
        at,
        evidence: evidence.iter().map(Evidence::statement).collect(),
        instance: Some(last.instance),
        version: last.version.clone(),
        started: Some(last.started),
        last: seen.then_some(last.latest),
        pressure: Some(last.pressure),
        ..Exit::default()
    }
}

fn near(last: &LastReport) -> bool {
    let full = last.latest.working_set.0.saturating_mul(100) >= last.limit.0.saturating_mul(NEAR_PERCENT);
    last.limit.0 > 0 && (full || last.pressure >= Pressure::Recycle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::event::Event;
    use heapbeat_shared::{Bytes, InstanceId, UnixMillis};

    use super::*;
    use crate::domain::report::last_report::tests::{report, signed};

    fn told(instance: u64, minute: i64) -> LastReport {
        let at = UnixMillis(minute * 60_000);
        LastReport::hear(None, &signed(&report(instance, at, 0, 10)), at).0
    }

    #[test]
    fn what_the_two_sides_of_a_restart_tell() {
        use ExitKind::{Deploy, OomKill, Recycle, Stop, Unknown};
        let stop = || Some(EventKind::Stop { by: "SIGTERM".into() });
        let recycle = || Some(EventKind::Recycle { reason: "960 MB of 1024".into() });
        let cases = [
            ("asked to", stop(), "v1", 100, Pressure::Calm, (Stop, true)),
            ("asked to, and another version", stop(), "v2", 100, Pressure::Calm, (Deploy, true)),
            ("the guard's own", recycle(), "v1", 480, Pressure::Recycle, (Recycle, true)),
            ("the guard gave up", Some(EventKind::Leave), "v1", 500, Pressure::Shed, (Recycle, true)),
            ("near its limit, without a word", None, "v1", 470, Pressure::Purge, (OomKill, false)),
            (
                "near its limit, and another version: still",
                None,
                "v2",
                470,
                Pressure::Purge,
                (OomKill, false),
            ),
            ("another version, without a word", None, "v2", 100, Pressure::Calm, (Deploy, false)),
            ("without a word", None, "v1", 100, Pressure::Calm, (Unknown, false)),
        ];
        for (name, leaving, version, mb, pressure, expected) in cases {
            let mut last = LastReport { version: "v1".into(), pressure, ..told(1, 10) };
            last.latest.working_set = Bytes::from_mb(mb);
            last.leaving = leaving.map(|kind| Event { at: UnixMillis(1), kind });
            let next = LastReport { version: version.into(), instance: InstanceId(2), ..told(2, 11) };
            let ending = infer(&last, &next);
            assert_eq!((ending.kind, ending.sure), expected, "{name}");
            assert!(!ending.evidence.is_empty(), "{name}");
            assert!(ending.at <= next.at.minus(Duration::from_secs(60)), "{name}");
        }
    }
}
