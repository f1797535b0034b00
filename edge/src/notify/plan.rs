//! Decides which recipient gets which message.
//!
//! The domain says what is so ([`IncidentStatus`]). This module compares it with what was notified last, selects the recipients, and
//! renders the messages. It sends nothing and reads no clock.

use super::channel::{Channel, ChannelId, Channels};
use super::message::Message;
use super::subscriber::Subscriber;
use crate::domain::engine::IncidentStatus;
use crate::domain::incident::Incident;
use crate::domain::incident::notification::NotificationReason;
use crate::monitor_config::Monitor;
use heapbeat_shared::UnixMillis;

/// If one channel would get more messages about new incidents than this at once, they become one message.
const MAX_SINGLE_MESSAGES: usize = 5;

/// The recipients of notifications.
#[derive(Clone, Copy, Debug)]
pub struct Recipients<'r> {
    /// The owner's channels.
    pub channels: &'r Channels,
    /// The public's subscriptions.
    pub subscribers: &'r [Subscriber],
}

/// The messages to be sent, and the incidents with their notification state after that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotificationPlan {
    /// The messages, each with the id of its recipient.
    pub messages: Vec<(ChannelId, Message)>,
    /// The incidents whose notification state changed; they have to be stored together with the messages.
    pub incidents: Vec<Incident>,
}

/// Plans the notifications at `at`. `status_page` is the address of the status page, to which messages link.
pub fn plan_notifications(
    facts: Vec<IncidentStatus<'_>>,
    recipients: Recipients<'_>,
    status_page: Option<&str>,
    at: UnixMillis,
) -> NotificationPlan {
    let mut plan = NotificationPlan::default();
    for IncidentStatus { monitor, mut incident, inhibited_by } in facts {
        let channels: Vec<_> = channels_of(monitor, recipients.channels).collect();
        let reminder_interval = channels.iter().filter_map(|channel| channel.reminder).min();
        let before = (incident.notified, incident.inhibited_by.clone());
        let reason = incident.next_notification(at, inhibited_by.as_ref(), reminder_interval);
        if let Some(reason) = reason {
            let message = Message::new(&incident, &monitor.name, reason, at, status_page);
            let is_reminder = reason == NotificationReason::Reminder;
            let channels = channels.iter().filter(|channel| !is_reminder || channel.reminder.is_some());
            plan.messages.extend(channels.map(|channel| (channel.id.clone(), message.clone())));
            let subscribers = recipients.subscribers.iter();
            let subscribers = subscribers.filter(|subscriber| !is_reminder && subscriber.wants(monitor));
            plan.messages.extend(subscribers.map(|subscriber| (subscriber.id.clone(), message.clone())));
        }
        if before != (incident.notified, incident.inhibited_by.clone()) {
            plan.incidents.push(incident);
        }
    }
    plan.messages = group_by_channel(&plan.messages);
    plan
}

/// The channels to which alerts about a monitor go.
fn channels_of<'c>(monitor: &'c Monitor, channels: &'c Channels) -> impl Iterator<Item = &'c Channel> {
    let alerts = |channel: &&Channel| monitor.alerts.as_ref().is_none_or(|ids| ids.contains(&channel.id));
    channels.list.iter().filter(alerts)
}

/// Orders messages by channel, and merges many messages about new incidents to the same channel. Recoveries are never merged:
/// services that keep incidents of their own close each by its own message.
fn group_by_channel(messages: &[(ChannelId, Message)]) -> Vec<(ChannelId, Message)> {
    let mut ids: Vec<&ChannelId> = Vec::new();
    for (id, _) in messages {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut grouped = Vec::new();
    for id in ids {
        let of_channel =
            messages.iter().filter(|(channel, _)| channel == id).map(|(_, message)| message.clone());
        let (mut opened, others): (Vec<_>, Vec<_>) =
            of_channel.partition(|message| message.reason == NotificationReason::Opened);
        if opened.len() > MAX_SINGLE_MESSAGES {
            opened = Message::merge(&opened).into_iter().collect();
        }
        grouped.extend(opened.into_iter().chain(others).map(|message| (id.clone(), message)));
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::incident::Severity;
    use crate::monitor_config::{MonitorConfig, MonitorId};
    use crate::notify::subscriber::{Delivery, Subscription};

    fn config(entries: &[&str]) -> MonitorConfig {
        let entry = |more: &&str| format!(r#"{{"kind":"http","url":"https://a.example",{more}}}"#);
        let list: Vec<_> = entries.iter().map(entry).collect();
        let config = MonitorConfig::parse(Some(&format!("[{}]", list.join(","))), false);
        assert_eq!(config.problems, []);
        config
    }

    fn channels() -> Channels {
        let list = r#"[{"id":"ops","kind":"slack","secret":"S","reminder":"1h"},
            {"id":"dev","kind":"slack","secret":"S"}]"#;
        Channels::parse(Some(list), false)
    }

    /// An outage of every monitor that began at the first instant.
    fn outages(config: &MonitorConfig) -> Vec<IncidentStatus<'_>> {
        let fact = |monitor| IncidentStatus { monitor, incident: outage(monitor), inhibited_by: None };
        config.monitors.iter().map(fact).collect()
    }

    fn outage(monitor: &Monitor) -> Incident {
        Incident::new(monitor.id.clone(), UnixMillis(0), Severity::Down)
    }

    /// Who gets what: `ops opened api`.
    fn described(plan: &NotificationPlan) -> Vec<String> {
        let described = |(channel, message): &(ChannelId, Message)| {
            format!("{channel} {} {}", message.reason.as_str(), message.monitor)
        };
        plan.messages.iter().map(described).collect()
    }

    fn plan(facts: Vec<IncidentStatus<'_>>, subscribers: &[Subscriber], minute: i64) -> NotificationPlan {
        let recipients = Recipients { channels: &channels(), subscribers };
        plan_notifications(facts, recipients, None, UnixMillis(minute * 60_000))
    }

    #[test]
    fn a_message_goes_to_the_channels_of_its_monitor() {
        let config =
            config(&[r#""id":"api""#, r#""id":"web","alerts":["dev"]"#, r#""id":"job","alerts":[]"#]);
        let plan = plan(outages(&config), &[], 0);
        assert_eq!(described(&plan), ["ops opened api", "dev opened api", "dev opened web"]);
        assert_eq!(plan.incidents.len(), 3, "also without a recipient");
    }

    #[test]
    fn nothing_is_planned_twice() {
        let config = config(&[r#""id":"api""#]);
        let first = plan(outages(&config), &[], 0);
        let incident = first.incidents[0].clone();
        let fact = IncidentStatus { monitor: &config.monitors[0], incident, inhibited_by: None };
        assert_eq!(plan(vec![fact], &[], 1), NotificationPlan::default());
    }

    #[test]
    fn reminders_go_only_to_channels_that_have_them() {
        let config = config(&[r#""id":"api""#]);
        let url = "https://subscriber.example/".to_owned();
        let delivery = Delivery::Webhook { secret: "whsec_AAAA".into() };
        let subscribers = [Subscriber::new(Subscription { url, delivery, monitors: vec![] }).unwrap()];
        let first = plan(outages(&config), &subscribers, 0);
        assert_eq!(first.messages.len(), 3);
        let fact = |incident: &Incident| {
            vec![IncidentStatus {
                monitor: &config.monitors[0],
                incident: incident.clone(),
                inhibited_by: None,
            }]
        };
        let reminder = plan(fact(&first.incidents[0]), &subscribers, 60);
        assert_eq!(described(&reminder), ["ops reminder api"]);
    }

    #[test]
    fn an_inhibited_incident_is_kept_and_not_notified() {
        let config = config(&[r#""id":"api","depends-on":["db"]"#, r#""id":"db""#]);
        let database: MonitorId = "db".parse().unwrap();
        let mut facts = outages(&config);
        facts[0].inhibited_by = Some(database.clone());
        let plan = plan(facts, &[], 0);
        assert_eq!(described(&plan), ["ops opened db", "dev opened db"]);
        assert_eq!(plan.incidents[0].inhibited_by, Some(database));
    }

    #[test]
    fn many_new_incidents_are_one_message_and_recoveries_are_not() {
        let ids: Vec<String> = (0..6).map(|n| format!(r#""id":"m{n}","alerts":["ops"]"#)).collect();
        let config = config(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let opened = plan(outages(&config), &[], 0);
        assert_eq!(described(&opened), ["ops opened m0"]);
        assert!(opened.messages[0].1.title.starts_with("6 monitors"), "{}", opened.messages[0].1.title);
        let facts = opened.incidents.into_iter().zip(&config.monitors).map(|(mut incident, monitor)| {
            incident.closed = Some(UnixMillis(60_000));
            IncidentStatus { monitor, incident, inhibited_by: None }
        });
        assert_eq!(plan(facts.collect(), &[], 1).messages.len(), 6);
    }
}
