//! Decides whether a change of an incident needs a notification.
//!
//! The notifier (`notify`) decides who is notified, and how.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::domain::incident::{Incident, Severity};
use crate::monitor_config::MonitorId;

/// The notifications of an incident that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct NotificationState {
    /// The worst severity that was notified; `None` before the first notification and after the recovery was notified.
    #[n(0)]
    pub severity: Option<Severity>,
    /// The number of notifications.
    #[n(1)]
    pub count: u32,
    /// The instant of the last notification.
    #[n(2)]
    pub last: UnixMillis,
}

/// The reason for a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum NotificationReason {
    /// The incident opened.
    #[n(0)]
    Opened,
    /// The incident became worse.
    #[n(1)]
    Escalated,
    /// The incident goes on, and a reminder is due.
    #[n(2)]
    Reminder,
    /// The incident closed.
    #[n(3)]
    Recovered,
}

impl NotificationReason {
    /// Returns the name in JSON, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotificationReason::Opened => "opened",
            NotificationReason::Escalated => "worse",
            NotificationReason::Reminder => "reminder",
            NotificationReason::Recovered => "recovered",
        }
    }
}

impl Incident {
    /// Returns the reason for a notification at `at` and records the notification; `None` if there is none to send.
    ///
    /// `inhibited_by` is a failing monitor that this one depends on; new notifications are suppressed while it is set.
    /// `reminder_interval` is the time between two reminders; `None` means that there are none.
    pub fn next_notification(
        &mut self,
        at: UnixMillis,
        inhibited_by: Option<&MonitorId>,
        reminder_interval: Option<Duration>,
    ) -> Option<NotificationReason> {
        let reason = match (self.closed, self.notified.severity) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                self.notified.severity = None;
                Some(NotificationReason::Recovered)
            }
            (None, _) if self.recovering_since.is_some() && self.severity != Severity::Crashed => None,
            (None, known) if known.is_none_or(|known| known < self.severity) => {
                self.inhibited_by = inhibited_by.cloned();
                if inhibited_by.is_some() {
                    return None;
                }
                self.notified.severity = Some(self.severity);
                Some(if known.is_none() { NotificationReason::Opened } else { NotificationReason::Escalated })
            }
            (None, _) => {
                let is_due = reminder_interval.is_some_and(|every| at >= self.notified.last.plus(every));
                (is_due && !self.acknowledged).then_some(NotificationReason::Reminder)
            }
        };
        if reason.is_some() {
            self.notified.count = self.notified.count.saturating_add(1);
            self.notified.last = at;
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: i64) -> UnixMillis {
        UnixMillis(n * 60_000)
    }

    fn outage() -> Incident {
        Incident::new("api".parse().unwrap(), minute(0), Severity::Down)
    }

    #[test]
    fn an_inhibited_incident_is_notified_when_the_inhibition_ends() {
        let database: MonitorId = "db".parse().unwrap();
        let mut incident = outage();
        assert_eq!(incident.next_notification(minute(1), Some(&database), None), None);
        assert_eq!(incident.inhibited_by.as_ref(), Some(&database), "the fact is kept");
        assert_eq!(
            incident.next_notification(minute(2), None, None),
            Some(NotificationReason::Opened),
            "it is still down when the dependency is not"
        );
        assert_eq!(incident.inhibited_by, None);
        assert_eq!(incident.next_notification(minute(3), None, None), None, "once");

        let mut incident = outage();
        assert_eq!(incident.next_notification(minute(4), Some(&database), None), None);
        incident.closed = Some(minute(5));
        assert_eq!(
            incident.next_notification(minute(5), None, None),
            None,
            "a recovery is not notified if the outage was not"
        );
    }

    #[test]
    fn reminders_end_when_somebody_acknowledges() {
        let mut incident = outage();
        assert_eq!(incident.next_notification(minute(0), None, None), Some(NotificationReason::Opened));
        let hourly = Some(Duration::from_secs(3600));
        let reminded: Vec<_> =
            (1..300).filter(|n| incident.next_notification(minute(*n), None, hourly).is_some()).collect();
        assert_eq!(reminded, [60, 120, 180, 240]);
        incident.acknowledged = true;
        assert_eq!(incident.next_notification(minute(400), None, hourly), None);
    }
}
