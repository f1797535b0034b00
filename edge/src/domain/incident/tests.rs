use heapbeat_shared::Bytes;
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::exit::{Evidence, Exit, ExitKind};

use super::*;
use crate::domain::Failure;
use crate::domain::report::last_report::tests::{report, signed};

const MINUTE: i64 = 60_000;

fn minute(n: i64) -> UnixMillis {
    UnixMillis(n * MINUTE)
}

/// What a minute brings.
#[derive(Clone, Copy)]
enum Brings {
    Up,
    Down,
    Degraded,
    Unobserved,
    Maintenance,
    /// Up, and the ladder stands here.
    Pressed(Pressure),
    /// Up, and the instance before ended like this.
    Ended(ExitKind),
}

struct InstanceLifetime {
    incidents: IncidentTracker,
    minute: i64,
}

impl InstanceLifetime {
    fn new() -> Self {
        InstanceLifetime { incidents: IncidentTracker::default(), minute: 0 }
    }

    /// One minute goes by; what is told then.
    fn goes(&mut self, brings: Brings) -> Option<Occasion> {
        let at = minute(self.minute);
        self.minute += 1;
        let (mut told, mut news) = LastReport::hear(None, &signed(&report(1, at, 0, 60)), at);
        let failing = Some(Verdict::Failed(Failure::Refused));
        let (state, verdict) = match brings {
            Brings::Down => (State::Down, failing),
            Brings::Degraded => (State::Degraded, Some(Verdict::Degraded(Failure::Slow(900)))),
            Brings::Unobserved => (State::Unobserved, failing),
            Brings::Maintenance => (State::Maintenance, failing),
            _ => (State::Up, Some(Verdict::Up)),
        };
        if let Brings::Pressed(to) = brings {
            told.pressure = to;
            let kind = EventKind::Pressure { from: Pressure::Calm, to, memory: Bytes::from_mb(420) };
            news.events.push(Event { at, kind });
        }
        if let Brings::Ended(kind) = brings {
            let evidence = vec![Evidence::MemoryWhenLastSeen(98).statement()];
            news.ending =
                Some(Exit { kind, at: at.minus(Duration::from_secs(20)), evidence, ..Exit::default() });
        }
        let answers = state == State::Up;
        let look = TickObservation {
            at,
            state,
            verdict,
            told: answers.then_some(&told),
            news: &news,
            restarted: news.ending.is_some(),
            flaps: None,
        };
        self.incidents.take(&"api".parse().unwrap(), &look);
        self.incidents.latest.as_mut()?.occasion(at, None, None)
    }

    fn all(&mut self, timeline: &[Brings]) -> Vec<(i64, Occasion)> {
        let told = timeline.iter().filter_map(|brings| Some((self.minute, self.goes(*brings)?)));
        told.collect()
    }

    fn incident(&self) -> &Incident {
        self.incidents.latest.as_ref().unwrap()
    }

    fn story(&self) -> Vec<(i64, &str)> {
        self.incident()
            .timeline
            .iter()
            .map(|moment| (moment.at.0 / 1000, moment.what.text.as_str()))
            .collect()
    }
}

#[test]
fn down_and_up_again() {
    use Brings::{Down, Unobserved, Up};
    let mut life = InstanceLifetime::new();
    let told = life.all(&[Up, Down, Down, Unobserved, Up, Up]);
    assert_eq!(told, [(1, Occasion::Opened), (4, Occasion::Recovered)]);
    let incident = life.incident();
    assert_eq!((incident.opened, incident.closed), (minute(1), Some(minute(4))));
    assert_eq!((incident.severity, incident.cause), (Severity::Down, Cause::Failing(Failure::Refused)));
    assert_eq!(life.story(), [(60, "connection refused"), (240, "all checks pass again")]);
}

#[test]
fn pressure_and_the_death_that_follows_are_one_incident() {
    use Brings::{Down, Ended, Pressed, Up};
    let mut life = InstanceLifetime::new();
    let told = life.all(&[
        Up,
        Pressed(Pressure::Alert),
        Pressed(Pressure::Purge),
        Down,
        Ended(ExitKind::Crash),
        Up,
        Up,
        Up,
    ]);
    assert_eq!(
        told,
        [(1, Occasion::Opened), (3, Occasion::Worse), (6, Occasion::Recovered)],
        "all must be well for two minutes after it was killed"
    );
    let incident = life.incident();
    assert_eq!((incident.opened, incident.closed), (minute(1), Some(minute(4))));
    assert_eq!(incident.cause, Cause::OutOfMemory, "memory was short, and it crashed");
    assert_eq!(incident.evidence, [Evidence::MemoryWhenLastSeen(98).statement()]);
    let story: Vec<_> = life.story().into_iter().map(|(_, what)| what).collect();
    assert_eq!(
        story,
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
fn a_death_between_two_good_probes_is_told() {
    use Brings::{Ended, Up};
    for (kind, cause) in [
        (ExitKind::OomKill, Cause::OutOfMemory),
        (ExitKind::Panic, Cause::Ended(ExitKind::Panic)),
        (ExitKind::Unknown, Cause::Ended(ExitKind::Unknown)),
    ] {
        let mut life = InstanceLifetime::new();
        let told = life.all(&[Up, Ended(kind), Up, Up, Up]);
        assert_eq!(told, [(1, Occasion::Opened), (3, Occasion::Recovered)], "{kind:?}");
        assert_eq!((life.incident().severity, life.incident().cause), (Severity::Crashed, cause));
        assert_eq!(life.incident().opened, UnixMillis(40_000), "when it died, not when it was found out");
    }
    for kind in [ExitKind::Stop, ExitKind::Deploy, ExitKind::Recycle, ExitKind::SpinDown] {
        assert_eq!(InstanceLifetime::new().all(&[Up, Ended(kind), Up]), [], "{kind:?} is nobody's trouble");
    }
}

#[test]
fn a_crash_loop_is_one_incident() {
    use Brings::{Ended, Up};
    let mut life = InstanceLifetime::new();
    let told =
        life.all(&[Up, Ended(ExitKind::Crash), Ended(ExitKind::Crash), Up, Ended(ExitKind::Crash), Up]);
    assert_eq!(told, [(1, Occasion::Opened)]);
}

#[test]
fn a_flapping_target_pages_a_few_times_and_then_waits() {
    use Brings::{Down, Up};
    let mut life = InstanceLifetime::new();
    let told = life.all(&[Down, Up].repeat(60));
    assert_eq!(told.len(), 7, "{told:?}");
    assert_eq!(told[6], (6, Occasion::Opened));
    assert_eq!(life.incident().flaps, 59);
    assert!(life.incident().timeline.len() <= MOST_MOMENTS);
    let told = life.all(&[Up; 12]);
    assert_eq!(told.last().map(|(_, occasion)| *occasion), Some(Occasion::Recovered), "ten quiet minutes");
}

#[test]
fn trouble_after_a_while_is_another_incident() {
    use Brings::{Degraded, Up};
    let mut life = InstanceLifetime::new();
    let told = life.all(&[vec![Degraded, Up], vec![Up; 11], vec![Degraded]].concat());
    assert_eq!(told, [(0, Occasion::Opened), (1, Occasion::Recovered), (13, Occasion::Opened)]);
    assert_eq!(life.incident().opened, minute(13));
    assert_eq!(life.incident().flaps, 0);
}

#[test]
fn announced_work_is_no_trouble() {
    use Brings::{Down, Maintenance, Up};
    let mut life = InstanceLifetime::new();
    assert_eq!(life.all(&[Maintenance, Maintenance, Up]), []);
    let told = life.all(&[Down, Maintenance, Maintenance, Up]);
    assert_eq!(told, [(3, Occasion::Opened), (4, Occasion::Recovered)]);
}

#[test]
fn who_depends_on_what_is_down_is_told_of_later_or_never() {
    let database: MonitorId = "db".parse().unwrap();
    let mut life = InstanceLifetime::new();
    life.goes(Brings::Down);
    let incident = life.incidents.latest.as_mut().unwrap();
    incident.notice = NotificationState::default(); // what `goes` has told
    assert_eq!(incident.occasion(minute(1), Some(&database), None), None);
    assert_eq!(incident.behind.as_ref(), Some(&database), "the fact is kept");
    assert_eq!(incident.occasion(minute(2), None, None), Some(Occasion::Opened), "still down on its own");
    assert_eq!(incident.behind, None);
    assert_eq!(incident.occasion(minute(3), None, None), None, "once");

    incident.notice = NotificationState::default();
    assert_eq!(incident.occasion(minute(4), Some(&database), None), None);
    incident.closed = Some(minute(5));
    assert_eq!(incident.occasion(minute(5), None, None), None, "what nobody heard of does not recover");
}

#[test]
fn reminders_until_somebody_has_it() {
    let mut life = InstanceLifetime::new();
    life.goes(Brings::Down);
    let incident = life.incidents.latest.as_mut().unwrap();
    let hourly = Some(Duration::from_secs(3600));
    let reminded: Vec<_> =
        (1..300).filter(|n| incident.occasion(minute(*n), None, hourly).is_some()).collect();
    assert_eq!(reminded, [60, 120, 180, 240]);
    incident.notice.acknowledged = true;
    assert_eq!(incident.occasion(minute(400), None, hourly), None);
}
