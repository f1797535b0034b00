//! The hub: the Durable Object that owns the monitors, their state and their history.
//!
//! It is reached through its binding only, by two requests: `POST /tick?at=<ms>` and `GET /view`. It
//! is the only writer, so what it holds in memory is what is stored: read once when the object starts, changed
//! on a copy, and put in place after the store has taken it.

// The attribute on the object writes public functions that nobody here can document.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, console_error, console_log, console_warn,
    durable_object,
};

use crate::config::{Config, Monitor};
use crate::env::{self, BINDING_HUB};
use crate::probe::{Allowance, Keys, probe_all, wall_clock};
use crate::store::{Loaded, Store, StoreError};
use crate::view::StatusView;
use crate::watch::board::{Board, Note, Tick};
use crate::watch::proof::Key;

/// Requests that one tick may make: the free plan's 50, less some for the platform's own counting.
const REQUESTS_A_TICK: u32 = 45;

/// The Durable Object.
#[durable_object]
pub struct Hub {
    config: Rc<Config>,
    allow_private: bool,
    store: std::result::Result<Store, StoreError>,
    board: RefCell<Option<Rc<Board>>>,
    ticking: Cell<bool>,
    env: Env,
    _state: State,
}

impl DurableObject for Hub {
    fn new(state: State, env: Env) -> Self {
        let (config, allow_private) = env::config(&env);
        for problem in &config.problems {
            console_warn!("config: {}: {}", problem.position, problem.reason);
        }
        let (state, store) = Store::open(state, wall_clock());
        if let Err(error) = &store {
            console_error!("hub: {error}");
        }
        Hub {
            config: Rc::new(config),
            allow_private,
            store,
            board: RefCell::new(None),
            ticking: Cell::new(false),
            env,
            _state: state,
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let done = match (request.method(), request.path().as_str()) {
            (Method::Post, "/tick") => match instant(&request) {
                Some(at) => self.tick(at).await.map(|outcome| Response::from_json(&outcome.as_str())),
                None => return Response::error("a tick has an instant", 400),
            },
            (Method::Get, "/view") => self.view().map(|view| Response::from_json(&view)),
            _ => return Response::error("no such request", 404),
        };
        match done {
            Ok(response) => response,
            Err(error) => {
                console_error!("hub: {error}");
                Response::error("the hub's store failed", 503)
            }
        }
    }
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ticked {
    Stored,
    Overlapping,
    Old,
}

impl Ticked {
    fn as_str(self) -> &'static str {
        match self {
            Ticked::Stored => "stored",
            Ticked::Overlapping => "skipped: another tick is running",
            Ticked::Old => "skipped: this tick, or a later one, is stored already",
        }
    }
}

/// Says that a tick is running, for as long as it lives.
struct Running<'c>(&'c Cell<bool>);

impl<'c> Running<'c> {
    fn begin(ticking: &'c Cell<bool>) -> Option<Self> {
        (!ticking.replace(true)).then_some(Running(ticking))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Hub {
    fn store(&self) -> std::result::Result<&Store, String> {
        self.store.as_ref().map_err(ToString::to_string)
    }

    /// What is known, read from the store the first time.
    fn board(&self) -> std::result::Result<Rc<Board>, String> {
        if let Some(board) = &*self.board.borrow() {
            return Ok(Rc::clone(board));
        }
        let Loaded { last, memos, ledgers, ticks } =
            self.store()?.load(wall_clock()).map_err(|error| error.to_string())?;
        let mut board = Board::restore(last, memos, ledgers);
        for (at, readings) in &ticks {
            board.chart(*at, readings);
        }
        let board = Rc::new(board);
        *self.board.borrow_mut() = Some(Rc::clone(&board));
        Ok(board)
    }

    /// Probes what is due and stores what came of it.
    async fn tick(&self, at: UnixMillis) -> std::result::Result<Ticked, String> {
        let Some(_running) = Running::begin(&self.ticking) else {
            console_warn!("tick {}: {}", at.0, Ticked::Overlapping.as_str());
            return Ok(Ticked::Overlapping);
        };
        let before = self.board()?;
        if before.last().is_some_and(|last| at <= last.at) {
            console_warn!("tick {}: {}", at.0, Ticked::Old.as_str());
            return Ok(Ticked::Old);
        }
        let tick = Tick { at, came: wall_clock() };
        let allowance = Allowance::new(REQUESTS_A_TICK, self.allow_private, self.keys(&before));
        let probes = probe_all(before.due(&self.config, at), &allowance).await;
        let mut board = Board::clone(&before);
        let commit = board.take(&self.config, tick, &probes);
        let notes = commit.notes.clone();
        self.store()?.commit(commit).map_err(|error| error.to_string())?;
        *self.board.borrow_mut() = Some(Rc::new(board));
        notes.iter().for_each(log);
        Ok(Ticked::Stored)
    }

    /// What the monitors that have a secret are asked with.
    fn keys(&self, board: &Board) -> Keys {
        let key = |monitor: &Monitor| {
            let (secret, named) = env::secret_of(&self.env, monitor)?;
            let told = board.told(&monitor.id);
            let key = secret.map(|secret| Key {
                secret,
                after: told.and_then(|told| told.cursor),
                strict: named || told.is_some(),
            });
            Some((monitor.id.clone(), key))
        };
        self.config.monitors.iter().filter_map(key).collect()
    }

    fn view(&self) -> std::result::Result<StatusView, String> {
        Ok(self.board()?.view(&self.config, wall_clock()))
    }
}

fn log(note: &Note) {
    match note {
        Note::State { monitor, from, to, reason } => {
            let reason = reason.as_deref().unwrap_or("its conditions hold");
            console_log!("monitor {monitor}: {} -> {}: {reason}", from.as_str(), to.as_str());
        }
        Note::Restart { monitor } => console_log!("monitor {monitor}: restarted since the last probe"),
        Note::Blind { monitor, reason } => console_warn!("monitor {monitor}: {reason}"),
    }
}

/// The number after the `=` of the only query parameter that there is.
fn instant(request: &Request) -> Option<UnixMillis> {
    let url = request.inner().url();
    url.rsplit_once('=')?.1.parse().ok().map(UnixMillis)
}

/// Asks the hub for what the public may see.
pub async fn ask_view(env: &Env) -> Result<StatusView> {
    let mut response = stub(env)?.fetch_with_str("https://hub/view").await?;
    if response.status_code() != 200 {
        return Err(worker::Error::from("the hub did not answer"));
    }
    response.json().await
}

/// Hands the hub a tick; says what became of it.
pub async fn send_tick(env: &Env, at: UnixMillis) -> Result<String> {
    let request = Request::new(&format!("https://hub/tick?at={}", at.0), Method::Post)?;
    let mut response = stub(env)?.fetch_with_request(request).await?;
    match response.status_code() {
        200 => response.json().await,
        _ => Err(worker::Error::from("the hub did not store the tick")),
    }
}

/// The one hub that there is for now.
fn stub(env: &Env) -> Result<worker::durable::Stub> {
    env.durable_object(BINDING_HUB)?.get_by_name("hub-0")
}
