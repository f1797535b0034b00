//! Dependencies: what the application cannot work without, such as a database, a queue or another service.
//!
//! A dependency has a name and a check. `/health/ready` returns 503 while a check fails, so that requests are routed elsewhere.
//! `/health` and `/health/live` ignore dependencies, because restarting the process repairs no database. A check runs when the
//! status is requested and the last result is no longer fresh, once for all requests that wait for it. A check that fails, hangs or
//! panics is reported and has no other effect.

mod check_state;
#[cfg(feature = "sqlx")]
pub mod database;
mod registry;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::event::cut;
use serde::Serialize;

pub(crate) use registry::Dependencies;
pub use registry::DependencyStatus;

/// Maximum number of dependencies of a process.
pub const MAX_DEPENDENCIES: usize = 16;

/// Maximum number of details of one check.
pub const MAX_FIGURES: usize = 8;

/// Default timeout of a check. Load balancers wait a few seconds for `/health/ready`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// Default time for which a result is fresh.
pub const DEFAULT_FRESH_FOR: Duration = Duration::from_secs(5);

type CheckFuture = Pin<Box<dyn Future<Output = Result<CheckDetails, CheckError>> + Send>>;

/// Something that `/health/ready` depends on.
///
/// ```
/// use heapbeat::dependency::{Dependency, CheckError, CheckDetails};
///
/// let queue = Dependency::new("queue", || async {
///     let waiting = 7; // read the length of the queue
///     if waiting < 1000 { Ok(CheckDetails::default().with("waiting", waiting)) } else { Err(CheckError::failed("too long")) }
/// });
/// ```
#[derive(Clone)]
pub struct Dependency {
    name: String,
    timeout: Duration,
    fresh_for: Duration,
    check: Arc<dyn Fn() -> CheckFuture + Send + Sync>,
}

impl Dependency {
    /// Creates a dependency with a name, cut to 300 bytes, and its check.
    ///
    /// The check runs as a task of its own and is dropped at its timeout. A check that blocks its thread cannot be dropped; it is not
    /// called again before it has returned.
    pub fn new<F>(name: &str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<CheckDetails, CheckError>> + Send + 'static,
    {
        let (timeout, fresh_for) = (DEFAULT_TIMEOUT, DEFAULT_FRESH_FOR);
        Dependency { name: cut(name), timeout, fresh_for, check: Arc::new(move || Box::pin(check())) }
    }

    /// Sets the timeout of the check.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the time for which a result is fresh, which is the least time between two checks.
    #[must_use]
    pub fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = fresh_for;
        self
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dependency({})", self.name)
    }
}

/// Details of a check that passed: named numbers, at most [`MAX_FIGURES`]; more are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckDetails(Vec<(&'static str, u64)>);

impl CheckDetails {
    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: u64) -> Self {
        if self.0.len() < MAX_FIGURES {
            self.0.push((name, value));
        }
        self
    }

    /// Iterates over the details in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }
}

impl Serialize for CheckDetails {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The check returned an error; its text has at most 300 bytes.
    #[error("{0}")]
    Failed(String),
    /// The check took longer than its timeout.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The check panicked.
    #[error("the check panicked")]
    Panicked,
}

impl CheckError {
    /// Creates the error of a check, with a text cut to 300 bytes. The text is shown to clients that can sign a request.
    pub fn failed(why: impl fmt::Display) -> Self {
        CheckError::Failed(cut(&why.to_string()))
    }
}

/// Why a list of dependencies is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// There are more than [`MAX_DEPENDENCIES`].
    #[error("a process can have at most {MAX_DEPENDENCIES} dependencies")]
    TooManyDependencies,
    /// Two dependencies have the same name.
    #[error("two dependencies are named {0:?}; each needs a name of its own")]
    DuplicateName(String),
}
