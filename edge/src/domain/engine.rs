//! All monitors of one hub, and what a tick makes of them.
//!
//! A tick goes in as owned probes and comes out as one [`Commit`]: everything the store has to write, at
//! once. A board whose commit could not be written is not what is stored any more: the caller reads it anew.

use std::time::Duration;

use heapbeat_shared::codec;
use heapbeat_shared::{Statement, UnixMillis};
use litemap::LiteMap;

use super::incident;
use super::incident::{Incident, TickObservation};
use super::monitor_state::{MonitorState, PersistedState};
use super::quota::QuotaUsage;
use super::{ProbeSkipped, State};
use crate::config::{Config, Kind, Monitor, MonitorId};
use crate::domain::check::outcome::ProbeResult;
use crate::domain::check::quorum::RegionVerdict;
use crate::domain::check::schedule;
use crate::domain::check::verdict::{Evaluation, Verdict};
use crate::domain::history::ledger;
use crate::domain::history::ledger::{Ledger, LedgerChanges, LedgerEntry};
use crate::domain::report::last_report::{LastReport, SampleRun};
use crate::notify::{ChannelId, Message};

/// What is known of every monitor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Engine {
    watched: LiteMap<MonitorId, MonitorState>,
    last: Option<Tick>,
    /// The monitors that are worked on, as announced.
    work: Vec<MonitorId>,
    /// Nothing is probed more often than this.
    floor: Duration,
}

/// A tick: the instant for which the cron was meant, which is the clock of everything that is booked, and
/// the instant by the edge's own clock at which it came. The cron comes late at times; and in a test its
/// clock is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When it was meant to be.
    pub at: UnixMillis,
    /// When it came, by the edge's own clock.
    pub came: UnixMillis,
}

impl Tick {
    /// The tick's clock when the edge's own says `wall`: it goes on from the tick in whole seconds.
    pub fn clock(self, wall: UnixMillis) -> UnixMillis {
        self.at.plus(Duration::from_secs(wall.since(self.came).as_secs()))
    }
}

/// What one probe of a tick found; the tick's packed row has one for each probe.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeRecord {
    /// Whose.
    pub monitor: MonitorId,
    /// The verdict and the figures.
    pub evaluation: Evaluation,
    /// The samples that came with it.
    pub runs: Vec<SampleRun>,
}

/// What a tick asks the store to write, all of it or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The tick.
    pub tick: Tick,
    /// Its probes.
    pub readings: Vec<ProbeRecord>,
    /// Everything of [`Engine`] but ledgers and charts: [`PersistedStates`], as a record.
    pub persisted_states: Vec<u8>,
    /// The ledgers that changed.
    pub ledgers: Vec<(MonitorId, LedgerChanges)>,
    /// Incidents that began, changed or ended.
    pub incidents: Vec<Incident>,
    /// The samples before an incident that began.
    pub recordings: Vec<(MonitorId, UnixMillis, Vec<SampleRun>)>,
    /// What those on call are to be told, and through which channel.
    pub alerts: Vec<(ChannelId, Message)>,
    /// What somebody reading the log wants to know.
    pub notes: Vec<EngineEvent>,
    /// What the day has cost up to this tick.
    pub usage: QuotaUsage,
}

/// The memos of all monitors: one row of the store.
pub type PersistedStates = Vec<(MonitorId, PersistedState)>;

/// A change worth a line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// A monitor changed its state.
    StateChanged {
        /// Whose.
        monitor: MonitorId,
        /// Before the tick.
        from: State,
        /// After it.
        to: State,
        /// The verdict's sentence, where there is one.
        reason: Option<String>,
    },
    /// A restart was seen.
    Restarted {
        /// Whose.
        monitor: MonitorId,
    },
    /// Everything failed at once, and it was us.
    EdgeOffline {
        /// How many probes saw nothing.
        probes: usize,
    },
    /// A probe could not look.
    ProbeSkipped {
        /// Whose.
        monitor: MonitorId,
        /// Why.
        reason: String,
    },
}

impl Engine {
    /// The board as it was stored.
    pub fn restore(
        last: Option<Tick>,
        persisted_states: PersistedStates,
        mut entries: LiteMap<MonitorId, Vec<LedgerEntry>>,
    ) -> Self {
        let mut board = Engine { last, ..Engine::default() };
        for (id, memo) in persisted_states {
            let ledger = Ledger::restore(entries.remove(&id).unwrap_or_default(), memo.word);
            board.watched.insert(id, MonitorState { memo, ledger, ..MonitorState::default() });
        }
        // A monitor that was taken out of the configuration left its ledger; it is there when it comes back.
        for (id, entries) in entries {
            let ledger = Ledger::restore(entries, None);
            board.watched.insert(id, MonitorState { ledger, ..MonitorState::default() });
        }
        board
    }

    /// Takes a stored tick's figures into the charts; ticks come oldest first.
    pub fn chart(&mut self, at: UnixMillis, readings: &[ProbeRecord]) {
        for reading in readings {
            let Some(watched) = self.watched.get_mut(&reading.monitor) else { continue };
            watched.answered(at, reading.evaluation.latency_ms);
            if let Some(health) = reading.evaluation.health {
                watched.draw(at, health.memory, &reading.runs);
            }
        }
    }

    /// What `monitor` told in its last signed report; `None` where it never signed one.
    pub fn told(&self, monitor: &MonitorId) -> Option<&LastReport> {
        self.watched.get(monitor)?.memo.told.as_ref()
    }

    /// What the last probe of `monitor` came to.
    pub fn verdict(&self, monitor: &MonitorId) -> Option<Verdict> {
        self.watched.get(monitor)?.memo.verdict
    }

    /// Since which tick the edge cannot see `monitor`; `None` where it can.
    pub fn blind_since(&self, monitor: &MonitorId) -> Option<UnixMillis> {
        self.watched.get(monitor)?.memo.blind
    }

    /// The last tick that was taken in.
    pub fn last(&self) -> Option<Tick> {
        self.last
    }

    /// The tick's clock when the edge's own says `wall`; the edge's own before the first tick.
    pub fn clock(&self, wall: UnixMillis) -> UnixMillis {
        self.last.map_or(wall, |last| last.clock(wall))
    }

    /// The monitors that the tick of `now` probes. Those that were fine come first, as they answer soonest;
    /// among the others the one that has waited longest.
    pub fn due<'c>(&self, config: &'c Config, now: UnixMillis) -> Vec<&'c Monitor> {
        let mut due: Vec<(bool, Option<UnixMillis>, &Monitor)> = Vec::new();
        for monitor in config.monitors.iter().filter(|monitor| monitor.kind() != Kind::Heartbeat) {
            let memo = self.watched.get(&monitor.id).map(|watched| &watched.memo);
            let last = memo.and_then(|memo| memo.word).map(|word| word.at);
            let trouble = memo.is_none_or(|memo| memo.verdict != Some(Verdict::Up));
            if schedule::is_due(monitor.id.as_str(), last, monitor.interval.max(self.floor), now) {
                // Forty at most: each in its place as it comes.
                let place = due.partition_point(|(other, before, _)| (*other, *before) <= (trouble, last));
                due.insert(place, (trouble, last, monitor));
            }
        }
        due.into_iter().map(|(_, _, monitor)| monitor).collect()
    }

    /// Says how often a monitor is probed at most.
    pub fn slow_down(&mut self, floor: Duration) {
        self.floor = floor;
    }

    /// Says which monitors are worked on in the tick that comes.
    pub fn announce(&mut self, work: Vec<MonitorId>) {
        self.work = work;
    }

    /// Hears what the eyes found in the tick that comes.
    pub fn hear(&mut self, voices: Vec<(MonitorId, Vec<RegionVerdict>)>) {
        for (monitor, voices) in voices {
            self.watched.entry(monitor).or_default().voices = voices;
        }
    }

    /// Takes in the probes of a tick. Probes of monitors that are not configured are ignored.
    pub fn take(&mut self, config: &Config, tick: Tick, probes: &[ProbeResult]) -> Commit {
        let at = tick.at;
        let mut commit = Commit {
            tick,
            readings: Vec::new(),
            persisted_states: Vec::new(),
            ledgers: Vec::new(),
            incidents: Vec::new(),
            recordings: Vec::new(),
            alerts: Vec::new(),
            notes: Vec::new(),
            usage: QuotaUsage::default(),
        };
        for probed in probes {
            let Some(monitor) = config.monitors.iter().find(|monitor| monitor.id == probed.monitor) else {
                continue;
            };
            let watched = self.watched.entry(monitor.id.clone()).or_default();
            let from = watched.ledger.current(at).map_or(State::Unobserved, |entry| entry.state);
            let step = watched.take(monitor, probed, at, self.work.contains(&monitor.id), self.floor);
            let to = watched.ledger.current(at).map_or(State::Unobserved, |entry| entry.state);
            let id = || monitor.id.clone();
            if let Verdict::Skipped(blindness) = step.evaluation.verdict
                && blindness != ProbeSkipped::EdgeOffline
            {
                commit
                    .notes
                    .push(EngineEvent::ProbeSkipped { monitor: id(), reason: blindness.statement().text });
            }
            if from != to {
                let reason = step.evaluation.verdict.statement().map(|it| it.text);
                commit.notes.push(EngineEvent::StateChanged { monitor: id(), from, to, reason });
            }
            if step.restarted {
                commit.notes.push(EngineEvent::Restarted { monitor: id() });
            }
            if step.changes != LedgerChanges::default() {
                commit.ledgers.push((id(), step.changes));
            }
            let look = TickObservation {
                at,
                state: to,
                verdict: Some(step.evaluation.verdict),
                told: watched.memo.told.as_ref(),
                news: &step.news,
                restarted: step.restarted,
                flaps: watched.flapping(),
            };
            let before = watched.incidents.latest.as_ref().map(|incident| incident.opened);
            if watched.incidents.take(&monitor.id, &look)
                && let Some(incident) = &watched.incidents.latest
            {
                commit.incidents.push(incident.clone());
                if before != Some(incident.opened) {
                    let runs = incident::recording(&watched.recent, incident.opened);
                    commit.recordings.push((id(), incident.opened, runs));
                }
            }
            commit.readings.push(ProbeRecord {
                monitor: id(),
                evaluation: step.evaluation,
                runs: step.news.runs,
            });
        }
        let unseen = |reading: &&ProbeRecord| {
            reading.evaluation.verdict == Verdict::Skipped(ProbeSkipped::EdgeOffline)
        };
        let probes = commit.readings.iter().filter(unseen).count();
        if probes > 0 {
            commit.notes.push(EngineEvent::EdgeOffline { probes });
        }
        self.retire(config, at, &mut commit);
        self.last = Some(tick);
        commit.persisted_states = self.persisted_states();
        commit
    }

    /// The record of [`PersistedStates`], of those that were ever probed.
    fn persisted_states(&self) -> Vec<u8> {
        let probed = self.watched.iter().filter(|(_, watched)| watched.memo.verdict.is_some());
        codec::encode(&probed.map(|(id, watched)| (id, &watched.memo)).collect::<Vec<_>>())
    }

    /// Closes the ledgers of monitors that are no longer configured, once their last probe's word has run
    /// out. The ledger itself stays until it is too old: a monitor that comes back under the same id goes on
    /// with it, and the time between was not observed.
    fn retire(&mut self, config: &Config, at: UnixMillis, commit: &mut Commit) {
        let mut forgotten = Vec::new();
        for (id, watched) in self.watched.iter_mut() {
            if !watched.ledger.lapsed(at) || config.monitors.iter().any(|monitor| monitor.id == *id) {
                continue;
            }
            let mut changes = watched.ledger.lapse(at);
            watched.memo = PersistedState::default();
            if watched.incidents.end(at, Statement::monitor_removed()) {
                commit.incidents.extend(watched.incidents.latest.clone());
            }
            let ended = watched.ledger.current(at).is_none_or(|last| last.from <= at.minus(ledger::KEPT));
            if ended {
                changes.forget_before = Some(at);
                forgotten.push(id.clone());
            }
            if changes != LedgerChanges::default() {
                commit.ledgers.push((id.clone(), changes));
            }
        }
        self.watched.retain(|id, _| !forgotten.contains(id));
    }

    /// The incident of `monitor` that is open, or was closed last.
    pub fn incident(&self, monitor: &MonitorId) -> Option<&Incident> {
        self.watched.get(monitor)?.incidents.latest.as_ref()
    }

    /// Puts an incident that somebody changed in the place of what it was.
    pub fn amend_incident(&mut self, incident: Incident) {
        if let Some(watched) = self.watched.get_mut(&incident.monitor)
            && watched.incidents.latest.as_ref().is_some_and(|latest| latest.opened == incident.opened)
        {
            watched.incidents.latest = Some(incident);
        }
    }

    /// Takes in the incidents as they were stored.
    pub fn remember(&mut self, incidents: Vec<Incident>) {
        for incident in incidents {
            let latest = &mut self.watched.entry(incident.monitor.clone()).or_default().incidents.latest;
            if latest.as_ref().is_none_or(|other| other.opened < incident.opened) {
                *latest = Some(incident);
            }
        }
    }
}

mod notify;
mod snapshot;

pub use snapshot::WindowStatistics;

#[cfg(test)]
mod tests;
