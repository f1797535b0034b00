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
            Evidence::MemoryWhenLastSeen(percent) => Statement::memory_when_last_seen(*percent),
            Evidence::NoSignOfLife => Statement::no_sign_of_life(),
            Evidence::PanicRecorded(message) => Statement::panic_recorded(message),
            Evidence::GroupOomCount(count) => Statement::group_oom_count(*count),
            Evidence::MachineOomCount(count) => Statement::machine_oom_count(*count),
            Evidence::StopTimedOut => Statement::stop_timed_out(),
            Evidence::OomCountUnreadable => Statement::oom_count_unreadable(),
            Evidence::NoOomKill => Statement::no_oom_kill(),
            Evidence::StopRecorded(by) => Statement::stop_recorded(by),
            Evidence::StoppedEarly => Statement::stopped_early(),
            Evidence::ExitUnexplained => Statement::exit_unexplained(),
            Evidence::NobodyWatched => Statement::nobody_watched(),
            Evidence::ExitCompleted => Statement::exit_completed(),
            Evidence::HostRebooted => Statement::host_rebooted(),
            Evidence::HostStayedUp => Statement::host_stayed_up(),
            Evidence::SupervisorStop => Statement::supervisor_stop(),
            Evidence::SupervisorRecycle => Statement::supervisor_recycle(),
            Evidence::VersionFollowed(version) => Statement::version_followed(version),
            Evidence::VersionChanged { from, to } => Statement::version_changed(from, to),
            Evidence::GuardReplaced(reason) => Statement::guard_replaced(reason),
            Evidence::GuardGaveUp => Statement::guard_gave_up(),
            Evidence::StopAnnounced(by) => Statement::stop_requested(by),
            Evidence::LastSample { memory, limit, pressure } => {
                Statement::last_sample(*memory, *limit, *pressure)
            }
            Evidence::NoStopAnnounced => Statement::no_stop_announced(),
            Evidence::HangReport(report) => Statement::hang_report(report),
        }
    }
}
