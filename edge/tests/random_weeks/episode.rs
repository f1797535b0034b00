//! The incidents that there must be, by the documentation of alerts.

use heapbeat_edge::domain::incident::Severity;

use crate::script::{ExitPlan, MINUTE};
use crate::truth::{Failing, Reading, State};

/// Trouble that returns within this time belongs to the same incident.
const REOPENS: i64 = 10 * MINUTE;

/// How long all must be well before an incident of memory or of an exit ends.
const CALM: i64 = 2 * MINUTE;

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Recovered,
    Resolved,
    Maintenance,
    Removed,
    Rescheduled,
}

/// Why a monitor has trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Unknown,
    Failing(Failing),
    Memory,
    Crash,
    OutOfMemory,
}

impl Why {
    /// Whether it says more than how probes fail.
    pub(crate) fn is_deep(self) -> bool {
        matches!(self, Why::Memory | Why::Crash | Why::OutOfMemory)
    }

    fn is_memory(self) -> bool {
        matches!(self, Why::Memory | Why::OutOfMemory)
    }

    fn is_exit(self) -> bool {
        matches!(self, Why::Crash | Why::OutOfMemory)
    }

    /// Whether it is why the monitor fails like this.
    fn explains(self, failing: Failing) -> bool {
        match failing {
            Failing::Refused => self.is_deep(),
            Failing::Slow => self == Why::Memory,
            Failing::Missing | Failing::Job => false,
        }
    }

    /// What is known after a reading.
    fn followed_by(self, reading: &Reading) -> Why {
        let mut why = self;
        for (_, exit) in &reading.crashes {
            why = match exit {
                _ if why.is_memory() || *exit == ExitPlan::OutOfMemory => Why::OutOfMemory,
                _ => Why::Crash,
            };
        }
        why = match (reading.short_of_memory, why) {
            (Some(true), Why::Unknown | Why::Failing(_)) => Why::Memory,
            (Some(false), Why::Memory) => Why::Unknown,
            (_, why) => why,
        };
        match reading.failing {
            Some(failing) if !why.explains(failing) => Why::Failing(failing),
            _ => why,
        }
    }
}

/// One incident of one monitor.
#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) opened: i64,
    pub(crate) ended: Option<(i64, End)>,
    /// The severity now; `None` while all is well.
    pub(crate) current: Option<Severity>,
    /// Since when what goes on has this severity, without a gap.
    pub(crate) since: i64,
    ongoing: Option<Severity>,
    /// When that changed, without the gaps in which nothing was known.
    changes: Vec<i64>,
    pub(crate) worst: Severity,
    pub(crate) why: Why,
    pub(crate) is_acknowledged: bool,
    /// Since when all is well.
    calm_since: Option<i64>,
    returns: u32,
    /// The severity with which somebody resolved it, while that lasts.
    muted: Option<Severity>,
    /// How often only the cause changed, and when it did last.
    pub(crate) cause_changes: (u32, i64),
}

impl Episode {
    fn new(opened: i64, now: i64, severity: Severity) -> Episode {
        Episode {
            opened,
            ended: None,
            current: None,
            since: now,
            ongoing: None,
            changes: Vec::new(),
            worst: severity,
            why: Why::Unknown,
            is_acknowledged: false,
            calm_since: None,
            returns: 0,
            muted: None,
            cause_changes: (0, 0),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    fn end(&mut self, at: i64, end: End) {
        if self.is_open() {
            (self.ended, self.current, self.ongoing) = (Some((at, end)), None, None);
        }
    }

    /// Whether the severity changed six times within the last hour, and has not held for half an hour. An improvement may wait for that.
    /// The end of an instance between two changes may count as one, so five are enough here.
    pub(crate) fn is_restless(&self, now: i64) -> bool {
        let recent = self.changes.iter().rev().take_while(|at| now - **at <= 60 * MINUTE).count();
        recent >= 5 && now - self.since < 30 * MINUTE
    }

    /// Somebody resolves the incident.
    pub(crate) fn resolve(&mut self, at: i64) {
        self.muted = self.current;
        self.end(at, End::Resolved);
    }
}

/// The severity of what a reading found.
fn severity_of(reading: &Reading) -> Option<Severity> {
    let by_state = match reading.state {
        State::Down => Some(Severity::Down),
        State::Degraded => Some(Severity::Degraded),
        _ => None,
    };
    let by_memory = reading.short_of_memory.filter(|short| *short).map(|_| Severity::Warning);
    by_state.max(by_memory)
}

/// Applies what a tick found of a monitor to its incidents.
pub(crate) fn observe(episodes: &mut Vec<Episode>, now: i64, reading: &Reading) {
    match reading.state {
        State::Maintenance => {
            return episodes.last_mut().into_iter().for_each(|it| it.end(now, End::Maintenance));
        }
        State::Removed => return episodes.last_mut().into_iter().for_each(|it| it.end(now, End::Removed)),
        State::Unheard => {
            return episodes.last_mut().into_iter().for_each(|it| it.end(now, End::Rescheduled));
        }
        _ => {}
    }
    let ongoing = severity_of(reading);
    let crash = reading.crashes.iter().map(|(at, _)| *at).min();
    let Some(severity) = ongoing.max(crash.map(|_| Severity::Crashed)) else {
        return calm(episodes, now, reading);
    };
    if let Some(last) = episodes.last()
        && last.muted.is_some_and(|muted| severity <= muted)
        && crash.is_none()
    {
        return;
    }
    let before = episodes.last().cloned();
    match episodes.last_mut() {
        Some(open) if open.is_open() => {
            open.returns += u32::from(open.calm_since.is_some() && crash.is_none());
        }
        Some(Episode { ended: Some((at, _)), .. }) if now - *at <= REOPENS => {
            let same = episodes.last_mut().into_iter();
            same.for_each(|it| {
                (it.ended, it.muted, it.is_acknowledged, it.returns) = (None, None, false, it.returns + 1);
            });
        }
        earlier => {
            // What a report tells late did not begin before the end of what is known already.
            // Nor did it begin within the second of the one before, which is its name.
            let end = earlier.map_or(i64::MIN, |it| it.ended.map_or(0, |(at, _)| at).max(it.opened + 1000));
            episodes.push(Episode::new(crash.map_or(now, |at| at.min(now).max(end)), now, severity));
        }
    }
    let Some(episode) = episodes.last_mut() else { return };
    let known = before.filter(|before| before.is_open() && before.opened == episode.opened);
    episode.find_cause(known.as_ref(), now, reading, severity);
    episode.worst = episode.worst.max(severity);
    let is_back = severity == Severity::Crashed && episode.current == Some(Severity::Down);
    let current = (!is_back).then_some(severity);
    if episode.ongoing != ongoing {
        episode.changes.push(now);
    }
    // An instance that ended between two ticks is a severity that came and went.
    if crash.is_some() {
        episode.changes.extend([now, now]);
    }
    if episode.ongoing != ongoing || reading.after_gap {
        (episode.since, episode.ongoing) = (now, ongoing);
    }
    episode.current = current;
    episode.calm_since = ongoing.is_none().then_some(now);
}

impl Episode {
    /// The cause follows what goes on; one from before a recovery explains nothing afterwards, but a crash of the last two minutes does.
    /// A cause that changes again and again, while the severity stays, is followed at most every ten minutes.
    fn find_cause(&mut self, known: Option<&Episode>, now: i64, reading: &Reading, severity: Severity) {
        let goes_on = known.is_some_and(|known| {
            known.calm_since.is_none_or(|since| known.why.is_exit() && now - since < CALM)
        });
        let before = if goes_on { self.why } else { Why::Unknown };
        let mut why = before.followed_by(reading);
        let is_only_cause = goes_on
            && known.is_some_and(|known| known.calm_since.is_none() && known.current == Some(severity))
            && why != before
            && reading.crashes.is_empty();
        if is_only_cause {
            let (count, last) = self.cause_changes;
            if count < 5 || now - last >= 10 * MINUTE {
                self.cause_changes = (count + 1, now);
            } else {
                why = before;
            }
        }
        self.why = why;
    }
}

/// Applies a tick that found nothing wrong, or that could not tell.
fn calm(episodes: &mut [Episode], now: i64, reading: &Reading) {
    let Some(last) = episodes.last_mut().filter(|_| reading.state == State::Up) else { return };
    if last.muted.take().is_some() || !last.is_open() {
        return;
    }
    last.current = last.current.filter(|current| *current == Severity::Crashed);
    if last.ongoing.take().is_some() {
        last.changes.push(now);
    }
    let since = *last.calm_since.get_or_insert(now);
    let required = match last.why {
        _ if last.returns >= 3 => REOPENS,
        why if why.is_deep() => CALM,
        _ => 0,
    };
    if !reading.is_flapping && now - since >= required {
        last.end(since, End::Recovered);
    }
}
