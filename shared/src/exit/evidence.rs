//! The evidence for an exit.

use super::ProcessExit;
use crate::pressure::Pressure;
use crate::statement::Statement;
use crate::units::Bytes;

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The wait status that the parent observed.
    Process(ProcessExit),
    /// The memory at the last sample, in percent of the limit.
    MemoryWhenLastSeen(u8),
    /// The instance was killed because it stopped responding.
    NoSignOfLife,
    /// The instance recorded a fatal panic.
    PanicRecorded(String),
    /// The OOM kill count of its control group rose by this.
    GroupOomCount(u64),
    /// The OOM kill count of the machine, which includes other processes, rose by this.
    MachineOomCount(u64),
    /// The instance was requested to stop, and was killed because it took too long.
    StopTimedOut,
    /// The instance was requested to stop, and was killed without a time to do so.
    KilledAtOnce,
    /// The kernel's OOM kill counters cannot be read.
    OomCountUnreadable,
    /// The kernel's OOM kill counters did not rise.
    NoOomKill,
    /// The instance recorded a request to stop, with its source.
    StopRecorded(String),
    /// A stop signal terminated the instance before it could record the request.
    StoppedEarly,
    /// The exit was orderly, and no request is known.
    ExitUnexplained,
    /// No process observed the exit.
    NobodyWatched,
    /// The instance recorded an orderly shutdown.
    ExitCompleted,
    /// The host was restarted since the last sign of life.
    HostRebooted,
    /// The host has been up since the last sign of life.
    HostStayedUp,
    /// The supervisor had requested a stop.
    SupervisorStop,
    /// The supervisor had requested an exit in favor of a new worker.
    SupervisorRecycle,
    /// An instance of this version followed.
    VersionFollowed(String),
    /// An instance of another version followed; observed from outside.
    VersionChanged {
        /// The version that exited.
        from: String,
        /// The version that followed.
        to: String,
    },
    /// The instance announced a recycle, with the reason; observed from outside.
    GuardReplaced(String),
    /// The instance announced that the guard shuts it down because memory ran out; observed from outside.
    GuardGaveUp,
    /// The instance announced a shutdown, with the source; observed from outside.
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
    /// The instance did not announce a shutdown; observed from outside.
    NoStopAnnounced,
    /// The report that the instance wrote before it hung.
    HangReport(String),
    /// The runtime reported on standard error that memory ran out, in these words.
    RuntimeOutOfMemory(String),
    /// The heap after the runtime's last collection.
    HeapAfterLastCollection(Bytes),
    /// The heap of the runtime at the last sample, and the size at which the runtime gives up.
    HeapWhenLastSeen(Bytes, Bytes),
    /// The heap of the runtime was limited by this setting.
    HeapLimitedBy(String),
    /// The kernel killed this process of the instance, by name and id, because memory ran out; the instance itself still runs.
    ProcessOomKilled(String, u32),
    /// The runtime of this process of the instance, by name and id, ran out of memory; the instance itself still runs.
    ProcessOutOfMemory(String, u32),
    /// The function whose live memory grew most before memory ran out.
    LiveMemoryGrew(String),
}

impl Evidence {
    /// Returns the evidence as a statement, with text of the server cut to its bounds.
    pub fn statement(&self) -> Statement {
        self.unbounded().bounded()
    }

    fn unbounded(&self) -> Statement {
        match self {
            Evidence::Process(exit) => exit.statement(),
            Evidence::MemoryWhenLastSeen(percent) => Statement::memory_when_last_seen(*percent),
            Evidence::NoSignOfLife => Statement::unresponsive(),
            Evidence::PanicRecorded(message) => Statement::panic_recorded(message),
            Evidence::GroupOomCount(count) => Statement::cgroup_oom_count(*count),
            Evidence::MachineOomCount(count) => Statement::machine_oom_count(*count),
            Evidence::StopTimedOut => Statement::stop_timed_out(),
            Evidence::KilledAtOnce => Statement::killed_at_once(),
            Evidence::OomCountUnreadable => Statement::oom_count_unreadable(),
            Evidence::NoOomKill => Statement::no_oom_kill(),
            Evidence::StopRecorded(by) => Statement::stop_recorded(by),
            Evidence::StoppedEarly => Statement::stopped_early(),
            Evidence::ExitUnexplained => Statement::exit_unexplained(),
            Evidence::NobodyWatched => Statement::exit_unobserved(),
            Evidence::ExitCompleted => Statement::exit_completed(),
            Evidence::HostRebooted => Statement::host_rebooted(),
            Evidence::HostStayedUp => Statement::host_not_rebooted(),
            Evidence::SupervisorStop => Statement::supervisor_stop(),
            Evidence::SupervisorRecycle => Statement::supervisor_recycle(),
            Evidence::VersionFollowed(version) => Statement::version_followed(version),
            Evidence::VersionChanged { from, to } => Statement::version_changed(from, to),
            Evidence::GuardReplaced(reason) => Statement::guard_replaced(reason),
            Evidence::GuardGaveUp => Statement::guard_shut_down(),
            Evidence::StopAnnounced(by) => Statement::stop_requested(by),
            Evidence::LastSample { memory, limit, pressure } => {
                Statement::last_sample(*memory, *limit, *pressure)
            }
            Evidence::NoStopAnnounced => Statement::no_stop_announced(),
            Evidence::HangReport(report) => Statement::hang_report(report),
            Evidence::RuntimeOutOfMemory(message) => Statement::runtime_out_of_memory(message),
            Evidence::HeapAfterLastCollection(heap) => Statement::heap_after_last_collection(*heap),
            Evidence::HeapWhenLastSeen(heap, limit) => Statement::heap_when_last_seen(*heap, *limit),
            Evidence::HeapLimitedBy(setting) => Statement::heap_limited_by(setting),
            Evidence::ProcessOomKilled(name, pid) => Statement::process_oom_killed(name, *pid),
            Evidence::ProcessOutOfMemory(name, pid) => Statement::process_out_of_memory(name, *pid),
            Evidence::LiveMemoryGrew(function) => Statement::live_memory_grew(function),
        }
    }
}
