//! Load shedding: a share of new requests is refused, by the priority of their path.
//!
//! The share is spread evenly (error diffusion): of a hundred requests at 30 %, exactly thirty are refused. The library's own layer
//! does the same for axum routes; here the priorities are path patterns, because nobody knows the program's routes.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Priority of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Refused twice as often as normal requests.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Refused only if more than half of all requests must be.
    High,
    /// Never refused.
    Critical,
}

impl Priority {
    /// Returns the share of requests of this priority to refuse if `share` thousandths of all must be.
    fn share(self, share: u16) -> u16 {
        match self {
            Priority::Low => share.saturating_mul(2).min(1000),
            Priority::Normal => share.min(1000),
            Priority::High => share.saturating_mul(2).saturating_sub(1000).min(1000),
            Priority::Critical => 0,
        }
    }
}

/// Priorities by path pattern. The most specific pattern wins.
#[derive(Clone, Debug, Default)]
pub struct Priorities {
    patterns: matchit::Router<Priority>,
}

/// A pattern is malformed, or there is one for the same paths already.
#[derive(Debug, thiserror::Error)]
#[error("{pattern}: {reason}; a pattern is a path such as /admin, /users/{{id}} or /reports/{{*rest}}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    reason: matchit::InsertError,
}

impl Priorities {
    /// Adds the priority of a pattern such as `/admin`, `/users/{id}` or `/reports/{*rest}`.
    pub fn add(&mut self, pattern: &str, priority: Priority) -> Result<(), PatternError> {
        self.patterns
            .insert(pattern, priority)
            .map_err(|reason| PatternError { pattern: pattern.to_owned(), reason })
    }

    fn of(&self, path: &str) -> Priority {
        self.patterns.at(path).map_or(Priority::Normal, |found| *found.value)
    }
}

/// The share of requests that is refused now.
#[derive(Debug)]
pub(crate) struct Gate {
    priorities: Priorities,
    /// Share to refuse, in thousandths.
    share: AtomicU16,
    /// Accumulated thousandths of refusals; each whole thousand refuses one request.
    owed: AtomicU32,
    refused: AtomicU64,
}

impl Gate {
    pub(crate) fn new(priorities: Priorities) -> Self {
        Gate { priorities, share: AtomicU16::new(0), owed: AtomicU32::new(0), refused: AtomicU64::new(0) }
    }

    pub(crate) fn set(&self, thousandths: u16) {
        self.share.store(thousandths.min(1000), Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Decides whether to admit a request for `path`.
    pub(crate) fn admits(&self, path: &str) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        if share == 0 {
            return true;
        }
        let share = u32::from(self.priorities.of(path).share(share));
        let owed = self.owed.fetch_add(share, Ordering::Relaxed) % 1000;
        let refuse = owed + share >= 1000;
        if refuse {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        !refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_follows_the_priority_of_the_path() {
        let mut priorities = Priorities::default();
        for (pattern, priority) in [
            ("/admin/{*rest}", Priority::Critical),
            ("/reports/{id}", Priority::Low),
            ("/checkout", Priority::High),
        ] {
            priorities.add(pattern, priority).unwrap();
        }
        // Path, share in thousandths, refused of a hundred.
        let cases = [
            ("/", 0, 0),
            ("/", 300, 30),
            ("/", 1000, 100),
            ("/reports/1", 300, 60),
            ("/reports/1/x", 300, 30),
            ("/checkout", 500, 0),
            ("/checkout", 750, 50),
            ("/admin/users", 1000, 0),
        ];
        for (path, share, refused) in cases {
            let gate = Gate::new(priorities.clone());
            gate.set(share);
            let counted = (0..100).filter(|_| !gate.admits(path)).count();
            assert_eq!((counted, gate.refused()), (refused, refused as u64), "{path} at {share}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_work_names_itself() {
        let mut priorities = Priorities::default();
        priorities.add("/users/{id}", Priority::Low).unwrap();
        for pattern in ["/users/{name}", "/a/{b", "/x/{*y}/z"] {
            let message = priorities.add(pattern, Priority::High).unwrap_err().to_string();
            assert!(message.starts_with(pattern), "{message}");
        }
    }
}
