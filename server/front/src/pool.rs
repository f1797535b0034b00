//! The connections to one copy of the program: idle ones are kept within bounds and used again.
//!
//! hyper-util's pool is not used, because a copy that is replaced must give up its idle connections at once, and because it matters
//! for each failed request whether it had been written: that decides whether it may be repeated.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::body::RequestBody;
use crate::config::PoolLimits;
use crate::memory::{LimitedReads, MemoryRoom};
use crate::open_requests::OpenRequests;
use crate::read_budget::ReadBudget;
use crate::stall::Stall;
use crate::statistics::{RouteKey, RouteName};
use crate::upstream::{Upstream, UpstreamStream};

/// Maximum that hyper buffers in each direction, which also bounds a response head.
const BUFFER: usize = 64 << 10;

/// Time for a connection to become ready after its response has ended; it still finishes the request if the response was early.
const SETTLE: Duration = Duration::from_secs(1);

/// Age up to which an idle connection serves a request that could not be repeated.
const FRESH: Duration = Duration::from_millis(500);

/// A copy of the program, and the connections to it.
#[derive(Debug)]
pub(crate) struct UpstreamPool {
    upstream: Upstream,
    limits: PoolLimits,
    memory: Arc<MemoryRoom>,
    idle: Mutex<VecDeque<IdleConnection>>,
    in_flight: AtomicUsize,
    stall: Stall,
    retired: AtomicBool,
    /// Whether the copy is to end, after what is in flight.
    ends_as_planned: AtomicBool,
    /// Whether a signal from outside has ended it.
    ended_from_outside: AtomicBool,
    aborted: watch::Sender<bool>,
    requests: Mutex<OpenRequests>,
}

struct IdleConnection {
    sender: SendRequest<RequestBody>,
    budget: Arc<ReadBudget>,
    since: Instant,
    until: Instant,
}

impl std::fmt::Debug for IdleConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdleConnection").field("since", &self.since).finish_non_exhaustive()
    }
}

/// A connection for one request.
pub(crate) struct PooledConnection {
    pub(crate) sender: SendRequest<RequestBody>,
    /// How much of it may be read before the program says something.
    pub(crate) budget: Arc<ReadBudget>,
    /// Whether it has served a request already.
    pub(crate) reused: bool,
}

/// A request that is in flight to a copy, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    pool: Arc<UpstreamPool>,
    route: Option<RouteKey>,
}

impl UpstreamPool {
    pub(crate) fn new(upstream: Upstream, limits: PoolLimits, memory: Arc<MemoryRoom>) -> Arc<Self> {
        Arc::new(UpstreamPool {
            upstream,
            limits,
            memory,
            idle: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            stall: Stall::default(),
            retired: AtomicBool::new(false),
            ends_as_planned: AtomicBool::new(false),
            ended_from_outside: AtomicBool::new(false),
            aborted: watch::channel(false).0,
            requests: Mutex::default(),
        })
    }

    pub(crate) const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.stall.begin();
        InFlight { pool: Arc::clone(self), route: None }
    }

    /// Notes that the copy has sent something.
    pub(crate) fn note_progress(&self) {
        self.stall.end(self.in_flight() > 1);
    }

    /// Returns for how long requests have waited for anything that the copy sends.
    pub(crate) fn stalled_for(&self) -> Option<Duration> {
        self.stall.lasted()
    }

    /// Returns the requests that the copy did not finish, by route. While it runs these are the ones in flight.
    pub(crate) fn unfinished(&self) -> Vec<(RouteName, u64)> {
        self.requests().unfinished()
    }

    fn requests(&self) -> MutexGuard<'_, OpenRequests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an idle connection, the one that was used last; `None` if there is none. A request that could not be repeated gets
    /// one only if it was used a moment ago, because the program may be closing others right now.
    pub(crate) fn reuse(&self, repeatable: bool) -> Option<PooledConnection> {
        let now = Instant::now();
        let mut idle = self.idle();
        while let Some(connection) = idle.pop_back() {
            let stale =
                now >= connection.until || connection.sender.is_closed() || !connection.sender.is_ready();
            if stale {
                continue;
            }
            if !repeatable && now.saturating_duration_since(connection.since) > FRESH {
                // All others have been idle for longer.
                idle.push_back(connection);
                return None;
            }
            let IdleConnection { sender, budget, .. } = connection;
            return Some(PooledConnection { sender, budget, reused: true });
        }
        None
    }

    /// Connects to the program, without HTTP.
    pub(crate) async fn connect_stream(&self) -> io::Result<UpstreamStream> {
        timeout(self.limits.connect_timeout, self.upstream.address.connect())
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self) -> io::Result<PooledConnection> {
        let budget = Arc::new(ReadBudget::default());
        let stream =
            LimitedReads::new(self.connect_stream().await?, Arc::clone(&self.memory), Arc::clone(&budget));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let mut aborted = self.aborted();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // Its error belongs to the request that it interrupts.
                ended = connection.with_upgrades() => if let Err(error) = ended {
                    tracing::debug!("connection to the program failed: {error}");
                },
                // So does its end.
                _ = aborted.wait_for(|aborted| *aborted) => {}
            }
        });
        Ok(PooledConnection { sender, budget, reused: false })
    }

    /// Keeps a connection whose response has ended. `kept` is how long the program says that it keeps it.
    pub(crate) fn give_back(
        self: &Arc<Self>,
        sender: SendRequest<RequestBody>,
        budget: Arc<ReadBudget>,
        kept: Option<u64>,
    ) {
        if sender.is_closed() || self.is_retired() {
            return;
        }
        if sender.is_ready() {
            return self.keep_connection(sender, budget, kept);
        }
        let (pool, mut sender) = (Arc::clone(self), sender);
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(SETTLE, sender.ready()).await {
                pool.keep_connection(sender, budget, kept);
            }
        });
    }

    fn keep_connection(&self, sender: SendRequest<RequestBody>, budget: Arc<ReadBudget>, kept: Option<u64>) {
        let announced = kept.map_or(Duration::MAX, |seconds| Duration::from_secs(seconds).mul_f32(0.8));
        let now = Instant::now();
        let until = now + self.limits.idle_timeout.min(announced);
        let mut idle = self.idle();
        if self.is_retired() || self.limits.idle == 0 {
            return;
        }
        if idle.len() >= self.limits.idle {
            idle.pop_front();
        }
        idle.push_back(IdleConnection { sender, budget, since: now, until });
    }

    /// Closes idle connections that have expired.
    pub(crate) fn close_expired(&self) {
        let now = Instant::now();
        self.idle().retain(|connection| now < connection.until && !connection.sender.is_closed());
    }

    /// Closes all idle connections, and keeps none from now on; requests in flight finish.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.idle().clear();
    }

    /// Notes that the copy is to end once its requests in flight have finished: those that it loses then are not the reason.
    pub(crate) fn plan_end(&self) {
        self.ends_as_planned.store(true, Ordering::Relaxed);
    }

    pub(crate) fn ends_as_planned(&self) -> bool {
        self.ends_as_planned.load(Ordering::Relaxed)
    }

    /// Notes that a signal from outside has ended the copy, so that no request is the reason.
    pub(crate) fn note_end_from_outside(&self) {
        self.ended_from_outside.store(true, Ordering::Relaxed);
    }

    pub(crate) fn ended_from_outside(&self) -> bool {
        self.ended_from_outside.load(Ordering::Relaxed)
    }

    /// Keeps connections again after [`retire`](Self::retire).
    pub(crate) fn restore(&self) {
        self.retired.store(false, Ordering::Relaxed);
        self.ends_as_planned.store(false, Ordering::Relaxed);
    }

    /// Ends what is still in flight.
    pub(crate) fn abort(&self) {
        self.retire();
        self.aborted.send_replace(true);
    }

    /// Returns a receiver that becomes true when what is in flight is to be ended.
    pub(crate) fn aborted(&self) -> watch::Receiver<bool> {
        self.aborted.subscribe()
    }

    fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    pub(crate) const fn pool(&self) -> &Arc<UpstreamPool> {
        &self.pool
    }

    /// Notes that the request is being sent, and its route.
    pub(crate) fn set_route(&mut self, route: RouteKey) {
        self.pool.requests().begin(&route);
        self.route = Some(route);
    }

    /// Notes that the copy did not finish the request.
    pub(crate) fn note_interrupted(&mut self) {
        if let Some(route) = self.route.take() {
            self.pool.requests().fail(&route);
        }
    }

    /// Notes that the copy has answered, though the connection stays in use.
    pub(crate) fn note_answered(&mut self) {
        if let Some(route) = self.route.take() {
            self.pool.requests().end(&route);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.note_answered();
        self.pool.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
