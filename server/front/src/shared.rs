//! State that all connections share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::FrontConfig;
use crate::connection_limit::ConnectionLimit;
use crate::hold::HoldRoom;
use crate::memory::MemoryRoom;
use crate::operator::OperatorRoutes;
use crate::shed::Gate;
use crate::statistics::{FrontStatistics, Gauges, StatisticsRecorder};
use crate::switch::Switch;

/// Time between two lines in the log that say that there is no room in memory.
const NOTE_FULL_AGAIN: Duration = Duration::from_secs(60);

/// Tunnels from which their buffers are small.
const MANY_TUNNELS: usize = 512;

/// Stage of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Connections are accepted.
    Open,
    /// They still are, but each response ends its connection.
    Leaving,
    /// No new connections; open ones end with their current response.
    Closing,
    /// Everything ends.
    Stopped,
}

/// State that all connections share.
pub(crate) struct Shared {
    pub(crate) config: FrontConfig,
    pub(crate) routes: Arc<dyn OperatorRoutes>,
    pub(crate) switch: Switch,
    pub(crate) room: Arc<HoldRoom>,
    pub(crate) memory: Arc<MemoryRoom>,
    pub(crate) gate: Gate,
    pub(crate) statistics: Arc<StatisticsRecorder>,
    pub(crate) connections: Arc<ConnectionLimit>,
    pub(crate) stage: watch::Sender<Stage>,
    tunnels: AtomicUsize,
    /// Where requests are looked at that are still in the kernel's buffer.
    scratch: Mutex<Vec<u8>>,
    noted_full: Mutex<Option<Instant>>,
}

/// A tunnel that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct CountedTunnel<'a>(&'a AtomicUsize);

impl Drop for CountedTunnel<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    pub(crate) fn new(config: FrontConfig, routes: Arc<dyn OperatorRoutes>) -> Arc<Self> {
        let memory = Arc::new(MemoryRoom::new(config.limits.memory));
        Arc::new(Shared {
            routes,
            switch: Switch::new(config.pool.clone(), Arc::clone(&memory)),
            room: HoldRoom::new(&config.hold),
            memory,
            gate: Gate::new(config.priorities.clone()),
            statistics: Arc::default(),
            connections: ConnectionLimit::new(config.limits.max_connections),
            stage: watch::channel(Stage::Open).0,
            tunnels: AtomicUsize::new(0),
            // One byte more than a head may have, so that a longer one is seen.
            scratch: Mutex::new(vec![0; config.limits.max_header + 1]),
            noted_full: Mutex::default(),
            config,
        })
    }

    /// Returns the figures of this instant.
    pub(crate) fn statistics(&self) -> FrontStatistics {
        let gauges = Gauges {
            held: self.room.statistics(),
            active: self.switch.active_ids(),
            shed: self.gate.refused(),
            memory: self.memory.used(),
        };
        self.statistics.snapshot(gauges)
    }

    /// Whether a request for the program is passed on without a wait.
    pub(crate) fn passes_at_once(&self) -> bool {
        self.switch.is_active() && !self.room.is_anyone_waiting()
    }

    /// Calls `look` with a buffer for the beginning of a request.
    pub(crate) fn with_scratch<T>(&self, look: impl FnOnce(&mut [u8]) -> T) -> T {
        look(&mut self.scratch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a tunnel.
    pub(crate) fn count_tunnel(&self) -> CountedTunnel<'_> {
        self.tunnels.fetch_add(1, Ordering::Relaxed);
        CountedTunnel(&self.tunnels)
    }

    /// Whether there are so many tunnels that their buffers have to be small.
    pub(crate) fn has_many_tunnels(&self) -> bool {
        self.tunnels.load(Ordering::Relaxed) > MANY_TUNNELS
    }

    /// Logs, not too often, that requests wait for room in memory.
    pub(crate) fn note_full(&self) {
        let now = Instant::now();
        let mut noted = self.noted_full.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.is_none_or(|at| now.duration_since(at) >= NOTE_FULL_AGAIN) {
            *noted = Some(now);
            tracing::warn!(
                heapbeat.front.memory = self.memory.used(),
                "as many requests are in flight as heapbeat has memory for (--front-memory); further ones wait"
            );
        }
    }

    /// Completes when the stage is at least `stage`.
    pub(crate) async fn reached(follow: &mut watch::Receiver<Stage>, stage: Stage) {
        // An error means that the front is gone.
        let _ = follow.wait_for(|current| *current >= stage).await;
    }
}
