//! What is known of a client's connection: its clock, the requests that it has sent, and what it has of the front.
//!
//! All changes happen on the thread of the front, so the atomics need no ordering.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use heapbeat_connection::{AtomicInstant, ConnectionClock, Phase};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The progress of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionProgress {
    /// What it waits for, and until when.
    pub(crate) clock: ConnectionClock,
    /// Since when a part of a body is awaited.
    pub(crate) body_since: AtomicInstant,
    left: AtomicBool,
    /// Whether the connection has a part of the room in memory.
    charged: AtomicBool,
    requests: AtomicU64,
    evicted: Notify,
}

impl ConnectionProgress {
    pub(crate) fn begin(now: Instant) -> Arc<Self> {
        Arc::new(ConnectionProgress {
            clock: ConnectionClock::start(now),
            body_since: AtomicInstant::none(),
            left: AtomicBool::new(false),
            charged: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            evicted: Notify::new(),
        })
    }

    /// Records that a request head is complete, and returns the number of the request, counted from 1.
    pub(crate) fn request_started(&self, now: Instant) -> u64 {
        self.clock.request_started(now);
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns the number of requests whose head is complete.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Records that a complete head waits in the kernel's buffer.
    pub(crate) fn request_waits(&self, now: Instant) {
        self.clock.enter(Phase::Waiting, now);
    }

    /// Records that a part of the body is awaited.
    pub(crate) fn body_awaited(&self, now: Instant) {
        self.body_since.set(self.clock.began(), now);
    }

    /// Records that no part of the body is awaited any more.
    pub(crate) fn body_arrived(&self) {
        self.body_since.take(self.clock.began());
    }

    /// Records that the connection is a tunnel, and that bytes have passed.
    pub(crate) fn tunnel_moved(&self, now: Instant) {
        self.clock.enter(Phase::Tunnel, now);
    }

    /// Records whether the connection has a part of the room in memory.
    pub(crate) fn set_charged(&self, charged: bool) {
        self.charged.store(charged, Ordering::Relaxed);
    }

    /// Whether the connection has a part of the room in memory.
    pub(crate) fn is_charged(&self) -> bool {
        self.charged.load(Ordering::Relaxed)
    }

    /// Records that the client has gone.
    pub(crate) fn client_left(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    /// Whether the client has gone.
    pub(crate) fn has_client_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }

    /// Requests that the connection is closed for another one.
    pub(crate) fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Completes when the connection is to be closed for another one.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}
