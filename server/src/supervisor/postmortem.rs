//! Determines how a worker ended from all evidence, and logs exits and notices.

use heapbeat_shared::exit::{Evidence, Exit, ExitFacts, OomCount, ProcessExit, StopReason, classify};
use heapbeat_shared::{ExitKind, UnixMillis};

use super::machine::Notice;
use crate::flight_recorder::{Recording, boot_id};

/// Returns the exit of a worker that the supervisor has reaped.
pub(super) fn worker_exit(
    recording: Option<&Recording>,
    exit: ProcessExit,
    stop_reason: Option<StopReason>,
    oom: OomCount,
    now: UnixMillis,
) -> Exit {
    let facts = ExitFacts { exit: Some(exit), asked: stop_reason, oom, ..exit_facts(recording) };
    build_exit(recording, &facts, now)
}

/// Returns the exit of an instance that an earlier supervisor left behind.
pub(super) fn leftover_exit(recording: &Recording, now: UnixMillis) -> Exit {
    let at = recording.last_activity().unwrap_or(now);
    build_exit(Some(recording), &exit_facts(Some(recording)), at)
}

fn exit_facts(recording: Option<&Recording>) -> ExitFacts {
    let Some(recording) = recording else { return ExitFacts::default() };
    let (then, now) =
        (recording.header.as_ref().map(|head| head.boot.as_str()).unwrap_or_default(), boot_id());
    ExitFacts {
        noted_stop: recording.stopping.as_ref().map(|note| note.text.clone()),
        noted_finished: recording.finished.is_some(),
        panic: recording.panic.as_ref().map(|note| note.text.clone()),
        rebooted: (!then.is_empty() && !now.is_empty()).then_some(then != now),
        full: recording.last.and_then(|last| percent(last.sample.working_set.0, last.limit.0)),
        ..ExitFacts::default()
    }
}

fn percent(part: u64, whole: u64) -> Option<u8> {
    u8::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).ok()
}

fn build_exit(recording: Option<&Recording>, facts: &ExitFacts, at: UnixMillis) -> Exit {
    let classification = classify(facts);
    let evidence = classification.evidence.iter().map(Evidence::statement).collect();
    let mut exit =
        Exit { kind: classification.kind, sure: classification.sure, at, evidence, ..Exit::default() };
    let Some(recording) = recording else { return exit };
    exit.lost = recording.unreadable.clone().or_else(|| {
        (recording.torn > 0)
            .then(|| format!("{} records of the flight recorder were incomplete", recording.torn))
    });
    if let Some(head) = &recording.header {
        exit.instance = Some(head.instance);
        exit.version.clone_from(&head.version);
        exit.started = Some(head.started);
    }
    exit.last = recording.last.map(|last| last.sample);
    exit.pressure = recording.last.map(|last| last.pressure);
    if classification.kind.is_failure() {
        exit.in_flight.clone_from(&recording.in_flight);
    }
    if let Some(panic) = &recording.panic {
        exit.panic = Some(panic.text.clone());
        exit.backtrace = Some(panic.stack.clone()).filter(|stack| !stack.is_empty());
    }
    if let Some(hang) = recording.hang.as_ref().filter(|_| classification.kind == ExitKind::Hang) {
        exit.evidence.push(Evidence::HangReport(hang.text.clone()).statement());
        exit.backtrace = Some(hang.stack.clone()).filter(|stack| !stack.is_empty());
    }
    exit.bounded()
}

/// Logs an exit, as one line with fields for machines.
pub(super) fn log_exit(exit: &Exit, who: &str) {
    macro_rules! log_exit_at {
        ($level:ident) => {
            tracing::$level!(
                heapbeat.exit.kind = exit.kind.as_str(),
                heapbeat.exit.sure = exit.sure,
                heapbeat.exit.instance = exit.instance.map(tracing::field::display),
                heapbeat.exit.evidence = exit.evidence_text(),
                heapbeat.exit.lost = exit.lost,
                "{who} {exit}"
            )
        };
    }
    if exit.kind.is_failure() { log_exit_at!(error) } else { log_exit_at!(info) }
}

/// Logs a notice of the machine.
pub(super) fn log_notice(notice: &Notice) {
    match notice {
        Notice::Waiting(wait) => {
            tracing::warn!("next attempt to start a worker in {:.1} s", wait.as_secs_f64());
        }
        Notice::CrashLoop(failures) => tracing::error!(
            heapbeat.supervisor.failures = failures,
            "crash loop: {failures} workers in a row did not get ready; the supervisor retries with growing pauses"
        ),
        Notice::RestartBudgetSpent(per_minute) => tracing::error!(
            heapbeat.supervisor.restarts_per_minute = per_minute,
            "crash loop: restarts now wait for the budget of {per_minute} per minute (HEAPBEAT_RESTARTS_PER_MINUTE)"
        ),
        Notice::Replacing(why) => {
            tracing::info!("starting a replacement worker beside the running one: {why}")
        }
        Notice::DrainingFirst(why) => {
            tracing::warn!("{why}; not enough headroom to run two workers, draining the current one first");
        }
        Notice::Replaced(number) => {
            tracing::info!(heapbeat.supervisor.worker = number, "recycled: worker {number} has taken over");
        }
        Notice::ReplacementFailed(number) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "replacement worker {number} did not get ready; the running worker keeps serving"
        ),
        Notice::Hung(number, timeout) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "worker {number} sent no heartbeat for {} s (HEAPBEAT_HANG_TIMEOUT); killing it",
            timeout.as_secs_f64()
        ),
        Notice::StartTimedOut(number, timeout) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "worker {number} did not get ready within {} s; killing it",
            timeout.as_secs_f64()
        ),
        Notice::DrainTimedOut(number, timeout) => tracing::warn!(
            heapbeat.supervisor.worker = number,
            "worker {number} did not finish its requests within {} s; killing it (HEAPBEAT_DRAIN_TIMEOUT sets the maximum)",
            timeout.as_secs_f64()
        ),
        Notice::DrainCutShort(number, memory, limit) => tracing::warn!(
            heapbeat.supervisor.worker = number,
            "stopping worker {number} before it has drained: the workers together use {memory} of the enforced limit of {limit}"
        ),
        Notice::StartFailed(why) => tracing::error!("cannot start a worker: {why}"),
        Notice::TooLittleHeadroom => tracing::error!(
            "cannot recycle: not enough headroom to run two workers, and the running one is not stopped for a replacement that may \
             not start; restart the server instead"
        ),
        Notice::CannotReplace => tracing::warn!("cannot recycle yet: the worker is still starting"),
    }
}
