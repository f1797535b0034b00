//! The turns of requests that waited: each is passed on when there is one for it, in the order of arrival. How many there are is learned
//! from all requests, see `concurrency_limit`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::concurrency_limit::{ConcurrencyLimit, LEAST};

/// All turns.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    /// Number of requests that wait.
    waiting: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: ConcurrencyLimit,
    /// Number of turns, taken ones included. Those beyond the limit vanish when they are given back.
    existing: usize,
}

/// The turn of a request that waited: the next one has it when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    permit: Option<OwnedSemaphorePermit>,
}

/// A request that was passed on and is not answered, until this is dropped.
#[derive(Debug)]
pub(crate) struct Unanswered {
    turns: Arc<Turns>,
    turn: Option<Turn>,
    since: Instant,
    answered: bool,
}

impl Turns {
    pub(crate) fn new(waiting: Arc<AtomicUsize>) -> Arc<Self> {
        let state = State { limit: ConcurrencyLimit::new(Instant::now()), existing: LEAST };
        Arc::new(Turns { free: Arc::new(Semaphore::new(LEAST)), waiting, state: Mutex::new(state) })
    }

    /// Waits for the turn of a request that waited, in the order of the calls. `None` never occurs, as the semaphore is not closed.
    pub(crate) async fn take_turn(self: &Arc<Self>) -> Option<Turn> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Turn { turns: Arc::clone(self), permit: Some(permit) })
    }

    /// Counts a request that is passed on now; it has a turn if it waited.
    pub(crate) fn pass_on(self: &Arc<Self>, turn: Option<Turn>) -> Unanswered {
        let now = Instant::now();
        let (full, waiting) = (self.is_full(), self.is_anyone_waiting());
        self.change(|limit| limit.begin(turn.is_some(), full, waiting, now));
        Unanswered { turns: Arc::clone(self), turn, since: now, answered: false }
    }

    /// Begins anew, with another copy of the program.
    pub(crate) fn restart(&self) {
        self.change(|limit| limit.restart(Instant::now()));
    }

    /// Makes fewer turns while memory is short.
    pub(crate) fn set_memory_short(&self, short: bool) {
        self.change(|limit| limit.set_memory_short(short, Instant::now()));
    }

    /// Makes more turns if the program answers none of those that have one. To be called twice a second.
    pub(crate) fn look_after(&self) {
        let (full, waiting) = (self.is_full(), self.is_anyone_waiting());
        self.change(|limit| limit.tick(full, waiting, Instant::now()));
    }

    /// Returns the number of turns.
    pub(crate) fn number(&self) -> usize {
        self.state().limit.limit()
    }

    /// Changes the limit, and the number of turns with it.
    fn change<T>(&self, apply: impl FnOnce(&mut ConcurrencyLimit) -> T) -> T {
        let mut state = self.state();
        let result = apply(&mut state.limit);
        let limit = state.limit.limit();
        if limit > state.existing {
            self.free.add_permits(limit - state.existing);
            state.existing = limit;
        } else if limit < state.existing {
            state.existing -= self.free.forget_permits(state.existing - limit);
        }
        result
    }

    fn is_anyone_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    fn is_full(&self) -> bool {
        self.free.available_permits() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unanswered {
    /// Records that the program has answered.
    pub(crate) fn answer(mut self) {
        self.answered = true;
    }

    /// Whether the request has a turn.
    pub(crate) const fn has_turn(&self) -> bool {
        self.turn.is_some()
    }

    /// Gives the turn to the next request.
    pub(crate) fn end_turn(&mut self) {
        if self.turn.take().is_some() {
            self.turns.change(ConcurrencyLimit::forget_released);
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let now = Instant::now();
        let latency = self.answered.then(|| now.saturating_duration_since(self.since));
        let (released, waiting) = (self.turn.is_some(), self.turns.is_anyone_waiting());
        self.turns.change(|limit| limit.end(released, latency, waiting, now));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        if state.existing > state.limit.limit() {
            state.existing -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_the_limit() {
        let turns = Turns::new(Arc::default());
        let take_all = || std::iter::from_fn(|| try_take(&turns)).collect::<Vec<Turn>>();
        let first = take_all();
        assert_eq!(first.len(), LEAST);
        turns.change(|limit| {
            limit.tick(true, true, Instant::now() + std::time::Duration::from_secs(1));
        });
        let more = take_all();
        assert_eq!((more.len(), turns.number()), (LEAST, 2 * LEAST));
        // All of them are given back, and half of them vanish.
        turns.restart();
        drop((first, more));
        assert_eq!(take_all().len(), LEAST);
    }

    fn try_take(turns: &Arc<Turns>) -> Option<Turn> {
        let permit = Arc::clone(&turns.free).try_acquire_owned().ok()?;
        Some(Turn { turns: Arc::clone(turns), permit: Some(permit) })
    }
}
