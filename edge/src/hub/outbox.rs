//! Delivering the messages of the outbox.
//!
//! Rows are sent after the tick that wrote them is stored, and again by every tick after that until they are delivered or too old. A
//! lock keeps overlapping ticks from sending a row twice. A row that was delivered is never sent again by this object, even if the
//! store failed to delete it.

use std::cell::{Cell, RefCell};

use heapbeat_shared::UnixMillis;
use worker::{Env, console_error, console_log, console_warn};

use super::try_lock::TryLock;
use crate::monitor_config::ConfigProblem;
use crate::notify::http_client::HttpReply;
use crate::notify::outbox::{AttemptOutcome, MAX_ROWS, MAX_SUBSCRIBER_ROWS, due_rows, schedule_next_attempt};
use crate::notify::push;
use crate::notify::push::Vapid;
use crate::notify::quiet_hours::outside_quiet_hours;
use crate::notify::subscriber::{SUBSCRIBER_SERVICE, push_payload};
use crate::notify::{
    ChannelId, Channels, DeliveryResult, Message, OutboxRow, Subscriber, http_client, service,
};
use crate::platform::clock::wall_clock;
use crate::platform::concurrency::for_each_concurrent;
use crate::platform::intl::zone_offset;
use crate::settings::read_secret;
use crate::store::Store;

/// The most messages that one tick sends to the owner's channels, for which its probes leave these requests.
const MAX_CHANNEL_MESSAGES: usize = 5;

/// The most messages that one tick sends to subscribers, if its probes and the owner's channels leave as many requests.
const MAX_SUBSCRIBER_MESSAGES: usize = 10;

/// The rows of the outbox as they are stored, and what this object knows beyond that.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: RefCell<Vec<OutboxRow>>,
    channel_delivery: TryLock,
    /// A lock of its own, so that no message to the owner waits for subscribers.
    subscriber_delivery: TryLock,
    /// The requests that the last tick's probes left.
    pub(super) spare_requests: Cell<usize>,
    /// The subscribers to be removed.
    pub(super) expired: RefCell<Vec<ChannelId>>,
    /// The ids of rows that are done and still stored.
    undeleted: RefCell<Vec<i64>>,
    /// The channels whose last message was rejected, each with the HTTP status; 0 if the channel's secret is not set.
    rejections: RefCell<Vec<(ChannelId, u16)>>,
}

/// The way on which messages are delivered.
#[derive(Clone, Copy)]
pub(super) enum DeliveryRoute<'r> {
    /// To the owner's channels, whose secrets are in the environment.
    Channels(&'r Channels, &'r Env),
    /// To the subscribers, with the keys that sign notifications to browsers, if they are configured.
    Subscribers(&'r [Subscriber], Option<&'r Vapid>),
}

impl DeliveryRoute<'_> {
    fn is_for_subscribers(self) -> bool {
        matches!(self, DeliveryRoute::Subscribers(..))
    }

    /// Whether a channel has quiet hours at `now`.
    fn has_quiet_hours(self, channel: &ChannelId, now: UnixMillis) -> bool {
        let DeliveryRoute::Channels(channels, _) = self else { return false };
        let quiet = channels.find(channel).and_then(|channel| channel.quiet.as_ref());
        quiet.is_some_and(|quiet| quiet.is_quiet_at(now, zone_offset(&quiet.zone, now).unwrap_or(0)))
    }

    /// Sends a row.
    async fn send_row(self, row: &OutboxRow) -> DeliveryResult {
        match self {
            DeliveryRoute::Channels(channels, env) => {
                let Some(channel) = channels.find(&row.channel) else { return DeliveryResult::Rejected(404) };
                let Some(secret) = read_secret(env, &channel.secret) else {
                    return DeliveryResult::Rejected(0);
                };
                let response =
                    http_client::send_call(&service::build_call(channel, &row.message, &secret)).await;
                service::classify_reply(&channel.service, response.as_ref())
            }
            DeliveryRoute::Subscribers(subscribers, vapid) => {
                // A missing one was removed since the row was written.
                let subscriber = subscribers.iter().find(|one| one.id == row.channel);
                let Some(subscriber) = subscriber else { return DeliveryResult::Rejected(410) };
                let response = notify_subscriber(subscriber, &row.message, vapid).await;
                match service::classify_reply(&SUBSCRIBER_SERVICE, response.as_ref()) {
                    // RFC 8030, 7.3: the browser's subscription has expired.
                    DeliveryResult::Rejected(404) if subscriber.browser_keys().is_some() => {
                        DeliveryResult::Rejected(410)
                    }
                    result => result,
                }
            }
        }
    }
}

async fn notify_subscriber(one: &Subscriber, message: &Message, vapid: Option<&Vapid>) -> Option<HttpReply> {
    let Some(keys) = one.browser_keys() else {
        return http_client::send_call(&one.build_call(message, wall_clock())?).await;
    };
    let (text, topic) = push_payload(message);
    push::send_push(vapid?, (one.url(), keys), &text, &topic, wall_clock()).await
}

impl Outbox {
    /// Replaces the rows by those of the store, without those that are done.
    pub(super) fn load_rows(&self, mut rows: Vec<OutboxRow>) {
        rows.retain(|row| !self.undeleted.borrow().contains(&row.id));
        *self.rows.borrow_mut() = rows;
    }

    /// Creates the rows of `alerts`, which are written with the tick and then added by [`Outbox::add_rows`].
    pub(super) fn create_rows(&self, alerts: &[(ChannelId, Message)], now: UnixMillis) -> Vec<OutboxRow> {
        let (rows, mut new) = (self.rows.borrow(), Vec::<OutboxRow>::new());
        // The ids of rows that are done and still stored are taken as well.
        let last_id =
            self.undeleted.borrow().iter().copied().chain(rows.last().map(|row| row.id)).fold(0, i64::max);
        for (id, (channel, message)) in (last_id + 1..).zip(alerts) {
            let row =
                OutboxRow { id, channel: channel.clone(), message: message.clone(), due: now, attempts: 0 };
            let limit = if row.is_for_subscriber() { MAX_SUBSCRIBER_ROWS } else { MAX_ROWS };
            // Each subscriber has a limit of its own; the owner's channels share one.
            let shares_limit = |other: &&OutboxRow| {
                if row.is_for_subscriber() {
                    other.channel == row.channel
                } else {
                    !other.is_for_subscriber()
                }
            };
            if rows.iter().chain(&new).filter(shares_limit).count() < limit {
                new.push(row);
            } else {
                console_error!("outbox: dropped {} for {channel}: {limit} messages are waiting", message.key);
            }
        }
        new
    }

    /// Adds rows that are stored.
    pub(super) fn add_rows(&self, rows: Vec<OutboxRow>) {
        self.rows.borrow_mut().extend(rows);
    }

    /// Returns the problems of channels, for the owner.
    pub(super) fn list_problems(&self) -> Vec<ConfigProblem> {
        let problem = |(id, status): &(ChannelId, u16)| ConfigProblem {
            position: format!("ALERTS.{id}"),
            reason: format!("the service refuses alerts with status {status}; is the secret right?"),
        };
        // Status 0 is a missing secret, which is a problem of the settings.
        self.rejections.borrow().iter().filter(|(_, status)| *status != 0).map(problem).collect()
    }

    /// Sends the rows that are due at `now`, and returns how many requests were made.
    pub(super) async fn deliver(&self, store: &Store, route: DeliveryRoute<'_>, now: UnixMillis) -> u64 {
        let lock =
            if route.is_for_subscribers() { &self.subscriber_delivery } else { &self.channel_delivery };
        let Some(_guard) = lock.try_lock() else { return 0 };
        self.delete_done(store);
        let mut waiting =
            outside_quiet_hours(&self.rows.borrow(), |channel| route.has_quiet_hours(channel, now));
        waiting.retain(|row| row.is_for_subscriber() == route.is_for_subscribers());
        let limit = if route.is_for_subscribers() {
            // One request is kept to remove an expired subscriber from the first hub.
            self.spare_requests.take().saturating_sub(1).min(MAX_SUBSCRIBER_MESSAGES)
        } else {
            MAX_CHANNEL_MESSAGES
        };
        let due: Vec<OutboxRow> = due_rows(&waiting, now, limit).into_iter().cloned().collect();
        let sent = due.len();
        self.spare_requests.set(self.spare_requests.get() + limit - sent);
        for_each_concurrent(due, |row| async move {
            let result = route.send_row(&row).await;
            self.apply_result(store, &row, result, now);
        })
        .await;
        sent as u64
    }

    fn apply_result(&self, store: &Store, row: &OutboxRow, result: DeliveryResult, now: UnixMillis) {
        if !row.is_for_subscriber() {
            self.note_rejection(row, result);
        }
        match schedule_next_attempt(row, result, now) {
            AttemptOutcome::RetryAt(due) => self.reschedule(store, row, due),
            next => {
                if row.is_for_subscriber() && next == AttemptOutcome::Dropped {
                    self.expired.borrow_mut().push(row.channel.clone());
                }
                let outcome = if next == AttemptOutcome::Delivered { "delivered" } else { "dropped" };
                console_log!("alert {outcome}: {} for {}", row.message.key, row.channel);
                self.rows.borrow_mut().retain(|other| other.id != row.id);
                self.undeleted.borrow_mut().push(row.id);
                self.delete_done(store);
            }
        }
    }

    /// Remembers whether the channel's last message was rejected.
    fn note_rejection(&self, row: &OutboxRow, result: DeliveryResult) {
        if matches!(result, DeliveryResult::Rejected(_) | DeliveryResult::Accepted) {
            self.rejections.borrow_mut().retain(|(channel, _)| *channel != row.channel);
        }
        if let DeliveryResult::Rejected(status) = result {
            console_warn!("alert refused with status {status}: {} for {}", row.message.key, row.channel);
            self.rejections.borrow_mut().push((row.channel.clone(), status));
        }
    }

    fn reschedule(&self, store: &Store, row: &OutboxRow, due: UnixMillis) {
        let attempts = row.attempts.saturating_add(1);
        for other in self.rows.borrow_mut().iter_mut().filter(|other| other.id == row.id) {
            (other.due, other.attempts) = (due, attempts);
        }
        // Attempts for subscribers are kept in memory only, so that a stranger's dead address writes no rows.
        if !row.is_for_subscriber()
            && let Err(error) = store.reschedule_in_outbox(row.id, due, attempts)
        {
            console_error!("outbox: could not reschedule row {}: {error}", row.id);
        }
    }

    /// Deletes the rows that are done from the store. Those that it fails to delete are tried again with the next delivery.
    fn delete_done(&self, store: &Store) {
        self.undeleted.borrow_mut().retain(|id| match store.delete_from_outbox(*id) {
            Ok(()) => false,
            Err(error) => {
                console_error!("outbox: could not delete row {id}: {error}");
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
    fn a_new_row_never_has_the_id_of_a_stored_one() {
        let alert = |one: OutboxRow| (one.channel, one.message);
        let alerts = [alert(row(0, "ops", "api", 0, 0)), alert(row(0, "ops", "web", 0, 0))];
        let ids = |outbox: &Outbox| {
            outbox.create_rows(&alerts, UnixMillis(0)).iter().map(|row| row.id).collect::<Vec<_>>()
        };
        let outbox = Outbox::default();
        assert_eq!(ids(&outbox), [1, 2]);
        // It was delivered, and could not be deleted.
        outbox.undeleted.borrow_mut().push(1);
        assert_eq!(ids(&outbox), [2, 3]);
        outbox.load_rows(vec![row(1, "ops", "api", 0, 0), row(4, "ops", "api", 0, 0)]);
        assert_eq!(ids(&outbox), [5, 6], "a delivered row does not wait");
        assert_eq!(outbox.rows.borrow().len(), 1);
    }
}
