//! Waiting for a copy of the program, within the bounds of one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::hold::Held;
use crate::pool::{InFlight, UpstreamPool};
use crate::shared::Shared;
use crate::turns::Turn;

/// First and longest pause until a copy that refused a connection is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));

/// Pause before a request is sent for the third time because the program died twice while it had it, doubled with each further time up to
/// the longest one. Such a request may be what the program dies of: so it takes few copies with it until its time is over.
const SUSPECT_PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// Why a request waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoldError {
    /// Too many others wait.
    NoRoom,
    /// The time was over.
    TimedOut(Obstacle),
    /// There was no room in memory in time.
    NoMemory,
    /// No copy will be active in time; it takes at least so long.
    Outage(Duration),
    /// No copy will be active any more.
    Ended,
}

/// What a request waited for last whose time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// No copy was active.
    NotReady,
    /// The active copy accepted no connection.
    Refused,
    /// Others were before it.
    NoTurn,
}

/// What one request may still wait.
pub(crate) struct Wait {
    shared: Arc<Shared>,
    /// When the request was there.
    arrived: Instant,
    held: Option<Held>,
    turn: Option<Turn>,
    deadline: Option<Instant>,
    follow: Option<watch::Receiver<Vec<Arc<UpstreamPool>>>>,
    pause: Duration,
    /// Whether the active copy has refused the request.
    refused: bool,
}

impl Wait {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Wait {
            shared: Arc::clone(shared),
            arrived: Instant::now(),
            held: None,
            turn: None,
            deadline: None,
            follow: None,
            pause: PAUSES.0,
            refused: false,
        }
    }

    /// Returns when the request was there.
    pub(crate) const fn arrived(&self) -> Instant {
        self.arrived
    }

    /// Waits until a copy is active and it is the request's turn. Returns until when the request may wait for whatever else it needs.
    pub(crate) async fn until_active(&mut self) -> Result<Instant, HoldError> {
        loop {
            self.take_turn().await?;
            let active = match &mut self.follow {
                Some(follow) => !follow.borrow_and_update().is_empty(),
                None => self.shared.switch.is_active(),
            };
            if active {
                return self.begin_hold(Instant::now());
            }
            self.until_change(None).await?;
        }
    }

    /// Enters the active copy; waits while there is none. The request counts as in flight to it from now on. Requests that waited enter
    /// in turns.
    pub(crate) async fn enter(&mut self) -> Result<InFlight, HoldError> {
        loop {
            self.take_turn().await?;
            let entered = match &mut self.follow {
                // As in `Switch::enter`, it is counted while the active copy cannot change.
                Some(follow) => self.shared.switch.enter_one_of(&follow.borrow_and_update()),
                None => self.shared.switch.enter(),
            };
            if let Some(in_flight) = entered {
                return Ok(in_flight);
            }
            self.pause = PAUSES.0;
            self.refused = false;
            self.until_change(None).await?;
        }
    }

    /// Waits for the turn of a request that waited. While others wait for theirs, one that has just arrived is behind them.
    async fn take_turn(&mut self) -> Result<(), HoldError> {
        let lines_up = self.held.is_some() || self.shared.room.is_anyone_waiting();
        if self.turn.is_some() || !lines_up || !self.shared.switch.is_active() {
            return Ok(());
        }
        let deadline = self.begin_hold(Instant::now())?;
        let Ok(turn) = timeout_at(deadline, self.shared.room.turns().take_turn()).await else {
            self.shared.room.refuse();
            let obstacle = if self.refused { Obstacle::Refused } else { Obstacle::NoTurn };
            return Err(HoldError::TimedOut(obstacle));
        };
        self.turn = turn;
        Ok(())
    }

    /// Counts the request among those that wait, and returns until when it may.
    fn begin_hold(&mut self, now: Instant) -> Result<Instant, HoldError> {
        if self.held.is_none() {
            self.held = Some(self.shared.room.enter(now).ok_or(HoldError::NoRoom)?);
        }
        Ok(*self.deadline.get_or_insert_with(|| {
            self.shared.room.count();
            now + self.shared.config.hold.time
        }))
    }

    /// Waits a moment after a copy refused a connection, or until another one is active.
    pub(crate) async fn after_refusal(&mut self) -> Result<(), HoldError> {
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES.1);
        self.refused = true;
        self.until_change(Some(pause)).await
    }

    /// Waits before the request is sent again, because a copy died while it had it; so often until now.
    pub(crate) async fn after_loss(&mut self, times: u32) -> Result<(), HoldError> {
        let Some(doublings) = times.checked_sub(2) else { return self.after_refusal().await };
        let pause = SUSPECT_PAUSES.0.saturating_mul(1 << doublings.min(8)).min(SUSPECT_PAUSES.1);
        let until = Instant::now() + pause;
        loop {
            self.until_change(Some(until.saturating_duration_since(Instant::now()))).await?;
            if Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// Ends the wait for now: the request is being sent. Returns its turn, if it waited.
    pub(crate) fn pass(&mut self) -> Option<Turn> {
        self.held = None;
        self.turn.take()
    }

    async fn until_change(&mut self, pause: Option<Duration>) -> Result<(), HoldError> {
        // Whoever waits has no turn.
        self.turn = None;
        // Before it is decided, so that no change is missed after it; who has just begun to follow may have missed one before.
        let shared = &self.shared;
        let mut follow = self.follow.take().unwrap_or_else(|| {
            let mut follow = shared.switch.follow();
            if pause.is_none() {
                follow.mark_changed();
            }
            follow
        });
        let now = Instant::now();
        if self.shared.room.has_ended() {
            self.shared.room.refuse();
            return Err(HoldError::Ended);
        }
        let latest = self.deadline.unwrap_or(now + self.shared.config.hold.time);
        if let Some(time) = self.shared.room.outlasting_outage(latest, now) {
            self.shared.room.refuse();
            return Err(HoldError::Outage(time));
        }
        let deadline = self.begin_hold(now)?;
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
        let changed = timeout_at(deadline, change).await;
        self.follow = Some(follow);
        if changed.is_err() {
            self.shared.room.refuse();
            let is_active = self.shared.switch.is_active();
            return Err(HoldError::TimedOut(if is_active { Obstacle::Refused } else { Obstacle::NotReady }));
        }
        Ok(())
    }
}
