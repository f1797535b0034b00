//! Whom a tick's incidents are to be told to.
//!
//! It looks at all monitors at once, as whether one is told of depends on others: a database that is down takes
//! everything along that needs it, and those on call want to hear of the database.

use super::{Commit, Engine};
use crate::config::{Config, Monitor, MonitorId};
use crate::domain::check::verdict::Verdict;
use crate::domain::incident::{Occasion, Severity};
use crate::notify::{Channel, ChannelId, Channels, Message, Subscriber};

/// More messages than this to one channel in one tick become one.
const MOST_ALONE: usize = 5;

impl Engine {
    /// Adds to `commit` what is to be told, and the incidents that this changes. `page`: the address of the status
    /// page.
    pub fn tell(
        &mut self,
        config: &Config,
        (channels, subscribers): (&Channels, &[Subscriber]),
        page: Option<&str>,
        commit: &mut Commit,
    ) {
        let at = commit.tick.at;
        let mut told = Vec::new();
        for monitor in &config.monitors {
            let behind = self.trouble_behind(config, monitor);
            let receivers: Vec<_> = receivers(monitor, channels).collect();
            let Some(watched) = self.watched.get_mut(&monitor.id) else { continue };
            if watched.memo.blind.is_some() {
                // Whatever there is to tell is told once we see again.
                continue;
            }
            let Some(incident) = &mut watched.incidents.latest else { continue };
            let before = incident.clone();
            let reminds = receivers.iter().filter_map(|channel| channel.reminder).min();
            let occasion = incident.occasion(at, behind.as_ref(), reminds);
            if *incident != before {
                commit.incidents.retain(|other| other.monitor != monitor.id);
                commit.incidents.push(incident.clone());
            }
            let Some(occasion) = occasion else { continue };
            let message = Message::new(incident, &monitor.name, occasion, at, page);
            let wanted =
                receivers.iter().filter(|it| occasion != Occasion::Reminder || it.reminder.is_some());
            told.extend(wanted.map(|channel| (channel.id.clone(), message.clone())));
            let others = subscribers.iter().filter(|it| occasion != Occasion::Reminder && it.wants(monitor));
            told.extend(others.map(|it| (it.id.clone(), message.clone())));
        }
        commit.alerts = batched(&told);
    }

    /// A monitor that this one depends on, directly or not, and that has trouble or may be about to.
    fn trouble_behind(&self, config: &Config, monitor: &Monitor) -> Option<MonitorId> {
        let mut seen = vec![&monitor.id];
        let mut waiting: Vec<&MonitorId> = monitor.depends_on.iter().collect();
        while let Some(id) = waiting.pop() {
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Some(watched) = self.watched.get(id) {
                let open = watched.incidents.latest.as_ref().is_some_and(|incident| {
                    incident.closed.is_none()
                        && incident.quiet.is_none()
                        && incident.severity >= Severity::Degraded
                });
                if open || matches!(watched.memo.verdict, Some(Verdict::Failed(_))) {
                    return Some(id.clone());
                }
            }
            let next = config.monitors.iter().find(|other| other.id == *id);
            waiting.extend(next.into_iter().flat_map(|next| &next.depends_on));
        }
        None
    }
}

/// The channels that want to hear of a monitor.
fn receivers<'c>(monitor: &'c Monitor, channels: &'c Channels) -> impl Iterator<Item = &'c Channel> {
    let wants = |channel: &&Channel| monitor.alerts.as_ref().is_none_or(|ids| ids.contains(&channel.id));
    channels.list.iter().filter(wants)
}

/// Makes one message of many to the same channel. What recovers is told one by one: services that keep incidents of
/// their own close them by it.
fn batched(told: &[(ChannelId, Message)]) -> Vec<(ChannelId, Message)> {
    let opens = |message: &Message| message.occasion == Occasion::Opened;
    let mut ids: Vec<ChannelId> = Vec::new();
    for (id, _) in told {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let mut out = Vec::new();
    for id in ids {
        let of_channel =
            told.iter().filter(|(channel, _)| *channel == id).map(|(_, message)| message.clone());
        let (opened, others): (Vec<_>, Vec<_>) = of_channel.partition(opens);
        if opened.len() > MOST_ALONE {
            out.extend(Message::batch(&opened).map(|message| (id.clone(), message)));
        } else {
            out.extend(opened.into_iter().map(|message| (id.clone(), message)));
        }
        out.extend(others.into_iter().map(|message| (id.clone(), message)));
    }
    out
}
