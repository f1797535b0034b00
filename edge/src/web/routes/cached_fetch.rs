//! The hub's answers, from the shelf where that will do.
//!
//! The shelf is this isolate's own. A request may not wait for another one's I/O, so those that wait for what somebody else
//! asked look again after a moment.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::{Delay, Env, Result, console_error};

use super::cache::{Copy, Look, Shelf};
use crate::fleet;
use crate::platform::env;
use crate::probe::wall_clock;

/// How long the hub may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long whoever waits for another's answer sleeps in between.
const NAP: Duration = Duration::from_millis(25);

thread_local! {
    static SHELF: RefCell<Shelf> = const { RefCell::new(Shelf::new()) };
}

/// What became of a question.
pub(super) enum Kept {
    /// The hub's answer, and how old it is.
    Copy(Copy),
    /// There is no such thing.
    Missing,
    /// The hub does not answer, and there is nothing to stand in for it.
    Failed,
}

/// What the hub says to `question`: from the shelf for a few seconds, and for an hour while the hub fails.
pub(super) async fn asked(env: &Env, question: &str) -> Kept {
    let fresh = env::answers_kept(env);
    for _ in 0..PATIENCE.as_millis() / NAP.as_millis() {
        match on_the_shelf(|shelf| shelf.look(question, fresh, wall_clock())) {
            Look::Take(copy) => return Kept::Copy(copy),
            Look::Ask => return ask(env, question).await,
            Look::Wait => Delay::from(NAP).await,
        }
    }
    Kept::Failed
}

async fn ask(env: &Env, question: &str) -> Kept {
    match select(pin!(told(env, question)), Delay::from(PATIENCE)).await {
        Either::Left((Ok(Some(said)), _)) => {
            let body = on_the_shelf(|shelf| shelf.put(question, &said, wall_clock()));
            return Kept::Copy(Copy { body, age_ms: 0 });
        }
        Either::Left((Ok(None), _)) => {
            on_the_shelf(|shelf| shelf.remove(question));
            return Kept::Missing;
        }
        Either::Left((Err(error), _)) => console_error!("{question}: {error}"),
        Either::Right(_) => console_error!("{question}: the hub did not answer in time"),
    }
    on_the_shelf(|shelf| shelf.fall_back(question, wall_clock())).map_or(Kept::Failed, Kept::Copy)
}

/// What the hub says whose question it is, or what all of them say, one behind the other.
async fn told(env: &Env, question: &str) -> Result<Option<String>> {
    match question {
        question if question.starts_with("/incidents?") => {
            let all = fleet::all(env, question).await?;
            Ok(Some(all.into_iter().flatten().collect()))
        }
        question => fleet::ask(env, question).await,
    }
}

fn on_the_shelf<T>(work: impl FnOnce(&mut Shelf) -> T) -> T {
    SHELF.with(|shelf| work(&mut shelf.borrow_mut()))
}
