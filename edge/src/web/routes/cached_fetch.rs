//! The hubs' answers, from the cache where that will do.
//!
//! The cache is this isolate's own. A request may not wait for another one's I/O, so those that wait for an answer that another
//! request brings look again after a moment.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use worker::{Delay, Env, console_error};

use super::cache::{Answer, Cache, CachedAnswer, Lookup};
use crate::fleet;
use crate::hub_api::{HubError, HubRequest};
use crate::platform::env;
use crate::probe::wall_clock;

/// How long the hub may take.
const HUB_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a request that waits for another one's answer sleeps in between.
const NAP: Duration = Duration::from_millis(25);

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache::new()) };
}

/// What came of a request to the hub.
pub(super) enum Fetched {
    /// The hub's answer, and how old it is.
    Answer(CachedAnswer),
    /// What was asked for does not exist.
    NotFound,
    /// The hub does not answer, and no earlier answer can stand in for it.
    Failed,
}

/// Asks the hub: from the cache for a few seconds, and for an hour while the hub fails.
pub(super) async fn fetch(env: &Env, request: &HubRequest) -> Fetched {
    let fresh = env::answers_kept(env);
    for _ in 0..HUB_TIMEOUT.as_millis() / NAP.as_millis() {
        match with_cache(|cache| cache.look_up(request, fresh, wall_clock())) {
            Lookup::Hit(cached) => return Fetched::Answer(cached),
            Lookup::Miss => return ask(env, request).await,
            Lookup::Wait => Delay::from(NAP).await,
        }
    }
    Fetched::Failed
}

async fn ask(env: &Env, request: &HubRequest) -> Fetched {
    match select(pin!(fleet::ask(env, request)), Delay::from(HUB_TIMEOUT)).await {
        Either::Left((Ok(response), _)) => {
            let answer = with_cache(|cache| cache.store(request, Answer::new(response), wall_clock()));
            return Fetched::Answer(CachedAnswer { answer, age_ms: 0 });
        }
        Either::Left((Err(HubError::NotFound(_)), _)) => {
            with_cache(|cache| cache.remove(request));
            return Fetched::NotFound;
        }
        Either::Left((Err(error), _)) => console_error!("{request:?}: {error}"),
        Either::Right(_) => console_error!("{request:?}: the hub did not answer in time"),
    }
    with_cache(|cache| cache.fall_back(request, wall_clock())).map_or(Fetched::Failed, Fetched::Answer)
}

fn with_cache<T>(work: impl FnOnce(&mut Cache) -> T) -> T {
    CACHE.with(|cache| work(&mut cache.borrow_mut()))
}
