//! Delivering messages: the differences between what is so and what each recipient was told.
//!
//! A turn follows each tick. What its messages say is stored before they are sent, and each result when it is known: a worker that is
//! stopped in between sends the same message again, with the same key. A lock keeps overlapping ticks from sending twice.

use std::cell::{Cell, RefCell, RefMut};

use heapbeat_shared::UnixMillis;
use worker::{Env, console_error, console_log, console_warn};

use super::engine_state::EngineState;
use super::error::HubResult;
use super::store_handle::StoreHandle;
use super::try_lock::TryLock;
use crate::domain::incident::Incident;
use crate::domain::incident::id::IncidentId;
use crate::hub_api::HubError;
use crate::monitor_config::{ConfigProblem, MonitorConfig};
use crate::notify::push::Vapid;
use crate::notify::subscriber::{SUBSCRIBER_SERVICE, is_expired, is_subscriber_id, push_payload};
use crate::notify::{
    Channel, ChannelId, DeliveryResult, Message, NotificationRecords, Recipient, RecipientRecord,
    RecordChange, SendQueue, Situation, Subscriber, http_client, push, service,
};
use crate::platform::clock::wall_clock;
use crate::platform::concurrency::for_each_concurrent;
use crate::platform::intl::zone_offset;
use crate::settings::{WorkerSettings, channel_obstacle, read_secret};

/// The requests that a tick's probes leave to the owner's channels.
const CHANNEL_REQUESTS: usize = 5;

/// The most messages that one tick sends to the owner's channels, if its probes leave as many requests.
const MAX_CHANNEL_MESSAGES: usize = 15;

/// The most messages that one tick sends to subscribers, if its probes and the owner's channels leave as many requests.
const MAX_SUBSCRIBER_MESSAGES: usize = 10;

/// What recipients were told, and what is under way.
#[derive(Debug)]
pub(super) struct Outbox {
    store: StoreHandle,
    /// What every recipient was told; `None` until it is loaded.
    book: RefCell<Option<NotificationRecords>>,
    channel_delivery: TryLock,
    /// A lock of its own, so that no message to the owner waits for subscribers.
    subscriber_delivery: TryLock,
    /// The requests that the last tick's probes left.
    pub(super) spare_requests: Cell<usize>,
    /// The subscribers to be removed.
    pub(super) expired: RefCell<Vec<ChannelId>>,
}

/// The recipients of a turn, and the way on which messages reach them.
#[derive(Clone, Copy)]
pub(super) enum DeliveryRoute<'r> {
    /// The owner's channels, whose secrets are in the environment.
    Channels(&'r WorkerSettings, &'r Env),
    /// The subscribers, with the keys that sign notifications to browsers, if they are configured.
    Subscribers(&'r [Subscriber], Option<&'r Vapid>),
}

impl<'r> DeliveryRoute<'r> {
    fn recipients(self, now: UnixMillis) -> Vec<Recipient<'r>> {
        match self {
            DeliveryRoute::Channels(settings, env) => {
                let recipient = |channel: &'r Channel| {
                    let is_quiet = channel.quiet.as_ref().is_some_and(|quiet| {
                        quiet.is_quiet_at(now, zone_offset(&quiet.zone, now).unwrap_or(0))
                    });
                    Recipient::channel(channel, is_quiet, channel_obstacle(env, channel))
                };
                settings.channels.list.iter().map(recipient).collect()
            }
            DeliveryRoute::Subscribers(subscribers, _) => {
                subscribers.iter().map(Recipient::subscriber).collect()
            }
        }
    }

    /// Whether a recipient of this route does not exist any more, so that nobody has to be told anything.
    fn is_removed(self, id: &ChannelId) -> bool {
        match self {
            // A list with a mistake may lack a channel that is back with the correction.
            DeliveryRoute::Channels(settings, _) => {
                !is_subscriber_id(id)
                    && settings.channels.problems.is_empty()
                    && settings.channels.find(id).is_none()
            }
            DeliveryRoute::Subscribers(subscribers, _) => {
                is_subscriber_id(id) && !subscribers.iter().any(|subscriber| subscriber.id == *id)
            }
        }
    }

    /// Sends a message.
    async fn send(self, recipient: &ChannelId, message: &Message) -> DeliveryResult {
        match self {
            DeliveryRoute::Channels(settings, env) => {
                let Some(channel) = settings.channels.find(recipient) else {
                    return DeliveryResult::Rejected(404);
                };
                send_to_channel(env, channel, message).await.0
            }
            DeliveryRoute::Subscribers(subscribers, vapid) => {
                let subscriber = subscribers.iter().find(|one| one.id == *recipient);
                let Some(subscriber) = subscriber else { return DeliveryResult::Rejected(410) };
                let reply = notify_subscriber(subscriber, message, vapid).await;
                match service::classify_reply(&SUBSCRIBER_SERVICE, reply.as_ref(), wall_clock()) {
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

/// Sends a message to a channel. Returns the result, and the body of the reply without the secret.
pub(super) async fn send_to_channel(
    env: &Env,
    channel: &Channel,
    message: &Message,
) -> (DeliveryResult, String) {
    let Some(secret) = read_secret(env, &channel.secret) else {
        return (DeliveryResult::Rejected(0), String::new());
    };
    let reply = http_client::send_call(&service::build_call(channel, message, &secret)).await;
    let result = service::classify_reply(&channel.service, reply.as_ref(), wall_clock());
    (result, reply.map(|reply| service::describe_reply(&reply.body, &secret)).unwrap_or_default())
}

async fn notify_subscriber(
    one: &Subscriber,
    message: &Message,
    vapid: Option<&Vapid>,
) -> Option<http_client::HttpReply> {
    let Some(keys) = one.browser_keys() else {
        return http_client::send_call(&one.build_call(message, wall_clock())?).await;
    };
    let (text, topic) = push_payload(message);
    push::send_push(vapid?, (one.url(), keys), &text, &topic, wall_clock()).await
}

impl Outbox {
    /// Creates the outbox, which is loaded from `store` when it is needed first.
    pub(super) fn new(store: StoreHandle) -> Self {
        Outbox {
            store,
            book: RefCell::default(),
            channel_delivery: TryLock::default(),
            subscriber_delivery: TryLock::default(),
            spare_requests: Cell::default(),
            expired: RefCell::default(),
        }
    }

    fn book(&self) -> HubResult<RefMut<'_, NotificationRecords>> {
        let mut book = self.book.borrow_mut();
        if book.is_none() {
            let (records, incidents) = self.store.opened()?.load_notifications()?;
            *book = Some(NotificationRecords::restore(records, incidents));
        }
        RefMut::filter_map(book, Option::as_mut)
            .map_err(|_| HubError::Store("the outbox is not loaded".to_owned()))
    }

    /// Discards what is loaded, so that it is loaded again together with the incidents that it mentions, which an import may have changed.
    pub(super) fn invalidate(&self) -> HubResult<()> {
        let changes = self.book()?.take_changes();
        self.write(&changes);
        *self.book.borrow_mut() = None;
        Ok(())
    }

    /// Returns the problems of channels at `now`, for the owner.
    pub(super) fn list_problems(&self, now: UnixMillis) -> HubResult<Vec<ConfigProblem>> {
        Ok(self.book()?.list_problems(now))
    }

    /// Returns the number of channels that do not accept messages.
    pub(super) fn count_failing(&self) -> HubResult<u64> {
        Ok(self.book()?.failing_channels().count() as u64)
    }

    /// Returns what is recorded of a recipient.
    pub(super) fn record_of(&self, recipient: &ChannelId) -> HubResult<RecipientRecord> {
        Ok(self.book()?.record(recipient).cloned().unwrap_or_default())
    }

    /// Records that a channel accepted a test message.
    pub(super) fn close_circuit(&self, channel: &ChannelId) -> HubResult<()> {
        self.book()?.close_circuit(channel);
        Ok(())
    }

    /// Sends the messages of a turn at `now`, and returns how many requests were made.
    pub(super) async fn run_turn(
        &self,
        engine: &EngineState,
        config: &MonitorConfig,
        status_page: Option<&str>,
        hub: usize,
        route: DeliveryRoute<'_>,
        now: UnixMillis,
    ) -> HubResult<u64> {
        let is_for_channels = matches!(route, DeliveryRoute::Channels(..));
        let lock = if is_for_channels { &self.channel_delivery } else { &self.subscriber_delivery };
        let Some(_guard) = lock.try_lock() else { return Ok(0) };
        let spare = self.spare_requests.take();
        let (available, limit) = if is_for_channels {
            (spare + CHANNEL_REQUESTS, MAX_CHANNEL_MESSAGES)
        } else {
            // One request is kept to remove an expired subscriber from the first hub.
            (spare, MAX_SUBSCRIBER_MESSAGES.min(spare.saturating_sub(1)))
        };
        let turn = {
            let engine = engine.loaded()?;
            let situation = Situation { hub, ..Situation::new(&engine, config, now, status_page) };
            let mut book = self.book()?;
            book.retain(|id| !route.is_removed(id));
            let find = |id: &IncidentId| -> HubResult<Option<Incident>> {
                Ok(self.store.opened()?.incident(id)?.map(|(incident, _)| incident))
            };
            book.plan_turn(&situation, &route.recipients(now), now, limit.min(available), find)
        };
        self.write(&turn.changes);
        let sent = Cell::new(0);
        let queues = SendQueue::list(&turn, wall_clock());
        for_each_concurrent(queues, |queue| self.send_queue(route, queue, &sent, now)).await;
        self.spare_requests.set(self.spare_requests.get() + available.saturating_sub(sent.get()));
        Ok(sent.get() as u64)
    }

    /// Sends the messages of one recipient.
    async fn send_queue(
        &self,
        route: DeliveryRoute<'_>,
        mut queue: SendQueue<'_>,
        sent: &Cell<usize>,
        now: UnixMillis,
    ) {
        while let Some(delivery) = self.book().ok().and_then(|mut book| queue.next(&mut book, wall_clock())) {
            let (recipient, key) = (&delivery.recipient, &delivery.message.key);
            sent.set(sent.get() + 1);
            let result = route.send(recipient, &delivery.message).await;
            if result == DeliveryResult::Accepted {
                console_log!("alert delivered: {key} for {recipient}");
            } else {
                console_warn!("alert not delivered: {key} for {recipient}: {result:?}");
            }
            let Ok(mut book) = self.book() else { return };
            let changes = queue.record_result(&mut book, delivery, result, now);
            let circuit = book.record(recipient).and_then(|record| record.circuit);
            drop(book);
            self.write(&changes);
            if is_subscriber_id(recipient) && is_expired(result, circuit.as_ref(), now) {
                self.expired.borrow_mut().push(recipient.clone());
            }
        }
    }

    /// Writes what recipients were told. What cannot be written is written with the next turn.
    fn write(&self, changes: &[RecordChange]) {
        if changes.is_empty() {
            return;
        }
        let written = self.store.opened().and_then(|store| Ok(store.write_notifications(changes.to_vec())?));
        if let Err(error) = written {
            console_error!("outbox: could not store what was told: {error}");
            if let Ok(mut book) = self.book() {
                book.mark_unwritten(changes);
            }
        }
    }
}
