//! Waiting for a copy of the program, within the bounds of one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::HoldLimits;
use crate::hold::{Held, HoldRoom};
use crate::pool::{InFlight, UpstreamPool};
use crate::switch::Switch;

/// First and longest pause until a copy that refused a connection is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// Why a request waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldError {
    /// Too many others wait.
    NoRoom,
    /// No copy became active in time.
    TimedOut,
    /// No copy will be active in time; it takes at least so long.
    Outage(Duration),
}

/// What one request may still wait.
pub(crate) struct Wait<'a> {
    switch: &'a Switch,
    room: &'a Arc<HoldRoom>,
    time: Duration,
    /// Bytes of the request's head.
    head: usize,
    held: Option<Held>,
    deadline: Option<Instant>,
    follow: Option<watch::Receiver<Option<Arc<UpstreamPool>>>>,
    pause: Duration,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(switch: &'a Switch, room: &'a Arc<HoldRoom>, limits: &HoldLimits, head: usize) -> Self {
        Wait {
            switch,
            room,
            time: limits.time,
            head,
            held: None,
            deadline: None,
            follow: None,
            pause: PAUSES.0,
        }
    }

    /// Enters the active copy; waits while there is none. The request counts as in flight to it from now on.
    pub(crate) async fn enter(&mut self) -> Result<InFlight, HoldError> {
        loop {
            let entered = match &mut self.follow {
                // As in `Switch::enter`, it is counted while the active copy cannot change.
                Some(follow) => follow.borrow_and_update().as_ref().map(UpstreamPool::begin),
                None => self.switch.enter(),
            };
            if let Some(in_flight) = entered {
                return Ok(in_flight);
            }
            self.pause = PAUSES.0;
            self.until_change(None).await?;
        }
    }

    /// Waits a moment after a copy refused a connection, or until another one is active.
    pub(crate) async fn after_refusal(&mut self) -> Result<(), HoldError> {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        self.until_change(Some(pause)).await
    }

    /// Ends the wait for now: the request is being sent.
    pub(crate) fn pass(&mut self) {
        self.held = None;
    }

    async fn until_change(&mut self, pause: Option<Duration>) -> Result<(), HoldError> {
        let now = Instant::now();
        if let Some(time) = self.room.outlasting_outage(self.deadline.unwrap_or(now + self.time), now) {
            self.room.refuse();
            return Err(HoldError::Outage(time));
        }
        if self.held.is_none() {
            self.held = Some(self.room.enter(self.head, now).ok_or(HoldError::NoRoom)?);
        }
        let deadline = *self.deadline.get_or_insert_with(|| {
            self.room.count();
            now + self.time
        });
        let follow = self.follow.get_or_insert_with(|| self.switch.follow());
        let change = async {
            match pause {
                Some(pause) => tokio::select! {
                    _ = follow.changed() => {}
                    () = sleep(pause) => {}
                },
                // An error means that the front is gone, and this request with it.
                None => drop(follow.changed().await),
            }
        };
        if timeout_at(deadline, change).await.is_err() {
            self.room.refuse();
            return Err(HoldError::TimedOut);
        }
        Ok(())
    }
}
