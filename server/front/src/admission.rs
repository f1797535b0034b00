//! The way of a connection from a mere socket to its next request.
//!
//! The request stays in the kernel's buffer until its head is whole, a copy of the program is active, and there is room in memory for it.
//! So a client that sends its head slowly costs no memory, and neither does a request that waits for the program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use heapbeat_connection::ClientTimeouts;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

use crate::client_socket::{ClientSocket, client_gone};
use crate::connection_limit::PermitKind;
use crate::memory::{Charge, HeadSize};
use crate::preview::{Preview, preview};
use crate::progress::ConnectionProgress;
use crate::shared::{Shared, Stage};
use crate::wait::{HoldError, Wait};

/// Time that a connection without a complete request has for it when the front closes.
const FIRST_REQUEST: Duration = Duration::from_millis(250);

/// Pause between two searches for connections that can be closed for a request that finds no room.
const SEARCH_AGAIN: Duration = Duration::from_millis(100);

/// A request that may be read.
pub(crate) struct Admission {
    /// Its part of the room in memory.
    pub(crate) charge: Charge,
    /// How it has waited, or why it waited in vain; `None` if it did not wait.
    pub(crate) wait: Option<Result<Wait, HoldError>>,
}

/// Waits until the next request of a connection may be read; `None` if the connection is to be closed.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    stream: &ClientSocket,
    (kind, progress): (PermitKind, &Arc<ConnectionProgress>),
    timeouts: &ClientTimeouts,
    stage: &mut watch::Receiver<Stage>,
) -> Option<Admission> {
    let next = match next_request(shared, stream, progress, timeouts, stage).await? {
        // Who has a place of the reserve is refused at once, as others wait for that place.
        Preview::Program(head) if kind == PermitKind::Reserve => Preview::Own(head),
        next => next,
    };
    let (Preview::Own(head) | Preview::Program(head)) = next else { return None };
    if (matches!(next, Preview::Own(_)) || shared.passes_at_once())
        && let Some(charge) = shared.memory.try_charge(head)
    {
        return Some(Admission { charge, wait: None });
    }
    progress.request_waits(Instant::now());
    let _counted = shared.statistics.count_waiting();
    let waiting = async {
        match next {
            Preview::Program(head) => wait_for_program(shared, head).await,
            _ => Some(Admission { charge: shared.memory.charge_own(head).await?, wait: None }),
        }
    };
    tokio::select! {
        biased;
        admission = waiting => admission,
        () = progress.evicted() => None,
        () = client_gone(stream.clone(), Arc::clone(progress)) => None,
        () = Shared::reached(stage, Stage::Stopped) => None,
    }
}

/// Waits until the head of the next request is in the kernel's buffer.
async fn next_request(
    shared: &Arc<Shared>,
    stream: &ClientSocket,
    progress: &ConnectionProgress,
    timeouts: &ClientTimeouts,
    stage: &mut watch::Receiver<Stage>,
) -> Option<Preview> {
    let mut closing = None;
    loop {
        let deadline =
            progress.clock.deadline(timeouts).into_iter().chain(closing).min().unwrap_or_else(Instant::now);
        let readable = tokio::select! {
            biased;
            readable = stream.readable() => readable.ok()?,
            () = progress.evicted() => return None,
            () = Shared::reached(stage, Stage::Closing), if closing.is_none() => {
                if progress.clock.idle_since().is_some() {
                    return None;
                }
                // The first request of a connection that was just accepted is on the way.
                closing = Some(Instant::now() + FIRST_REQUEST);
                continue;
            }
            () = sleep_until(deadline) => return None,
        };
        let next = shared.with_scratch(|scratch| {
            let seen = stream.peek(scratch)?;
            let is_own = |request: &_| shared.routes.serves(request);
            // Without a byte it is the end.
            let next = (seen > 0).then(|| preview(&scratch[..seen], scratch.len(), is_own));
            io::Result::Ok(next)
        });
        match next {
            Ok(Some(Preview::Incomplete)) if !readable.is_read_closed() => {
                progress.clock.bytes_received(Instant::now);
                stream.await_more();
            }
            Ok(Some(Preview::Incomplete) | None) => return None,
            Ok(next) => return next,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
    }
}

/// Waits for a copy of the program, and for room in memory.
async fn wait_for_program(shared: &Arc<Shared>, head: HeadSize) -> Option<Admission> {
    let mut wait = Wait::new(shared);
    let charge = async {
        let deadline = wait.until_active().await?;
        charge_until(shared, head, deadline).await.ok_or(HoldError::NoMemory)
    };
    match charge.await {
        Ok(charge) => Some(Admission { charge, wait: Some(Ok(wait)) }),
        Err(error) => {
            drop(wait);
            Some(Admission { charge: shared.memory.charge_own(head).await?, wait: Some(Err(error)) })
        }
    }
}

/// Waits for room in memory, for which connections give way that wait for their clients.
async fn charge_until(shared: &Shared, head: HeadSize, deadline: Instant) -> Option<Charge> {
    if let Some(charge) = shared.memory.try_charge(head) {
        return Some(charge);
    }
    shared.note_full();
    let mut search = interval(SEARCH_AGAIN);
    search.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let make_room = async {
        loop {
            search.tick().await;
            shared.memory.want();
            shared.connections.evict_charged(Instant::now());
        }
    };
    let charged = timeout_at(deadline, async {
        tokio::select! {
            biased;
            charge = shared.memory.charge(head) => charge,
            () = make_room => None,
        }
    });
    let charged = charged.await.ok().flatten();
    if charged.is_none() {
        shared.room.refuse();
    }
    charged
}
