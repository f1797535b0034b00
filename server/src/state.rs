//! What the sampler publishes and requests read: no lock, no allocator call, nothing that waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes as Body;
use heapbeat_shared::{Health, Pressure, Status};

use crate::dependency::Dependencies;
use crate::sampling::Reading;

/// The latest of everything.
#[derive(Debug)]
pub(crate) struct State {
    reading: ArcSwap<Reading>,
    /// The unsigned body of `/health`.
    health: ArcSwap<Body>,
    /// A [`Pressure`] by its place in [`Pressure::ALL`].
    pressure: AtomicU8,
    draining: AtomicBool,
    dependencies: Dependencies,
    leaving: AtomicBool,
}

impl State {
    /// Begins with a reading, so that there is no moment without a true answer.
    pub(crate) fn new(first: &Reading, dependencies: Dependencies) -> Self {
        let state = State {
            reading: ArcSwap::from_pointee(*first),
            health: ArcSwap::default(),
            pressure: AtomicU8::new(0),
            draining: AtomicBool::new(false),
            dependencies,
            leaving: AtomicBool::new(false),
        };
        state.publish(first);
        state
    }

    /// Makes `reading` the latest one, and the answer of `/health` with it.
    pub(crate) fn publish(&self, reading: &Reading) {
        self.reading.store(Arc::new(*reading));
        loop {
            let status = self.status();
            self.health.store(Arc::new(Body::from(health(reading, status).to_json())));
            // Somebody else may have changed the word, and published, between the two lines above.
            if self.status() == status {
                return;
            }
        }
    }

    /// The latest reading.
    pub(crate) fn reading(&self) -> Arc<Reading> {
        self.reading.load_full()
    }

    /// The body of `/health`.
    pub(crate) fn health(&self) -> Body {
        Body::clone(&self.health.load())
    }

    /// Where memory stands.
    pub(crate) fn pressure(&self) -> Pressure {
        let rung = usize::from(self.pressure.load(Ordering::Relaxed));
        Pressure::ALL.get(rung).copied().unwrap_or_default()
    }

    /// Says where memory stands; told to strangers with the next [`State::publish`].
    pub(crate) fn set_pressure(&self, pressure: Pressure) {
        self.pressure.store(pressure as u8, Ordering::Relaxed);
    }

    /// Whether the process was asked to stop.
    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on the process finishes what it has.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.publish(&self.reading.load_full());
    }

    /// From now on connections end with the answer that they are at. Unlike [`State::drain`], nobody outside need know:
    /// a replacement takes new connections already.
    pub(crate) fn hand_over(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether connections end with the answer that they are at.
    pub(crate) fn leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) || self.draining()
    }

    /// The one word for the process.
    pub(crate) fn status(&self) -> Status {
        if self.draining() { Status::Draining } else { self.pressure().status() }
    }

    /// What the application cannot work without.
    pub(crate) fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// Whether new requests should be sent here, as far as this process itself goes.
    pub(crate) fn ready(&self) -> bool {
        !self.draining() && self.pressure() != Pressure::Shed
    }
}

/// The figures of the public `/health`.
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
    fn the_answer_is_always_the_latest_reading_and_the_latest_word() {
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
        state.drain();
        assert_eq!(state.health(), body("draining", 8), "at once, not at the next sample");
        assert!(!state.ready());
        state.publish(&reading(9));
        assert_eq!(state.health(), body("draining", 9));
    }
}
