//! The turns of a week: they are planned by the real code, and sent to services that answer as the script says.

use heapbeat_edge::domain::incident::id::IncidentId;
use heapbeat_edge::notify::message::MessagePart;
use heapbeat_edge::notify::subscriber::is_expired;
use heapbeat_edge::notify::{Message, Recipient, RecordChange, SendQueue, Situation, Turn};
use heapbeat_shared::UnixMillis;

use super::{Killed, Simulation};
use crate::record::{Answer, Claim, Heard};
use crate::script::{SUBSCRIBER, Service, TickPlan};

impl Simulation<'_> {
    /// Plans and sends the messages of a turn: first to the channels, then to the subscriber.
    pub(super) fn run_turn(&mut self, number: usize, tick: &TickPlan) -> Result<(), Killed> {
        let now = UnixMillis(tick.at);
        for is_for_channels in [true, false] {
            let situation = Situation::new(&self.engine, &self.config, now, None);
            let recipients: Vec<Recipient<'_>> = if is_for_channels {
                let all = self.channels.list.iter().enumerate();
                let quiet = |index| self.script.is_quiet(index, tick.at);
                all.map(|(index, channel)| Recipient::channel(channel, quiet(index), None)).collect()
            } else {
                let subscribed = Some(&self.subscriber).filter(|_| self.is_subscribed);
                subscribed.into_iter().map(Recipient::subscriber).collect()
            };
            self.records.retain(|id| self.is_subscribed || *id != self.subscriber.id);
            let find = |id: &IncidentId| if tick.store_fails { Err(()) } else { Ok(self.store.incident(id)) };
            let turn = self.records.plan_turn(&situation, &recipients, now, tick.budget, find);
            assert!(turn.deliveries.len() <= tick.budget, "more messages than requests");
            self.write(tick, turn.changes.clone());
            self.send(number, tick, &turn)?;
        }
        Ok(())
    }

    fn write(&mut self, tick: &TickPlan, changes: Vec<RecordChange>) {
        if tick.store_fails {
            self.records.mark_unwritten(&changes);
        } else {
            self.store.write_records(changes);
        }
    }

    fn send(&mut self, number: usize, tick: &TickPlan, turn: &Turn) -> Result<(), Killed> {
        let now = UnixMillis(tick.at);
        for mut queue in SendQueue::list(turn, now) {
            while let Some(delivery) = queue.next(&mut self.records, now) {
                let recipient = self.channels.list.iter().position(|it| it.id == delivery.recipient);
                let recipient = recipient.unwrap_or(SUBSCRIBER);
                let service = tick.services[recipient];
                let sent = self.record.heard.iter().rev().take_while(|it| it.tick == number).count() + 1;
                let is_killed = tick.killed_after == Some(sent);
                let answer = if is_killed { Answer::Killed(service.accepts()) } else { answer_of(service) };
                self.record.heard.push(hear(number, recipient, answer, &delivery.message));
                if is_killed {
                    return Err(Killed);
                }
                let changes = queue.record_result(&mut self.records, delivery, service.result(), now);
                self.write(tick, changes);
                let record = self.records.record(&delivery.recipient);
                let circuit = record.and_then(|record| record.circuit);
                let is_subscriber = delivery.recipient == self.subscriber.id;
                self.is_subscribed &= !(is_subscriber && is_expired(service.result(), circuit.as_ref(), now));
            }
        }
        Ok(())
    }
}

fn answer_of(service: Service) -> Answer {
    match service {
        Service::Works => Answer::Accepted,
        Service::Fails => Answer::Failed,
        Service::Busy(seconds) => Answer::Busy(seconds),
        Service::Rejects => Answer::Rejected,
        Service::Mute => Answer::Lost,
        Service::Gone => Answer::Gone,
    }
}

fn hear(tick: usize, recipient: usize, answer: Answer, message: &Message) -> Heard {
    let said = Claim {
        incident: message.incident.clone(),
        monitor: message.monitor.clone(),
        event: message.event.as_str().to_owned(),
        severity: message.severity,
        title: message.title.clone(),
    };
    let part = |part: &MessagePart| Claim {
        incident: part.incident.clone(),
        monitor: part.monitor.clone(),
        event: part.event.to_owned(),
        severity: part.severity,
        title: part.title.clone(),
    };
    let parts = message.parts.iter().map(part).collect();
    Heard { tick, recipient, answer, key: message.key.clone(), said, parts }
}
