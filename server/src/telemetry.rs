//! Telemetry of this run: history, forecast, routes, events.
//!
//! The sampler writes, reports read. A reader does slow work (encoding an hour of samples, assessing a series) on a copy, so the
//! sampler waits for a lock at most as long as it takes to copy 200 kB.

pub(crate) mod event_log;
mod evidence;
pub mod history;
pub(crate) mod memory_log;
mod metrics;
pub(crate) mod metrics_page;
mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use heapbeat_forecast::{Forecaster, Heap, Point, Reset};
use heapbeat_shared::event::{Event, EventKind};
use heapbeat_shared::report::{EarlierInstances, LastSamples, PressureState};
use heapbeat_shared::series::Series;
use heapbeat_shared::{Bytes, Cursor, Exit, Pressure, UnixMillis};

use crate::attribution::RouteObserver;
use crate::clock::Clock;
use crate::flight_recorder;
use crate::flight_recorder::{InstanceRecorder, PreviousRuns};
use crate::instance::Instance;
use crate::overload::ladder::ShedShare;
use crate::sampling::Reading;
use crate::telemetry::event_log::EventLog;
use crate::telemetry::history::{History, UnreadSamples};
use crate::telemetry::metrics_page::PurgeTotals;

/// Horizon of the forecast from the growth of the last seconds.
const HORIZON: Duration = Duration::from_secs(60);

/// Time between two marks of the growth of routes; the window is thirty times as long.
const MARK_INTERVAL: Duration = Duration::from_secs(20);

/// A purge that returned less than this share (1 / n) of the live heap does not reset the forecast: nearly all of what grew is still
/// there, and so is the reason to warn.
const RESET_SHARE: u64 = 10;

/// The telemetry of this run.
#[derive(Debug)]
pub(crate) struct Telemetry {
    clock: Clock,
    instance: Instance,
    /// The previous instances, as the supervisor reports them.
    previous_runs: Option<Arc<PreviousRuns>>,
    /// Sources that cannot be read here.
    missing: Vec<&'static str>,
    recorder: InstanceRecorder,
    event_log: EventLog,
    kept: Mutex<RecordedState>,
    forecaster: Mutex<Forecaster>,
    routes: Mutex<RouteGrowth>,
}

/// State that each reading updates.
#[derive(Debug)]
struct RecordedState {
    history: History,
    pressure_state: PressureState,
    limit: Bytes,
    purges: PurgeTotals,
}

/// The growth of routes.
#[derive(Debug)]
struct RouteGrowth {
    observer: RouteObserver,
    /// Age of the process at which the next mark is due.
    due: Duration,
}

impl Telemetry {
    /// Creates the telemetry with the first reading.
    pub(crate) fn new(
        clock: Clock,
        instance: Instance,
        previous_runs: Option<Arc<PreviousRuns>>,
        missing: Vec<&'static str>,
        recorder: InstanceRecorder,
        first: &Reading,
    ) -> Self {
        let pressure_state = PressureState { level: Pressure::Calm, since: instance.started, shed: 0 };
        let history = History::new(instance.id);
        let telemetry = Telemetry {
            clock,
            previous_runs,
            missing,
            recorder,
            event_log: EventLog::default(),
            kept: Mutex::new(RecordedState {
                history,
                pressure_state,
                limit: first.limit.bytes,
                purges: PurgeTotals::default(),
            }),
            forecaster: Mutex::new(Forecaster::new()),
            routes: Mutex::new(RouteGrowth {
                observer: RouteObserver::new(MARK_INTERVAL),
                due: Duration::ZERO,
            }),
            instance,
        };
        telemetry.event_log.record(telemetry.instance.started, EventKind::Started);
        telemetry
    }

    /// Returns the exit of the previous instance, once it is known.
    pub(crate) fn previous_exit(&self) -> Option<Exit> {
        let exit = self.previous_runs.as_ref()?.exit()?;
        Some(Exit::clone(&exit).before(&self.instance.version))
    }

    /// Returns the instances before the previous one, and the number of earlier ones that still run.
    pub(crate) fn earlier_instances(&self) -> EarlierInstances {
        let earlier = self.previous_runs.as_ref().map(|runs| runs.earlier()).unwrap_or_default();
        let exits = earlier.exits.into_iter().map(|exit| exit.before(&self.instance.version)).collect();
        EarlierInstances { exits, ..earlier }
    }

    /// Returns the samples after the cursor, if it belongs to a previous instance.
    pub(crate) fn last_samples(&self, after: Option<Cursor>) -> Option<LastSamples> {
        self.previous_runs.as_ref()?.samples_after(after?)
    }

    /// Records that the process was asked to stop; `by` is the cause in one word.
    pub(crate) fn record_stop(&self, words: &str, by: &str) {
        self.recorder.record_stop(self.clock.now().wall, words);
        self.record_event(EventKind::Stop { by: by.to_owned() });
    }

    /// Records that the process has finished its work.
    pub(crate) fn record_finished(&self) {
        self.recorder.record_finished(self.clock.now().wall);
    }

    /// Records an event that happens now.
    pub(crate) fn record_event(&self, kind: EventKind) {
        let at = self.clock.now().wall;
        self.recorder.record_event(&Event { at, kind: kind.clone() });
        self.event_log.record(at, kind);
    }

    /// Adds a reading to the forecast. Returns the time until the limit is reached at the current growth, if that is soon.
    pub(crate) fn update_forecast(&self, reading: &Reading) -> Option<Duration> {
        let limit = reading.limit.bytes;
        let changed = std::mem::replace(&mut lock(&self.kept).limit, limit);
        let mut forecaster = lock(&self.forecaster);
        if changed != limit {
            forecaster.reset(Reset::Limit);
            self.event_log.record(reading.now.wall, EventKind::Limit { before: changed, after: limit });
        }
        forecaster.set_runtime_max(reading.program.and_then(|program| Some(program.managed?.max)));
        forecaster.push(point(reading));
        forecaster.time_to_limit_within(limit, HORIZON)
    }

    /// Records a reading, the pressure at it, and the share of requests that was shed.
    pub(crate) fn record_reading(&self, reading: &Reading, pressure: Pressure, shed: ShedShare) {
        let sample = reading.sample();
        let slot = {
            let mut kept = lock(&self.kept);
            let from = kept.pressure_state.level;
            kept.pressure_state.shed = shed.thousandths();
            if from != pressure {
                kept.pressure_state =
                    PressureState { level: pressure, since: sample.at, shed: shed.thousandths() };
                let changed = EventKind::Pressure { from, to: pressure, memory: sample.working_set };
                self.recorder.record_event(&Event { at: sample.at, kind: changed.clone() });
                self.event_log.record(sample.at, changed);
            }
            kept.history.record(sample)
        };
        self.recorder.record_sample(&sample, slot, pressure, reading.limit.bytes);
        // If the lock is taken, a snapshot is in progress, which records a mark as well.
        let mut routes = match self.routes.try_lock() {
            Ok(routes) => routes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if reading.now.age >= routes.due {
            routes.due = reading.now.age + MARK_INTERVAL;
            routes.observer.record_mark(reading.now.age);
        }
    }

    /// Returns the samples of an instance that has ended; `None` if there are none.
    pub(crate) fn samples_of_ended(&self) -> Option<LastSamples> {
        let UnreadSamples { samples, first, .. } = {
            let mut kept = lock(&self.kept);
            kept.history.close();
            kept.history.after(None)
        };
        flight_recorder::last_samples(self.instance.id, Series { first, samples })
    }

    /// Returns the samples so far of an instance that has been replaced; `None` if there are none.
    pub(crate) fn samples_so_far(&self) -> Option<LastSamples> {
        let UnreadSamples { samples, first, .. } = lock(&self.kept).history.after(None);
        flight_recorder::last_samples(self.instance.id, Series { first, samples })
    }

    /// Records a purge; one that returned much of the live heap resets the forecast.
    pub(crate) fn record_purge(&self, before: Bytes, after: Bytes, took: Duration) {
        let latest = lock(&self.kept).history.iter().last().copied();
        let live = latest.and_then(|sample| sample.heap_used.known()).unwrap_or(before);
        if before.saturating_sub(after).0 > live.0 / RESET_SHARE {
            lock(&self.forecaster).reset(Reset::Purge);
        }
        lock(&self.kept).purges.add(before.saturating_sub(after), took);
        let duration_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        self.record_event(EventKind::Purge { before, after, duration_ms });
    }
}

/// Converts a reading for the forecast. Its time is the process's age, as a clock that is set must not look like growth.
fn point(reading: &Reading) -> Point {
    let age = i64::try_from(reading.now.age.as_millis()).unwrap_or(i64::MAX);
    let own = reading.heap.map(|heap| Heap {
        used: Some(heap.allocated),
        resident: Some(heap.resident),
        external: None,
    });
    let heap = reading.program.map_or(own, |program| {
        let by_agent = program.heap.filter(|heap| heap.used.is_some());
        let by_agent = by_agent.map(|heap| Heap { used: heap.used, resident: None, external: heap.external });
        by_agent.or_else(|| program.managed?.resident.map(Heap::managed))
    });
    Point { at: UnixMillis(age), total: reading.working_set(), heap }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
