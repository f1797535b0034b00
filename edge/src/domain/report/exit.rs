//! How an instance ended, as far as the edge can tell from the reports before and after the restart.
//!
//! The server's own flight recorder knows better if it survived; this is for when it did not, or does not say. Where the evidence
//! does not decide, the exit is `unknown`: a guessed cause sends somebody to the wrong place at night.

use heapbeat_shared::Pressure;
use heapbeat_shared::event::EventKind;
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};

use crate::domain::report::last_report::LastReport;

/// The share of the limit, in percent, above which a process that vanished was probably killed by the kernel. The kernel kills
/// between two samples, so the last one is below the limit.
const NEAR_LIMIT_PERCENT: u64 = 90;

/// Infers how the instance of `last` ended from the report of its successor.
pub fn infer_exit(last: &LastReport, next: &LastReport) -> Exit {
    let deployed = last.version != next.version;
    let mut evidence = Vec::new();
    let (kind, sure, at) = match &last.shutdown_event {
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
        None if is_near_limit(last) => (ExitKind::OomKill, false, last.last_alive()),
        None if deployed => (ExitKind::Deploy, false, last.last_alive()),
        None => (ExitKind::Unknown, false, last.last_alive()),
    };
    if deployed {
        evidence.push(Evidence::VersionChanged { from: last.version.clone(), to: next.version.clone() });
    }
    let has_sample = !last.latest.is_absent();
    if has_sample {
        evidence.push(Evidence::LastSample {
            memory: last.latest.working_set,
            limit: last.limit,
            pressure: last.pressure,
        });
    }
    if last.shutdown_event.is_none() {
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
        last: has_sample.then_some(last.latest),
        pressure: Some(last.pressure),
        ..Exit::default()
    }
}

/// Whether memory was close to its limit in the last report.
fn is_near_limit(last: &LastReport) -> bool {
    let full =
        last.latest.working_set.0.saturating_mul(100) >= last.limit.0.saturating_mul(NEAR_LIMIT_PERCENT);
    last.limit.0 > 0 && (full || last.pressure >= Pressure::Recycle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::event::Event;
    use heapbeat_shared::{Bytes, InstanceId, UnixMillis};

    use super::*;
    use crate::domain::report::last_report::tests::{report, signed};

    fn last_report(instance: u64, minute: i64) -> LastReport {
        let at = UnixMillis(minute * 60_000);
        LastReport::from_report(None, &signed(&report(instance, at, 0, 10)), at).0
    }

    #[test]
    fn an_exit_is_inferred_from_the_reports_before_and_after() {
        use ExitKind::{Deploy, OomKill, Recycle, Stop, Unknown};
        let stop = || Some(EventKind::Stop { by: "SIGTERM".into() });
        let recycle = || Some(EventKind::Recycle { reason: "960 MB of 1024".into() });
        let cases = [
            ("requested", stop(), "v1", 100, Pressure::Calm, (Stop, true)),
            ("requested, and another version", stop(), "v2", 100, Pressure::Calm, (Deploy, true)),
            ("the guard's own", recycle(), "v1", 480, Pressure::Recycle, (Recycle, true)),
            ("the guard gave up", Some(EventKind::Shutdown), "v1", 500, Pressure::Shed, (Recycle, true)),
            ("near its limit, unannounced", None, "v1", 470, Pressure::Purge, (OomKill, false)),
            (
                "near its limit, and another version: still",
                None,
                "v2",
                470,
                Pressure::Purge,
                (OomKill, false),
            ),
            ("another version, unannounced", None, "v2", 100, Pressure::Calm, (Deploy, false)),
            ("unannounced", None, "v1", 100, Pressure::Calm, (Unknown, false)),
        ];
        for (name, shutdown_event, version, mb, pressure, expected) in cases {
            let mut last = LastReport { version: "v1".into(), pressure, ..last_report(1, 10) };
            last.latest.working_set = Bytes::from_mb(mb);
            last.shutdown_event = shutdown_event.map(|kind| Event { at: UnixMillis(1), kind });
            let next = LastReport { version: version.into(), instance: InstanceId(2), ..last_report(2, 11) };
            let exit = infer_exit(&last, &next);
            assert_eq!((exit.kind, exit.sure), expected, "{name}");
            assert!(!exit.evidence.is_empty(), "{name}");
            assert!(exit.at <= next.at.minus(Duration::from_secs(60)), "{name}");
        }
    }

    #[test]
    fn an_instance_that_was_never_measured_has_no_last_sample() {
        let at = UnixMillis(600_000);
        let unmeasured = heapbeat_shared::Sample::default();
        let report = heapbeat_shared::report::Report { latest: unmeasured, ..report(1, at, 0, 0) };
        let last = LastReport::from_report(None, &signed(&report), at).0;
        let exit = infer_exit(&last, &last_report(2, 11));
        assert_eq!((exit.kind, exit.last, exit.at), (ExitKind::Unknown, None, last.started));
        assert!(!exit.evidence_text().contains("0 B"), "{}", exit.evidence_text());
    }
}
