//! The classification of an exit from facts, as one pure function.
//!
//! The rules are ordered by strength: first what the supervisor did, then what the instance recorded, then what the kernel
//! counted. A classification is sure only if no other explanation fits the facts.

use super::{Evidence, ExitKind};
use crate::statement::Statement;
use crate::units::Bytes;

/// The facts about the exit of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitFacts {
    /// The wait status; `None` if the parent had exited as well.
    pub exit: Option<ProcessExit>,
    /// The supervisor's request before the exit.
    pub asked: Option<StopReason>,
    /// The supervisor's SIGKILL after that request.
    pub kill: Option<SupervisorKill>,
    /// The number of the signal that the supervisor stops the process with, besides SIGTERM and SIGINT.
    pub stop_signal: Option<i32>,
    /// Whether exit code 0 without a request means that the process has finished its work.
    pub may_finish: bool,
    /// The stop request that the process recorded, with its source.
    pub noted_stop: Option<String>,
    /// Whether the process recorded an orderly shutdown.
    pub noted_finished: bool,
    /// The fatal panic that the process recorded.
    pub panic: Option<String>,
    /// What the runtime wrote to standard error, if it said that memory ran out.
    pub runtime_oom: Option<RuntimeOutOfMemory>,
    /// The OOM kills around the exit.
    pub oom: OomCount,
    /// Whether the machine rebooted since the last sign of life; `None` if unknown.
    pub rebooted: Option<bool>,
    /// The heap of its runtime at the last sample, and the size at which the runtime gives up.
    pub heap: Option<(Bytes, Bytes)>,
    /// The function whose live memory grew most, as an agent reported it.
    pub growth: Option<String>,
    /// The working set at the last sample, in percent of the limit.
    pub full: Option<u8>,
    /// Whether the next instance has another version.
    pub version_changed: bool,
}

/// The end of a process that its runtime could give no more memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeOutOfMemory {
    /// The words of the runtime.
    pub message: String,
    /// Whether the wait status is the one that the runtime ends with.
    pub by_its_exit: bool,
    /// The heap after the last collection, if the runtime said so.
    pub heap: Option<Bytes>,
    /// The setting that limited the heap, such as `NODE_OPTIONS=--max-old-space-size=576`.
    pub setting: Option<String>,
}

/// The change of the kernel's OOM kill counters between the last sign of life and the exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OomCount {
    /// The counters cannot be read.
    #[default]
    Unreadable,
    /// The rise of the control group's own counter.
    Group(u64),
    /// The rise of the machine's counter, if only that can be read.
    Machine(u64),
}

/// The wait status of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// The process exited with a code.
    Code(i32),
    /// A signal terminated the process.
    Signal(i32),
}

impl ProcessExit {
    /// Returns whether a signal that `matches` ended the process, or the process says so by an exit code of 128 plus its number.
    pub fn is_end_by(self, matches: impl Fn(i32) -> bool) -> bool {
        match self {
            ProcessExit::Code(code @ 129..=192) => matches(code - 128),
            ProcessExit::Code(_) => false,
            ProcessExit::Signal(signal) => matches(signal),
        }
    }
}

/// The supervisor's reason to stop an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The supervisor itself was requested to stop.
    Stop,
    /// The replacement takes over.
    Recycle,
    /// The instance stopped responding and was killed.
    Hung,
}

/// Why the supervisor killed an instance that it had asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupervisorKill {
    /// The time for the stop was over.
    TimedOut,
    /// It did not wait for the stop: a second request asked for an end at once, memory was short, or the instance had nothing to finish.
    AtOnce,
}

/// The result of [`classify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitClassification {
    /// The kind.
    pub kind: ExitKind,
    /// Whether no other explanation fits the facts.
    pub sure: bool,
    /// The evidence, strongest first.
    pub evidence: Vec<Evidence>,
}

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// Share of the limit from which a kill is likely to be an OOM kill.
const NEARLY_FULL: u8 = 90;

/// Classifies an exit.
pub fn classify(facts: &ExitFacts) -> ExitClassification {
    let mut result = match facts.exit {
        Some(exit) => classify_observed(facts, exit),
        None => classify_unobserved(facts),
    };
    if let Some(exit) = facts.exit {
        result.evidence.insert(0, Evidence::Process(exit));
    }
    if matches!(result.kind, ExitKind::OutOfMemory | ExitKind::Crash)
        && let Some((heap, limit)) = facts.heap
        // What the runtime said at its end is later than what was seen last; two figures for one heap would contradict each other.
        && facts.runtime_oom.as_ref().is_none_or(|oom| oom.heap.is_none())
    {
        result.evidence.push(Evidence::HeapWhenLastSeen(heap, limit));
    }
    if matches!(result.kind, ExitKind::OutOfMemory | ExitKind::OomKill)
        && let Some(function) = &facts.growth
    {
        result.evidence.push(Evidence::LiveMemoryGrew(function.clone()));
    }
    if matches!(result.kind, ExitKind::OomKill | ExitKind::OutOfMemory | ExitKind::Unknown | ExitKind::Crash)
        && let Some(full) = facts.full
    {
        result.evidence.push(Evidence::MemoryWhenLastSeen(full));
    }
    result
}

/// Classifies an exit whose wait status is known.
fn classify_observed(facts: &ExitFacts, exit: ProcessExit) -> ExitClassification {
    if facts.asked == Some(StopReason::Hung) {
        // A kill for memory at the same moment would look the same.
        let sure = !matches!(facts.oom, OomCount::Group(1..) | OomCount::Machine(1..));
        return ExitClassification { kind: ExitKind::Hang, sure, evidence: vec![Evidence::NoSignOfLife] };
    }
    if let Some(panic) = &facts.panic {
        let evidence = vec![Evidence::PanicRecorded(panic.clone())];
        let aborted = matches!(exit, ProcessExit::Signal(SIGABRT) | ProcessExit::Code(101));
        if aborted {
            return ExitClassification { kind: ExitKind::Panic, sure: true, evidence };
        }
    }
    match exit {
        // A JVM or a shell that was stopped by a signal exits with 128 plus its number.
        _ if facts.asked.is_some() && exit.is_end_by(|signal| is_stop(facts, signal)) => {
            classify_orderly(facts, exit)
        }
        ProcessExit::Code(0) if facts.may_finish && facts.asked.is_none() => sure(ExitKind::Finish, None),
        ProcessExit::Signal(SIGKILL) => classify_sigkill(facts),
        ProcessExit::Code(0) | ProcessExit::Signal(SIGTERM | SIGINT) => classify_orderly(facts, exit),
        _ => match &facts.runtime_oom {
            Some(oom) => classify_runtime_oom(oom),
            None => sure(ExitKind::Crash, stop_request_evidence(facts)),
        },
    }
}

/// Whether the supervisor stops the process with this signal.
fn is_stop(facts: &ExitFacts, signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT) || facts.stop_signal == Some(signal)
}

/// Classifies a SIGKILL, which may come from the kernel, the supervisor's deadline, or a person.
fn classify_sigkill(facts: &ExitFacts) -> ExitClassification {
    match facts.oom {
        OomCount::Group(killed @ 1..) => {
            return sure(ExitKind::OomKill, Some(Evidence::GroupOomCount(killed)));
        }
        // The machine's other processes are counted too.
        OomCount::Machine(killed @ 1..) => {
            let reason = Evidence::MachineOomCount(killed);
            let full = facts.full.is_some_and(|full| full >= NEARLY_FULL);
            let kind = if full { ExitKind::OomKill } else { ExitKind::Unknown };
            return ExitClassification { kind, sure: false, evidence: vec![reason] };
        }
        _ => {}
    }
    if let Some(asked) = facts.asked {
        let evidence = match facts.kill {
            Some(SupervisorKill::TimedOut) => Some(Evidence::StopTimedOut),
            Some(SupervisorKill::AtOnce) => Some(Evidence::KilledAtOnce),
            // Somebody else was faster.
            None => stop_request_evidence(facts),
        };
        return sure(requested_kind(facts, asked), evidence);
    }
    match facts.oom {
        OomCount::Unreadable => {
            let reason = Evidence::OomCountUnreadable;
            ExitClassification { kind: ExitKind::Unknown, sure: false, evidence: vec![reason] }
        }
        _ => sure(ExitKind::Crash, Some(Evidence::NoOomKill)),
    }
}

/// Classifies the end by a runtime that ran out of memory. Behind a wrapper the exit code is the wrapper's, and what was written may be
/// older than the exit.
fn classify_runtime_oom(oom: &RuntimeOutOfMemory) -> ExitClassification {
    let mut evidence = vec![Evidence::RuntimeOutOfMemory(oom.message.clone())];
    evidence.extend(oom.heap.map(Evidence::HeapAfterLastCollection));
    evidence.extend(oom.setting.clone().map(Evidence::HeapLimitedBy));
    ExitClassification { kind: ExitKind::OutOfMemory, sure: oom.by_its_exit, evidence }
}

/// Classifies exit code 0, SIGTERM and SIGINT.
fn classify_orderly(facts: &ExitFacts, exit: ProcessExit) -> ExitClassification {
    if let Some(asked) = facts.asked {
        return sure(requested_kind(facts, asked), stop_request_evidence(facts));
    }
    if let Some(by) = &facts.noted_stop {
        return sure(stop_kind(facts), Some(Evidence::StopRecorded(by.clone())));
    }
    match exit {
        ProcessExit::Signal(_) => sure(stop_kind(facts), Some(Evidence::StoppedEarly)),
        ProcessExit::Code(_) => {
            let reason = Evidence::ExitUnexplained;
            ExitClassification { kind: ExitKind::Unknown, sure: false, evidence: vec![reason] }
        }
    }
}

/// Classifies an exit without a wait status, as the supervisor has exited as well.
fn classify_unobserved(facts: &ExitFacts) -> ExitClassification {
    let mut evidence = vec![Evidence::NobodyWatched];
    let (kind, sure) = if let Some(panic) = &facts.panic {
        evidence.push(Evidence::PanicRecorded(panic.clone()));
        (ExitKind::Panic, true)
    } else if let Some(by) = &facts.noted_stop {
        evidence.push(Evidence::StopRecorded(by.clone()));
        if facts.noted_finished {
            evidence.push(Evidence::ExitCompleted);
        }
        (stop_kind(facts), facts.noted_finished)
    } else if facts.rebooted == Some(true) {
        evidence.push(Evidence::HostRebooted);
        (ExitKind::Platform, false)
    } else {
        if facts.rebooted == Some(false) {
            evidence.push(Evidence::HostStayedUp);
        }
        (ExitKind::Unknown, false)
    };
    ExitClassification { kind, sure, evidence }
}

/// Returns the kind of an exit that the supervisor requested.
fn requested_kind(facts: &ExitFacts, asked: StopReason) -> ExitKind {
    match asked {
        StopReason::Stop => stop_kind(facts),
        StopReason::Recycle => ExitKind::Recycle,
        StopReason::Hung => ExitKind::Hang,
    }
}

/// Returns the kind of a requested stop: a deploy if another version follows.
fn stop_kind(facts: &ExitFacts) -> ExitKind {
    if facts.version_changed { ExitKind::Deploy } else { ExitKind::Stop }
}

fn stop_request_evidence(facts: &ExitFacts) -> Option<Evidence> {
    Some(match facts.asked? {
        StopReason::Stop => Evidence::SupervisorStop,
        StopReason::Recycle => Evidence::SupervisorRecycle,
        StopReason::Hung => return None,
    })
}

fn sure(kind: ExitKind, evidence: Option<Evidence>) -> ExitClassification {
    ExitClassification { kind, sure: true, evidence: evidence.into_iter().collect() }
}

impl ProcessExit {
    /// Returns the wait status as a statement.
    pub(super) fn statement(self) -> Statement {
        match self {
            ProcessExit::Code(code) => Statement::exited_with_code(code),
            ProcessExit::Signal(number) => match signal_name(number) {
                Some(name) => Statement::killed_by_signal(name),
                None => Statement::killed_by_signal(&format!("signal {number}")),
            },
        }
    }
}

/// Returns the name of a signal that terminates processes (signal(7), with the numbers of x86 and ARM).
const fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        SIGINT => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        SIGABRT => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        SIGKILL => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        SIGTERM => "SIGTERM",
        24 => "SIGXCPU",
        31 => "SIGSYS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
