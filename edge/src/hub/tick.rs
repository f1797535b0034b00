//! A tick: what is due is probed, what came of it is stored, and those on call are told.

use std::rc::Rc;

use heapbeat_shared::UnixMillis;
use worker::{console_error, console_log, console_warn};

use super::{Hub, Told, Turn};
use crate::config::{Config, Monitor, Rhythm, Target};
use crate::env::{self, Setup};
use crate::probe::{self, Allowance, Keys, Sent, probe_all, wall_clock, zone_offset};
use crate::watch::answer::Probed;
use crate::watch::beat;
use crate::watch::board::{Board, Note, Tick};
use crate::watch::proof::Key;
use crate::watch::sight;
use crate::watch::work::concerned;

/// Requests that the probes of one tick may make: the free plan's 50, less what alerts may need.
const REQUESTS_A_TICK: u32 = 45;

/// Other hubs that a tick hands their share, where they did not take it before; the probes leave it these requests.
const SHARES_A_TICK: u8 = 5;

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ticked {
    Stored,
    Overlapping,
    Old,
}

impl Ticked {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ticked::Stored => "stored",
            Ticked::Overlapping => "skipped: another tick is running",
            Ticked::Old => "skipped: this tick, or a later one, is stored already",
        }
    }
}

impl Hub {
    /// Probes what is due, stores what came of it, and tells those on call.
    pub(super) async fn tick(&self, at: UnixMillis) -> Told<Ticked> {
        let ticked = self.probe(at).await?;
        if let Some(last) = self.board()?.last() {
            let (channels, now) = (&self.setup.channels, last.clock(wall_clock()));
            let sent = self.outbox.deliver(self.store()?, channels, &self.env, now).await;
            self.counts.sent(sent);
        }
        match self.hand_out(SHARES_A_TICK.into()).await {
            Ok(told) => self.counts.sent(told as u64),
            Err(error) => console_error!("hub: {error}"),
        }
        Ok(ticked)
    }

    async fn probe(&self, at: UnixMillis) -> Told<Ticked> {
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
        let requests =
            REQUESTS_A_TICK - u32::from(!self.roll()?.untold.is_empty()) * u32::from(SHARES_A_TICK);
        let allowance =
            Allowance::new(requests, *allow_private, self.keys(&config, &before), self.headers(&config));
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
        self.counts.sent(u64::from(requests - allowance.left()));
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
    fn look_at_jobs(&self, config: &Config, at: UnixMillis) -> Told<Vec<Probed>> {
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
