//! A tick: what is due is probed, what came of it is stored, and those on call are told.

use futures_util::future::join;
use heapbeat_shared::UnixMillis;
use worker::{console_error, console_log, console_warn};

use super::delivery::To;
use super::error::HubResult;
use super::{Hub, Turn};
use crate::config::{Config, Monitor, Rhythm, Target};
use crate::domain::check::outcome::Probed;
use crate::domain::check::self_check;
use crate::domain::engine::{Note, Tick};
use crate::domain::heartbeat;
use crate::domain::maintenance::concerned;
use crate::domain::report::verification::Key;
use crate::platform::env;
use crate::platform::env::Setup;
use crate::probe;
use crate::probe::{Keys, RequestBudget, Sent, probe_all, wall_clock, zone_offset};

/// Requests that the probes of one tick may make: the free plan's 50, less what alerts may need.
pub(super) const REQUESTS_A_TICK: u32 = 45;

/// Other hubs that a tick hands their share, where they did not take it before; the probes leave it these requests.
const SHARES_A_TICK: u8 = 5;

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticked {
    Stored,
    Overlapping,
    Old,
    Resting,
}

impl Ticked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ticked::Stored => "stored",
            Ticked::Overlapping => "skipped: another tick is running",
            Ticked::Resting => "skipped: the store failed, and is left alone for a while",
            Ticked::Old => "skipped: this tick, or a later one, is stored already",
        }
    }
}

impl Hub {
    /// Probes what is due, stores what came of it, and tells those on call.
    pub(super) async fn tick(&self, at: UnixMillis) -> HubResult<Ticked> {
        let ticked = self.probe(at).await?;
        let last = self.board()?.last();
        if let Some(last) = last {
            let now = last.clock(wall_clock());
            let (channels, subscribers) = (&self.setup.channels, self.subscribers()?);
            // The owner's first.
            for to in
                [To::Channels(channels, &self.env), To::Subscribers(&subscribers, self.setup.vapid.as_ref())]
            {
                let sent = self.outbox.deliver(self.store()?, to, now).await;
                self.counts.sent(sent);
            }
            self.remove_expired_subscription().await?;
        }
        match self.sync_hubs(SHARES_A_TICK.into()).await {
            Ok(told) => self.counts.sent(told as u64),
            Err(error) => console_error!("hub: {error}"),
        }
        Ok(ticked)
    }

    async fn probe(&self, at: UnixMillis) -> HubResult<Ticked> {
        let Some(_turn) = Turn::begin(&self.ticking) else {
            console_warn!("tick {}: {}", at.0, Ticked::Overlapping.as_str());
            return Ok(Ticked::Overlapping);
        };
        let (last, config) = (self.board()?.last().map(|last| last.at), self.config()?);
        if last.is_some_and(|last| at <= last) {
            console_warn!("tick {}: {}", at.0, Ticked::Old.as_str());
            return Ok(Ticked::Old);
        }
        if self.rests() {
            return Ok(Ticked::Resting);
        }
        let Setup { channels, page, allow_private, .. } = &self.setup;
        let tick = Tick { at, came: wall_clock() };
        let requests = REQUESTS_A_TICK
            - u32::from(!self.membership()?.out_of_sync.is_empty()) * u32::from(SHARES_A_TICK);
        let allowance =
            RequestBudget::new(requests, *allow_private, self.keys(&config)?, self.headers(&config));
        let due = self.board()?.due(&config, at);
        let elsewhere = self.probe_from_regions(&due, &allowance);
        let (voices, probes) = join(elsewhere, self.see(&config, due.clone(), &allowance, at)).await;
        let (voices, mut probes) = (voices?, probes?);
        probes.extend(self.look_at_jobs(&config, at)?);
        let work = concerned(&self.work(at)?, &config, at);
        let subscribers = self.subscribers()?;
        self.outbox.room.set(allowance.left() as usize);
        self.counts.sent(u64::from(requests - allowance.left()));
        let usage = self.count(at, tick.came, last);
        // Nothing below waits for anything, so nobody sees a board that is not stored; where it cannot be, it is read anew.
        let mut board = self.take_board()?;
        board.announce(work);
        board.hear(voices);
        let mut commit = board.take(&config, tick, &probes);
        board.tell(&config, (channels, &subscribers), page.as_deref(), &mut commit);
        board.slow_down(usage.floor());
        let queued = self.outbox.rows_for(&commit.alerts, at);
        let notes = std::mem::take(&mut commit.notes);
        commit.usage = usage;
        if let Err(error) = self.store()?.commit(last, commit, queued.clone()) {
            self.rest();
            return Err(error.into());
        }
        self.paused.set((0, 0));
        self.counts.usage.set(usage);
        self.outbox.add(queued);
        *self.board.borrow_mut() = Some(board);
        notes.iter().for_each(log);
        Ok(Ticked::Stored)
    }

    /// What a look at `due` finds; where it is us who cannot see, that.
    pub(super) async fn see(
        &self,
        config: &Config,
        due: Vec<&Monitor>,
        allowance: &RequestBudget,
        at: UnixMillis,
    ) -> HubResult<Vec<Probed>> {
        let mut probes = probe_all(due, allowance).await;
        let references = &self.setup.references;
        let suspect = self_check::is_suspect(&*self.board()?, config, &probes, !references.is_empty());
        if suspect {
            let sight = probe::sight(references, allowance).await;
            self_check::cover(&*self.board()?, &mut probes, sight, at);
        }
        Ok(probes)
    }

    /// What the monitors that have a secret are asked with.
    fn keys(&self, config: &Config) -> HubResult<Keys> {
        let board = self.board()?;
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
        Ok(config.monitors.iter().filter_map(key).collect())
    }

    /// What the monitors that have headers send.
    pub(super) fn headers(&self, config: &Config) -> Sent {
        let mut sent = Sent::new();
        for monitor in &config.monitors {
            if let Some(headers) = env::headers_of(&self.env, monitor) {
                sent.insert(monitor.id.clone(), headers);
            }
        }
        sent
    }

    /// What there is to say of the jobs that tell us.
    fn look_at_jobs(&self, config: &Config, at: UnixMillis) -> HubResult<Vec<Probed>> {
        let beats = self.beats()?;
        let look = |monitor: &Monitor| {
            let Target::Heartbeat(job) = &monitor.target else { return None };
            let zone = match &job.rhythm {
                Rhythm::Cron(schedule) => schedule.zone(),
                Rhythm::Every(_) => "UTC",
            };
            let offset = |at| zone_offset(zone, at).unwrap_or(0);
            let result = heartbeat::look(beats.get(&monitor.id), job, at, offset);
            Some(Probed { monitor: monitor.id.clone(), heard: wall_clock(), result })
        };
        Ok(config.monitors.iter().filter_map(look).collect())
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
