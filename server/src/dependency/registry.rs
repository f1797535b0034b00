//! The registry of a process's dependencies, their statuses, and the tasks that run their checks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

use super::check_state::{CheckResult, CheckState};
use super::{CheckDetails, CheckError, Dependency, DependencyError, MAX_DEPENDENCIES};
use crate::panic::catch_panic;

/// The status of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyStatus {
    /// Name of the dependency.
    pub name: String,
    /// Whether its check passed.
    pub ok: bool,
    /// Why the check failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Duration of the check, in milliseconds.
    pub duration_ms: u64,
    /// Age of the result, in milliseconds.
    pub age_ms: u64,
    /// Details of the check.
    pub details: CheckDetails,
}

/// The dependencies of a process.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// Zero of all times kept here.
    start: Instant,
    tracked: Vec<Arc<TrackedDependency>>,
}

#[derive(Debug)]
struct TrackedDependency {
    dependency: Dependency,
    start: Instant,
    state: watch::Sender<CheckState>,
}

impl Default for Dependencies {
    fn default() -> Self {
        Dependencies { start: Instant::now(), tracked: Vec::new() }
    }
}

impl Dependencies {
    /// Creates a registry; no dependency is checked yet.
    pub(crate) fn new(dependencies: Vec<Dependency>) -> Result<Self, DependencyError> {
        if dependencies.len() > MAX_DEPENDENCIES {
            return Err(DependencyError::TooManyDependencies);
        }
        let start = Instant::now();
        let mut tracked: Vec<Arc<TrackedDependency>> = Vec::new();
        for dependency in dependencies {
            if tracked.iter().any(|known| known.dependency.name == dependency.name) {
                return Err(DependencyError::DuplicateName(dependency.name));
            }
            tracked.push(Arc::new(TrackedDependency { dependency, start, state: watch::Sender::default() }));
        }
        Ok(Dependencies { start, tracked })
    }

    /// Runs the checks whose last result is not fresh, all at the same time, waits for them at most as long as the longest timeout,
    /// and returns all statuses. Must be called within a tokio runtime.
    pub(crate) async fn check_all(&self) -> Vec<DependencyStatus> {
        for tracked in &self.tracked {
            tracked.start_check();
        }
        for tracked in &self.tracked {
            tracked.wait().await;
        }
        self.statuses()
    }

    /// Returns the last statuses without running a check; dependencies that were never checked are missing.
    pub(crate) fn statuses(&self) -> Vec<DependencyStatus> {
        let now = self.start.elapsed();
        self.tracked.iter().filter_map(|tracked| tracked.status(now)).collect()
    }
}

impl TrackedDependency {
    fn start_check(self: &Arc<Self>) {
        let (now, fresh_for) = (self.start.elapsed(), self.dependency.fresh_for);
        if self.state.send_if_modified(|state| state.start_if_due(now, fresh_for)) {
            let tracked = Arc::clone(self);
            tokio::spawn(async move {
                let outcome = tracked.dependency.run_check().await;
                let at = tracked.start.elapsed();
                let result = CheckResult { at, took: at.saturating_sub(now), outcome };
                tracked.state.send_modify(|state| state.finish_check(result));
            });
        }
    }

    /// Waits until no check is running, or the one that is has reached its timeout.
    async fn wait(&self) {
        let Some(since) = self.state.borrow().running_since else { return };
        let deadline = self.start + since + self.dependency.timeout;
        let mut state = self.state.subscribe();
        let _ = timeout_at(deadline.into(), state.wait_for(|state| state.running_since.is_none())).await;
    }

    fn status(&self, now: Duration) -> Option<DependencyStatus> {
        let CheckResult { at, took, outcome } =
            self.state.borrow().current_result(now, self.dependency.timeout)?;
        let (details, error) = match outcome {
            Ok(details) => (details, None),
            Err(error) => (CheckDetails::default(), Some(error.to_string())),
        };
        let name = self.dependency.name.clone();
        let (duration_ms, age_ms) = (millis(took), millis(now.saturating_sub(at)));
        Some(DependencyStatus { name, ok: error.is_none(), error, duration_ms, age_ms, details })
    }
}

impl Dependency {
    async fn run_check(&self) -> Result<CheckDetails, CheckError> {
        let checked = catch_panic(async { timeout(self.timeout, (self.check)()).await }).await;
        match checked {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_elapsed)) => Err(CheckError::TimedOut(self.timeout)),
            Err(_panic) => Err(CheckError::Panicked),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    fn names_and_faults(statuses: &[DependencyStatus]) -> Vec<(&str, Option<&str>)> {
        statuses.iter().map(|status| (status.name.as_str(), status.error.as_deref())).collect()
    }

    /// A timeout that no check of these tests reaches.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_check_that_fails_hangs_or_panics_is_reported_and_delays_no_other() {
        let gate = Arc::new(Barrier::new(2));
        let blocked = Arc::clone(&gate);
        let registry = Dependencies::new(vec![
            Dependency::new("well", || async { Ok(CheckDetails::default().with("size", 3)) })
                .timeout(PATIENCE),
            Dependency::new("fails", || async { Err(CheckError::failed("x".repeat(400))) }).timeout(PATIENCE),
            Dependency::new("slow", pending).timeout(SHORT),
            Dependency::new("panics", || async { panic!("on purpose") }).timeout(PATIENCE),
            Dependency::new("panics at once", || -> std::future::Ready<_> { panic!("on purpose") })
                .timeout(PATIENCE),
            Dependency::new("blocks", move || {
                let gate = Arc::clone(&blocked);
                async move {
                    gate.wait();
                    Ok(CheckDetails::default())
                }
            })
            .timeout(SHORT)
            .fresh_for(Duration::ZERO),
        ])
        .unwrap();
        assert_eq!(registry.statuses(), []);
        let statuses = registry.check_all().await;
        let cut = "x".repeat(300);
        let expected = [
            ("well", None),
            ("fails", Some(cut.as_str())),
            ("slow", Some("no answer within 20ms")),
            ("panics", Some("the check panicked")),
            ("panics at once", Some("the check panicked")),
            ("blocks", Some("no answer within 20ms")),
        ];
        assert_eq!(names_and_faults(&statuses), expected);
        assert_eq!(statuses[0].details, CheckDetails::default().with("size", 3));
        assert_eq!(names_and_faults(&registry.statuses()), expected);
        assert_eq!(
            names_and_faults(&registry.check_all().await)[5],
            ("blocks", Some("no answer within 20ms")),
            "it is still blocked"
        );
        gate.wait();
    }

    #[tokio::test]
    async fn concurrent_requests_share_one_check_and_a_fresh_result_needs_none() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = |calls: &Arc<AtomicU32>| {
            let calls = Arc::clone(calls);
            move || {
                calls.fetch_add(1, Ordering::Relaxed);
                async {
                    tokio::task::yield_now().await;
                    Ok(CheckDetails::default())
                }
            }
        };
        let lasting = Dependency::new("lasting", counted(&calls)).timeout(PATIENCE).fresh_for(PATIENCE);
        let registry = Arc::new(Dependencies::new(vec![lasting]).unwrap());
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move { registry.check_all().await.len() })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), 1);
        }
        assert!(registry.check_all().await[0].ok);
        assert_eq!(calls.load(Ordering::Relaxed), 1);

        calls.store(0, Ordering::Relaxed);
        let stale = Dependency::new("stale", counted(&calls)).timeout(PATIENCE).fresh_for(Duration::ZERO);
        let registry = Dependencies::new(vec![stale]).unwrap();
        for _ in 0..3 {
            registry.check_all().await;
        }
        assert_eq!(calls.load(Ordering::Relaxed), 3, "a stale result is checked again");
    }

    #[test]
    fn dependencies_are_limited_in_number_and_need_unique_names() {
        let named = |n: usize| Dependency::new(&n.to_string(), || async { Ok(CheckDetails::default()) });
        assert!(Dependencies::new((0..MAX_DEPENDENCIES).map(named).collect()).is_ok());
        assert_eq!(
            Dependencies::new((0..=MAX_DEPENDENCIES).map(named).collect()).err(),
            Some(DependencyError::TooManyDependencies)
        );
        assert_eq!(
            Dependencies::new(vec![named(1), named(1)]).err(),
            Some(DependencyError::DuplicateName("1".into()))
        );
    }
}
