//! What speaks for how an instance exited, as facts.

use super::ProcessExit;
use crate::pressure::Pressure;
use crate::statement::Statement;
use crate::units::Bytes;

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The parent saw the process end like this.
    Process(ProcessExit),
    /// Memory, in percent of the limit, at the last sample.
    MemoryWhenLastSeen(u8),
    /// It was killed because it gave no sign of life.
    NoSignOfLife,
    /// It recorded the panic that it died of.
    PanicRecorded(String),
    /// The OOM kill count of its control group rose by this.
    GroupOomCount(u64),
    /// The OOM kill count of the machine, which includes other processes, rose by this.
    MachineOomCount(u64),
    /// It was asked to stop, and killed because it took too long.
    StopTimedOut,
    /// The kernel's counts cannot be read.
    OomCountUnreadable,
    /// The kernel's counts did not rise.
    NoOomKill,
    /// It recorded that it was asked to stop, and by what.
    StopRecorded(String),
    /// It ended by a signal that asks, before it could record that.
    StoppedEarly,
    /// It ended in order, and no request is known.
    ExitUnexplained,
    /// No parent saw it end.
    NobodyWatched,
    /// It recorded an orderly shutdown.
    ExitCompleted,
    /// The host was restarted since its last sign of life.
    HostRebooted,
    /// The host has been up since its last sign of life.
    HostStayedUp,
    /// The supervisor had asked it to stop.
    SupervisorStop,
    /// The supervisor had asked it to make way for a new worker.
    SupervisorRecycle,
    /// An instance of this version followed.
    VersionFollowed(String),
    /// An instance of another version followed; seen from outside.
    VersionChanged {
        /// The version that exited.
        from: String,
        /// The version that followed.
        to: String,
    },
    /// It announced that the guard replaces it, and why; seen from outside.
    GuardReplaced(String),
    /// It announced that the guard shuts it down because memory ran out; seen from outside.
    GuardGaveUp,
    /// It announced a shutdown, and by what; seen from outside.
    StopAnnounced(String),
    /// The last sample that the edge has.
    LastSample {
        /// The working set.
        memory: Bytes,
        /// The memory limit.
        limit: Bytes,
        /// The pressure level.
        pressure: Pressure,
    },
    /// It did not announce a shutdown; seen from outside.
    NoStopAnnounced,
    /// What it recorded about itself when it hung.
    HangReport(String),
}

impl Evidence {
    /// The piece of evidence as a statement, with text of the server cut to its bounds.
    pub fn statement(&self) -> Statement {
        self.unbounded().bounded()
    }

    fn unbounded(&self) -> Statement {
        match self {
            Evidence::Process(exit) => exit.statement(),
            Evidence::MemoryWhenLastSeen(percent) => Statement::new(
                "memory-when-last-seen",
                format!("memory was at {percent} % of the limit when last seen"),
            )
            .with("percent", u32::from(*percent)),
            Evidence::NoSignOfLife => {
                Statement::new("no-sign-of-life", "it gave no sign of life and was killed for that")
            }
            Evidence::PanicRecorded(message) => {
                Statement::new("panic-recorded", format!("it recorded a panic: {message}"))
                    .with("message", message.as_str())
            }
            Evidence::GroupOomCount(count) => Statement::new(
                "group-oom-count",
                format!("the OOM kill count of its control group rose by {count}"),
            )
            .with("count", *count),
            Evidence::MachineOomCount(count) => Statement::new(
                "machine-oom-count",
                format!("the OOM kill count of the machine rose by {count}"),
            )
            .with("count", *count),
            Evidence::StopTimedOut => {
                Statement::new("stop-timed-out", "it did not stop in time and was killed")
            }
            Evidence::OomCountUnreadable => {
                Statement::new("oom-count-unreadable", "no OOM kill count can be read here")
            }
            Evidence::NoOomKill => Statement::new("no-oom-kill", "the kernel counted no OOM kill"),
            Evidence::StopRecorded(by) => {
                Statement::new("stop-recorded", format!("it recorded that it was asked to stop: {by}"))
                    .with("by", by.as_str())
            }
            Evidence::StoppedEarly => {
                Statement::new("stopped-early", "it was asked to stop before it could record that")
            }
            Evidence::ExitUnexplained => Statement::new("exit-unexplained", "no request to stop is known"),
            Evidence::NobodyWatched => Statement::new("nobody-watched", "no process observed its exit"),
            Evidence::ExitCompleted => Statement::new("exit-completed", "it recorded an orderly shutdown"),
            Evidence::HostRebooted => {
                Statement::new("host-rebooted", "the host was restarted since its last sign of life")
            }
            Evidence::HostStayedUp => Statement::new("host-stayed-up", "the host has been up all the time"),
            Evidence::SupervisorStop => {
                Statement::new("supervisor-stop", "the supervisor had asked it to stop")
            }
            Evidence::SupervisorRecycle => Statement::new(
                "supervisor-recycle",
                "the supervisor had asked it to make way for a new worker",
            ),
            Evidence::VersionFollowed(version) => {
                Statement::new("version-followed", format!("version {version} followed"))
                    .with("version", version.as_str())
            }
            Evidence::VersionChanged { from, to } => {
                Statement::new("version-changed", format!("version {from} was followed by {to}"))
                    .with("from", from.as_str())
                    .with("to", to.as_str())
            }
            Evidence::GuardReplaced(reason) => {
                Statement::new("guard-replaced", format!("the guard replaced it: {reason}"))
                    .with("reason", reason.as_str())
            }
            Evidence::GuardGaveUp => {
                Statement::new("guard-gave-up", "the guard shut it down because memory ran out")
            }
            Evidence::StopAnnounced(by) => {
                Statement::new("stop-requested", format!("shutdown requested by {by}"))
                    .with("by", by.as_str())
            }
            Evidence::LastSample { memory, limit, pressure } => Statement::new(
                "last-sample",
                format!("last sample: {memory} of {limit}, memory pressure {}", pressure.as_str()),
            )
            .with("memory_bytes", memory.0)
            .with("limit_bytes", limit.0)
            .with("pressure", pressure.as_str()),
            Evidence::NoStopAnnounced => {
                Statement::new("no-stop-announced", "it did not announce a shutdown")
            }
            Evidence::HangReport(report) => {
                Statement::new("hang-report", format!("last report before it hung: {report}"))
                    .with("report", report.as_str())
            }
        }
    }
}
