//! What is known of this run beyond the latest reading: history, forecast, routes, events.
//!
//! The sampler writes, a report reads. Whatever takes time (encoding an hour, judging a series) is done by the reader
//! on a copy: the sampler waits for a lock at most as long as it takes to copy 200 kB.

pub(crate) mod event_log;
mod evidence;
pub mod history;
mod metrics;
pub(crate) mod metrics_page;
mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use heapbeat_forecast::{Forecaster, Heap, Point, Reset};
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{LastSamples, PressureState};
use heapbeat_shared::{Bytes, Cursor, Exit, Pressure, UnixMillis};

use crate::attribution::RouteObserver;
use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::PreviousRuns;
use crate::instance::Instance;
use crate::overload::ladder::ShedShare;
use crate::sampling::Reading;
use crate::telemetry::event_log::EventLog;
use crate::telemetry::history::History;
use crate::telemetry::metrics_page::PurgeTotals;

/// How far ahead growth of the last seconds is looked at.
const HORIZON: Duration = Duration::from_secs(60);

/// Time between two marks that the growth of routes is measured between; the window is thirty of them.
const MARK_EVERY: Duration = Duration::from_secs(20);

/// A purge that gave back less than this share (1 / n) of what there was is no reason to forget the series.
const WORTH_FORGETTING: u64 = 64;

/// The memory of this run.
#[derive(Debug)]
pub(crate) struct Telemetry {
    clock: Clock,
    instance: Instance,
    /// The instances before this one, where a supervisor tells of them.
    previous_runs: Option<Arc<PreviousRuns>>,
    /// Sources that cannot be read here.
    missing: Vec<&'static str>,
    journal: EventLog,
    kept: Mutex<RecordedState>,
    forecaster: Mutex<Forecaster>,
    routes: Mutex<RouteGrowth>,
}

/// What every look adds to.
#[derive(Debug)]
struct RecordedState {
    history: History,
    standing: PressureState,
    limit: Bytes,
    purges: PurgeTotals,
}

/// The marks of attribution.
#[derive(Debug)]
struct RouteGrowth {
    observer: RouteObserver,
    /// Age of the process at which the next mark is due.
    due: Duration,
}

impl Telemetry {
    /// Nothing seen yet but `first`.
    pub(crate) fn new(
        clock: Clock,
        instance: Instance,
        previous_runs: Option<Arc<PreviousRuns>>,
        missing: Vec<&'static str>,
        first: &Reading,
    ) -> Self {
        let standing = PressureState { level: Pressure::Calm, since: instance.started, shed: 0 };
        let history = History::new(instance.id);
        let recorder = Telemetry {
            clock,
            previous_runs,
            missing,
            journal: EventLog::default(),
            kept: Mutex::new(RecordedState {
                history,
                standing,
                limit: first.limit.bytes,
                purges: PurgeTotals::default(),
            }),
            forecaster: Mutex::new(Forecaster::new()),
            routes: Mutex::new(RouteGrowth { observer: RouteObserver::new(MARK_EVERY), due: Duration::ZERO }),
            instance,
        };
        recorder.journal.note(recorder.instance.started, EventKind::Started);
        recorder
    }

    /// How the instance before this one ended, once that is known.
    pub(crate) fn previous_exit(&self) -> Option<Exit> {
        let exit = self.previous_runs.as_ref()?.exit()?;
        Some(Exit::clone(&exit).before(&self.instance.version))
    }

    /// The samples after the cursor, where it is one of an instance that is gone.
    pub(crate) fn last_samples(&self, after: Option<Cursor>) -> Option<LastSamples> {
        self.previous_runs.as_ref()?.samples_after(after?)
    }

    /// Notes that the process was asked to stop, in words and in one word.
    pub(crate) fn stopping(&self, words: &str, by: &str) {
        flight_recorder::record_stop(self.clock.now().wall, words);
        self.note(EventKind::Stop { by: by.to_owned() });
    }

    /// Notes that everything is done.
    pub(crate) fn finished(&self) {
        flight_recorder::record_finished(self.clock.now().wall);
    }

    /// Notes that something happened just now.
    pub(crate) fn note(&self, kind: EventKind) {
        let at = self.clock.now().wall;
        flight_recorder::record_event(&Event { at, kind: kind.clone() });
        self.journal.note(at, kind);
    }

    /// Takes a reading into the forecast; says when the limit is reached at the pace of the last seconds, if that is soon.
    pub(crate) fn foresee(&self, reading: &Reading) -> Option<Duration> {
        let limit = reading.limit.bytes;
        let changed = std::mem::replace(&mut locked(&self.kept).limit, limit);
        let mut forecaster = locked(&self.forecaster);
        if changed != limit {
            forecaster.reset(Reset::Limit);
            self.journal.note(reading.now.wall, EventKind::Limit { before: changed, after: limit });
        }
        forecaster.push(point(reading));
        forecaster.imminent(limit, HORIZON)
    }

    /// Keeps a reading and where memory stood at it.
    pub(crate) fn keep(&self, reading: &Reading, pressure: Pressure, shed: ShedShare) {
        let sample = reading.sample();
        let slot = {
            let mut kept = locked(&self.kept);
            let from = kept.standing.level;
            kept.standing.shed = shed.thousandths();
            if from != pressure {
                kept.standing = PressureState { level: pressure, since: sample.at, shed: shed.thousandths() };
                let changed = EventKind::Pressure { from, to: pressure, memory: sample.working_set };
                flight_recorder::record_event(&Event { at: sample.at, kind: changed.clone() });
                self.journal.note(sample.at, changed);
            }
            kept.history.record(sample)
        };
        flight_recorder::record_sample(&sample, slot, pressure, reading.limit.bytes);
        // Who holds the lock is taking a snapshot, which is a mark as well.
        let mut routes = match self.routes.try_lock() {
            Ok(routes) => routes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if reading.now.age >= routes.due {
            routes.due = reading.now.age + MARK_EVERY;
            routes.observer.record_mark(reading.now.age);
        }
    }

    /// Notes a purge; one that gave something back makes the series begin anew.
    pub(crate) fn purged(&self, before: Bytes, after: Bytes, took: Duration) {
        if before.saturating_sub(after).0 > before.0 / WORTH_FORGETTING {
            locked(&self.forecaster).reset(Reset::Purge);
        }
        locked(&self.kept).purges.add(before.saturating_sub(after), took);
        let took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        self.note(EventKind::Purge { before, after, took_ms });
    }
}

/// A reading as the forecast sees it. The time is the process's age, as a clock that is set must not look like growth.
fn point(reading: &Reading) -> Point {
    let age = i64::try_from(reading.now.age.as_millis()).unwrap_or(i64::MAX);
    let heap = reading.heap.map(|heap| Heap { used: heap.allocated, resident: Some(heap.resident) });
    Point { at: UnixMillis(age), total: reading.working_set(), heap }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
