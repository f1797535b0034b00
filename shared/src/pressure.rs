//! The memory pressure levels.
//!
//! The five levels are ordered from calm to shed. The server defines what happens at each level; this module defines their
//! order, their names and the public status of each.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::health::Status;

/// The memory pressure level; a later level is closer to the limit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
#[cbor(index_only)]
pub enum Pressure {
    /// Memory is below every threshold.
    #[default]
    #[n(0)]
    Calm,
    /// The guard logs a warning and sends an alert.
    #[n(1)]
    Alert,
    /// Caches shrink and the allocator returns memory to the kernel.
    #[n(2)]
    Purge,
    /// A new worker replaces this one.
    #[n(3)]
    Recycle,
    /// New requests are refused by route priority.
    #[n(4)]
    Shed,
}

impl Pressure {
    /// Every level, calmest first.
    pub const ALL: [Pressure; 5] =
        [Pressure::Calm, Pressure::Alert, Pressure::Purge, Pressure::Recycle, Pressure::Shed];

    /// Returns the name on the wire and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Pressure::Calm => "calm",
            Pressure::Alert => "alert",
            Pressure::Purge => "purge",
            Pressure::Recycle => "recycle",
            Pressure::Shed => "shed",
        }
    }

    /// Returns the public status of `/health`: calm is healthy, alert and purge are degraded, recycle and shed are critical.
    pub const fn status(self) -> Status {
        match self {
            Pressure::Calm => Status::Healthy,
            Pressure::Alert | Pressure::Purge => Status::Degraded,
            Pressure::Recycle | Pressure::Shed => Status::Critical,
        }
    }
}

impl std::fmt::Display for Pressure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_their_statuses_are_ordered() {
        assert!(Pressure::ALL.is_sorted());
        assert!(Pressure::ALL.map(Pressure::status).is_sorted());
    }

    #[test]
    fn level_names_match_the_wire() {
        for level in Pressure::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
    }
}
