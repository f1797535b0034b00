//! Responses of the hubs, from the cache if it has a fresh one.
//!
//! Each isolate has its own cache. A request may not wait for the I/O of another request, so a request that waits for a response
//! which another one fetches polls the cache.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use heapbeat_shared::UnixMillis;
use worker::{Delay, Env, console_error};

use super::cache::{Cache, CachedResponse, Lookup, SerializedResponse};
use crate::fleet;
use crate::hub_api::{HubError, HubRequest};
use crate::platform::clock::wall_clock;
use crate::settings;

/// The timeout of a request to the hub.
const HUB_TIMEOUT: Duration = Duration::from_secs(3);

/// The interval at which a waiting request polls the cache.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// How long this isolate asks no hub for readers after one refused, as readers had used their part of the day's quota.
const CLOSED_FOR: Duration = Duration::from_secs(300);

thread_local! {
    static CACHE: RefCell<Cache> = const { RefCell::new(Cache::new()) };

    /// Until when no hub is asked for readers.
    static CLOSED_UNTIL: Cell<UnixMillis> = const { Cell::new(UnixMillis(0)) };
}

/// The outcome of a request to the hub.
pub(super) enum Fetched {
    /// The hub's response and its age.
    Found(CachedResponse),
    /// The monitor or incident does not exist.
    NotFound,
    /// There is no response, and no earlier one can stand in.
    Failed(Absence),
}

/// Why there is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Absence {
    /// The hub does not respond.
    Unresponsive,
    /// Readers have used their part of the quota.
    Closed,
}

impl Absence {
    /// The seconds after which a client may ask again.
    pub(super) fn retry_after(self) -> u64 {
        match self {
            Absence::Unresponsive => 10,
            Absence::Closed => CLOSED_FOR.as_secs(),
        }
    }
}

/// Fetches a response: from the cache for a few seconds, and for up to an hour while the hub fails.
pub(super) async fn fetch(env: &Env, request: &HubRequest) -> Fetched {
    let fresh = settings::read_cache_ttl_ms(env);
    if request.is_from_reader() && wall_clock() < CLOSED_UNTIL.get() {
        return answer_without_hub(request, Absence::Closed);
    }
    for _ in 0..HUB_TIMEOUT.as_millis() / POLL_INTERVAL.as_millis() {
        match with_cache(|cache| cache.look_up(request, fresh, wall_clock())) {
            Lookup::Hit(cached) => return Fetched::Found(cached),
            Lookup::Miss => return fetch_from_hub(env, request).await,
            Lookup::Wait => Delay::from(POLL_INTERVAL).await,
        }
    }
    Fetched::Failed(Absence::Unresponsive)
}

async fn fetch_from_hub(env: &Env, request: &HubRequest) -> Fetched {
    match select(pin!(fleet::request_fleet(env, request)), Delay::from(HUB_TIMEOUT)).await {
        Either::Left((Ok(response), _)) => {
            let answer =
                with_cache(|cache| cache.store(request, SerializedResponse::new(response), wall_clock()));
            return Fetched::Found(CachedResponse { answer, age_ms: 0 });
        }
        Either::Left((Err(HubError::NotFound(_)), _)) => {
            with_cache(|cache| cache.remove(request));
            return Fetched::NotFound;
        }
        Either::Left((Err(HubError::ReaderBudget), _)) => {
            CLOSED_UNTIL.set(wall_clock().plus(CLOSED_FOR));
            console_error!("{request:?}: {}", HubError::ReaderBudget);
            return answer_without_hub(request, Absence::Closed);
        }
        Either::Left((Err(error), _)) => console_error!("{request:?}: {error}"),
        Either::Right(_) => console_error!("{request:?}: the hub did not respond within 3 s"),
    }
    answer_without_hub(request, Absence::Unresponsive)
}

/// Returns the last response of the hub, if it is not too old.
fn answer_without_hub(request: &HubRequest, absence: Absence) -> Fetched {
    with_cache(|cache| cache.fall_back(request, wall_clock()))
        .map_or(Fetched::Failed(absence), Fetched::Found)
}

fn with_cache<T>(work: impl FnOnce(&mut Cache) -> T) -> T {
    CACHE.with(|cache| work(&mut cache.borrow_mut()))
}
