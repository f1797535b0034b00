//! The identity of this run of the process.

use heapbeat_shared::{InstanceId, UnixMillis};

use crate::clock::Now;

/// Maximum length of a version, in bytes.
const MAX_VERSION: usize = 100;

/// One run of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Random id.
    pub(crate) id: InstanceId,
    /// A commit or a version.
    pub(crate) version: String,
    /// When the process started.
    pub(crate) started: UnixMillis,
}

impl Instance {
    /// Creates the identity of this run. The version is the application's own, else the commit that Render deployed
    /// (`RENDER_GIT_COMMIT`).
    pub(crate) fn of_this_process(now: Now, version: Option<String>) -> Result<Self, getrandom::Error> {
        Instance::of_a_process(began(now), version)
    }

    /// Creates the identity of a process that started at this time.
    pub(crate) fn of_a_process(
        started: UnixMillis,
        version: Option<String>,
    ) -> Result<Self, getrandom::Error> {
        Ok(Instance { id: InstanceId(getrandom::u64()?), version: version_or_commit(version), started })
    }

    /// Returns an identity for a process that gets none, as there is no source of randomness.
    pub(crate) fn unidentified() -> Self {
        Instance { id: InstanceId(0), version: "unknown".to_owned(), started: UnixMillis(0) }
    }
}

/// Returns a version, else the commit that was deployed, else `unknown`; at most [`MAX_VERSION`] bytes.
pub(crate) fn version_or_commit(version: Option<String>) -> String {
    let version = version.or_else(|| crate::config::environment_variable("RENDER_GIT_COMMIT"));
    let mut version = version.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned());
    version.truncate(version.floor_char_boundary(MAX_VERSION));
    version
}

/// Returns when the process started, from its age.
fn began(now: Now) -> UnixMillis {
    UnixMillis(now.wall.0.saturating_sub(i64::try_from(now.age.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_run_has_a_random_id_and_a_bounded_version() {
        let now = Now { wall: UnixMillis(10_000), age: Duration::from_millis(2500) };
        let [one, other] = [(); 2].map(|()| Instance::of_this_process(now, Some("é".repeat(99))).unwrap());
        assert_ne!(one.id, other.id);
        assert_eq!((one.version.len(), one.started), (100, UnixMillis(7500)));
        let unnamed = Instance::of_this_process(now, Some(String::new())).unwrap();
        assert_eq!(unnamed.version, "unknown");
    }
}
