//! The cache of the hubs' responses: fresh for a few seconds, and a fallback for up to an hour while a hub fails. Pure.
//!
//! In a burst of equal requests, one goes to the hub; the others get the previous response or wait for the new one. While the hub is
//! slow or fails, the last response is served with its age. The cache is bounded in entries and in bytes. Requests without a response are
//! evicted first, then those with parameters, then those about one monitor or incident, so that many requests cannot evict the status
//! page.

use std::cell::OnceCell;
use std::rc::Rc;

use heapbeat_shared::UnixMillis;

use super::etag;
use crate::hub_api::{HubRequest, HubResponse};

/// The most entries.
const MAX_ENTRIES: usize = 64;

/// The most bytes of all entries, as JSON.
const MAX_BYTES: usize = 4 << 20;

/// The greatest age of a fallback, in milliseconds.
pub(crate) const MAX_AGE_MS: i64 = 3_600_000;

/// The time after a failure in which the fallback is served without a request to the hub, in milliseconds.
const FAILURE_BACKOFF_MS: i64 = 5_000;

/// The time after which a request to the hub counts as lost and another one is sent, in milliseconds; longer than the hub's timeout.
const REQUEST_TIMEOUT_MS: i64 = 4_000;

/// A response of the hubs with its JSON.
#[derive(Debug, PartialEq)]
pub(crate) struct SerializedResponse {
    /// The response.
    pub(crate) response: HubResponse,
    /// The JSON of the response.
    pub(crate) json: String,
    /// The entity tag of the JSON, once it is asked for: pages do not need it.
    etag: OnceCell<String>,
}

impl SerializedResponse {
    /// Renders the JSON of a response.
    pub(crate) fn new(response: HubResponse) -> Self {
        SerializedResponse { json: response.to_json(), response, etag: OnceCell::new() }
    }

    /// Returns the entity tag of the JSON, which is computed once.
    pub(crate) fn etag(&self) -> &str {
        self.etag.get_or_init(|| etag::entity_tag(self.json.as_bytes()))
    }
}

/// A response and its age.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CachedResponse {
    /// The response.
    pub(crate) answer: Rc<SerializedResponse>,
    /// The age, in milliseconds.
    pub(crate) age_ms: i64,
}

/// The result of a lookup.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lookup {
    /// The cache has a usable response.
    Hit(CachedResponse),
    /// The caller has to send the request to the hub, and to store its response or its failure.
    Miss,
    /// Another request to the hub is under way.
    Wait,
}

#[derive(Debug)]
struct CacheEntry {
    request: HubRequest,
    response: Option<(Rc<SerializedResponse>, UnixMillis)>,
    /// When the request under way was sent.
    sent: Option<UnixMillis>,
    /// When the hub failed, if it has not responded since.
    failed: Option<UnixMillis>,
    used: UnixMillis,
}

impl CacheEntry {
    /// The priority of the entry; the lowest is evicted first.
    fn priority(&self) -> u8 {
        match (&self.response, &self.request) {
            (None, _) => 0,
            (_, HubRequest::Status { .. } | HubRequest::StatusPage) => 3,
            (
                _,
                HubRequest::Monitor { .. }
                | HubRequest::Days { .. }
                | HubRequest::Versions { .. }
                | HubRequest::Incident { .. }
                | HubRequest::IncidentPage { .. },
            ) => 2,
            _ => 1,
        }
    }

    fn bytes(&self) -> usize {
        self.response.as_ref().map_or(0, |(answer, _)| answer.json.len())
    }
}

/// The responses by request.
#[derive(Debug, Default)]
pub(crate) struct Cache(Vec<CacheEntry>);

impl Cache {
    /// An empty cache.
    pub(crate) const fn new() -> Self {
        Cache(Vec::new())
    }

    /// Looks up a response that is at most `fresh_ms` old. Only one caller at a time gets [`Lookup::Miss`].
    pub(crate) fn look_up(&mut self, request: &HubRequest, fresh_ms: i64, now: UnixMillis) -> Lookup {
        let entry = self.entry(request, now);
        let cached = entry
            .response
            .as_ref()
            .map(|(answer, at)| CachedResponse { answer: Rc::clone(answer), age_ms: age(*at, now) });
        let is_under_way = entry.sent.is_some_and(|at| age(at, now) < REQUEST_TIMEOUT_MS);
        let old = cached.as_ref().filter(|cached| cached.age_ms <= MAX_AGE_MS);
        if let (Some(old), Some(failed)) = (old, entry.failed)
            && fresh_ms > 0
            && (is_under_way || age(failed, now) < FAILURE_BACKOFF_MS)
        {
            return Lookup::Hit(old.clone());
        }
        match cached {
            Some(cached) if cached.age_ms < fresh_ms => Lookup::Hit(cached),
            // The request under way brings a new response; until then the previous one is little older.
            Some(cached) if is_under_way && cached.age_ms < fresh_ms.saturating_add(REQUEST_TIMEOUT_MS) => {
                Lookup::Hit(cached)
            }
            _ if is_under_way && fresh_ms > 0 => Lookup::Wait,
            _ => {
                entry.sent = Some(now);
                Lookup::Miss
            }
        }
    }

    /// Stores a response of the hub.
    pub(crate) fn store(
        &mut self,
        request: &HubRequest,
        answer: SerializedResponse,
        now: UnixMillis,
    ) -> Rc<SerializedResponse> {
        let answer = Rc::new(answer);
        let entry = self.entry(request, now);
        entry.sent = None;
        entry.failed = None;
        entry.response = Some((Rc::clone(&answer), now));
        self.make_room(request);
        answer
    }

    /// Removes a request for something that does not exist.
    pub(crate) fn remove(&mut self, request: &HubRequest) {
        self.0.retain(|entry| entry.request != *request);
    }

    /// Records that the hub failed, and returns its last response if that is not too old.
    pub(crate) fn fall_back(&mut self, request: &HubRequest, now: UnixMillis) -> Option<CachedResponse> {
        let entry = self.0.iter_mut().find(|entry| entry.request == *request)?;
        entry.sent = None;
        entry.failed = Some(now);
        let (answer, at) = entry.response.as_ref()?;
        let age_ms = age(*at, now);
        (age_ms <= MAX_AGE_MS).then(|| CachedResponse { answer: Rc::clone(answer), age_ms })
    }

    fn entry(&mut self, request: &HubRequest, now: UnixMillis) -> &mut CacheEntry {
        let found = self.0.iter().position(|entry| entry.request == *request);
        let at = found.unwrap_or_else(|| {
            let request = request.clone();
            self.0.push(CacheEntry {
                request: request.clone(),
                response: None,
                sent: None,
                failed: None,
                used: now,
            });
            self.make_room(&request);
            self.0.len() - 1
        });
        let entry = &mut self.0[at];
        entry.used = now;
        entry
    }

    /// Evicts entries of the lowest priority, least recently used first, but not `keep`, which is the last entry.
    fn make_room(&mut self, keep: &HubRequest) {
        while self.0.len() > MAX_ENTRIES || self.0.iter().map(CacheEntry::bytes).sum::<usize>() > MAX_BYTES {
            let others = self.0.iter().enumerate().filter(|(_, entry)| entry.request != *keep);
            let Some((at, _)) = others.min_by_key(|(_, entry)| (entry.priority(), entry.used.0)) else {
                return;
            };
            self.0.remove(at);
        }
    }
}

/// Returns the milliseconds since `at`, at least 0 even if the clock was set back.
fn age(at: UnixMillis, now: UnixMillis) -> i64 {
    now.0.saturating_sub(at.0).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub_api::{Audience, TimeRange};

    const FRESH: i64 = 5_000;
    const PAGE: HubRequest = HubRequest::StatusPage;

    fn at(ms: i64) -> UnixMillis {
        UnixMillis(1_767_225_600_000 + ms)
    }

    fn response(text: &str) -> SerializedResponse {
        SerializedResponse::new(HubResponse::Export(text.to_owned()))
    }

    fn hit(text: &str, age_ms: i64) -> Lookup {
        Lookup::Hit(CachedResponse { answer: Rc::new(response(text)), age_ms })
    }

    #[test]
    fn one_request_of_a_burst_goes_to_the_hub() {
        let mut cache = Cache::new();
        assert_eq!(cache.look_up(&PAGE, FRESH, at(0)), Lookup::Miss);
        assert_eq!(cache.look_up(&PAGE, FRESH, at(10)), Lookup::Wait);
        let status = HubRequest::Status { audience: Audience::Public };
        assert_eq!(cache.look_up(&status, FRESH, at(10)), Lookup::Miss, "another request");
        cache.store(&PAGE, response("one"), at(20));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(30)), hit("one", 10));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(5_019)), hit("one", 4_999));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(5_020)), Lookup::Miss, "old");
        assert_eq!(cache.look_up(&PAGE, FRESH, at(5_021)), hit("one", 5_001), "while a request is under way");
        cache.store(&PAGE, response("two"), at(5_030));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(5_031)), hit("two", 1));
    }

    #[test]
    fn the_entity_tag_of_a_response_is_computed_once() {
        let answer = response("text");
        let tag = answer.etag();
        assert_eq!(tag, etag::entity_tag(answer.json.as_bytes()));
        assert_eq!(answer.etag().as_ptr(), tag.as_ptr());
    }

    #[test]
    fn a_lost_request_does_not_block_others() {
        let mut cache = Cache::new();
        assert_eq!(cache.look_up(&PAGE, FRESH, at(0)), Lookup::Miss);
        assert_eq!(cache.look_up(&PAGE, FRESH, at(3_999)), Lookup::Wait);
        assert_eq!(cache.look_up(&PAGE, FRESH, at(4_000)), Lookup::Miss);
    }

    #[test]
    fn the_last_response_is_served_for_an_hour_while_the_hub_fails() {
        let mut cache = Cache::new();
        assert_eq!(cache.fall_back(&PAGE, at(0)), None);
        cache.store(&PAGE, response("one"), at(0));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(60_000)), Lookup::Miss);
        let old = CachedResponse { answer: Rc::new(response("one")), age_ms: 60_000 };
        assert_eq!(cache.fall_back(&PAGE, at(60_000)), Some(old));
        assert_eq!(cache.look_up(&PAGE, FRESH, at(64_999)), hit("one", 64_999), "the hub has a rest");
        assert_eq!(
            cache.look_up(&PAGE, FRESH, at(65_000)),
            Lookup::Miss,
            "and the next request goes to the hub"
        );
        assert_eq!(cache.look_up(&PAGE, FRESH, at(66_000)), hit("one", 66_000), "other requests do not wait");
        assert!(cache.fall_back(&PAGE, at(MAX_AGE_MS)).is_some());
        assert_eq!(cache.fall_back(&PAGE, at(MAX_AGE_MS + 1)), None);
        cache.remove(&PAGE);
        assert_eq!(cache.fall_back(&PAGE, at(0)), None);
    }

    #[test]
    fn without_a_fresh_time_every_request_goes_to_the_hub() {
        let mut cache = Cache::new();
        assert_eq!(cache.look_up(&PAGE, 0, at(0)), Lookup::Miss);
        assert_eq!(cache.look_up(&PAGE, 0, at(0)), Lookup::Miss);
        cache.store(&PAGE, response("one"), at(0));
        assert_eq!(cache.look_up(&PAGE, 0, at(0)), Lookup::Miss);
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_the_page() {
        let mut cache = Cache::new();
        cache.store(&PAGE, response("the page"), at(0));
        let memory = |n: i64| HubRequest::Memory {
            monitor: "api".parse().unwrap(),
            range: TimeRange { from: Some(UnixMillis(n)), to: None },
        };
        for n in 0..1_000 {
            assert_eq!(cache.look_up(&memory(n), FRESH, at(n)), Lookup::Miss);
            cache.store(&memory(n), response(&"x".repeat(100_000)), at(n));
            let bytes: usize = cache.0.iter().map(CacheEntry::bytes).sum();
            assert!(cache.0.len() <= MAX_ENTRIES && bytes <= MAX_BYTES, "{} of {bytes}", cache.0.len());
        }
        assert!(cache.fall_back(&PAGE, at(1_000)).is_some());
        assert!(cache.fall_back(&memory(999), at(1_000)).is_some());
        for n in 0..1_000 {
            // Requests to a hub that does not respond, and to one that does.
            let unknown = HubRequest::Monitor { monitor: format!("nobody-{n}").parse().unwrap() };
            assert_eq!(cache.look_up(&unknown, FRESH, at(2_000 + n)), Lookup::Miss);
            assert_eq!(cache.fall_back(&unknown, at(2_000 + n)), None);
            let incident = HubRequest::IncidentPage { incident: format!("api-{n}").parse().unwrap() };
            cache.store(&incident, response("an incident"), at(2_000 + n));
            assert!(cache.0.len() <= MAX_ENTRIES);
        }
        assert!(cache.fall_back(&PAGE, at(3_000)).is_some(), "other requests do not evict the page");
        let huge = "x".repeat(MAX_BYTES + 1);
        let stored = cache.store(&HubRequest::AppliedMonitors, response(&huge), at(0));
        assert_eq!(stored.json, huge, "it is answered");
    }
}
