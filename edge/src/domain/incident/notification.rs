//! The occasions for notifications: an incident's present state is compared with what was notified last.
//!
//! The notifier (`notify`) decides who is notified, and how.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use minicbor::{Decode, Encode};

use crate::config::MonitorId;
use crate::domain::incident::{Incident, Severity};

/// What was notified of an incident.
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
pub enum Occasion {
    /// The incident opened.
    #[n(0)]
    Opened,
    /// The incident became worse.
    #[n(1)]
    Worse,
    /// The incident goes on, and a reminder is due.
    #[n(2)]
    Reminder,
    /// The incident closed.
    #[n(3)]
    Recovered,
}

impl Occasion {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Occasion::Opened => "opened",
            Occasion::Worse => "worse",
            Occasion::Reminder => "reminder",
            Occasion::Recovered => "recovered",
        }
    }
}

impl Incident {
    /// Returns the occasion for a notification at `at`, or `None` where nothing is to be notified, and records that it was
    /// notified.
    ///
    /// `inhibited_by` is a monitor that this one depends on and that has trouble as well; it holds back what is new.
    /// `reminder_interval` is the time between two reminders; `None` means that there are none.
    pub fn record_occasion(
        &mut self,
        at: UnixMillis,
        inhibited_by: Option<&MonitorId>,
        reminder_interval: Option<Duration>,
    ) -> Option<Occasion> {
        let occasion = match (self.closed, self.notified.severity) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                self.notified.severity = None;
                Some(Occasion::Recovered)
            }
            (None, _) if self.recovering_since.is_some() && self.severity != Severity::Crashed => None,
            (None, known) if known.is_none_or(|known| known < self.severity) => {
                self.inhibited_by = inhibited_by.cloned();
                if inhibited_by.is_some() {
                    return None;
                }
                self.notified.severity = Some(self.severity);
                Some(if known.is_none() { Occasion::Opened } else { Occasion::Worse })
            }
            (None, _) => {
                let is_due = reminder_interval.is_some_and(|every| at >= self.notified.last.plus(every));
                (is_due && !self.acknowledged).then_some(Occasion::Reminder)
            }
        };
        if occasion.is_some() {
            self.notified.count = self.notified.count.saturating_add(1);
            self.notified.last = at;
        }
        occasion
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
    fn a_monitor_whose_dependency_is_down_is_notified_later_or_never() {
        let database: MonitorId = "db".parse().unwrap();
        let mut incident = outage();
        assert_eq!(incident.record_occasion(minute(1), Some(&database), None), None);
        assert_eq!(incident.inhibited_by.as_ref(), Some(&database), "the fact is kept");
        assert_eq!(
            incident.record_occasion(minute(2), None, None),
            Some(Occasion::Opened),
            "it is still down when the dependency is not"
        );
        assert_eq!(incident.inhibited_by, None);
        assert_eq!(incident.record_occasion(minute(3), None, None), None, "once");

        let mut incident = outage();
        assert_eq!(incident.record_occasion(minute(4), Some(&database), None), None);
        incident.closed = Some(minute(5));
        assert_eq!(
            incident.record_occasion(minute(5), None, None),
            None,
            "a recovery is not notified if the outage was not"
        );
    }

    #[test]
    fn reminders_end_when_somebody_acknowledges() {
        let mut incident = outage();
        assert_eq!(incident.record_occasion(minute(0), None, None), Some(Occasion::Opened));
        let hourly = Some(Duration::from_secs(3600));
        let reminded: Vec<_> =
            (1..300).filter(|n| incident.record_occasion(minute(*n), None, hourly).is_some()).collect();
        assert_eq!(reminded, [60, 120, 180, 240]);
        incident.acknowledged = true;
        assert_eq!(incident.record_occasion(minute(400), None, hourly), None);
    }
}
