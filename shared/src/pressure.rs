//! Where memory stands on the ladder.
//!
//! Five rungs, in the order in which they are climbed. What each one does is the server's business; that
//! they are ordered, and what a stranger is told of them, is said here.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::health::Status;

/// How close memory is to its limit; a later rung is a worse one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum Pressure {
    /// Nothing to do.
    #[default]
    #[n(0)]
    Calm,
    /// Somebody should know.
    #[n(1)]
    Alert,
    /// Caches shrink and the allocator gives back.
    #[n(2)]
    Purge,
    /// A fresh worker takes over.
    #[n(3)]
    Recycle,
    /// New requests are refused by priority.
    #[n(4)]
    Shed,
}

impl Pressure {
    /// Every rung, calmest first.
    pub const ALL: [Pressure; 5] =
        [Pressure::Calm, Pressure::Alert, Pressure::Purge, Pressure::Recycle, Pressure::Shed];

    /// The word on the wire and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Pressure::Calm => "calm",
            Pressure::Alert => "alert",
            Pressure::Purge => "purge",
            Pressure::Recycle => "recycle",
            Pressure::Shed => "shed",
        }
    }

    /// What `/health` tells strangers (Contract 1): calm is healthy, the warnings are degraded, the rest is
    /// critical.
    pub const fn status(self) -> Status {
        match self {
            Pressure::Calm => Status::Healthy,
            Pressure::Alert | Pressure::Purge => Status::Degraded,
            Pressure::Recycle | Pressure::Shed => Status::Critical,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_is_climbed_in_order() {
        assert!(Pressure::ALL.is_sorted());
        assert!(Pressure::ALL.map(Pressure::status).is_sorted());
    }

    #[test]
    fn the_word_is_the_same_in_logs_and_on_the_wire() {
        for rung in Pressure::ALL {
            assert_eq!(serde_json::to_value(rung).unwrap(), rung.as_str());
        }
    }
}
