//! The id of an incident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::monitor_config::MonitorId;

/// The last second of the year 9999 in Unix time.
pub const LAST_SECOND: i64 = 253_402_300_799;

/// The monitor of an incident and the second of Unix time in which it opened, written `api-1767225600`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId {
    /// The monitor.
    pub monitor: MonitorId,
    /// The second of Unix time, up to [`LAST_SECOND`].
    pub opened: i64,
}

/// The text is not the id of an incident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an incident's id is the id of its monitor, a dash and a second of Unix time, such as api-1767225600"
)]
pub struct IncidentIdError;

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.monitor, self.opened)
    }
}

impl FromStr for IncidentId {
    type Err = IncidentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (monitor, second) = text.rsplit_once('-').ok_or(IncidentIdError)?;
        // `+5` is a number to the standard library.
        if !second.bytes().all(|b| b.is_ascii_digit()) {
            return Err(IncidentIdError);
        }
        let opened = second.parse().ok().filter(|second| (0..=LAST_SECOND).contains(second));
        Ok(IncidentId {
            monitor: monitor.parse().map_err(|_| IncidentIdError)?,
            opened: opened.ok_or(IncidentIdError)?,
        })
    }
}

impl TryFrom<String> for IncidentId {
    type Error = IncidentIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_monitor_and_a_second() {
        let id: IncidentId = "my-api-1767225600".parse().unwrap();
        assert_eq!((id.monitor.as_str(), id.opened), ("my-api", 1_767_225_600));
        assert_eq!(id.to_string(), "my-api-1767225600");
        for wrong in ["", "api", "api-", "-5", "api-x", "api-+5", "API-5", "api--5", "api-99999999999999"] {
            assert_eq!(wrong.parse::<IncidentId>(), Err(IncidentIdError), "{wrong}");
        }
    }
}
