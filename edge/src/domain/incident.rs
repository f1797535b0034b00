//! A stretch of trouble of one monitor: when, how bad, why, and what led to it.
//!
//! What belongs together is one incident: memory that runs full, the death that follows and the restart after it are
//! one story with one cause, told once. It opens with the first sign and closes when all is well for a while; trouble
//! that comes back soon goes on in the same incident, so that a flapping target does not page somebody all night.

pub mod actions;
pub mod cause;
pub mod id;

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::{Pressure, Statement, UnixMillis};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::State;
use crate::config::MonitorId;
use crate::domain::check::flap;
use crate::domain::check::verdict::Verdict;
use crate::domain::incident::cause::{Cause, event_statement, forecast_statement};
use crate::domain::incident::id::IncidentId;
use crate::domain::report::last_report::{LastReport, ReportDelta, SampleRun};

/// Trouble that returns within this time after its end is the same incident.
pub const REOPENS_WITHIN: Duration = Duration::from_secs(600);

/// How long all must be well before an incident about memory or a restart is over: a process that was just killed for
/// want of memory is not well because it answers once.
pub const SETTLES: Duration = Duration::from_secs(120);

/// How often it may come back before it counts as flapping; then it must be well for [`REOPENS_WITHIN`].
pub const FLAPS: u32 = 3;

/// Most entries of a timeline; the oldest but the first go.
pub const MOST_MOMENTS: usize = 100;

/// How far back the recording before an incident reaches.
pub const RECORDED: Duration = Duration::from_secs(600);

/// A forecast that reaches the limit later than this wakes nobody.
pub const FORECAST_WITHIN: Duration = Duration::from_secs(86_400);

/// How long after its start an instance's forecast is not listened to: a deploy is a step, and a step looks like a leak.
pub const DEPLOY_GRACE: Duration = Duration::from_secs(600);

/// How bad; a later one is worse.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "snake_case")]
#[cbor(index_only)]
pub enum Severity {
    /// Memory runs out or will; everything is served.
    #[n(0)]
    Warning,
    /// It serves, but not as well as it should.
    #[n(1)]
    Degraded,
    /// It died and came back.
    #[n(2)]
    Crashed,
    /// It does not serve.
    #[n(3)]
    Down,
}

impl Severity {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Degraded => "degraded",
            Severity::Crashed => "crashed",
            Severity::Down => "down",
        }
    }
}

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TimelineEntry {
    /// When.
    #[n(0)]
    pub at: UnixMillis,
    /// What happened. May hold text of the server, cut to a length.
    #[n(1)]
    pub what: Statement,
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Incident {
    /// Whose.
    #[n(0)]
    pub monitor: MonitorId,
    /// The first sign of it.
    #[n(1)]
    pub opened: UnixMillis,
    /// When it was over; `None` while it is not.
    #[n(2)]
    pub closed: Option<UnixMillis>,
    /// The worst so far.
    #[n(3)]
    pub severity: Severity,
    /// Why, as far as is known.
    #[n(4)]
    pub cause: Cause,
    /// What speaks for it.
    #[n(5)]
    pub evidence: Vec<Statement>,
    /// What happened, oldest first.
    #[n(6)]
    pub timeline: VecDeque<TimelineEntry>,
    /// How often it came back.
    #[n(7)]
    pub flaps: u32,
    /// Since when all is well; `None` while it is not.
    #[n(8)]
    pub quiet: Option<UnixMillis>,
    /// What was told to those on call.
    #[n(9)]
    pub notice: NotificationState,
    /// A monitor that this one depends on and that was down as well, so that nobody was told of this one.
    #[n(10)]
    pub behind: Option<MonitorId>,
    /// Somebody closed it by hand; `true` while the trouble goes on that they closed it in.
    #[n(11)]
    pub resolved: Option<bool>,
}

/// What was told to those on call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct NotificationState {
    /// The worst that they know of.
    #[n(0)]
    pub severity: Option<Severity>,
    /// How many messages there were.
    #[n(1)]
    pub messages: u32,
    /// When the last one was made.
    #[n(2)]
    pub last: UnixMillis,
    /// Somebody has it in hand: no more reminders.
    #[n(3)]
    pub acknowledged: bool,
}

/// What a tick saw of one monitor, as far as incidents are concerned.
#[derive(Clone, Copy, Debug)]
pub struct TickObservation<'a> {
    /// The tick.
    pub at: UnixMillis,
    /// The state that holds now.
    pub state: State,
    /// The verdict; `None` when it was not probed.
    pub verdict: Option<Verdict>,
    /// The last report, where this tick brought one.
    pub told: Option<&'a LastReport>,
    /// What was new in it.
    pub news: &'a ReportDelta,
    /// Whether another process answers than before.
    pub restarted: bool,
    /// Since when it flaps.
    pub flaps: Option<UnixMillis>,
}

/// The incidents of one monitor that may still change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IncidentTracker {
    /// The one that is open, or that was closed last.
    pub latest: Option<Incident>,
}

/// Why somebody is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Occasion {
    /// It began.
    #[n(0)]
    Opened,
    /// It became worse.
    #[n(1)]
    Worse,
    /// It goes on.
    #[n(2)]
    Reminder,
    /// It is over.
    #[n(3)]
    Recovered,
}

impl Occasion {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Occasion::Opened => "opened",
            Occasion::Worse => "worse",
            Occasion::Reminder => "reminder",
            Occasion::Recovered => "recovered",
        }
    }
}

impl Incident {
    /// Its id.
    pub fn id(&self) -> IncidentId {
        IncidentId { monitor: self.monitor.clone(), opened: self.opened.0.div_euclid(1000) }
    }

    /// Adds to the timeline.
    pub fn note(&mut self, at: UnixMillis, what: Statement) {
        self.timeline.push_back(TimelineEntry { at, what: what.bounded() });
        if self.timeline.len() > MOST_MOMENTS {
            self.timeline.remove(1);
        }
    }

    /// Whether somebody is to be told now, and of what. `behind`: a monitor that this one depends on and that has
    /// trouble as well. `reminds`: how often they want to hear of it again. Books what it says.
    pub fn occasion(
        &mut self,
        at: UnixMillis,
        behind: Option<&MonitorId>,
        reminds: Option<Duration>,
    ) -> Option<Occasion> {
        let occasion = match (self.closed, self.notice.severity) {
            (Some(_), None) => None,
            (Some(_), Some(_)) => {
                self.notice.severity = None;
                Some(Occasion::Recovered)
            }
            (None, _) if self.quiet.is_some() && self.severity != Severity::Crashed => None,
            (None, known) if known.is_none_or(|known| known < self.severity) => {
                self.behind = behind.cloned();
                if behind.is_some() {
                    return None;
                }
                self.notice.severity = Some(self.severity);
                Some(if known.is_none() { Occasion::Opened } else { Occasion::Worse })
            }
            (None, _) => {
                let due = reminds.is_some_and(|every| at >= self.notice.last.plus(every));
                (due && !self.notice.acknowledged).then_some(Occasion::Reminder)
            }
        };
        if occasion.is_some() {
            self.notice.messages = self.notice.messages.saturating_add(1);
            self.notice.last = at;
        }
        occasion
    }
}

impl IncidentTracker {
    /// The incident that is open.
    pub fn open(&mut self) -> Option<&mut Incident> {
        self.latest.as_mut().filter(|incident| incident.closed.is_none())
    }

    /// Takes in a tick; says whether the incident changed and has to be stored.
    pub fn take(&mut self, monitor: &MonitorId, look: &TickObservation<'_>) -> bool {
        if look.state == State::Maintenance {
            let began = Statement::maintenance_began();
            return self.end(look.at, began);
        }
        let crash = look.news.ending.as_ref().filter(|ending| ending.kind.is_failure());
        let ongoing = ongoing(look);
        let severity = ongoing.max(crash.map(|_| Severity::Crashed));
        let Some(severity) = severity else { return self.calm(look) };

        let settled = self.latest.as_ref().filter(|last| last.resolved == Some(true));
        if settled.is_some_and(|last| severity <= last.severity && crash.is_none()) {
            return false;
        }

        let before = self.latest.clone();
        let began = crash.map_or(look.at, |ending| ending.at.min(look.at));
        let recent = self.latest.as_ref().and_then(|last| last.closed);
        match self.latest.as_mut() {
            Some(last) if last.closed.is_none() => {
                if last.quiet.take().is_some() && crash.is_none() {
                    last.flaps = last.flaps.saturating_add(1);
                }
            }
            Some(last) if recent.is_some_and(|closed| look.at.since(closed) <= REOPENS_WITHIN) => {
                last.closed = None;
                last.resolved = None;
                last.quiet = None;
                last.flaps = last.flaps.saturating_add(1);
                last.note(look.at, Statement::recurred());
            }
            _ => {
                self.latest = Some(Incident {
                    monitor: monitor.clone(),
                    opened: began,
                    closed: None,
                    severity,
                    cause: Cause::Unknown,
                    evidence: Vec::new(),
                    timeline: VecDeque::new(),
                    flaps: 0,
                    quiet: None,
                    notice: NotificationState::default(),
                    behind: None,
                    resolved: None,
                });
            }
        }
        let Some(incident) = self.latest.as_mut() else { return false };
        incident.severity = incident.severity.max(severity);
        tell(incident, before.as_ref(), look);
        if ongoing.is_none() {
            incident.quiet = Some(look.at);
        }
        before.as_ref() != self.latest.as_ref()
    }

    /// Nothing is wrong at the moment, or nobody can tell.
    fn calm(&mut self, look: &TickObservation<'_>) -> bool {
        if let Some(last) = &mut self.latest
            && last.resolved == Some(true)
            && look.state == State::Up
        {
            last.resolved = Some(false);
            return true;
        }
        let Some(incident) = self.open() else { return false };
        let before = incident.clone();
        for event in &look.news.events {
            incident.note(event.at, event_statement(&event.kind));
        }
        if look.flaps == Some(look.at) {
            incident.note(look.at, flap::statement());
        }
        if !matches!(look.state, State::Up) {
            return *incident != before;
        }
        let since = *incident.quiet.get_or_insert(look.at);
        let settles = match incident.severity {
            _ if incident.flaps >= FLAPS => REOPENS_WITHIN,
            Severity::Down | Severity::Degraded if incident.cause.is_outside() => Duration::ZERO,
            _ => SETTLES,
        };
        if look.flaps.is_none() && look.at.since(since) >= settles {
            incident.closed = Some(since);
            incident.note(look.at, Statement::recovered());
        }
        *incident != before
    }

    /// Ends what is open, whatever its state.
    pub fn end(&mut self, at: UnixMillis, why: Statement) -> bool {
        let Some(incident) = self.open() else { return false };
        incident.closed = Some(at);
        incident.note(at, why);
        true
    }
}

/// How bad it is at the moment.
fn ongoing(look: &TickObservation<'_>) -> Option<Severity> {
    let by_state = match look.state {
        State::Down => Some(Severity::Down),
        State::Degraded => Some(Severity::Degraded),
        _ => None,
    };
    let told = look.told.filter(|told| told.at == look.at);
    let memory = told.filter(|told| told.pressure >= Pressure::Alert || forecast_counts(told));
    by_state.max(memory.map(|_| Severity::Warning))
}

/// Whether a forecast is worth telling somebody.
fn forecast_counts(told: &LastReport) -> bool {
    let soon = told.forecast.time_to_limit.is_some_and(|time| time.expected <= FORECAST_WITHIN);
    soon && told.latest.at.since(told.started) >= DEPLOY_GRACE
}

/// Writes into the timeline what is new, and into the cause what is now known.
fn tell(incident: &mut Incident, before: Option<&Incident>, look: &TickObservation<'_>) {
    let known = before.filter(|before| before.closed.is_none());
    if look.flaps == Some(look.at) {
        incident.note(look.at, flap::statement());
    }
    for event in &look.news.events {
        incident.note(event.at, event_statement(&event.kind));
    }
    if let Some(told) = look.told.filter(|told| told.at == look.at) {
        if told.pressure >= Pressure::Alert {
            incident.cause = incident.cause.or_worse(Cause::Memory);
        } else if forecast_counts(told) {
            incident.cause = incident.cause.or_worse(Cause::Leak);
        }
        let forecast = forecast_statement(told).filter(|_| forecast_counts(told));
        if let Some(forecast) = forecast
            && known.is_none_or(|known| !known.cause.is_memory())
        {
            incident.note(look.at, forecast.clone());
            incident.evidence = vec![forecast];
        }
    }
    if let Some(ending) = &look.news.ending
        && ending.kind.is_failure()
    {
        incident.cause = incident.cause.or_worse(Cause::of_ending(ending.kind, incident.cause.is_memory()));
        incident.evidence.clone_from(&ending.evidence);
        incident.note(ending.at, ending.kind.statement());
    } else if look.restarted {
        incident.note(look.at, Statement::other_instance());
    }
    if let (State::Down | State::Degraded, Some(verdict)) = (look.state, look.verdict) {
        let (Verdict::Failed(failure) | Verdict::Degraded(failure)) = verdict else { return };
        incident.cause = incident.cause.or_worse(Cause::Failing(failure));
        let worse = known.is_none_or(|known| known.severity < incident.severity || known.quiet.is_some());
        if worse {
            incident.note(look.at, failure.statement());
        }
    }
}

/// What of `runs`, oldest first, belongs to the recording of an incident that began at `opened`.
pub fn recording(runs: &VecDeque<SampleRun>, opened: UnixMillis) -> Vec<SampleRun> {
    let from = opened.minus(RECORDED);
    let overlaps = |run: &&SampleRun| run.series.samples.last().is_some_and(|last| last.at >= from);
    runs.iter().filter(overlaps).cloned().collect()
}

#[cfg(test)]
mod tests;
