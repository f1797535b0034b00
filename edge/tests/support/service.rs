//! How the service of a recipient answers, in every simulation of alerts.

use fastrand::Rng;
use serde::Serialize;

/// How a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Service {
    /// It accepts every message.
    Works,
    /// Status 500; it has not accepted the message.
    Fails,
    /// Status 429, with this many seconds in `Retry-After`.
    Busy(u16),
    /// Status 404.
    Rejects,
    /// It accepts the message, and its answer is lost.
    Mute,
    /// Status 410: there is no such subscription any more.
    Gone,
}

impl Service {
    /// A service that does not work, for some reason.
    pub(crate) fn random_failure(rng: &mut Rng, is_subscriber: bool) -> Service {
        let seconds = rng.u16(..3600);
        let all = [Service::Fails, Service::Busy(seconds), Service::Rejects, Service::Mute, Service::Gone];
        all[rng.usize(..if is_subscriber { 5 } else { 4 })]
    }
}
