//! The hub: the Durable Object that owns the monitors, their state and their history.
//!
//! It is reached through its binding only: `POST /tick?at=<ms>`, `GET /page`, `GET /status`, `GET /incidents`,
//! `GET /monitors/<id>/memory?<to>-<from>` `GET /monitors/<id>/uptime?<window>` (milliseconds), `GET /monitors/<id>/days`, and what
//! `admin` has. What it answers is what the public gets, finished. It is the only writer, so what it holds in memory is what is stored: read once when the object starts, changed
//! on a copy, and put in place after the store has taken it.

// The attribute on the object writes public functions that nobody here can document.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use heapbeat_shared::UnixMillis;
use worker::{
    DurableObject, Env, Method, Request, Response, Result, State, console_error, console_log, console_warn,
    durable_object,
};

use self::deliver::Outbox;
use self::pace::Counts;
use crate::api;
use crate::config::maintenance::Maintenance;
use crate::config::{Config, Monitor, Rhythm, Target};
use crate::env::{self, BINDING_HUB, Setup};
use crate::page;
use crate::probe::{self, Allowance, Keys, Sent, probe_all, wall_clock, zone_offset};
use crate::store::{Loaded, Store, StoreError};
use crate::view::StatusView;
use crate::watch::answer::Probed;
use crate::watch::beat::{self, Beats};
use crate::watch::board::{Board, Note, Tick};
use crate::watch::incident::Incident;
use crate::watch::proof::Key;
use crate::watch::sight;
use crate::watch::work::concerned;

mod admin;
mod deliver;
mod dump;
mod incidents;
mod pace;
mod work;
mod zones;

pub use admin::{ask_admin, read_list};

/// Requests that the probes of one tick may make: the free plan's 50, less what alerts may need.
const REQUESTS_A_TICK: u32 = 45;

/// Incidents that the public is shown.
const MOST_INCIDENTS: i64 = 100;

/// Memory is shown for three hours where nobody says otherwise.
const MEMORY_SHOWN_MS: i64 = 3 * 3_600_000;

/// The Durable Object.
#[durable_object(alarm)]
pub struct Hub {
    setup: Setup,
    /// The monitors of `wrangler.toml` and those that were applied.
    config: RefCell<Option<Rc<Config>>>,
    beats: RefCell<Option<Rc<Beats>>>,
    maintenance: RefCell<Option<Rc<Vec<Maintenance>>>>,
    store: std::result::Result<Store, StoreError>,
    board: RefCell<Option<Rc<Board>>>,
    ticking: Cell<bool>,
    outbox: Outbox,
    env: Env,
    counts: Counts,
    state: State,
}

impl DurableObject for Hub {
    fn new(state: State, env: Env) -> Self {
        let setup = env::setup(&env);
        for problem in &setup.config.problems {
            console_warn!("config: {}: {}", problem.position, problem.reason);
        }
        let (state, store) = Store::open(state, wall_clock());
        if let Err(error) = &store {
            console_error!("hub: {error}");
        }
        Hub {
            setup,
            config: RefCell::new(None),
            beats: RefCell::new(None),
            maintenance: RefCell::new(None),
            store,
            board: RefCell::new(None),
            ticking: Cell::new(false),
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
        let done = match (request.method(), request.path().as_str()) {
            (Method::Post, "/tick") => match instant(&request) {
                Some(at) => {
                    let ticked = self.tick(at).await;
                    self.arm(false).await;
                    ticked.map(|outcome| Finished::ok(outcome.as_str().to_owned()))
                }
                None => Ok(Finished::refused(400, "a tick has an instant")),
            },
            (Method::Get, "/page") => self.view().map(|view| Finished::ok(page::status(&view))),
            (Method::Get, "/status") => self.view().map(|view| Finished::ok(api::status_json(&view))),
            (Method::Get, "/incidents") => {
                self.incidents().map(|list| Finished::ok(api::incidents_json(&list)))
            }
            (Method::Get, "/monitors") => self.get_monitors(),
            (Method::Put, "/monitors") => {
                let dry_run = query(&request).is_some_and(|query| query == "dry-run=true");
                let body = admin::read_list(&mut request).await?;
                self.put_monitors(&body, dry_run)
            }
            (Method::Get, path) if path.starts_with("/incidents/") => {
                self.get_incident(&path["/incidents/".len()..]).map(Finished::found)
            }
            (Method::Post, path) if path.starts_with("/incidents/") => {
                let id = path["/incidents/".len()..].to_owned();
                let body = admin::read_list(&mut request).await?;
                self.order(&id, &body)
            }
            (Method::Get, "/export") => self.export(&query(&request).unwrap_or_default()),
            (Method::Post, "/import") => {
                let schema = query(&request).unwrap_or_default();
                let body = request.text().await?;
                self.import(&schema, &body)
            }
            (Method::Get, "/maintenance") => self.get_maintenance(),
            (Method::Put, "/maintenance") => {
                let body = admin::read_list(&mut request).await?;
                self.set_maintenance(&body)
            }
            (Method::Post, path) if path.starts_with("/heartbeats/") => {
                self.hear(&path["/heartbeats/".len()..], &query(&request).unwrap_or_default())
            }
            (Method::Get, path) => self.history(path, &request).map(Finished::found),
            _ => Ok(Finished::found(None)),
        };
        let Finished { status, body } = done.unwrap_or_else(|error| {
            console_error!("hub: {error}");
            Finished::refused(503, "the hub's store failed")
        });
        let response =
            if status == 204 { Response::empty()? } else { Response::from_bytes(body.into_bytes())? };
        Ok(response.with_status(status))
    }
}

/// What the hub answers, finished.
struct Finished {
    status: u16,
    body: String,
}

impl Finished {
    fn ok(body: String) -> Self {
        Finished { status: 200, body }
    }

    /// What was looked for, or that there is no such thing.
    fn found(body: Option<String>) -> Self {
        body.map_or_else(|| Finished::refused(404, "there is no such thing"), Finished::ok)
    }

    /// An error, as RFC 9457 has it.
    fn refused(status: u16, detail: &str) -> Self {
        let title = match status {
            400 => "Bad Request",
            404 => "Not Found",
            409 => "Conflict",
            _ => "Service Unavailable",
        };
        Finished { status, body: api::problem_json(status, title, detail) }
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
    fn store(&self) -> std::result::Result<&Store, String> {
        self.store.as_ref().map_err(ToString::to_string)
    }

    /// What is known, read from the store the first time.
    fn board(&self) -> std::result::Result<Rc<Board>, String> {
        if let Some(board) = &*self.board.borrow() {
            return Ok(Rc::clone(board));
        }
        let Loaded { last, memos, ledgers, ticks, incidents, outbox, usage } =
            self.store()?.load(wall_clock()).map_err(|error| error.to_string())?;
        let mut board = Board::restore(last, memos, ledgers);
        for (at, readings) in &ticks {
            board.chart(*at, readings);
        }
        board.remember(incidents);
        self.outbox.load(outbox);
        self.counts.usage.set(usage);
        board.slow_down(usage.floor());
        let board = Rc::new(board);
        *self.board.borrow_mut() = Some(Rc::clone(&board));
        Ok(board)
    }

    /// Probes what is due, stores what came of it, and tells those on call.
    async fn tick(&self, at: UnixMillis) -> std::result::Result<Ticked, String> {
        let ticked = self.probe(at).await?;
        if let Some(last) = self.board()?.last() {
            let (channels, now) = (&self.setup.channels, last.clock(wall_clock()));
            let sent = self.outbox.deliver(self.store()?, channels, &self.env, now).await;
            self.counts.sent(sent);
        }
        Ok(ticked)
    }

    async fn probe(&self, at: UnixMillis) -> std::result::Result<Ticked, String> {
        let Some(_turn) = Turn::begin(&self.ticking) else {
            console_warn!("tick {}: {}", at.0, Ticked::Overlapping.as_str());
            return Ok(Ticked::Overlapping);
        };
        let (before, config) = (self.board()?, self.config()?);
        if before.last().is_some_and(|last| at <= last.at) {
            console_warn!("tick {}: {}", at.0, Ticked::Old.as_str());
            return Ok(Ticked::Old);
        }
        let Setup { channels, page, allow_private, references, .. } = &self.setup;
        let tick = Tick { at, came: wall_clock() };
        let allowance = Allowance::new(
            REQUESTS_A_TICK,
            *allow_private,
            self.keys(&config, &before),
            self.headers(&config),
        );
        let mut probes = probe_all(before.due(&config, at), &allowance).await;
        if sight::is_suspect(&before, &config, &probes, !references.is_empty()) {
            sight::cover(&before, &mut probes, probe::sight(references, &allowance).await, at);
        }
        probes.extend(self.look_at_jobs(&config, at)?);
        // As it is now: meanwhile somebody may have closed an incident.
        let mut board = Board::clone(&*self.board()?);
        board.announce(concerned(&self.work(at)?, &config, at));
        let mut commit = board.take(&config, tick, &probes);
        board.tell(&config, channels, page.as_deref(), &mut commit);
        let queued = self.outbox.rows_for(&commit.alerts, at);
        let notes = commit.notes.clone();
        let last = before.last().map(|last| last.at);
        self.counts.sent(u64::from(REQUESTS_A_TICK - allowance.left()));
        let usage = self.count(at, tick.came, last);
        board.slow_down(usage.floor());
        commit.usage = usage;
        self.store()?.commit(last, commit, queued.clone()).map_err(|error| error.to_string())?;
        self.counts.usage.set(usage);
        self.outbox.add(queued);
        *self.board.borrow_mut() = Some(Rc::new(board));
        notes.iter().for_each(log);
        Ok(Ticked::Stored)
    }

    /// What the monitors that have a secret are asked with.
    fn keys(&self, config: &Config, board: &Board) -> Keys {
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
        config.monitors.iter().filter_map(key).collect()
    }

    /// What the monitors that have headers send.
    fn headers(&self, config: &Config) -> Sent {
        let mut sent = Sent::new();
        for monitor in &config.monitors {
            if let Some(headers) = env::headers_of(&self.env, monitor) {
                sent.insert(monitor.id.clone(), headers);
            }
        }
        sent
    }

    /// What there is to say of the jobs that tell us.
    fn look_at_jobs(&self, config: &Config, at: UnixMillis) -> std::result::Result<Vec<Probed>, String> {
        let beats = self.beats()?;
        let look = |monitor: &Monitor| {
            let Target::Heartbeat(job) = &monitor.target else { return None };
            let zone = match &job.rhythm {
                Rhythm::Cron(schedule) => schedule.zone(),
                Rhythm::Every(_) => "UTC",
            };
            let offset = |at| zone_offset(zone, at).unwrap_or(0);
            let result = beat::look(beats.get(&monitor.id), job, at, offset);
            Some(Probed { monitor: monitor.id.clone(), heard: wall_clock(), result })
        };
        Ok(config.monitors.iter().filter_map(look).collect())
    }

    fn view(&self) -> std::result::Result<StatusView, String> {
        let mut view = self.board()?.view(&*self.config()?, wall_clock());
        view.problems.extend(self.outbox.problems());
        view.work = self.work(view.now)?;
        view.usage = self.counts.usage.get();
        view.notices.extend(view.usage.notice());
        Ok(view)
    }

    /// What is known of one monitor's past, as the API tells it; `None` where it is not watched.
    fn history(&self, path: &str, request: &Request) -> std::result::Result<Option<String>, String> {
        let mut parts = path.trim_start_matches("/monitors/").split('/');
        let id = parts.next().and_then(|id| id.parse().ok());
        let config = self.config()?;
        let monitor = config.monitors.iter().find(|monitor| Some(&monitor.id) == id.as_ref());
        let (Some(monitor), Some(what)) = (monitor, parts.next()) else { return Ok(None) };
        let board = self.board()?;
        let now = board.last().map_or_else(wall_clock, |last| last.clock(wall_clock()));
        let query = request.inner().url();
        let mut numbers =
            query.rsplit('?').next().unwrap_or_default().split('-').map(|text| text.parse().ok());
        let mut number = || numbers.next().flatten();
        match what {
            "memory" => {
                let to = number_or(number(), now.0);
                let from = number_or(number(), to.0.saturating_sub(MEMORY_SHOWN_MS));
                let last = board.last().map_or(now, |last| last.at);
                let found = self.store()?.memory(&monitor.id, (from, to), last);
                let (tier, line) = found.map_err(|error| error.to_string())?;
                Ok(Some(api::memory_json(monitor.id.as_str(), tier, (from, to), &line)))
            }
            "days" => Ok(Some(api::days_json(&board.days(&monitor.id, now)))),
            "versions" => Ok(Some(api::versions_json(monitor.id.as_str(), board.growth(&monitor.id)))),
            "uptime" => {
                let window = u64::try_from(number().unwrap_or(86_400_000)).unwrap_or(86_400_000);
                Ok(board
                    .uptime(&monitor.id, Duration::from_millis(window), now)
                    .map(|past| api::uptime_json(monitor.id.as_str(), &past)))
            }
            _ => Ok(None),
        }
    }

    /// The newest incidents of the monitors that are watched, newest first.
    fn incidents(&self) -> std::result::Result<Vec<Incident>, String> {
        let config = self.config()?;
        let mut list = self.store()?.newest_incidents(MOST_INCIDENTS).map_err(|error| error.to_string())?;
        list.retain(|incident| config.monitors.iter().any(|monitor| monitor.id == incident.monitor));
        Ok(list)
    }
}

fn log(note: &Note) {
    match note {
        Note::State { monitor, from, to, reason } => {
            let reason = reason.as_deref().unwrap_or("its conditions hold");
            console_log!("monitor {monitor}: {} -> {}: {reason}", from.as_str(), to.as_str());
        }
        Note::Restart { monitor } => console_log!("monitor {monitor}: restarted since the last probe"),
        Note::Unseen { probes } => {
            console_warn!("edge: nothing of {probes} probes answered, all at once: none of it is booked");
        }
        Note::Blind { monitor, reason } => console_warn!("monitor {monitor}: {reason}"),
    }
}

/// What stands behind the `?`.
fn query(request: &Request) -> Option<String> {
    request.inner().url().split_once('?').map(|(_, query)| query.to_owned())
}

fn number_or(number: Option<i64>, other: i64) -> UnixMillis {
    UnixMillis(number.unwrap_or(other))
}

/// The number after the `=` of the only query parameter that there is.
fn instant(request: &Request) -> Option<UnixMillis> {
    let url = request.inner().url();
    url.rsplit_once('=')?.1.parse().ok().map(UnixMillis)
}

/// Asks the hub for something that the public may see, finished. `None`: there is no such thing.
pub async fn ask(env: &Env, path: &str) -> Result<Option<String>> {
    let mut response = stub(env)?.fetch_with_str(&format!("https://hub{path}")).await?;
    match response.status_code() {
        200 => response.text().await.map(Some),
        404 => Ok(None),
        _ => Err(worker::Error::from("the hub did not answer")),
    }
}

/// Hands the hub a tick; says what became of it.
pub async fn send_tick(env: &Env, at: UnixMillis) -> Result<String> {
    let request = Request::new(&format!("https://hub/tick?at={}", at.0), Method::Post)?;
    let mut response = stub(env)?.fetch_with_request(request).await?;
    match response.status_code() {
        200 => response.text().await,
        _ => Err(worker::Error::from("the hub did not store the tick")),
    }
}

/// The one hub that there is for now.
fn stub(env: &Env) -> Result<worker::durable::Stub> {
    env.durable_object(BINDING_HUB)?.get_by_name("hub-0")
}
