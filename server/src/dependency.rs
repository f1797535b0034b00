//! What the application cannot work without: a database, a queue, another service.
//!
//! A dependency has a name and a check. `/health/ready` is 503 while one fails, so that requests go where all is well;
//! `/health` and `/health/live` never look at them, because starting a process anew mends no database. A check is
//! made when somebody asks and the last answer is no longer fresh, once for all who ask meanwhile. One that fails,
//! hangs or panics is a finding and nothing worse.

mod board;
#[cfg(feature = "sqlx")]
pub mod database;
mod health;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::event::cut;
use serde::Serialize;

pub(crate) use board::Dependencies;
pub use board::DependencyStatus;

/// Most dependencies that one process can have.
pub const MAX_DEPENDENCIES: usize = 16;

/// Most figures that one check can tell.
pub const MAX_FIGURES: usize = 8;

/// How long a check may take unless it says otherwise. Balancers wait a few seconds for `/health/ready`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an answer counts unless the dependency says otherwise.
pub const DEFAULT_FRESH_FOR: Duration = Duration::from_secs(5);

type Checked = Pin<Box<dyn Future<Output = Result<CheckDetails, CheckError>> + Send>>;

/// Something that `/health/ready` depends on.
///
/// ```
/// use heapbeat::dependency::{Dependency, CheckError, CheckDetails};
///
/// let queue = Dependency::new("queue", || async {
///     let waiting = 7; // ask it
///     if waiting < 1000 { Ok(CheckDetails::default().with("waiting", waiting)) } else { Err(CheckError::failed("too long")) }
/// });
/// ```
#[derive(Clone)]
pub struct Dependency {
    name: String,
    timeout: Duration,
    fresh_for: Duration,
    check: Arc<dyn Fn() -> Checked + Send + Sync>,
}

impl Dependency {
    /// A dependency of this name (cut to 300 bytes), to be checked by `check`.
    ///
    /// The check runs as a task of its own. When it takes longer than its timeout it is dropped; one that blocks its
    /// thread cannot be, and is not called again before it has come back.
    pub fn new<F>(name: &str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<CheckDetails, CheckError>> + Send + 'static,
    {
        let (timeout, fresh_for) = (DEFAULT_TIMEOUT, DEFAULT_FRESH_FOR);
        Dependency { name: cut(name), timeout, fresh_for, check: Arc::new(move || Box::pin(check())) }
    }

    /// How long a check may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an answer counts: checks are at least this far apart, however often somebody asks.
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

/// What a check that went well tells beside that: numbers with a name, at most [`MAX_FIGURES`]; more are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckDetails(Vec<(&'static str, u64)>);

impl CheckDetails {
    /// The same, and one more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: u64) -> Self {
        if self.0.len() < MAX_FIGURES {
            self.0.push((name, value));
        }
        self
    }

    /// All of them, in the order in which they were told.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().copied()
    }
}

impl Serialize for CheckDetails {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Why a dependency is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The check says so; at most 300 bytes of it.
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
    /// A check's own words, cut to 300 bytes. They are shown to whoever can sign a request.
    pub fn failed(why: impl fmt::Display) -> Self {
        CheckError::Failed(cut(&why.to_string()))
    }
}

/// One dependency more than [`MAX_DEPENDENCIES`], or two of one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    /// Too many.
    #[error("a process can have at most {MAX_DEPENDENCIES} dependencies")]
    TooMany,
    /// The name is taken.
    #[error("there are two dependencies of the name {0:?}")]
    Twice(String),
}
