//! Determines how a worker ended from all evidence, and logs exits and notices.

use heapbeat_shared::event::cut;
use heapbeat_shared::exit::{
    Evidence, Exit, ExitFacts, InFlight, MAX_IN_FLIGHT, OomCount, ProcessExit, StopReason, SupervisorKill,
    classify,
};
use heapbeat_shared::{Bytes, ExitKind, UnixMillis};
use rustix::process::Signal;

use super::gateway::RouteInFlight;
use super::machine::{Notice, OneAtATime, WorkerNumber};
use super::policy::AFTER_DRAIN;
use super::stderr_tail::StderrEvidence;
use crate::flight_recorder::{Recording, boot_id};

/// What the supervisor knows about the exit of a worker.
#[derive(Clone, Debug)]
pub(super) struct ObservedExit {
    pub(super) exit: ProcessExit,
    /// What the standard error of another program shows.
    pub(super) stderr: StderrEvidence,
    /// Why the supervisor killed it, if it did.
    pub(super) kill: Option<SupervisorKill>,
    /// The memory of another program when it was read last, in percent of the limit; later than its last sample.
    pub(super) share: Option<u8>,
    /// The heap of another program when it was measured last, and the size at which its runtime gives up.
    pub(super) heap: Option<(Bytes, Bytes)>,
    /// The function whose live memory grew most, if an agent knows.
    pub(super) growth: Option<String>,
    /// Why the worker was stopped, if it was.
    pub(super) stop_reason: Option<StopReason>,
    /// Number of the signal that another program is stopped with; `None` for a worker of this program.
    pub(super) stop_signal: Option<i32>,
    pub(super) oom: OomCount,
}

impl ObservedExit {
    /// Whether a program has finished its work, which nobody asked for.
    pub(super) fn is_finish(&self) -> bool {
        self.stop_signal.is_some() && self.stop_reason.is_none() && self.exit == ProcessExit::Code(0)
    }
}

/// Whether a process that nobody here stopped has ended by a signal of the kind that others send, and the kernel counted no kill for memory.
/// Then it has not ended of what it was doing, as far as can be seen.
pub(super) fn is_end_from_outside(exit: ProcessExit, oom: OomCount) -> bool {
    let stops = [Signal::KILL, Signal::TERM, Signal::INT].map(Signal::as_raw);
    let kernel_did = !matches!(oom, OomCount::Group(0) | OomCount::Machine(0));
    exit.is_end_by(|signal| stops.contains(&signal)) && !kernel_did
}

/// Returns the exit of a worker that the supervisor has reaped.
pub(super) fn worker_exit(recording: Option<&Recording>, observed: ObservedExit, now: UnixMillis) -> Exit {
    let recorded = exit_facts(recording);
    let facts = ExitFacts {
        full: observed.share.or(recorded.full),
        kill: observed.kill,
        exit: Some(observed.exit),
        asked: observed.stop_reason,
        stop_signal: observed.stop_signal,
        may_finish: observed.stop_signal.is_some(),
        oom: observed.oom,
        heap: observed.heap,
        growth: observed.growth,
        runtime_oom: observed.stderr.out_of_memory.map(|found| found.oom),
        ..recorded
    };
    let exit = build_exit(recording, &facts, now);
    let stderr_tail = observed.stderr.excerpt.filter(|_| exit.kind.is_failure());
    Exit { stderr_tail, ..exit }.bounded()
}

/// Returns the exit of an instance that an earlier supervisor left behind.
pub(crate) fn leftover_exit(recording: &Recording, now: UnixMillis) -> Exit {
    // It is in the past, whatever a damaged recording says.
    let at = recording.last_activity().unwrap_or(now).min(now);
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
    exit.unreadable = recording.unreadable.clone().or_else(|| {
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

/// Returns the requests of routes as an exit lists them, most first.
pub(super) fn in_flight(mut routes: Vec<RouteInFlight>) -> Vec<InFlight> {
    routes.sort_by_key(|route| std::cmp::Reverse(route.count));
    routes
        .into_iter()
        .take(MAX_IN_FLIGHT)
        .map(|RouteInFlight { method, pattern, count }| InFlight {
            route: cut(&format!("{method} {pattern}")),
            requests: u32::try_from(count).unwrap_or(u32::MAX),
        })
        .collect()
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
                heapbeat.exit.unreadable = exit.unreadable,
                "{who} {exit}"
            )
        };
    }
    if exit.kind.is_failure() { log_exit_at!(error) } else { log_exit_at!(info) }
}

/// Logs the exit of a program that has finished its work.
pub(super) fn log_finish(exit: &Exit, number: WorkerNumber) {
    tracing::info!(
        heapbeat.exit.kind = exit.kind.as_str(),
        heapbeat.exit.sure = exit.sure,
        heapbeat.exit.evidence = exit.evidence_text(),
        "instance {number} has finished: {}",
        exit.evidence_text()
    );
}

/// Logs a notice of the machine; `noun` is the word for a worker, or for an instance of a guarded program.
pub(super) fn log_notice(notice: &Notice, noun: &str) {
    match notice {
        Notice::Waiting(wait) => {
            tracing::warn!("next attempt to start the {noun} in {:.1} s", wait.as_secs_f64());
        }
        Notice::CrashLoop(failures) => tracing::error!(
            heapbeat.supervisor.failures = failures,
            "crash loop: {failures} {noun}s in a row did not get ready; the supervisor retries with growing pauses"
        ),
        Notice::RestartBudgetSpent(per_minute) => tracing::error!(
            heapbeat.supervisor.restarts_per_minute = per_minute,
            "crash loop: restarts now wait for the budget of {per_minute} per minute (HEAPBEAT_RESTARTS_PER_MINUTE)"
        ),
        Notice::Started(number, time) => tracing::info!(
            heapbeat.supervisor.worker = number,
            heapbeat.supervisor.start_seconds = time.as_secs_f64(),
            "{noun} {number} is ready after {:.1} s",
            time.as_secs_f64()
        ),
        Notice::Replacing(why) => {
            tracing::info!("starting a replacement {noun} beside the running one: {why}");
        }
        Notice::DrainingFirst(why, OneAtATime::MemoryHeld) => tracing::warn!(
            "{why}; not enough headroom to run two {noun}s, draining the current one first; requests wait meanwhile"
        ),
        Notice::DrainingFirst(why, OneAtATime::Memory) => {
            tracing::warn!("{why}; not enough headroom to run two {noun}s, draining the current one first");
        }
        Notice::DrainingFirst(why, OneAtATime::Port) => tracing::warn!(
            "{why}; two {noun}s cannot listen on the same port, draining the current one first; connections are refused until the \
             next one listens"
        ),
        Notice::DrainingFirst(why, OneAtATime::Held) => tracing::info!(
            "{why}; draining the current {noun} first, as two of them must not run at the same time; requests wait meanwhile"
        ),
        Notice::Replaced(number) => {
            tracing::info!(heapbeat.supervisor.worker = number, "recycled: {noun} {number} has taken over");
        }
        Notice::ReplacementFailed(number) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "replacement {noun} {number} did not get ready; the running {noun} keeps serving"
        ),
        Notice::Hung(number, timeout) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "{noun} {number} sent no heartbeat for {} s (HEAPBEAT_HANG_TIMEOUT); killing it",
            timeout.as_secs_f64()
        ),
        Notice::Unresponsive(number, timeout) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "{noun} {number} has sent nothing for {} s although requests wait for it, and does not answer (--hang-timeout); killing it",
            timeout.as_secs_f64()
        ),
        Notice::StartTimedOut(number, timeout) => tracing::error!(
            heapbeat.supervisor.worker = number,
            "{noun} {number} did not get ready within {} s; killing it",
            timeout.as_secs_f64()
        ),
        Notice::DrainTimedOut(number, timeout) => tracing::warn!(
            heapbeat.supervisor.worker = number,
            "{noun} {number} did not stop within {} s; killing it (HEAPBEAT_DRAIN_TIMEOUT sets the maximum, to which {} s are added)",
            timeout.as_secs_f64(),
            AFTER_DRAIN.as_secs()
        ),
        Notice::DrainCutShort(number, memory, limit) => tracing::warn!(
            heapbeat.supervisor.worker = number,
            "stopping {noun} {number} before it has drained: the {noun}s together use {memory} of the enforced limit of {limit}"
        ),
        Notice::StartFailed(why) => tracing::error!("cannot start the {noun}: {why}"),
        Notice::TooLittleHeadroom => tracing::error!(
            "cannot recycle: not enough headroom to run two {noun}s, and the running one is not stopped for a replacement that may \
             not start; restart heapbeat instead"
        ),
        Notice::ReplacementUseless { number, memory, limit, proposed } => tracing::error!(
            heapbeat.supervisor.worker = number,
            "{noun} {number} needs {memory} of {limit} without growing, so a replacement would not help, and it is not replaced while it \
             does not grow; raise the limit to {proposed} (--limit), or lower what the program needs: fewer processes, smaller caches"
        ),
        Notice::CannotReplace => tracing::warn!("cannot recycle yet: the {noun} is still starting"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_by_a_signal_is_from_outside_unless_the_kernel_may_have_sent_it() {
        let (kill, group) = (ProcessExit::Signal(9), OomCount::Group(0));
        let cases = [
            (kill, group, true),
            (kill, OomCount::Machine(0), true),
            // A shell says so of its program.
            (ProcessExit::Code(137), group, true),
            (ProcessExit::Signal(15), group, true),
            (kill, OomCount::Group(1), false),
            (kill, OomCount::Machine(1), false),
            (kill, OomCount::Unreadable, false),
            (ProcessExit::Signal(11), group, false),
            (ProcessExit::Signal(6), group, false),
            (ProcessExit::Code(1), group, false),
        ];
        for (exit, oom, expected) in cases {
            assert_eq!(is_end_from_outside(exit, oom), expected, "{exit:?} {oom:?}");
        }
    }
}
