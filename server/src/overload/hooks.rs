//! Shrink hooks: functions of the application that shrink its caches.
//!
//! Hooks run in the order of their priority before the allocator purges, which then returns the freed memory. Each hook has a timeout. A
//! thread cannot be stopped from outside, so a hook that exceeds its timeout keeps running, the other hooks go on, and it is not
//! called again before it has returned.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heapbeat_shared::{Bytes, Pressure};

/// Default timeout of a hook.
pub const DEFAULT_BOUND: Duration = Duration::from_millis(500);

/// Maximum number of hooks of a process.
pub const MAX_HOOKS: usize = 64;

/// The argument of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShrinkRequest {
    /// The level of pressure that requests it.
    pub pressure: Pressure,
    /// Bytes by which memory is above the threshold at which the level is left.
    pub wanted: Bytes,
}

type Function = Arc<dyn Fn(ShrinkRequest) + Send + Sync>;

struct Hook {
    name: String,
    priority: i32,
    bound: Duration,
    run: Function,
    /// Whether a call has not returned yet.
    busy: Arc<AtomicBool>,
}

/// Result of one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookReport {
    /// Name of the hook.
    pub name: String,
    /// Outcome of the call.
    pub outcome: HookOutcome,
    /// Duration of the call, or of the wait for it.
    pub took: Duration,
}

/// Outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// It returned.
    Done,
    /// It panicked; the process goes on.
    Panicked,
    /// It did not return within its timeout.
    Overran,
    /// It has not returned from an earlier call and was not called again.
    StillBusy,
    /// No thread could be started for it.
    NoThread,
}

/// The hooks of a process: the application adds them, the guard runs them.
#[derive(Clone, Default)]
pub struct Hooks {
    list: Arc<Mutex<Vec<Hook>>>,
}

/// There are [`MAX_HOOKS`] hooks already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a process can have at most {MAX_HOOKS} shrink hooks")]
pub struct TooManyHooks;

impl Hooks {
    /// Adds a hook. Lower priorities run first; caches that are cheap to rebuild should have a low number.
    pub fn add(
        &self,
        name: &str,
        priority: i32,
        bound: Duration,
        run: impl Fn(ShrinkRequest) + Send + Sync + 'static,
    ) -> Result<(), TooManyHooks> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() >= MAX_HOOKS {
            return Err(TooManyHooks);
        }
        let busy = Arc::default();
        list.push(Hook { name: name.to_owned(), priority, bound, run: Arc::new(run), busy });
        list.sort_by_key(|hook| hook.priority);
        Ok(())
    }

    /// Runs all hooks one after the other and returns their results, within the sum of their timeouts.
    pub fn run(&self, shrink: ShrinkRequest) -> Vec<HookReport> {
        let calls: Vec<Call> = {
            let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
            list.iter().map(Hook::call).collect()
        };
        calls.into_iter().map(|call| call.run(shrink)).collect()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(list.iter().map(|hook| &hook.name)).finish()
    }
}

/// A call of a hook. The list of hooks is not locked while it runs, so a hook may add hooks.
struct Call {
    name: String,
    bound: Duration,
    run: Function,
    busy: Arc<AtomicBool>,
}

impl Hook {
    fn call(&self) -> Call {
        Call {
            name: self.name.clone(),
            bound: self.bound,
            run: Arc::clone(&self.run),
            busy: Arc::clone(&self.busy),
        }
    }
}

impl Call {
    fn run(self, shrink: ShrinkRequest) -> HookReport {
        let begun = Instant::now();
        let outcome =
            if self.busy.swap(true, Ordering::AcqRel) { HookOutcome::StillBusy } else { self.wait(shrink) };
        HookReport { name: self.name, outcome, took: begun.elapsed() }
    }

    fn wait(&self, shrink: ShrinkRequest) -> HookOutcome {
        let (done, waiting) = mpsc::sync_channel(1);
        let (run, busy) = (Arc::clone(&self.run), Arc::clone(&self.busy));
        let body = move || {
            let came_back = catch_unwind(AssertUnwindSafe(|| run(shrink))).is_ok();
            busy.store(false, Ordering::Release);
            // The receiver is gone if the hook exceeded its timeout.
            let _ = done.send(came_back);
        };
        if thread::Builder::new().name("heapbeat-hook".into()).spawn(body).is_err() {
            self.busy.store(false, Ordering::Release);
            return HookOutcome::NoThread;
        }
        match waiting.recv_timeout(self.bound) {
            Ok(true) => HookOutcome::Done,
            Ok(false) => HookOutcome::Panicked,
            Err(_) => HookOutcome::Overran,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const SHRINK: ShrinkRequest = ShrinkRequest { pressure: Pressure::Purge, wanted: Bytes(1) };

    fn outcomes(hooks: &Hooks) -> Vec<(String, HookOutcome)> {
        hooks.run(SHRINK).into_iter().map(|report| (report.name, report.outcome)).collect()
    }

    #[test]
    fn hooks_run_by_priority_and_get_the_request() {
        let hooks = Hooks::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for (name, priority) in [("dear", 10), ("cheap", -1), ("middling", 5)] {
            let seen = Arc::clone(&seen);
            hooks.add(name, priority, DEFAULT_BOUND, move |s| seen.lock().unwrap().push((name, s))).unwrap();
        }
        assert!(outcomes(&hooks).iter().all(|(_, outcome)| *outcome == HookOutcome::Done));
        assert_eq!(*seen.lock().unwrap(), [("cheap", SHRINK), ("middling", SHRINK), ("dear", SHRINK)]);
    }

    #[test]
    fn a_hook_that_panics_or_hangs_does_not_stop_the_others() {
        /// Long enough to print a stack on a busy machine.
        const LONG: Duration = Duration::from_secs(30);
        let hooks = Hooks::default();
        let gate = Arc::new(Barrier::new(2));
        let hung = Arc::clone(&gate);
        hooks.add("panics", 1, LONG, |_| panic!("on purpose")).unwrap();
        hooks
            .add("hangs", 2, Duration::from_millis(1), move |_| {
                hung.wait();
            })
            .unwrap();
        hooks.add("works", 3, LONG, |_| ()).unwrap();
        let named = |outcomes: [HookOutcome; 3]| -> Vec<_> {
            ["panics", "hangs", "works"].map(String::from).into_iter().zip(outcomes).collect()
        };
        assert_eq!(outcomes(&hooks), named([HookOutcome::Panicked, HookOutcome::Overran, HookOutcome::Done]));
        assert_eq!(
            outcomes(&hooks),
            named([HookOutcome::Panicked, HookOutcome::StillBusy, HookOutcome::Done])
        );
        gate.wait();
    }

    #[test]
    fn hooks_are_bounded() {
        let hooks = Hooks::default();
        for index in 0..MAX_HOOKS {
            hooks.add(&index.to_string(), 0, DEFAULT_BOUND, |_| ()).unwrap();
        }
        assert_eq!(hooks.add("one more", 0, DEFAULT_BOUND, |_| ()), Err(TooManyHooks));
    }
}
