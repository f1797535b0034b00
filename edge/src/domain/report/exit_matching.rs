//! Matches the exits that a report names to the restarts that the edge has seen.
//!
//! An exit belongs to the restart that ended its instance and to no other. One that is not known yet, because the old instance drains
//! beside its successor, leaves its restart open; a later report settles it. Instances that came and went between two reports are known
//! by their exits alone.

use heapbeat_shared::exit::{Exit, ExitKind};
use heapbeat_shared::report::{MAX_EARLIER_EXITS, Report};
use heapbeat_shared::{InstanceId, UnixMillis};
use minicbor::{Decode, Encode};

use crate::domain::State;
use crate::domain::history::ledger::StateSegment;
use crate::domain::report::exit::infer_exit;
use crate::domain::report::last_report::{LastReport, ReportDelta};
use crate::domain::report::restart_gap::{InstanceEnd, find_gap};

/// An exit, and the restart that it belongs to. All instants are of the tick's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceExit {
    /// The exit.
    pub exit: Exit,
    /// When the next instance started.
    pub restarted: UnixMillis,
}

/// A restart whose exit is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OpenRestart {
    /// The instance before the restart, which still drains.
    #[n(0)]
    pub instance: InstanceId,
    /// When the next instance started, by the tick's clock.
    #[n(1)]
    pub restarted: UnixMillis,
}

/// The instance that the edge saw last, before a restart.
#[derive(Clone, Copy, Debug)]
pub struct PreviousInstance<'a> {
    /// Its last report.
    pub report: &'a LastReport,
    /// Its last known sample.
    pub last_alive: UnixMillis,
}

/// What a report says about the instances before it. All instants are of the tick's clock.
#[derive(Debug)]
pub struct KnownExits {
    exits: Vec<Exit>,
    /// The number of earlier instances that still run.
    running: usize,
}

impl KnownExits {
    /// Collects the exits of a report.
    pub fn of(report: &Report, clock_shift: i64) -> Self {
        let shifted = |at: UnixMillis| UnixMillis(at.0.saturating_add(clock_shift));
        let exits = report.earlier.exits.iter().chain(&report.previous_exit);
        let exits = exits.map(|exit| {
            let (at, started) = (shifted(exit.at), exit.started.map(shifted));
            Exit { at, started, ..exit.clone() }
        });
        KnownExits { exits: exits.collect(), running: report.earlier.running as usize }
    }

    /// Returns the exit of `instance`.
    fn exit_of(&self, instance: InstanceId) -> Option<&Exit> {
        self.exits.iter().find(|exit| exit.instance == Some(instance))
    }

    /// Settles open restarts. Returns those that remain open, and the exits of the others as far as they are known.
    pub fn settle(&self, mut open: Vec<OpenRestart>) -> (Vec<OpenRestart>, Vec<InstanceExit>) {
        let known = |restart: &OpenRestart| {
            let exit = self.exit_of(restart.instance)?.clone();
            Some(InstanceExit { exit, restarted: restart.restarted })
        };
        let exits = open.iter().filter_map(known).collect();
        open.retain(|restart| self.running > 0 && self.exit_of(restart.instance).is_none());
        (open, exits)
    }

    /// Adds the restarts between the report of `previous` and that of `next`, with their exits and the time without an instance.
    pub fn add_restart(
        &self,
        previous: PreviousInstance<'_>,
        next: &LastReport,
        open: &mut Vec<OpenRestart>,
        delta: &mut ReportDelta,
    ) {
        let last = previous.report;
        let between = self.unseen_between(last, next);
        let starts = between.iter().filter_map(|exit| exit.started).chain([next.started]);
        delta.restarts = starts.collect();
        let restarted = delta.restarts.first().copied().unwrap_or(next.started);
        let reported = self.exit_of(last.instance).or_else(|| self.unnamed_exit(previous.last_alive));
        let end = match reported {
            Some(exit) => InstanceEnd::At(exit.at),
            None if self.running > open.len() => InstanceEnd::Running,
            None => InstanceEnd::Unknown,
        };
        let exit = match reported.filter(|exit| exit.kind != ExitKind::Unknown) {
            Some(exit) => Some(exit.clone()),
            None => (end != InstanceEnd::Running).then(|| infer_exit(last, next)),
        };
        if exit.is_none() {
            open.push(OpenRestart { instance: last.instance, restarted });
            open.drain(..open.len().saturating_sub(MAX_EARLIER_EXITS));
        }
        // An instance that the edge has not seen runs as well: it may have served in a gap.
        let unseen_running = self.running > open.len();
        let proven = |gap: StateSegment| match gap.state {
            State::Down if unseen_running => StateSegment { state: State::Unobserved, ..gap },
            _ => gap,
        };
        let failed = exit.as_ref().is_some_and(|exit| exit.kind.is_failure());
        // Nothing is known of an end before an unseen instance.
        if end != InstanceEnd::Unknown || failed || !between.is_empty() {
            delta.gaps.extend(find_gap(previous.last_alive, end, restarted).map(proven));
        }
        delta.exits.extend(exit.map(|exit| InstanceExit { exit, restarted }));
        for (exit, restarted) in between.into_iter().zip(delta.restarts.iter().skip(1)) {
            delta.gaps.extend(find_gap(exit.at, InstanceEnd::At(exit.at), *restarted).map(proven));
            delta.exits.push(InstanceExit { exit: exit.clone(), restarted: *restarted });
        }
    }

    /// Returns the exits of instances that started after `last` and before `next`, in the order of their starts.
    fn unseen_between(&self, last: &LastReport, next: &LastReport) -> Vec<&Exit> {
        let is_between = |exit: &&Exit| {
            let other = exit.instance.is_some_and(|it| it != last.instance && it != next.instance);
            other && exit.started.is_some_and(|it| it > last.started && it < next.started)
        };
        let mut exits: Vec<&Exit> = self.exits.iter().filter(is_between).collect();
        exits.sort_by_key(|exit| exit.started);
        exits.dedup_by_key(|exit| exit.instance);
        exits
    }

    /// Returns the newest exit without an instance, unless the instance that was seen last outlived it.
    fn unnamed_exit(&self, last_alive: UnixMillis) -> Option<&Exit> {
        self.exits.iter().rev().find(|exit| exit.instance.is_none() && exit.at >= last_alive)
    }
}
