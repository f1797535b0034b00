//! The hub: a Durable Object that owns up to 40 monitors, their state and their history.
//!
//! It is reached through its binding only, by [`crate::fleet`], and is the only writer of its store. Each part of it is a type of its
//! own and loads what it needs from the store once. `dispatch` passes requests to the parts, and in a `tick` they work together.

// The attribute of the Durable Object generates public functions without documentation.
#![allow(missing_docs)]

use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, Result, State, console_error, durable_object};

use self::alarm::Alarm;
use self::config_state::ConfigState;
use self::engine_state::EngineState;
use self::export::Exporter;
use self::follow_ups::FollowUps;
use self::heartbeat_state::HeartbeatState;
use self::incidents::Incidents;
use self::membership_state::MembershipState;
use self::outbox::Outbox;
use self::page_views::PageViews;
use self::prober::Prober;
use self::queries::Queries;
use self::quota_meter::QuotaMeter;
use self::regional_prober::RegionalProber;
use self::shared_lists::SharedLists;
use self::store_backoff::StoreBackoff;
use self::store_handle::StoreHandle;
use self::subscription_list::SubscriptionList;
use self::tick::TickSource;
use self::try_lock::TryLock;
use crate::domain::instant::rfc3339;
use crate::hub_api::{HubCall, HubError, HubReply};
use crate::platform::clock::wall_clock;
use crate::settings::read_settings;
use crate::store::Store;

mod alarm;
mod alert_test;
mod applied;
mod channel_list;
mod config_state;
mod dispatch;
mod engine_state;
mod error;
mod export;
mod follow_ups;
mod heartbeat_state;
mod incidents;
mod membership_state;
mod outbox;
mod page_views;
mod probe_secrets;
mod prober;
mod queries;
mod quota_meter;
mod regional_prober;
mod shared_lists;
mod store_backoff;
mod store_handle;
mod subscription_list;
mod tick;
mod try_lock;
mod unknown_zones;

/// The Durable Object.
#[durable_object(alarm)]
pub struct Hub {
    env: Env,
    store: StoreHandle,
    /// The backoff after failures of the store.
    backoff: StoreBackoff,
    /// The quota that the hub uses.
    quota: Rc<QuotaMeter>,
    /// The hub's number, and what it knows of the other hubs.
    membership: Rc<MembershipState>,
    /// Monitors and maintenance.
    config: Rc<ConfigState>,
    /// The subscriptions of the public.
    subscriptions: Rc<SubscriptionList>,
    /// The heartbeats of jobs.
    heartbeats: HeartbeatState,
    /// What recipients of notifications were told, and what they are told next.
    outbox: Rc<Outbox>,
    /// The state of every monitor.
    engine: Rc<EngineState>,
    /// The lists that all hubs share.
    lists: SharedLists,
    prober: Prober,
    regional_prober: RegionalProber,
    queries: Queries,
    incidents: Incidents,
    pages: PageViews,
    exporter: Exporter,
    alarm: Alarm,
    /// The additional rounds for what a tick could not probe.
    follow_ups: FollowUps,
    /// Held while a tick is under way.
    ticking: TryLock,
}

impl DurableObject for Hub {
    fn new(state: State, env: Env) -> Self {
        let settings = Rc::new(read_settings(&env));
        let (state, store) = Store::open(state, wall_clock());
        if let Err(error) = &store {
            console_error!("hub: {error}");
        }
        let store = StoreHandle::new(store);
        let quota = Rc::new(QuotaMeter::new(store.clone(), settings.quotas));
        let membership = Rc::new(MembershipState::new(store.clone()));
        let subscriptions = Rc::new(SubscriptionList::new(store.clone(), settings.max_subscriptions));
        let config = Rc::new(ConfigState::new(settings, store.clone(), Rc::clone(&membership)));
        let outbox = Rc::new(Outbox::new(store.clone()));
        let engine = Rc::new(EngineState::new(store.clone(), Rc::clone(&quota)));
        let queries = Queries {
            config: Rc::clone(&config),
            membership: Rc::clone(&membership),
            engine: Rc::clone(&engine),
            outbox: Rc::clone(&outbox),
            quota: Rc::clone(&quota),
            store: store.clone(),
        };
        let incidents = Incidents {
            config: Rc::clone(&config),
            membership: Rc::clone(&membership),
            engine: Rc::clone(&engine),
            store: store.clone(),
        };
        Hub {
            lists: SharedLists::new(
                env.clone(),
                store.clone(),
                Rc::clone(&config),
                Rc::clone(&membership),
                Rc::clone(&subscriptions),
            ),
            prober: Prober { env: env.clone(), config: Rc::clone(&config), engine: Rc::clone(&engine) },
            regional_prober: RegionalProber {
                env: env.clone(),
                config: Rc::clone(&config),
                quota: Rc::clone(&quota),
            },
            pages: PageViews { queries: queries.clone(), incidents: incidents.clone() },
            exporter: Exporter { store: store.clone(), membership: Rc::clone(&membership) },
            alarm: Alarm { state, config: Rc::clone(&config), quota: Rc::clone(&quota) },
            heartbeats: HeartbeatState::new(store.clone()),
            backoff: StoreBackoff::default(),
            follow_ups: FollowUps::default(),
            ticking: TryLock::default(),
            env,
            store,
            quota,
            membership,
            config,
            subscriptions,
            outbox,
            engine,
            queries,
            incidents,
        }
    }

    /// Runs a tick between two ticks of the cron, for monitors with short intervals and for what the last tick could not probe. Its
    /// instant follows from the last tick's.
    async fn alarm(&self) -> Result<Response> {
        self.quota.count_request();
        let began = wall_clock();
        self.alarm.schedule_next(true).await;
        let last = self.engine.loaded().map(|engine| engine.last_tick());
        match last {
            Ok(Some(last)) => {
                let at = last.scheduled_time_at(wall_clock());
                if let Err(error) = self.tick(at, TickSource::Alarm).await {
                    console_error!("sub-minute tick {} failed: {error}", rfc3339(at));
                }
            }
            // Before the first tick of the cron there is no instant to continue from.
            Ok(None) => {}
            Err(error) => console_error!("the alarm failed: {error}"),
        }
        self.quota.count_active(wall_clock().since(began));
        Response::empty()
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.quota.count_request();
        let began = wall_clock();
        let result = match request.json::<HubCall>().await {
            Ok(call) => self.handle_call(call).await,
            Err(error) => Err(HubError::Invalid(error.to_string())),
        };
        if let Err(error @ HubError::Store(_)) = &result {
            console_error!("hub: {error}");
        }
        self.quota.count_active(wall_clock().since(began));
        let first = self.membership.current().ok().filter(|membership| membership.number == 0);
        Response::from_json(&HubReply { hub_count: first.map(|membership| membership.hub_count), result })
    }
}
