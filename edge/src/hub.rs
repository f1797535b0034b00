//! The hub: the Durable Object that owns some monitors, their state and their history.
//!
//! It is reached through its binding only, by [`crate::fleet`]; what it answers to what stands in `answer`. It is the only
//! writer, so what it holds in memory is what is stored: read once when the object starts, and read anew where the store did
//! not take a change.

// The attribute on the object writes public functions that nobody here can document.
#![allow(missing_docs)]

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, Result, State, console_error, durable_object};

use self::alarm::Counts;
use self::delivery::Outbox;
use self::error::HubResult;
use crate::config::Config;
use crate::config::maintenance::Maintenance;
use crate::domain::engine::Engine;
use crate::domain::heartbeat::JobStates;
use crate::fleet::membership::Membership;
use crate::hub_api::{HubCall, HubError, HubReply};
use crate::notify::Subscriber;
use crate::platform::env;
use crate::platform::env::Setup;
use crate::probe::wall_clock;
use crate::store::{Loaded, Store, StoreError};

mod admin;
mod alarm;
mod applied;
mod delivery;
mod dispatch;
mod error;
mod export;
mod incidents;
mod maintenance;
mod page;
mod queries;
mod regional_prober;
mod subscriptions;
mod sync;
mod tick;
mod zone_check;

/// Most ticks in a row that a failing store is left alone.
const LONGEST_REST: u32 = 16;

/// The Durable Object.
#[durable_object(alarm)]
pub struct Hub {
    setup: Setup,
    /// The monitors of `wrangler.toml` and those that were applied.
    config: RefCell<Option<Rc<Config>>>,
    /// Who asked to be told.
    subscribers: RefCell<Option<Rc<Vec<Subscriber>>>>,
    beats: RefCell<Option<Rc<JobStates>>>,
    maintenance: RefCell<Option<Rc<Vec<Maintenance>>>>,
    /// What is known of the other hubs.
    membership: RefCell<Option<Rc<Membership>>>,
    store: std::result::Result<Store, StoreError>,
    /// What is known: what is stored, or nothing yet.
    board: RefCell<Option<Engine>>,
    /// Ticks that are left out, and how many the next failure of the store leaves out.
    paused: Cell<(u32, u32)>,
    ticking: Cell<bool>,
    /// The others are being told.
    telling: Cell<bool>,
    outbox: Outbox,
    env: Env,
    counts: Counts,
    state: State,
}

impl DurableObject for Hub {
    fn new(state: State, env: Env) -> Self {
        let setup = env::setup(&env);
        let (state, store) = Store::open(state, wall_clock());
        if let Err(error) = &store {
            console_error!("hub: {error}");
        }
        Hub {
            setup,
            config: RefCell::new(None),
            subscribers: RefCell::new(None),
            beats: RefCell::new(None),
            maintenance: RefCell::new(None),
            membership: RefCell::new(None),
            store,
            board: RefCell::new(None),
            paused: Cell::new((0, 0)),
            ticking: Cell::new(false),
            telling: Cell::new(false),
            outbox: Outbox::default(),
            env,
            counts: Counts::default(),
            state,
        }
    }

    async fn alarm(&self) -> Result<Response> {
        self.wake().await;
        Response::empty()
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        self.counts.asked();
        let result = match request.json::<HubCall>().await {
            Ok(call) => self.answer(call).await,
            Err(error) => Err(HubError::Invalid(error.to_string())),
        };
        if let Err(error @ HubError::Store(_)) = &result {
            console_error!("hub: {error}");
        }
        let first = self.membership().ok().filter(|membership| membership.number == 0);
        Response::from_json(&HubReply { hub_count: first.map(|membership| membership.hub_count), result })
    }
}

/// The only turn at something, for as long as it lives.
struct Turn<'c>(&'c Cell<bool>);

impl<'c> Turn<'c> {
    fn begin(taken: &'c Cell<bool>) -> Option<Self> {
        (!taken.replace(true)).then_some(Turn(taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Hub {
    fn store(&self) -> HubResult<&Store> {
        self.store.as_ref().map_err(HubError::from)
    }

    /// Reads anew what people told, when it is asked for.
    fn forget(&self) {
        *self.config.borrow_mut() = None;
        *self.subscribers.borrow_mut() = None;
        *self.maintenance.borrow_mut() = None;
        *self.membership.borrow_mut() = None;
    }

    /// What is known, read from the store the first time.
    fn board(&self) -> HubResult<Ref<'_, Engine>> {
        if self.board.borrow().is_none() {
            *self.board.borrow_mut() = Some(self.read_board()?);
        }
        Ref::filter_map(self.board.borrow(), Option::as_ref)
            .map_err(|_| HubError::Store("there is no board".to_owned()))
    }

    /// The board, to be changed and put back once the store has taken the change; without that it is read anew.
    fn take_board(&self) -> HubResult<Engine> {
        match self.board.take() {
            Some(board) => Ok(board),
            None => self.read_board(),
        }
    }

    /// Whether a tick is left out. Reading everything anew costs a day's rows, so a store that goes on failing is tried less
    /// and less often.
    fn rests(&self) -> bool {
        let (left, next) = self.paused.get();
        self.paused.set((left.saturating_sub(1), next));
        left > 0
    }

    /// The store failed: the next tick is as usual, then one is left out, then two, four, at most [`LONGEST_REST`].
    fn rest(&self) {
        let (_, next) = self.paused.get();
        self.paused.set((next, (next * 2).clamp(1, LONGEST_REST)));
    }

    fn read_board(&self) -> HubResult<Engine> {
        let Loaded { last, memos, ledgers, ticks, incidents, outbox, usage } =
            self.store()?.load(wall_clock())?;
        let mut board = Engine::restore(last, memos, ledgers);
        for (at, readings) in &ticks {
            board.chart(*at, readings);
        }
        board.remember(incidents);
        self.outbox.load(outbox);
        self.counts.usage.set(usage);
        board.slow_down(usage.floor());
        Ok(board)
    }
}
