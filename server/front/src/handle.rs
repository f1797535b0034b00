//! The front as its owner sees it: a thread, and a handle to it.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::accept::accept;
use crate::config::FrontConfig;
use crate::operator::OperatorRoutes;
use crate::probe::{ReadinessProbe, probe_ready};
use crate::shared::{Shared, Stage};
use crate::statistics::FrontStatistics;
use crate::upstream::{Upstream, UpstreamAddress};

/// Time between two searches for expired connections to the program, and for turns that nobody gives back.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// A running front. It stops when this is dropped.
#[derive(Debug)]
pub struct Front {
    handle: FrontHandle,
    thread: Option<JoinHandle<()>>,
}

/// A handle to a running front; cheap to clone, and usable from every thread. No call blocks.
#[derive(Clone)]
pub struct FrontHandle {
    shared: Arc<Shared>,
    runtime: Handle,
}

impl std::fmt::Debug for FrontHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontHandle")
            .field("active", &self.shared.switch.active_ids())
            .finish_non_exhaustive()
    }
}

impl Front {
    /// Starts a front on a thread of its own. Requests wait until the first [`activate`](FrontHandle::activate).
    pub fn start(
        config: FrontConfig,
        listeners: Vec<TcpListener>,
        routes: Arc<dyn OperatorRoutes>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let shared = Shared::new(config, routes);
        let listeners = {
            let _inside = runtime.enter();
            listeners.into_iter().map(into_tokio).collect::<io::Result<Vec<_>>>()?
        };
        let handle = FrontHandle { shared: Arc::clone(&shared), runtime: runtime.handle().clone() };
        let thread = thread::Builder::new().name("heapbeat-front".to_owned()).spawn(move || {
            runtime.block_on(run(shared, listeners));
            runtime.shutdown_background();
        })?;
        Ok(Front { handle, thread: Some(thread) })
    }

    /// Returns a handle.
    pub fn handle(&self) -> FrontHandle {
        self.handle.clone()
    }

    /// Whether the front has stopped; after [`close`](FrontHandle::close), when the last connection has ended.
    pub fn is_stopped(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // An error is a panic of the thread, which was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl FrontHandle {
    /// Sends new requests to `upstream` as well: each to the active copy that has the fewest in flight. A copy that was replaced is
    /// to be drained.
    pub fn activate(&self, upstream: Upstream) {
        tracing::debug!("requests go to copy {} at {}", upstream.id, upstream.address);
        self.shared.room.end_outage();
        if !self.shared.switch.is_active() {
            self.shared.room.turns().restart();
        }
        self.shared.switch.activate(upstream);
    }

    /// Makes new requests wait, and drains the active copies.
    pub fn deactivate(&self) {
        self.shared.switch.deactivate();
    }

    /// Closes idle connections to a copy that is to end; requests in flight finish. If no other one is active, new requests wait.
    pub fn drain(&self, id: u64) {
        self.shared.switch.drain(id);
    }

    /// The same for a copy that may go on, or that has ended by itself.
    pub fn deactivate_copy(&self, id: u64) {
        self.shared.switch.retire(id);
    }

    /// Notes that a signal from outside has ended a copy: its requests in flight are not the reason, and may be repeated once more.
    pub fn note_end_from_outside(&self, id: u64) {
        self.shared.switch.note_end_from_outside(id);
    }

    /// Ends what is still in flight to a copy: tunnels are closed on both sides, responses are cut off.
    pub fn abort(&self, id: u64) {
        self.shared.switch.abort(id);
    }

    /// Returns the number of requests and tunnels in flight to a copy.
    pub fn in_flight(&self, id: u64) -> usize {
        self.shared.switch.in_flight(id)
    }

    /// Returns for how long requests to a copy have waited, while it has sent nothing at all; `None` if none wait.
    pub fn stalled_for(&self, id: u64) -> Option<Duration> {
        self.shared.switch.stalled_for(id)
    }

    /// Notes that a copy has answered something, so that its stall is over.
    pub fn note_progress(&self, id: u64) {
        self.shared.switch.note_progress(id);
    }

    /// Returns the requests that a copy did not finish, because it died or was aborted: method, path pattern and number. Those in flight
    /// belong to them. They are known until another copy is activated.
    pub fn unfinished(&self, id: u64) -> Vec<((&'static str, String), u64)> {
        self.shared.switch.unfinished(id)
    }

    /// Announces for how long no copy will be active. Requests that cannot wait for that long are answered at once, those that wait already
    /// as well.
    pub fn announce_outage(&self, time: Duration) {
        self.shared.room.announce_outage(Instant::now() + time);
        self.shared.switch.wake_waiting();
    }

    /// Returns the number of requests that wait for a copy.
    pub fn waiting(&self) -> usize {
        self.shared.room.statistics().now
    }

    /// Answers requests that wait, and further ones, with 503: no copy will be active any more.
    pub fn refuse_waiting(&self) {
        self.shared.room.end();
        self.shared.switch.wake_waiting();
    }

    /// Sheds a share of new requests, in thousandths.
    pub fn shed(&self, thousandths: u16) {
        self.shared.gate.set(thousandths);
    }

    /// Passes requests that waited on by fewer at a time while the program is short of memory.
    pub fn set_memory_short(&self, short: bool) {
        self.shared.room.turns().set_memory_short(short);
    }

    /// Returns the figures of this instant.
    pub fn statistics(&self) -> FrontStatistics {
        self.shared.statistics()
    }

    /// Returns where an active copy takes requests.
    pub fn active_address(&self) -> Option<UpstreamAddress> {
        self.shared.switch.active().first().map(|pool| pool.upstream().address.clone())
    }

    /// Begins a probe of a copy that may listen at any of these addresses; see [`probe_ready`].
    pub fn probe(
        &self,
        addresses: Vec<UpstreamAddress>,
        path: Option<String>,
        within: Duration,
    ) -> ReadinessProbe {
        let (mut to, from) = oneshot::channel();
        self.runtime.spawn(async move {
            let result = tokio::select! {
                result = probe_ready(&addresses, path.as_deref(), within) => result,
                () = to.closed() => return,
            };
            // An error means that nobody waits for the result any more.
            let _ = to.send(result);
        });
        ReadinessProbe::new(from)
    }

    /// Announces that the front closes soon: each response ends its connection from now on, so that no client sends a request on a kept one
    /// at the moment when it is closed. New connections are accepted.
    pub fn announce_close(&self) {
        self.advance(Stage::Leaving);
    }

    /// Closes the listeners. Open connections end with their current response.
    pub fn close(&self) {
        self.advance(Stage::Closing);
    }

    /// Ends everything at once.
    pub fn stop(&self) {
        self.advance(Stage::Stopped);
    }

    fn advance(&self, stage: Stage) {
        self.shared.stage.send_if_modified(|current| {
            let later = stage > *current;
            *current = stage.max(*current);
            later
        });
    }
}

fn into_tokio(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Runs until everything has ended.
async fn run(shared: Arc<Shared>, listeners: Vec<tokio::net::TcpListener>) {
    let mut stage = shared.stage.subscribe();
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, Arc::clone(&shared)));
    }
    let housekeeping = tokio::spawn(keep_house(Arc::clone(&shared)));
    while accepting.join_next().await.is_some() {}
    tokio::select! {
        () = shared.connections.all_closed() => {}
        () = Shared::reached(&mut stage, Stage::Stopped) => {}
    }
    housekeeping.abort();
}

async fn keep_house(shared: Arc<Shared>) {
    let mut ticks = interval(HOUSEKEEPING);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for pool in shared.switch.active() {
            pool.close_expired();
        }
        shared.room.turns().look_after();
    }
}
