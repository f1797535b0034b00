use std::time::Duration;

use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};
use heapbeat_shared::{Bytes, Pressure};

use super::notification::tests::PromptRecipient;
use super::notification::{EndReason, NotificationReason};
use super::tracker::{IncidentTracker, TickObservation};
use super::*;
use crate::domain::check::verdict::CheckVerdict;
use crate::domain::report::exit_matching::InstanceExit;
use crate::domain::report::last_report::tests::{report, signed};
use crate::domain::report::last_report::{LastReport, ReportDelta};
use crate::domain::{Failure, State};

const MINUTE: i64 = 60_000;

fn minute(n: i64) -> UnixMillis {
    UnixMillis(n * MINUTE)
}

/// What the tick of a minute finds.
#[derive(Clone, Copy)]
enum Found {
    Up,
    Down,
    Degraded,
    /// Down with this HTTP status.
    Status(u16),
    /// Down with this HTTP status, but not often enough to be `down`.
    StatusOnce(u16),
    Unobserved,
    Maintenance,
    /// Up, with this memory pressure.
    Pressure(Pressure),
    /// Up, and the previous instance ended like this.
    Exit(ExitKind),
}

/// A monitor with a tick a minute.
#[derive(Default)]
struct Timeline {
    tracker: IncidentTracker,
    recipient: PromptRecipient,
    minute: i64,
}

impl Timeline {
    /// Runs the next tick. Returns what is to be notified.
    fn run_tick(&mut self, found: Found) -> Option<NotificationReason> {
        let at = minute(self.minute);
        self.minute += 1;
        let (mut report, mut delta) = LastReport::from_report(None, &signed(&report(1, at, 0, 60)), at);
        let failing = Some(CheckVerdict::Failed(Failure::ConnectionRefused));
        let (state, verdict) = match found {
            Found::Down => (State::Down, failing),
            Found::Status(status) => (State::Down, Some(CheckVerdict::Failed(Failure::Status(status)))),
            Found::StatusOnce(status) => {
                (State::Degraded, Some(CheckVerdict::Failed(Failure::Status(status))))
            }
            Found::Degraded => (State::Degraded, Some(CheckVerdict::Degraded(Failure::Slow(900)))),
            Found::Unobserved => (State::Unobserved, failing),
            Found::Maintenance => (State::Maintenance, failing),
            _ => (State::Up, Some(CheckVerdict::Up)),
        };
        if let Found::Pressure(to) = found {
            report.pressure = to;
            let kind = EventKind::Pressure { from: Pressure::Calm, to, memory: Bytes::from_mb(420) };
            delta.events.push(Event { at, kind });
        }
        if let Found::Exit(kind) = found {
            let evidence = vec![Evidence::MemoryWhenLastSeen(98).statement()];
            let exit = Exit { kind, at: at.minus(Duration::from_secs(20)), evidence, ..Exit::default() };
            delta.exits.push(InstanceExit { exit, restarted: at });
            delta.restarts.push(at);
        }
        let tick = TickObservation {
            at,
            state,
            verdict,
            last_report: matches!(found, Found::Up | Found::Pressure(_) | Found::Exit(_)).then_some(&report),
            delta: &delta,
            restarted: !delta.restarts.is_empty(),
            flapping_since: None,
            unobserved_since: None,
        };
        self.tracker.record_tick(&"api".parse().unwrap(), &tick);
        self.recipient.notify(self.tracker.latest.as_ref()?, false, at)
    }

    /// What is so now: the severity and the cause.
    fn now(&self) -> (Option<Severity>, String) {
        (self.incident().current, self.incident().cause.statement().text)
    }

    /// How long each state held, in minutes.
    fn minutes(&self) -> Vec<(PhaseState, u64)> {
        let durations = self.incident().durations(minute(self.minute));
        durations.into_iter().map(|(state, millis)| (state, millis / 60_000)).collect()
    }

    /// Runs a tick for each finding. Returns what is to be notified, and in which minute.
    fn run(&mut self, findings: &[Found]) -> Vec<(i64, NotificationReason)> {
        findings.iter().filter_map(|found| Some((self.minute, self.run_tick(*found)?))).collect()
    }

    fn incident(&self) -> &Incident {
        self.tracker.latest.as_ref().unwrap()
    }

    /// The incident's timeline: seconds and texts.
    fn entries(&self) -> Vec<(i64, &str)> {
        let entries = self.incident().timeline.iter();
        entries.map(|entry| (entry.at.0 / 1000, entry.message.text.as_str())).collect()
    }
}

/// Applies the report of a minute by which an instance crashed at `at`, or that says nothing. All is well otherwise.
fn report_crash(tracker: &mut IncidentTracker, number: i64, at: Option<i64>) {
    let exit = |at| Exit { kind: ExitKind::Crash, at: UnixMillis(at), ..Exit::default() };
    let exits = at.map(|at| InstanceExit { exit: exit(at), restarted: minute(number) });
    let delta = ReportDelta { exits: exits.into_iter().collect(), ..ReportDelta::default() };
    let tick = TickObservation {
        at: minute(number),
        state: State::Up,
        verdict: Some(CheckVerdict::Up),
        last_report: None,
        delta: &delta,
        restarted: at.is_some(),
        flapping_since: None,
        unobserved_since: None,
    };
    tracker.record_tick(&"api".parse().unwrap(), &tick);
}

#[test]
fn an_incident_has_a_valid_id_whenever_a_server_says_that_it_ended() {
    for at in [i64::MIN, -1, 0, minute(5).0, i64::MAX] {
        let mut tracker = IncidentTracker::default();
        report_crash(&mut tracker, 10, Some(at));
        let id = tracker.latest.unwrap().id();
        assert_eq!(id.to_string().parse(), Ok(id), "{at}");
    }
}

#[test]
fn what_a_report_tells_late_is_an_incident_of_its_own_after_the_one_before() {
    // (when the first instance crashed, and the one that is told of twenty minutes later)
    for (first, late) in [(9, 8), (9, 5), (10, 5), (10, 10), (99, 5), (9, 25)] {
        let mut tracker = IncidentTracker::default();
        report_crash(&mut tracker, 10, Some(minute(first).0));
        (11..30).for_each(|number| report_crash(&mut tracker, number, None));
        let before = tracker.latest.clone().unwrap();
        report_crash(&mut tracker, 30, Some(minute(late).0));
        let latest = tracker.latest.unwrap();
        assert_ne!(latest.id(), before.id(), "{first}, {late}");
        assert!(latest.opened >= before.closed.unwrap() && latest.opened <= minute(30), "{first}, {late}");
    }
}

#[test]
fn an_outage_is_notified_when_it_begins_and_when_it_ends() {
    use Found::{Down, Unobserved, Up};
    let mut timeline = Timeline::default();
    let notified = timeline.run(&[Up, Down, Down, Unobserved, Up, Up]);
    assert_eq!(notified, [(1, NotificationReason::Opened), (4, NotificationReason::Recovered)]);
    let incident = timeline.incident();
    assert_eq!((incident.opened, incident.closed), (minute(1), Some(minute(4))));
    assert_eq!(
        (incident.severity, incident.cause),
        (Severity::Down, Cause::Failing(Failure::ConnectionRefused))
    );
    assert_eq!(timeline.entries(), [(60, "connection refused"), (240, "all checks pass again")]);
}

#[test]
fn memory_pressure_and_the_crash_that_follows_are_one_incident() {
    use Found::{Down, Up};
    let mut timeline = Timeline::default();
    let notified = timeline.run(&[
        Up,
        Found::Pressure(Pressure::Alert),
        Found::Pressure(Pressure::Purge),
        Down,
        Found::Exit(ExitKind::Crash),
        Up,
        Up,
        Up,
    ]);
    assert_eq!(
        notified,
        [(1, NotificationReason::Opened), (3, NotificationReason::Worse), (6, NotificationReason::Recovered)],
        "all must be well for two minutes after it was killed"
    );
    let incident = timeline.incident();
    assert_eq!((incident.opened, incident.closed), (minute(1), Some(minute(4))));
    assert_eq!(incident.cause, Cause::OutOfMemory, "memory was short, and it crashed");
    assert_eq!(incident.evidence, [Evidence::MemoryWhenLastSeen(98).statement()]);
    let texts: Vec<_> = timeline.entries().into_iter().map(|(_, what)| what).collect();
    assert_eq!(
        texts,
        [
            "memory pressure changed from calm to alert at 420.0 MB",
            "memory pressure changed from calm to purge at 420.0 MB",
            "connection refused",
            "instance crashed",
            "all checks pass again",
        ]
    );
}

#[test]
fn a_crash_between_two_good_probes_is_notified() {
    use Found::Up;
    for (kind, cause) in [
        (ExitKind::OomKill, Cause::OutOfMemory),
        (ExitKind::Panic, Cause::Exit(ExitKind::Panic)),
        (ExitKind::Unknown, Cause::Exit(ExitKind::Unknown)),
    ] {
        let mut timeline = Timeline::default();
        let notified = timeline.run(&[Up, Found::Exit(kind), Up, Up, Up]);
        assert_eq!(
            notified,
            [(1, NotificationReason::Opened), (3, NotificationReason::Recovered)],
            "{kind:?}"
        );
        assert_eq!((timeline.incident().severity, timeline.incident().cause), (Severity::Crashed, cause));
        assert_eq!(
            timeline.incident().opened,
            UnixMillis(40_000),
            "when it crashed, not when that was noticed"
        );
    }
    for kind in [ExitKind::Stop, ExitKind::Deploy, ExitKind::Recycle, ExitKind::SpinDown] {
        assert_eq!(Timeline::default().run(&[Up, Found::Exit(kind), Up]), [], "{kind:?} opens no incident");
    }
}

#[test]
fn a_crash_loop_is_one_incident() {
    use Found::Up;
    let mut timeline = Timeline::default();
    let notified = timeline.run(&[
        Up,
        Found::Exit(ExitKind::Crash),
        Found::Exit(ExitKind::Crash),
        Up,
        Found::Exit(ExitKind::Crash),
        Up,
    ]);
    assert_eq!(notified, [(1, NotificationReason::Opened)]);
}

#[test]
fn a_flapping_target_pages_a_few_times_and_then_waits() {
    use Found::{Down, Up};
    let mut timeline = Timeline::default();
    let notified = timeline.run(&[Down, Up].repeat(60));
    assert_eq!(notified.len(), 7, "{notified:?}");
    assert_eq!(notified[6], (6, NotificationReason::Opened));
    assert_eq!(timeline.incident().recurrences, 59);
    assert!(timeline.incident().timeline.len() <= MAX_TIMELINE_ENTRIES);
    let notified = timeline.run(&[Up; 12]);
    assert_eq!(
        notified.last().map(|(_, reason)| *reason),
        Some(NotificationReason::Recovered),
        "ten quiet minutes"
    );
}

#[test]
fn a_problem_long_after_the_last_one_is_another_incident() {
    use Found::{Degraded, Up};
    let mut timeline = Timeline::default();
    let notified = timeline.run(&[vec![Degraded, Up], vec![Up; 11], vec![Degraded]].concat());
    assert_eq!(
        notified,
        [
            (0, NotificationReason::Opened),
            (1, NotificationReason::Recovered),
            (13, NotificationReason::Opened)
        ]
    );
    assert_eq!(timeline.incident().opened, minute(13));
    assert_eq!(timeline.incident().recurrences, 0);
}

#[test]
fn a_failure_under_maintenance_opens_no_incident() {
    use Found::{Down, Maintenance, Up};
    let mut timeline = Timeline::default();
    assert_eq!(timeline.run(&[Maintenance, Maintenance, Up]), []);
    let notified = timeline.run(&[Down, Maintenance, Maintenance, Up]);
    let ended = NotificationReason::Ended(EndReason::Maintenance);
    assert_eq!(notified, [(3, NotificationReason::Opened), (4, ended)]);
}

#[test]
fn a_title_says_what_is_wrong_once() {
    let titles = [
        (Severity::Down, "connection refused", "API is down: connection refused"),
        (Severity::Degraded, "response took 900 ms", "API is degraded: response took 900 ms"),
        (Severity::Crashed, "instance crashed", "API: instance crashed"),
        (Severity::Crashed, "out of memory", "API crashed: out of memory"),
        (Severity::Warning, "memory is close to its limit", "API: memory is close to its limit"),
    ];
    for (severity, cause, title) in titles {
        assert_eq!(severity.title("API", cause), title);
    }
}

/// What is so now follows what each tick finds, whatever was so before.
#[test]
fn severity_and_cause_are_those_of_now() {
    use Found::{Degraded, Down, Exit, Status, StatusOnce, Unobserved, Up};
    use Severity::{Crashed, Warning};
    let (down, degraded) = (Some(Severity::Down), Some(Severity::Degraded));
    let (slow, refused) = ("response took 900 ms", "connection refused");
    let (low, high) = (Found::Pressure(Pressure::Calm), Found::Pressure(Pressure::Alert));
    let (oom, crash) = (Exit(ExitKind::OomKill), Exit(ExitKind::Crash));
    let memory = "memory is close to its limit";
    let cases: [(&str, &[Found], Option<Severity>, &str); 21] = [
        ("slow, then 503", &[Degraded, Status(503)], down, "HTTP status 503"),
        ("503, then slow", &[Status(503), Degraded], degraded, slow),
        ("503, then 404", &[Status(503), Status(404)], down, "HTTP status 404"),
        ("503, well, then 404", &[Status(503), Up, Status(404)], down, "HTTP status 404"),
        ("503, well", &[Status(503), Up], None, "HTTP status 503"),
        ("503, no data", &[Status(503), Unobserved], down, "HTTP status 503"),
        ("down, slow, down", &[Down, Degraded, Down], down, refused),
        ("slow, and one failure that does not count yet", &[Degraded, StatusOnce(503)], degraded, slow),
        ("memory, then refused: memory explains it", &[high, Down], down, memory),
        ("memory, then 404: it does not", &[high, Status(404)], down, "HTTP status 404"),
        ("404, then only memory", &[Status(404), high], Some(Warning), memory),
        ("memory, then slow", &[high, Degraded], degraded, memory),
        ("memory, calm, then slow", &[high, low, Degraded], degraded, slow),
        ("a crash between two good probes", &[crash], Some(Crashed), "instance crashed"),
        ("and afterwards, until it closes", &[crash, Up], Some(Crashed), "instance crashed"),
        ("down, and up after a crash", &[Down, crash], None, "instance crashed"),
        ("killed, then refused again", &[oom, Down], down, "out of memory"),
        ("killed, then 404", &[oom, Status(404)], down, "HTTP status 404"),
        ("killed, well, well, then refused", &[oom, Up, Up, Up, Down], down, refused),
        ("killed, slow", &[oom, Degraded], degraded, slow),
        ("no data at first", &[Down, Unobserved, Status(500)], down, "HTTP status 500"),
    ];
    for (name, findings, severity, cause) in cases {
        let mut timeline = Timeline::default();
        timeline.run(findings);
        assert_eq!(timeline.now(), (severity, cause.to_owned()), "{name}");
    }
}

#[test]
fn a_severity_that_falls_is_in_the_timeline_and_in_the_durations() {
    use Found::{Degraded, Status, Unobserved, Up};
    let mut timeline = Timeline::default();
    timeline.run(&[vec![Status(503); 3], vec![Degraded; 20]].concat());
    assert_eq!(timeline.incident().headline(), (Severity::Degraded, Cause::Failing(Failure::Slow(900))));
    assert_eq!(
        timeline.entries(),
        [(0, "HTTP status 503"), (180, "improved: degraded performance"), (180, "response took 900 ms")]
    );
    timeline.run(&[Unobserved, Unobserved, Degraded, Up]);
    let incident = timeline.incident();
    assert_eq!(incident.severity, Severity::Down, "the worst is kept");
    assert_eq!(incident.headline(), (Severity::Down, Cause::Failing(Failure::Status(503))));
    assert_eq!((incident.current, incident.closed), (None, Some(minute(26))));
    let states = [(PhaseState::Down, 3), (PhaseState::Degraded, 21), (PhaseState::Unobserved, 2)];
    assert_eq!(timeline.minutes(), states);
    // It comes back, and the time between was well.
    timeline.run(&[Up, Up, Status(404)]);
    assert_eq!(timeline.incident().opened, minute(0));
    let states =
        [(PhaseState::Down, 4), (PhaseState::Degraded, 21), (PhaseState::Up, 3), (PhaseState::Unobserved, 2)];
    assert_eq!(timeline.minutes(), states);
}

#[test]
fn a_cause_that_changes_with_every_probe_costs_few_changes() {
    let mut timeline = Timeline::default();
    let mut changes = 0;
    for n in 0..120 {
        let before = timeline.tracker.latest.clone();
        timeline.run(&[Found::Status(if n % 2 == 0 { 500 } else { 404 })]);
        changes += u32::from(before != timeline.tracker.latest);
    }
    assert!(changes <= 1 + 5 + 12, "{changes} rows in two hours");
}

#[test]
fn an_incident_that_opens_again_has_to_be_acknowledged_again() {
    let mut timeline = Timeline::default();
    timeline.run(&[Found::Down]);
    timeline.tracker.latest.as_mut().unwrap().acknowledged = true;
    timeline.run(&[Found::Up, Found::Down]);
    assert!(!timeline.incident().acknowledged);
}
