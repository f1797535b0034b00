//! The state that the sampler publishes and requests read, without locks or allocator calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes as Body;
use heapbeat_shared::{Health, Pressure, Status};

use crate::dependency::Dependencies;
use crate::sampling::Reading;

/// The published state of the process.
#[derive(Debug)]
pub(crate) struct State {
    reading: ArcSwap<Reading>,
    /// The unsigned body of `/health`.
    health: ArcSwap<Body>,
    /// The pressure, as an index into [`Pressure::ALL`].
    pressure: AtomicU8,
    draining: AtomicBool,
    dependencies: Arc<Dependencies>,
    leaving: AtomicBool,
    /// Whether the reading is that of the instance before, as this one was not measured yet.
    inherited: AtomicBool,
    /// Whether requests wait, as no instance of the program takes them.
    waiting: AtomicBool,
}

impl State {
    /// Creates the state from a first reading, so that it is valid at any time.
    pub(crate) fn new(first: &Reading, dependencies: impl Into<Arc<Dependencies>>) -> Self {
        let state = State {
            reading: ArcSwap::from_pointee(*first),
            health: ArcSwap::default(),
            pressure: AtomicU8::new(0),
            draining: AtomicBool::new(false),
            dependencies: dependencies.into(),
            leaving: AtomicBool::new(false),
            inherited: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
        };
        state.publish(first);
        state
    }

    /// Publishes a reading of this process, and prepares the body of `/health`.
    pub(crate) fn publish(&self, reading: &Reading) {
        self.inherited.store(false, Ordering::Relaxed);
        self.prepare_health(reading);
    }

    /// Publishes the last reading of the instance before, and its pressure: until this one is measured, those are the figures that are
    /// known. New requests are not refused for it.
    pub(crate) fn inherit(&self, reading: &Reading, pressure: Pressure) {
        self.inherited.store(true, Ordering::Relaxed);
        self.set_pressure(pressure.min(Pressure::Recycle));
        self.prepare_health(reading);
    }

    /// Whether the reading is that of the instance before.
    pub(crate) fn is_inherited(&self) -> bool {
        self.inherited.load(Ordering::Relaxed)
    }

    fn prepare_health(&self, reading: &Reading) {
        self.reading.store(Arc::new(*reading));
        loop {
            let status = self.status();
            self.health.store(Arc::new(Body::from(health(reading, status).to_json())));
            // Another thread may have changed the status and published between the two lines above.
            if self.status() == status {
                return;
            }
        }
    }

    /// Returns the latest reading.
    pub(crate) fn reading(&self) -> Arc<Reading> {
        self.reading.load_full()
    }

    /// Returns the body of `/health`.
    pub(crate) fn health(&self) -> Body {
        Body::clone(&self.health.load())
    }

    /// Returns the level of pressure.
    pub(crate) fn pressure(&self) -> Pressure {
        let level = usize::from(self.pressure.load(Ordering::Relaxed));
        Pressure::ALL.get(level).copied().unwrap_or_default()
    }

    /// Sets the level of pressure, which is published with the next [`State::publish`].
    pub(crate) fn set_pressure(&self, pressure: Pressure) {
        self.pressure.store(pressure as u8, Ordering::Relaxed);
    }

    /// Whether the process was asked to stop.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Starts to drain: the process finishes its requests.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.prepare_health(&self.reading.load_full());
    }

    /// Hands over to a replacement: connections end with their current response. Unlike [`State::drain`] this is not published, as the
    /// replacement accepts new connections already.
    pub(crate) fn hand_over(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Sets whether requests wait, as no instance of the program takes them, and publishes it at once.
    pub(crate) fn set_waiting(&self, waiting: bool) {
        if self.waiting.swap(waiting, Ordering::Relaxed) != waiting {
            self.prepare_health(&self.reading.load_full());
        }
    }

    /// Whether connections end with their current response.
    pub(crate) fn leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) || self.draining()
    }

    /// Returns the status of the process.
    ///
    /// While requests wait for the next instance it is at least degraded. The response stays 200: they are answered, later, and a platform
    /// that gets a 503 would restart the guard together with the program, and refuse those that wait.
    pub(crate) fn status(&self) -> Status {
        let least = if self.waiting.load(Ordering::Relaxed) { Status::Degraded } else { Status::Healthy };
        if self.draining() { Status::Draining } else { self.pressure().status().max(least) }
    }

    /// Returns the dependencies of the application.
    pub(crate) fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// Whether this process itself is ready for new requests, without its dependencies.
    pub(crate) fn ready(&self) -> bool {
        !self.draining() && self.pressure() != Pressure::Shed
    }
}

/// Returns the public figures of `/health`.
fn health(reading: &Reading, status: Status) -> Health {
    Health { status, memory: reading.sample().to_health_memory(), uptime: reading.now.age.as_secs() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heapbeat_shared::{Bytes, UnixMillis};

    use super::*;
    use crate::clock::Now;
    use crate::sampling::{HeapMemory, ProcessMemory};

    fn reading(seconds: u64) -> Reading {
        Reading {
            now: Now { wall: UnixMillis(0), age: Duration::from_millis(seconds * 1000 + 999) },
            process: Some(ProcessMemory { rss: Bytes::from_mb(150), ..ProcessMemory::default() }),
            heap: Some(HeapMemory {
                allocated: Bytes::from_mb(90),
                active: Bytes::from_mb(100),
                resident: Bytes::from_mb(120),
                ..HeapMemory::default()
            }),
            ..Reading::default()
        }
    }

    #[test]
    fn the_body_has_the_latest_reading_and_status() {
        let body = |status: &str, uptime: u64| {
            format!(
                r#"{{"status":"{status}","memory":{{"rss":150,"heapUsed":90,"heapTotal":100,"external":30}},"uptime":{uptime}}}"#
            )
        };
        let state = State::new(&reading(7), Dependencies::default());
        assert_eq!(state.health(), body("healthy", 7));
        state.publish(&reading(8));
        assert_eq!(state.health(), body("healthy", 8));
        assert!(state.ready());
        state.set_waiting(true);
        assert_eq!(state.health(), body("degraded", 8), "requests wait");
        assert!(state.ready());
        for (pressure, status) in [(Pressure::Alert, "degraded"), (Pressure::Recycle, "critical")] {
            state.set_pressure(pressure);
            state.publish(&reading(8));
            assert_eq!(state.health(), body(status, 8), "never better than the memory");
        }
        state.set_pressure(Pressure::Calm);
        state.set_waiting(false);
        assert_eq!(state.health(), body("healthy", 8));
        state.drain();
        state.set_waiting(true);
        assert_eq!(state.health(), body("draining", 8), "at once, not at the next sample");
        assert!(!state.ready());
        state.publish(&reading(9));
        assert_eq!(state.health(), body("draining", 9));
    }
}
