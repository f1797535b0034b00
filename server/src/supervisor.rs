//! Supervision: a small supervisor that holds the sockets, and a worker that does everything else.
//!
//! The supervisor has no runtime and runs no code of the application, so nothing in it can crash or leak. It may be PID 1, whose
//! exit would end the container, so it stays instead of handing its sockets over and exiting. [`machine`] decides, pure; the other
//! modules collect its events and apply its effects.

mod abort_on_panic;
pub mod agent_link;
mod alert_cause;
mod event_loop;
pub mod external;
mod fallback_responder;
mod family;
pub mod gateway;
mod heap_monitor;
mod ipc;
mod jvm_collection;
mod linux_calls;
mod listen_readiness;
mod listening;
mod lost_processes;
pub mod machine;
mod mini_http;
mod oom;
pub mod policy;
mod postmortem;
pub(crate) mod process;
pub mod process_tree;
mod profile_requests;
mod program_heap;
mod program_observer;
pub mod program_status;
mod readiness;
pub mod recycle_client;
mod redact;
mod renewable_server;
mod renewal;
mod restart_budget;
mod runtime_oom;
mod runtime_settings;
mod signals;
mod stderr_tail;
mod stop_delivery;
mod trim_memory;
mod watchdog;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::Duration;

use heapbeat_shared::{Bytes, Pressure};
use listenfd::ListenFd;

use self::linux_calls::set_parent_process_death_signal;
use crate::config::{Config, FlightDirectory};
use crate::error::Error;
use crate::flight_recorder;
use crate::flight_recorder::directory::{default_directory, is_foreign};
use crate::flight_recorder::{RecorderDirectory, RecorderLocation, RecordingHeader};
use crate::instance::{Instance, version_or_commit};
use crate::listen;
use crate::sampling::{Cgroup, Limit, physical_memory};
use agent_link::AgentLink;
use external::{ExternalProgram, ProgramMonitor};
use gateway::Gateway;
use listen_readiness::ListenReadiness;
use policy::{FrontPolicy, SupervisorPolicy};
use process::Program;
use program_observer::ProgramObserver;
use program_status::ProgramRoutes;
use program_status::recorder::ProgramRecorder;
use renewable_server::propose_renewal;
use runtime_settings::runtime_settings;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, setrlimit};

pub(crate) use abort_on_panic::abort_on_panic;
#[cfg(test)]
pub(crate) use postmortem::leftover_exit;
pub use process::START;
pub use redact::redact_arguments;
pub use signals::{Signals, survive_early_signals};
pub use watchdog::{WATCHDOG, run_watchdog};
pub use worker::Worker;
pub(crate) use worker::{StopRequest, SupervisorLink, WorkerTiming, count_runtime_polls};

/// Time after which a program of which nobody knows whether it is ready counts as having served, as in other process managers.
const PROVEN: Duration = Duration::from_secs(1);

/// Time after which a program counts as having served that could be ready, and is not.
const PROVEN_UNREADY: Duration = Duration::from_secs(10);

/// Time beyond the one in which a program is or counts as ready until it is killed.
const READY_MARGIN: Duration = Duration::from_secs(5);

/// Makes this process a supervisor, or the worker of one.
///
/// It must be called at the beginning of `main`, before there is a runtime or a second thread. In the process that was started by
/// the platform or a person it does not return: it opens the sockets, starts the same program with the same arguments as a worker,
/// keeps one alive, and exits with the worker's exit code. In the worker it returns the value for
/// [`GuardBuilder::worker`](crate::GuardBuilder::worker). `version` is the version of the application, as for
/// [`GuardBuilder::version`](crate::GuardBuilder::version).
pub fn supervised(config: &Config, version: &str) -> Result<Worker, Error> {
    let timing = WorkerTiming {
        hang: config.hang_timeout,
        sample_interval: config.sample_interval,
        drain: config.drain_timeout,
    };
    let adopted = Worker::adopt(timing).map_err(|error| Error::System("talk to the supervisor", error))?;
    if let Some(worker) = adopted {
        return Ok(worker);
    }
    // A worker would fail on them after it was started, and count as a crash.
    config.thresholds.levels(worker_memory_limit(config))?;
    // Before anything listens, as a stop may be requested as soon as clients can connect.
    let signals = Signals::listen().map_err(|error| Error::System("handle signals", error))?;
    let listeners = open_listeners(config)?;
    let mut policy = SupervisorPolicy::new(
        worker_memory_limit(config),
        config.hang_timeout,
        config.drain_timeout,
        config.restarts_per_minute,
    );
    policy.enforced_memory_limit = enforced_limit();
    let port = listeners.first().and_then(|it| it.local_addr().ok()).map_or(0, |address| address.port());
    // With a port that the system chose, recordings of an earlier supervisor at that port may belong to another server.
    let recorders = open_recorders(config, "", if config.port == 0 { 0 } else { port })?;
    let supervisor = event_loop::Supervisor::new(&policy, signals, listeners, recorders, version)
        .map_err(|error| Error::System("supervise", error))?;
    let code = supervisor.run();
    std::process::exit(i32::from(code));
}

/// Ports of a guarded program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Port that the supervisor opens for the program and passes as `LISTEN_FDS`, so that the program is replaced without a gap.
    pub listen: Option<u16>,
    /// Port that tells this supervisor from others on this machine, for its flight recorder; 0 if the system chose it.
    pub own: u16,
}

/// What the command line adds to the supervision of a program.
pub struct Integrations {
    /// The front that the program's requests come through.
    pub gateway: Option<Box<dyn Gateway>>,
    /// Time without a sign of life after which an instance behind the front counts as hung; `None`: never.
    pub hang_timeout: Option<Duration>,
    /// The agents inside of the program's processes.
    pub agents: Option<Box<dyn AgentLink>>,
    /// The endpoints before the program.
    pub routes: Arc<ProgramRoutes>,
}

/// Number of memory arenas of glibc.
const ARENA_VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Supervises another program until it exits or a stop is requested, and returns the exit code. `signals` are handled since before anything
/// was listened at.
pub fn supervise_program(
    config: &Config,
    guarded: &ExternalProgram,
    signals: Signals,
    ports: Ports,
    integrations: Integrations,
) -> Result<u8, Error> {
    let open = |port: Option<u16>| -> Result<Vec<TcpListener>, Error> {
        Ok(port.map(|port| listen::bind(config.host, port)).transpose()?.into_iter().collect())
    };
    // A socket that is passed on listens from the start.
    let listen_readiness = (integrations.gateway.is_none() && ports.listen.is_none()).then(|| {
        let has_port = guarded.takes_requests && std::env::var_os("PORT").is_some();
        ListenReadiness::new(guarded.ready_after, guarded.ready_timeout, has_port)
    });
    let monitor = ProgramMonitor::new(guarded.clone(), listen_readiness)?;
    let named = |error, flag| match error {
        Error::Listen(error) => Error::Listen(error.with_setting(flag)),
        error => error,
    };
    let listeners = open(ports.listen).map_err(|error| named(error, "--listen"))?;
    for address in listeners.iter().filter_map(|it| it.local_addr().ok()) {
        tracing::info!(server.port = address.port(), "the program: listening on port {}", address.port());
    }
    let settings =
        runtime_settings(&guarded.command, guarded.limit, guarded.instances, |name| std::env::var_os(name));
    for notice in &settings.notices {
        tracing::info!("{notice}");
    }
    if let Some(proposal) =
        propose_renewal(&guarded.command, guarded.recycle_signal, |name| std::env::var_os(name))
    {
        tracing::info!("{proposal}");
    }
    if ports.listen.is_some() {
        event_loop::warn_of_closing_starter(&guarded.command.first().cloned().unwrap_or_default());
    }
    let mut variables: BTreeMap<&'static str, OsString> =
        settings.variables.into_iter().map(|(name, value)| (name, value.into())).collect();
    if let Some(agents) = &integrations.agents {
        let given = |name: &str| variables.get(name).cloned().or_else(|| std::env::var_os(name));
        let injected = agents.variables(&guarded.command, &given);
        if injected.iter().any(|(name, _)| *name == ARENA_VARIABLE) {
            tracing::info!(
                "set {ARENA_VARIABLE}=2, as threads of Python and Ruby otherwise keep freed memory apart from each other; set it yourself to choose"
            );
        }
        variables.extend(injected);
    }
    // The setting is about workers, whose heartbeats say that they run; those of a program are heapbeat's own measurements.
    let hang_timeout = Config::default().hang_timeout;
    let mut policy =
        SupervisorPolicy::new(guarded.limit, hang_timeout, config.drain_timeout, config.restarts_per_minute);
    policy.failure_reset_after = Some(if integrations.gateway.is_some() { PROVEN_UNREADY } else { PROVEN });
    policy.stop_signal = Some(guarded.stop_signal);
    // The front says first whether an instance is ready in time, and what it does instead.
    policy.start_timeout = guarded.ready_timeout.max(guarded.ready_after) + READY_MARGIN;
    // Below the first level a replacement is wanted for another reason, such as a full heap.
    policy.judged_from = Some(guarded.thresholds.levels(guarded.limit)?.enter(Pressure::Alert));
    policy.front = integrations
        .gateway
        .as_ref()
        .map(|_| FrontPolicy { hold: guarded.hold, drain_window: config.drain_window });
    // Requests do not wait for a program that gets none, and one that renews itself is asked to.
    policy.replaces_early = guarded.recycle_signal.is_none()
        && integrations.gateway.as_ref().is_some_and(|gateway| gateway.expects_listener());
    // Without a front or a socket that is passed to both, two of them would want the same port.
    policy.instances = guarded.instances;
    policy.one_at_a_time = guarded.single || (listeners.is_empty() && integrations.gateway.is_none());
    let system = |error| Error::System("supervise", error);
    let stop_signal = Signal::from_named_raw(guarded.stop_signal).unwrap_or(Signal::TERM);
    let program = Program::external(guarded, variables, stop_signal).map_err(system)?;
    let routes = &integrations.routes;
    let recorder =
        ProgramRecorder::new(Arc::clone(routes), program_limit(config, guarded.limit), config.log_interval);
    let external = ProgramObserver::new(monitor, recorder);
    let recorders = open_recorders(config, "run-", ports.own)?;
    let version = version_or_commit(None);
    let supervisor = event_loop::Supervisor::new(&policy, signals, listeners, recorders, &version);
    Ok(supervisor.map_err(system)?.with_program(program, external, integrations).run())
}

/// Replaces this process by another program. [`supervise_program`] starts programs this way, so that they get their own process id
/// (`LISTEN_PID`), are preferred to their supervisor in an OOM kill, and do not outlive it. Returns only on failure.
pub fn become_program(command: &[OsString]) -> io::Error {
    worker::be_killed_first();
    let guard = std::env::var(process::GUARD).unwrap_or_default();
    let mut given = guard.split(' ');
    let (guard, signal) = (given.next().unwrap_or_default(), given.next().unwrap_or_default());
    if let Some(open_files) = given.next().and_then(|limit| limit.parse().ok()) {
        let limit = getrlimit(Resource::Nofile);
        // It only becomes smaller, which is always allowed.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(open_files), ..limit });
    }
    let signal = signal.parse().ok().and_then(Signal::from_named_raw).unwrap_or(Signal::TERM);
    if let Err(error) = set_parent_process_death_signal(Some(signal)) {
        tracing::debug!("cannot end the program together with its supervisor: {error}");
    }
    // The supervisor may have exited before the death signal was set.
    if guard
        .parse()
        .is_ok_and(|guard: i32| getppid().map(Pid::as_raw_nonzero).is_none_or(|parent| parent.get() != guard))
    {
        return io::Error::other("its supervisor has exited");
    }
    let Some((program, arguments)) = command.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let mut process = Process::new(program);
    process.args(arguments).env_remove(process::GUARD);
    if std::env::var_os("LISTEN_FDS").is_some() {
        process.env("LISTEN_PID", std::process::id().to_string());
    }
    process.exec()
}

/// Returns the sockets passed by the parent process (`LISTEN_FDS`), or opens one.
fn open_listeners(config: &Config) -> Result<Vec<TcpListener>, Error> {
    let mut given = ListenFd::from_env();
    let mut listeners = Vec::new();
    for index in 0..given.len() {
        let taken = given.take_tcp_listener(index);
        let taken = taken.map_err(|error| Error::System("use the sockets of LISTEN_FDS", error))?;
        listeners.extend(taken);
    }
    if listeners.is_empty() {
        listeners.push(listen::bind(config.host, config.port)?);
    }
    for listener in &listeners {
        listener.set_nonblocking(true).map_err(|error| Error::System("use the listening socket", error))?;
    }
    Ok(listeners)
}

/// Returns the memory limit of all workers together.
pub fn worker_memory_limit(config: &Config) -> Bytes {
    Limit::effective(config.memory_limit, cgroup_limit(), physical_memory()).bytes
}

/// Returns the limit of a program, and where it comes from.
pub fn program_limit(config: &Config, bytes: Bytes) -> Limit {
    Limit { bytes, ..Limit::effective(config.memory_limit, cgroup_limit(), physical_memory()) }
}

/// Returns the limit that the kernel enforces; a configured limit is not enforced by the kernel.
fn enforced_limit() -> Bytes {
    cgroup_limit().into_iter().chain(physical_memory()).min().unwrap_or(Bytes(u64::MAX))
}

fn cgroup_limit() -> Option<Bytes> {
    Cgroup::of_this_process().and_then(|mut it| it.read()).and_then(|memory| memory.limit)
}

/// Opens the recorders. A directory that the owner named and that is somebody else's is refused; nobody would notice otherwise.
fn open_recorders(config: &Config, what: &str, port: u16) -> Result<RecorderDirectory, Error> {
    match &config.flight {
        FlightDirectory::Path(directory) if is_foreign(directory) => {
            Err(Error::ForeignDirectory(directory.clone()))
        }
        _ => Ok(RecorderDirectory::open(&recorder_location(config, what, port))),
    }
}

/// Returns the location of the recorders of the server or program at this port; port 0 has no recordings to find again.
pub(crate) fn recorder_location(config: &Config, what: &str, port: u16) -> RecorderLocation {
    match &config.flight {
        FlightDirectory::Off => RecorderLocation::Memory,
        FlightDirectory::Path(directory) => RecorderLocation::Directory(directory.clone()),
        FlightDirectory::Auto if port == 0 => RecorderLocation::Memory,
        FlightDirectory::Auto => {
            let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
            let name = format!("{what}{port}");
            RecorderLocation::Directory(default_directory(&name, runtime.as_deref(), &std::env::temp_dir()))
        }
    }
}

/// Starts the flight recorder, if the supervisor has created a file for it.
pub(crate) fn start_recording(instance: &Instance) {
    let Some(path) = std::env::var_os(process::FLIGHT) else { return };
    let head = RecordingHeader {
        instance: instance.id,
        version: instance.version.clone(),
        started: instance.started,
        boot: flight_recorder::boot_id(),
    };
    if let Err(error) = flight_recorder::start(Path::new(&path), &head) {
        tracing::warn!(
            "no flight recorder: {error}; an exit of this process will have no evidence besides its exit status"
        );
    }
}
