use super::*;
use crate::domain::incident::id::IncidentId;
use heapbeat_shared::Statement;

/// A recipient that accepts every message at once.
#[derive(Debug, Default)]
pub(crate) struct PromptRecipient {
    /// The time between two reminders.
    reminder: Option<Duration>,
    told: Vec<(IncidentId, NotificationState)>,
}

impl PromptRecipient {
    /// A recipient that is reminded.
    pub(crate) fn with_reminder(interval: Duration) -> Self {
        PromptRecipient { reminder: Some(interval), ..PromptRecipient::default() }
    }

    /// Tells the recipient about an incident at `at`, if there is anything to tell. Returns the reason.
    pub(crate) fn notify(
        &mut self,
        incident: &Incident,
        is_flapping: bool,
        at: UnixMillis,
    ) -> Option<NotificationReason> {
        let id = incident.id();
        let known = self.told.iter().position(|(other, _)| *other == id);
        let index = known.unwrap_or_else(|| {
            self.told.push((id, NotificationState::default()));
            self.told.len() - 1
        });
        let told = &mut self.told[index].1;
        let is_due = || self.reminder.is_some_and(|interval| told.is_reminder_due(incident, interval, at));
        let reason = told.next_change(incident, is_flapping, at);
        let reason = reason.or_else(|| is_due().then_some(NotificationReason::Reminder))?;
        told.accept(incident.current.filter(|_| !reason.is_end()), incident.is_explained(), at);
        Some(reason)
    }
}

fn minute(n: i64) -> UnixMillis {
    UnixMillis(n * 60_000)
}

/// An incident that opened in minute 0, with this severity since a minute.
fn incident(severity: Severity, since: i64) -> Incident {
    let mut incident = Incident::new("api".parse().unwrap(), minute(0), severity);
    incident.phases.begin(minute(since), severity.into());
    incident
}

fn closed(mut incident: Incident, at: i64) -> Incident {
    incident.close(minute(at));
    incident
}

/// What was told: a severity, and states whose acceptance is not known.
fn state(severity: Option<Severity>, uncertain: &[Option<Severity>]) -> NotificationState {
    let mut told = NotificationState { severity, explained: true, ..NotificationState::default() };
    for state in uncertain {
        told.uncertain.insert(*state);
    }
    told
}

fn owed(told: &NotificationState) -> NotificationState {
    NotificationState { owed_since: Some(minute(0)), ..told.clone() }
}

#[test]
fn a_difference_is_closed_by_one_message() {
    use NotificationReason::{Better, Opened, Past, Recovered, Worse};
    use Severity::{Degraded, Down};
    let (slow, down) = (incident(Degraded, 0), incident(Down, 0));
    let recovering = Incident { current: None, ..down.clone() };
    let mut improved = down.clone();
    improved.current = Some(Degraded);
    improved.phases.begin(minute(5), Degraded.into());
    let unknown = Some(Down);
    let over = closed(down.clone(), 9);
    // (what the recipient was told, what is so, minute, message)
    let cases = [
        ("nothing, and it is down", state(None, &[]), &down, 1, Some(Opened)),
        ("what is so", state(Some(Down), &[]), &down, 1, None),
        ("less than what is so", state(Some(Degraded), &[]), &down, 1, Some(Worse)),
        ("more, and it has just improved", state(Some(Down), &[]), &improved, 6, None),
        ("more, and it has been better for a while", state(Some(Down), &[]), &improved, 7, Some(Better)),
        ("nothing, and it recovers", state(None, &[]), &recovering, 1, None),
        ("trouble, and it recovers", state(Some(Down), &[]), &recovering, 1, None),
        ("trouble, and it is over", state(Some(Down), &[]), &over, 9, Some(Recovered)),
        ("nothing, and it is over", state(None, &[]), &over, 9, None),
        ("nothing, though it should have been", owed(&state(None, &[])), &over, 9, Some(Past)),
        ("nothing, a day ago", owed(&state(None, &[])), &over, 9 + 1441, None),
        ("trouble, a day ago", state(Some(Down), &[]), &over, 9 + 1441, Some(Recovered)),
        ("trouble, a week ago", state(Some(Down), &[]), &over, 9 + 10_081, None),
        ("perhaps trouble, and it is over", owed(&state(None, &[unknown])), &over, 9 + 1441, Some(Past)),
        ("perhaps trouble, and it goes on", owed(&state(None, &[unknown])), &down, 1, Some(Opened)),
        ("perhaps that it is over", state(Some(Down), &[None]), &down, 1, Some(Opened)),
        ("perhaps that it is better", state(Some(Down), &[Some(Degraded)]), &down, 1, Some(Worse)),
        ("perhaps the same again", state(Some(Down), &[Some(Down)]), &down, 1, None),
        ("perhaps that it is worse", state(Some(Degraded), &[Some(Down)]), &slow, 1, Some(Worse)),
    ];
    for (name, told, incident, at, expected) in cases {
        assert_eq!(told.next_change(incident, false, minute(at)), expected, "{name}");
    }
    assert_eq!(state(Some(Down), &[]).next_change(&improved, true, minute(99)), None, "flapping");
    let unexplained = NotificationState { explained: false, ..state(Some(Down), &[]) };
    assert_eq!(unexplained.next_change(&down, false, minute(1)), None);
    let explained = Incident { cause: crate::domain::incident::cause::Cause::OutOfMemory, ..down };
    assert_eq!(
        unexplained.next_change(&explained, false, minute(1)),
        Some(NotificationReason::Explained),
        "the cause is known now"
    );
    assert_eq!(state(Some(Down), &[]).next_change(&explained, false, minute(1)), None, "and told once");
}

#[test]
fn an_incident_that_is_resolved_by_hand_or_leaves_has_not_recovered() {
    use crate::domain::incident::ManualResolution;
    let by_hand = Some(ManualResolution::ProblemPersists(Severity::Down));
    let cases = [
        (Statement::recovered(), None, NotificationReason::Recovered),
        (Statement::maintenance_began(), None, NotificationReason::Ended(EndReason::Maintenance)),
        (Statement::monitor_removed(), None, NotificationReason::Ended(EndReason::Removed)),
        (Statement::resolved(), by_hand, NotificationReason::Ended(EndReason::Resolved)),
        (Statement::note("better"), by_hand, NotificationReason::Ended(EndReason::Resolved)),
    ];
    for (statement, resolution, expected) in cases {
        let mut incident = closed(incident(Severity::Down, 0), 5);
        incident.resolution = resolution;
        incident.add_timeline_entry(minute(5), statement);
        incident.add_timeline_entry(minute(5), Statement::note("a note of the same instant"));
        let reason = state(Some(Severity::Down), &[]).next_change(&incident, false, minute(6));
        assert_eq!(reason, Some(expected));
    }
}

#[test]
fn reminders_count_from_the_last_message_and_end_when_somebody_acknowledges() {
    let mut incident = incident(Severity::Down, 0);
    let mut recipient = PromptRecipient::with_reminder(Duration::from_secs(3600));
    let mut run = |incident: &Incident, minutes: std::ops::Range<i64>| {
        minutes.filter(|n| recipient.notify(incident, false, minute(*n)).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(run(&incident, 0..250), [0, 60, 120, 180, 240]);
    incident.current = None;
    assert_eq!(run(&incident, 250..400), [] as [i64; 0], "while it recovers");
    incident.current = Some(Severity::Down);
    incident.acknowledged = true;
    assert_eq!(run(&incident, 400..900), [] as [i64; 0]);
}

#[test]
fn a_severity_that_changes_again_and_again_is_better_only_after_half_an_hour() {
    // (changes of the severity, the minutes after the last one at which the improvement is notified)
    for (changes, notified) in [(2, 2), (4, 2), (6, 30), (20, 30)] {
        let mut incident = incident(Severity::Degraded, 0);
        for change in 1..=changes {
            let severity = if change % 2 == 1 { Severity::Down } else { Severity::Degraded };
            incident.phases.begin(minute(change), severity.into());
            incident.current = Some(severity);
        }
        let told = state(Some(Severity::Down), &[]);
        let reason = |after: i64| told.next_change(&incident, false, minute(changes + after));
        let first = (0..90).find(|after| reason(*after).is_some());
        assert_eq!(first, Some(notified), "{changes} changes");
        assert_eq!(reason(notified), Some(NotificationReason::Better));
    }
}

#[test]
fn missed_ticks_are_no_changes_of_a_severity() {
    let mut incident = incident(Severity::Down, 0);
    for gap in 1..=8 {
        incident.phases.begin(minute(2 * gap - 1), PhaseState::Unobserved);
        incident.phases.begin(minute(2 * gap), Severity::Down.into());
    }
    incident.phases.begin(minute(20), Severity::Degraded.into());
    incident.current = Some(Severity::Degraded);
    let told = state(Some(Severity::Down), &[]);
    assert_eq!(told.next_change(&incident, false, minute(22)), Some(NotificationReason::Better));
}
