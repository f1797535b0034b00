//! Delivering what the outbox holds.
//!
//! Rows are sent after the tick that wrote them is stored, and again by every tick after that until they are taken or
//! too old. There is one turn at a time, so an overlapping tick sends nothing twice; and a row that a service has taken
//! is never sent again by this object, even when the store did not let it be taken out.

use std::cell::{Cell, RefCell};

use heapbeat_shared::UnixMillis;
use worker::{Env, console_error, console_log, console_warn};

use super::turn::TurnFlag;
use crate::config::Problem;
use crate::notify::http_client::HttpReply;
use crate::notify::outbox::{MOST_WAITING, Next, THEIRS_MOST_WAITING, after, sendable};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::quiet_hours::awake;
use crate::notify::subscriber::{PLAIN, pushed};
use crate::notify::{
    ChannelId, Channels, DeliveryResult, Message, OutboxRow, Subscriber, http_client, service,
};
use crate::platform::env;
use crate::probe::{six_at_once, wall_clock, zone_offset};
use crate::store::Store;

/// Alerts sent by one tick: what the probes leave of the platform's 50 requests.
const A_TURN: usize = 5;

/// And to those who asked to be told, of what the probes and the owner's alerts leave.
const THEIR_TURN: usize = 10;

/// The outbox as it is in the store, and what this object knows beside it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: RefCell<Vec<OutboxRow>>,
    sending: TurnFlag,
    /// The same for those who asked to be told: no owner's alert waits for them.
    telling: TurnFlag,
    /// Requests that the last tick's probes left.
    pub(super) room: Cell<usize>,
    /// Who is to be told no more.
    pub(super) gone: RefCell<Vec<ChannelId>>,
    /// Rows that were taken, and that the store still has.
    taken: RefCell<Vec<i64>>,
    /// Channels that refused the last message, and the status with which they did; 0 is a secret that is not there.
    refused: RefCell<Vec<(ChannelId, u16)>>,
}

/// To whom what waits is sent.
#[derive(Clone, Copy)]
pub(super) enum To<'t> {
    /// The owner's channels, whose secrets the environment has.
    Channels(&'t Channels, &'t Env),
    /// Those who asked to be told; browsers, where there is something to send with.
    Subscribers(&'t [Subscriber], Option<&'t Vapid>),
}

impl To<'_> {
    /// Sends a row; what was said to it.
    async fn send(self, row: &OutboxRow) -> DeliveryResult {
        match self {
            To::Channels(channels, env) => {
                let Some(channel) = channels.get(&row.channel) else { return DeliveryResult::Refused(404) };
                let Some(secret) = env::secret(env, &channel.secret) else {
                    return DeliveryResult::Refused(0);
                };
                let said = http_client::call(&service::call(channel, &row.message, &secret)).await;
                service::answered(&channel.service, said.as_ref())
            }
            To::Subscribers(all, vapid) => {
                // One that is not there was taken out meanwhile.
                let one = all.iter().find(|one| one.id == row.channel);
                let Some(one) = one else { return DeliveryResult::Refused(410) };
                match service::answered(&PLAIN, tell(one, &row.message, vapid).await.as_ref()) {
                    // RFC 8030, 7.3: there is no such browser any more.
                    DeliveryResult::Refused(404) if one.browser().is_some() => DeliveryResult::Refused(410),
                    answered => answered,
                }
            }
        }
    }
}

/// Tells one who asked.
async fn tell(one: &Subscriber, message: &Message, vapid: Option<&Vapid>) -> Option<HttpReply> {
    let Some(keys) = one.browser() else {
        return http_client::call(&one.call(message, wall_clock())?).await;
    };
    let (text, topic) = pushed(message);
    push::send(vapid?, (one.url(), keys), &text, &topic, wall_clock()).await
}

impl Outbox {
    /// What the store holds, less what was taken already.
    pub(super) fn load(&self, mut rows: Vec<OutboxRow>) {
        rows.retain(|row| !self.taken.borrow().contains(&row.id));
        *self.rows.borrow_mut() = rows;
    }

    /// Rows for `alerts`, to be written with the tick and then put in place by [`Outbox::add`].
    pub(super) fn rows_for(&self, alerts: &[(ChannelId, Message)], now: UnixMillis) -> Vec<OutboxRow> {
        let (rows, mut new) = (self.rows.borrow(), Vec::<OutboxRow>::new());
        // Behind those, too, that were taken and that the store still has.
        let known =
            self.taken.borrow().iter().copied().chain(rows.last().map(|row| row.id)).fold(0, i64::max);
        for (id, (channel, message)) in (known + 1..).zip(alerts) {
            let row =
                OutboxRow { id, channel: channel.clone(), message: message.clone(), due: now, attempts: 0 };
            let most = if row.is_theirs() { THEIRS_MOST_WAITING } else { MOST_WAITING };
            let beside = |other: &&OutboxRow| {
                if row.is_theirs() { other.channel == row.channel } else { !other.is_theirs() }
            };
            if rows.iter().chain(&new).filter(beside).count() < most {
                new.push(row);
            } else {
                console_error!("outbox: {} is dropped for {channel}, {most} wait already", message.key);
            }
        }
        new
    }

    /// Puts rows in place that are stored.
    pub(super) fn add(&self, rows: Vec<OutboxRow>) {
        self.rows.borrow_mut().extend(rows);
    }

    /// What the owner should know about channels.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let said = |(id, status): &(ChannelId, u16)| Problem {
            position: format!("ALERTS.{id}"),
            reason: match status {
                0 => "the Worker secret that it names is not set; alerts wait for it".to_owned(),
                status => format!("the service refuses alerts with status {status}; is the secret right?"),
            },
        };
        self.refused.borrow().iter().map(said).collect()
    }

    /// Sends what is due at `now`; says how many requests it made.
    pub(super) async fn deliver(&self, store: &Store, to: To<'_>, now: UnixMillis) -> u64 {
        let theirs = matches!(to, To::Subscribers(..));
        let Some(_turn) = (if theirs { &self.telling } else { &self.sending }).begin() else { return 0 };
        self.clear(store);
        let quiet = |id: &ChannelId| {
            let To::Channels(channels, _) = to else { return false };
            let quiet = channels.get(id).and_then(|channel| channel.quiet.as_ref());
            quiet.is_some_and(|quiet| quiet.holds(now, zone_offset(&quiet.zone, now).unwrap_or(0)))
        };
        let mut awake = awake(&self.rows.borrow(), quiet);
        awake.retain(|row| row.is_theirs() == theirs);
        // One request is for telling the first hub who is to be told no more.
        let most = if theirs { self.room.take().saturating_sub(1).min(THEIR_TURN) } else { A_TURN };
        let due: Vec<OutboxRow> = sendable(&awake, now, most).into_iter().cloned().collect();
        let sent = due.len();
        self.room.set(self.room.get() + most - sent);
        six_at_once(due, |row| async move {
            self.settle(store, &row, to.send(&row).await, now);
            true
        })
        .await;
        sent as u64
    }

    fn settle(&self, store: &Store, row: &OutboxRow, answered: DeliveryResult, now: UnixMillis) {
        let theirs = row.is_theirs();
        if matches!(answered, DeliveryResult::Refused(_) | DeliveryResult::Taken) {
            self.refused.borrow_mut().retain(|(channel, _)| *channel != row.channel);
        }
        if let DeliveryResult::Refused(status) = answered
            && !theirs
        {
            console_warn!("alerts {}: refused with status {status}", row.channel);
            self.refused.borrow_mut().push((row.channel.clone(), status));
        }
        match after(row, answered, now) {
            Next::Again(due) => {
                let attempts = row.attempts.saturating_add(1);
                for other in self.rows.borrow_mut().iter_mut().filter(|other| other.id == row.id) {
                    (other.due, other.attempts) = (due, attempts);
                }
                // Of theirs it is forgotten with the object: a stranger who does not answer writes no rows.
                if !theirs && let Err(error) = store.reschedule_in_outbox(row.id, due, attempts) {
                    console_error!("outbox: {error}");
                }
            }
            next => {
                if theirs && next == Next::Dropped {
                    self.gone.borrow_mut().push(row.channel.clone());
                }
                let what = if next == Next::Delivered { "delivered" } else { "given up" };
                console_log!("alerts {}: {what}: {}", row.channel, row.message.key);
                self.rows.borrow_mut().retain(|other| other.id != row.id);
                self.taken.borrow_mut().push(row.id);
                self.clear(store);
            }
        }
    }

    /// Takes rows out of the store that are done with.
    fn clear(&self, store: &Store) {
        self.taken.borrow_mut().retain(|id| match store.delete_from_outbox(*id) {
            Ok(()) => false,
            Err(error) => {
                console_error!("outbox: {error}");
                true
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::outbox::tests::row;

    #[test]
    fn a_row_has_no_id_that_the_store_still_has() {
        let alert = |one: OutboxRow| (one.channel, one.message);
        let alerts = [alert(row(0, "ops", "api", 0, 0)), alert(row(0, "ops", "web", 0, 0))];
        let ids = |outbox: &Outbox| {
            outbox.rows_for(&alerts, UnixMillis(0)).iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let outbox = Outbox::default();
        assert_eq!(ids(&outbox), [1, 2]);
        // It was delivered, and could not be taken out.
        outbox.taken.borrow_mut().push(1);
        assert_eq!(ids(&outbox), [2, 3]);
        outbox.load(vec![row(1, "ops", "api", 0, 0), row(4, "ops", "api", 0, 0)]);
        assert_eq!(ids(&outbox), [5, 6], "what was delivered waits no more");
        assert_eq!(outbox.rows.borrow().len(), 1);
    }
}
