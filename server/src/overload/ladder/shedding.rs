//! The share of new requests to shed.
//!
//! A single threshold would oscillate: all requests are refused, memory falls, all are admitted. So the share grows with memory between
//! two thresholds, `(memory - from) / (full - from)`, as with Envoy's scaled triggers.

use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};

use super::Observation;

/// Share of new requests to shed, in thousandths: 0 to 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShedShare(u16);

impl ShedShare {
    /// No requests are shed.
    pub const NONE: ShedShare = ShedShare(0);
    /// All requests are shed.
    pub const ALL: ShedShare = ShedShare(1000);

    /// Creates a share of at most 1000 thousandths.
    pub const fn from_thousandths(thousandths: u16) -> Self {
        if thousandths < 1000 { ShedShare(thousandths) } else { ShedShare::ALL }
    }

    /// Returns the share in thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// Returns the position of `memory` between `from` and `full`.
    pub(super) fn between(memory: Bytes, from: Bytes, full: Bytes) -> Self {
        let way = u128::from(memory.saturating_sub(from).0) * 1000;
        let thousandths = way.checked_div(u128::from(full.saturating_sub(from).0)).unwrap_or(1000);
        ShedShare(u16::try_from(thousandths).unwrap_or(1000).min(1000))
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Shedding {
    share: ShedShare,
    since: Option<Duration>,
}

impl Shedding {
    pub(super) fn follow(&mut self, observation: &Observation, level: Pressure) {
        if level != Pressure::Shed {
            *self = Shedding::default();
            return;
        }
        let (levels, limit) = (&observation.levels, observation.levels.limit());
        let shed = levels.enter(Pressure::Shed);
        // If a replacement can take over, shedding starts at its own threshold and is complete half way to the limit; otherwise it starts at
        // the recycle threshold and is complete at its own.
        self.share = if observation.replaceable() {
            ShedShare::between(observation.memory, shed, Bytes(shed.0.midpoint(limit.0)))
        } else {
            ShedShare::between(observation.memory, levels.enter(Pressure::Recycle), shed)
        };
        self.since = (self.share > ShedShare::NONE).then(|| self.since.unwrap_or(observation.now));
    }

    pub(super) fn share(&self) -> ShedShare {
        self.share
    }

    /// Returns for how long requests have been shed.
    pub(super) fn lasted(&self, now: Duration) -> Duration {
        self.since.map_or(Duration::ZERO, |since| now.saturating_sub(since))
    }
}
