//! Which connections may be closed for others, and in which order. Pure.

use std::time::Duration;

use heapbeat_connection::Phase;
use tokio::time::Instant;

use crate::progress::ConnectionProgress;

/// Age from which a connection without a request may be closed for another one. A connection that was just accepted has its request
/// on the way.
const EVICTABLE_AFTER: Duration = Duration::from_millis(250);

/// Wait for a client, in the middle of a request, from which its connection may be closed for another one.
const EVICTABLE_WAIT: Duration = Duration::from_secs(3);

/// Silence of a tunnel from which it may be closed for another connection.
const EVICTABLE_TUNNEL: Duration = Duration::from_secs(60);

/// Age from which a connection of the reserve that has no complete request may be closed for another one. Who asks for a route of the
/// operator sends the request together with the end of the handshake.
const RESERVE_EVICTABLE_AFTER: Duration = Duration::from_millis(25);

/// Why a connection may be closed for another one, and since when; the lowest is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evictable {
    /// It has no complete request.
    NoRequest(Instant),
    /// It waits for its client, which sends no body, takes no response, or has gone.
    WaitsForClient(Instant),
    /// It is a tunnel without bytes.
    SilentTunnel(Instant),
}

impl ConnectionProgress {
    /// Returns why and since when the connection may be closed for another one; `None` if it may not.
    pub(crate) fn evictable(&self, now: Instant) -> Option<Evictable> {
        let phase_since = self.clock.phase_since();
        let after =
            |since: Instant, age: Duration| (now.saturating_duration_since(since) >= age).then_some(since);
        if self.has_client_left() {
            return Some(Evictable::WaitsForClient(phase_since));
        }
        match self.clock.phase() {
            Phase::Idle | Phase::Head => after(phase_since, EVICTABLE_AFTER).map(Evictable::NoRequest),
            Phase::Busy => after(self.waits_for_client()?, EVICTABLE_WAIT).map(Evictable::WaitsForClient),
            Phase::Tunnel => after(phase_since, EVICTABLE_TUNNEL).map(Evictable::SilentTunnel),
            Phase::Linger | Phase::Waiting => None,
        }
    }

    /// The same for a connection that has a part of the room in memory; one that is idle gives it back by itself.
    pub(crate) fn charged_evictable(&self, now: Instant) -> Option<Evictable> {
        let has_part = self.is_charged() && self.clock.phase() != Phase::Idle;
        self.evictable(now).filter(|_| has_part)
    }

    /// Returns since when a connection of the reserve waits for its client; `None` if it may not be closed for another one.
    pub(crate) fn reserve_evictable(&self, now: Instant) -> Option<Instant> {
        let waits = !matches!(self.clock.phase(), Phase::Busy | Phase::Tunnel | Phase::Waiting)
            || self.waits_for_client().is_some()
            || self.has_client_left();
        let since = waits.then(|| self.clock.phase_since())?;
        (now.saturating_duration_since(since) >= RESERVE_EVICTABLE_AFTER).then_some(since)
    }

    /// Returns since when the request waits for the client: for a part of its body, or until it takes a part of the response.
    fn waits_for_client(&self) -> Option<Instant> {
        let body = self.body_since.get(self.clock.began());
        self.clock.stalled_since().into_iter().chain(body).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_without_a_request_are_evictable_and_not_at_once() {
        let began = Instant::now();
        let progress = ConnectionProgress::begin(began);
        let at = |millis: u64| began + Duration::from_millis(millis);
        assert_eq!(progress.evictable(at(249)), None);
        assert_eq!(progress.evictable(at(250)), Some(Evictable::NoRequest(began)));
        assert_eq!(
            (progress.reserve_evictable(at(24)), progress.reserve_evictable(at(25))),
            (None, Some(began))
        );
        assert_eq!(progress.request_started(at(300)), 1);
        assert_eq!((progress.evictable(at(9000)), progress.reserve_evictable(at(9000))), (None, None));
        progress.clock.response_ended(at(10_000));
        assert_eq!(progress.evictable(at(10_100)), None);
        assert_eq!(progress.evictable(at(10_250)), Some(Evictable::NoRequest(at(10_000))));
        assert_eq!(progress.request_started(at(11_000)), 2);
    }

    #[test]
    fn a_connection_that_waits_for_its_client_is_evictable_after_those_without_a_request() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let progress = ConnectionProgress::begin(began);
        progress.request_started(at(1));
        progress.body_awaited(at(2));
        assert_eq!(progress.evictable(at(4)), None, "a body may pause");
        assert_eq!(progress.evictable(at(5)), Some(Evictable::WaitsForClient(at(2))));
        progress.body_arrived();
        assert_eq!(progress.evictable(at(9)), None, "now it waits for the program");
        progress.clock.write_stalled(|| at(10));
        assert_eq!(progress.evictable(at(13)), Some(Evictable::WaitsForClient(at(10))));
        assert_eq!(progress.reserve_evictable(at(11)), Some(at(1)));
        progress.clock.write_resumed(5, || at(14));
        progress.tunnel_moved(at(15));
        assert_eq!(progress.evictable(at(74)), None);
        assert_eq!(progress.evictable(at(75)), Some(Evictable::SilentTunnel(at(15))));
        progress.client_left();
        assert_eq!(progress.evictable(at(16)), Some(Evictable::WaitsForClient(at(15))), "at once");
        assert_eq!(progress.charged_evictable(at(16)), None, "it would free no memory");
        progress.set_charged(true);
        assert!(progress.charged_evictable(at(16)).is_some());
        assert!(Evictable::NoRequest(at(9)) < Evictable::WaitsForClient(at(1)));
    }
}
