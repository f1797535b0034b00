//! All dependencies of a process, what is known of them, and the tasks that ask.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

use super::health::{CachedResult, Seen};
use super::{CheckDetails, CheckError, Dependency, DependencyError, MAX_DEPENDENCIES};
use crate::panic::catch_panic;

/// What is known of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyStatus {
    /// Its name.
    pub name: String,
    /// Whether it can be worked with.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How long the check took, in milliseconds.
    pub took_ms: u64,
    /// How old the answer is, in milliseconds.
    pub age_ms: u64,
    /// What else the check told.
    pub figures: CheckDetails,
}

/// The dependencies of a process.
#[derive(Debug)]
pub(crate) struct Dependencies {
    /// Where the times that are kept begin.
    start: Instant,
    watched: Vec<Arc<TrackedDependency>>,
}

#[derive(Debug)]
struct TrackedDependency {
    dependency: Dependency,
    start: Instant,
    seen: watch::Sender<Seen>,
}

impl Default for Dependencies {
    fn default() -> Self {
        Dependencies { start: Instant::now(), watched: Vec::new() }
    }
}

impl Dependencies {
    /// These dependencies, none of them checked yet.
    pub(crate) fn new(dependencies: Vec<Dependency>) -> Result<Self, DependencyError> {
        if dependencies.len() > MAX_DEPENDENCIES {
            return Err(DependencyError::TooMany);
        }
        let start = Instant::now();
        let mut watched: Vec<Arc<TrackedDependency>> = Vec::new();
        for dependency in dependencies {
            if watched.iter().any(|known| known.dependency.name == dependency.name) {
                return Err(DependencyError::Twice(dependency.name));
            }
            watched.push(Arc::new(TrackedDependency { dependency, start, seen: watch::Sender::default() }));
        }
        Ok(Dependencies { start, watched })
    }

    /// Asks those whose last answer is old, all at the same time, and waits for them: at most for the longest of
    /// their timeouts. Must be called within a tokio runtime.
    pub(crate) async fn ask(&self) -> Vec<DependencyStatus> {
        for watched in &self.watched {
            watched.begin();
        }
        for watched in &self.watched {
            watched.wait().await;
        }
        self.known()
    }

    /// What is known without asking; nothing of what was never asked.
    pub(crate) fn known(&self) -> Vec<DependencyStatus> {
        let now = self.start.elapsed();
        self.watched.iter().filter_map(|watched| watched.finding(now)).collect()
    }
}

impl TrackedDependency {
    fn begin(self: &Arc<Self>) {
        let (now, fresh_for) = (self.start.elapsed(), self.dependency.fresh_for);
        if self.seen.send_if_modified(|seen| seen.begin(now, fresh_for)) {
            let watched = Arc::clone(self);
            tokio::spawn(async move {
                let outcome = watched.dependency.ask().await;
                let at = watched.start.elapsed();
                let answer = CachedResult { at, took: at.saturating_sub(now), outcome };
                watched.seen.send_modify(|seen| seen.end(answer));
            });
        }
    }

    /// Until no check is on its way, or the one that is has become overdue.
    async fn wait(&self) {
        let Some(since) = self.seen.borrow().underway else { return };
        let deadline = self.start + since + self.dependency.timeout;
        let mut seen = self.seen.subscribe();
        let _ = timeout_at(deadline.into(), seen.wait_for(|seen| seen.underway.is_none())).await;
    }

    fn finding(&self, now: Duration) -> Option<DependencyStatus> {
        let CachedResult { at, took, outcome } = self.seen.borrow().answer(now, self.dependency.timeout)?;
        let (figures, fault) = match outcome {
            Ok(figures) => (figures, None),
            Err(fault) => (CheckDetails::default(), Some(fault.to_string())),
        };
        let name = self.dependency.name.clone();
        let (took_ms, age_ms) = (millis(took), millis(now.saturating_sub(at)));
        Some(DependencyStatus { name, ok: fault.is_none(), fault, took_ms, age_ms, figures })
    }
}

impl Dependency {
    async fn ask(&self) -> Result<CheckDetails, CheckError> {
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

    fn told(findings: &[DependencyStatus]) -> Vec<(&str, Option<&str>)> {
        findings.iter().map(|finding| (finding.name.as_str(), finding.fault.as_deref())).collect()
    }

    /// Longer than anything takes that works.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_fails_hangs_or_panics_is_told_and_stops_nobody() {
        let gate = Arc::new(Barrier::new(2));
        let blocked = Arc::clone(&gate);
        let board = Dependencies::new(vec![
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
        assert_eq!(board.known(), []);
        let findings = board.ask().await;
        let cut = "x".repeat(300);
        let expected = [
            ("well", None),
            ("fails", Some(cut.as_str())),
            ("slow", Some("no answer within 20ms")),
            ("panics", Some("the check panicked")),
            ("panics at once", Some("the check panicked")),
            ("blocks", Some("no answer within 20ms")),
        ];
        assert_eq!(told(&findings), expected);
        assert_eq!(findings[0].figures, CheckDetails::default().with("size", 3));
        assert_eq!(told(&board.known()), expected);
        assert_eq!(
            told(&board.ask().await)[5],
            ("blocks", Some("no answer within 20ms")),
            "it is still blocked"
        );
        gate.wait();
    }

    #[tokio::test]
    async fn a_hundred_who_ask_make_one_check_and_a_fresh_answer_none() {
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
        let board = Arc::new(Dependencies::new(vec![lasting]).unwrap());
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let board = Arc::clone(&board);
                tokio::spawn(async move { board.ask().await.len() })
            })
            .collect();
        for one in asking {
            assert_eq!(one.await.unwrap(), 1);
        }
        assert!(board.ask().await[0].ok);
        assert_eq!(calls.load(Ordering::Relaxed), 1);

        calls.store(0, Ordering::Relaxed);
        let stale = Dependency::new("stale", counted(&calls)).timeout(PATIENCE).fresh_for(Duration::ZERO);
        let board = Dependencies::new(vec![stale]).unwrap();
        for _ in 0..3 {
            board.ask().await;
        }
        assert_eq!(calls.load(Ordering::Relaxed), 3, "what is stale is asked anew");
    }

    #[test]
    fn dependencies_are_bounded_and_have_names_of_their_own() {
        let make = |n: usize| Dependency::new(&n.to_string(), || async { Ok(CheckDetails::default()) });
        assert!(Dependencies::new((0..MAX_DEPENDENCIES).map(make).collect()).is_ok());
        assert_eq!(
            Dependencies::new((0..=MAX_DEPENDENCIES).map(make).collect()).err(),
            Some(DependencyError::TooMany)
        );
        assert_eq!(Dependencies::new(vec![make(1), make(1)]).err(), Some(DependencyError::Twice("1".into())));
    }
}
