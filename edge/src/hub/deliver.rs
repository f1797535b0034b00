//! Delivering what the outbox holds.
//!
//! Rows are sent after the tick that wrote them is stored, and again by every tick after that until they are taken or
//! too old. There is one turn at a time, so an overlapping tick sends nothing twice; and a row that a service has taken
//! is never sent again by this object, even when the store did not let it be taken out.

use std::cell::{Cell, RefCell};

use heapbeat_shared::UnixMillis;
use worker::{Env, console_error, console_log, console_warn};

use super::Turn;
use crate::alert::outbox::{MOST_WAITING, Next, after, sendable};
use crate::alert::quiet::awake;
use crate::alert::{Answered, ChannelId, Channels, Message, Queued, send, service};
use crate::config::Problem;
use crate::env;
use crate::probe::{six_at_once, zone_offset};
use crate::store::Store;

/// Alerts sent by one tick: what the probes leave of the platform's 50 requests.
const A_TURN: usize = 5;

/// The outbox as it is in the store, and what this object knows beside it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: RefCell<Vec<Queued>>,
    sending: Cell<bool>,
    /// Rows that were taken, and that the store still has.
    taken: RefCell<Vec<i64>>,
    /// Channels that refused the last message, and the status with which they did; 0 is a secret that is not there.
    refused: RefCell<Vec<(ChannelId, u16)>>,
}

impl Outbox {
    /// What the store holds, less what was taken already.
    pub(super) fn load(&self, mut rows: Vec<Queued>) {
        rows.retain(|row| !self.taken.borrow().contains(&row.id));
        *self.rows.borrow_mut() = rows;
    }

    /// Rows for `alerts`, to be written with the tick and then put in place by [`Outbox::add`].
    pub(super) fn rows_for(&self, alerts: &[(ChannelId, Message)], now: UnixMillis) -> Vec<Queued> {
        let rows = self.rows.borrow();
        let next = rows.last().map_or(1, |row| row.id + 1);
        let room = MOST_WAITING.saturating_sub(rows.len());
        if room < alerts.len() {
            console_error!("outbox: {} alerts are dropped, {MOST_WAITING} wait already", alerts.len() - room);
        }
        let row = |(id, (channel, message)): (i64, &(ChannelId, Message))| Queued {
            id,
            channel: channel.clone(),
            message: message.clone(),
            due: now,
            attempts: 0,
        };
        (next..).zip(alerts).take(room).map(row).collect()
    }

    /// Puts rows in place that are stored.
    pub(super) fn add(&self, rows: Vec<Queued>) {
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
    pub(super) async fn deliver(
        &self,
        store: &Store,
        channels: &Channels,
        env: &Env,
        now: UnixMillis,
    ) -> u64 {
        let Some(_turn) = Turn::begin(&self.sending) else { return 0 };
        self.clear(store);
        let quiet = |id: &ChannelId| {
            let quiet = channels.get(id).and_then(|channel| channel.quiet.as_ref());
            quiet.is_some_and(|quiet| quiet.holds(now, zone_offset(&quiet.zone, now).unwrap_or(0)))
        };
        let awake = awake(&self.rows.borrow(), quiet);
        let due: Vec<Queued> = sendable(&awake, now, A_TURN).into_iter().cloned().collect();
        let sent = due.len() as u64;
        six_at_once(due, |row| async move {
            let answered = match channels.get(&row.channel) {
                None => Answered::Refused(404),
                Some(channel) => match env::secret(env, &channel.secret) {
                    None => Answered::Refused(0),
                    Some(secret) => send::send(channel, &service::call(channel, &row.message, &secret)).await,
                },
            };
            self.settle(store, &row, answered, now);
            true
        })
        .await;
        sent
    }

    fn settle(&self, store: &Store, row: &Queued, answered: Answered, now: UnixMillis) {
        if matches!(answered, Answered::Refused(_) | Answered::Taken) {
            self.refused.borrow_mut().retain(|(channel, _)| *channel != row.channel);
        }
        if let Answered::Refused(status) = answered {
            console_warn!("alerts {}: refused with status {status}", row.channel);
            self.refused.borrow_mut().push((row.channel.clone(), status));
        }
        match after(row, answered, now) {
            Next::Again(due) => {
                let attempts = row.attempts.saturating_add(1);
                for other in self.rows.borrow_mut().iter_mut().filter(|other| other.id == row.id) {
                    (other.due, other.attempts) = (due, attempts);
                }
                if let Err(error) = store.put_off(row.id, due, attempts) {
                    console_error!("outbox: {error}");
                }
            }
            next => {
                let what = if next == Next::Delivered { "delivered" } else { "given up after a day" };
                console_log!("alerts {}: {what}: {}", row.channel, row.message.key);
                self.rows.borrow_mut().retain(|other| other.id != row.id);
                self.taken.borrow_mut().push(row.id);
                self.clear(store);
            }
        }
    }

    /// Takes rows out of the store that are done with.
    fn clear(&self, store: &Store) {
        self.taken.borrow_mut().retain(|id| match store.take_out(*id) {
            Ok(()) => false,
            Err(error) => {
                console_error!("outbox: {error}");
                true
            }
        });
    }
}
