//! Supervision: one small parent that holds the sockets, and one worker that does everything else.
//!
//! The parent has no runtime and runs no code of the application, so there is nothing in it to crash or leak. It may be
//! PID 1, whose exit would end the container; this is why it stays, instead of handing its sockets over and leaving.
//! [`machine`] decides, everything else here is its hands, eyes and ears.

mod abort_on_panic;
mod event_loop;
pub mod external;
mod external_status;
mod fallback_responder;
mod ipc;
pub mod limits;
pub mod machine;
mod mini_http;
mod oom;
mod postmortem;
pub(crate) mod process;
mod process_tree;
pub mod recycle_client;
mod signals;
mod trim_memory;
mod worker;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command as Process;

use heapbeat_shared::Bytes;
use listenfd::ListenFd;

use crate::config::{Config, FlightDirectory};
use crate::error::Error;
use crate::flight_recorder;
use crate::flight_recorder::{RecorderDirectory, RecorderLocation, RecordingHeader};
use crate::instance::Instance;
use crate::listen;
use crate::sampling::{Cgroup, Limit, physical_memory};
use external::{ExternalProgram, ProgramMonitor};
use external_status::ExternalStatus;
use limits::Limits;
use process::Program;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

pub(crate) use abort_on_panic::abort_on_panic;
pub use process::START;
pub use worker::Worker;
pub(crate) use worker::{StopRequest, SupervisorLink, WorkerTiming, take_turns};

/// Makes this process a supervisor, or the worker of one.
///
/// To be called at the beginning of `main`, before there is a runtime or a second thread. In the process that a person
/// or a platform started it does not return: it opens the sockets, starts the same program with the same arguments as a
/// worker, keeps one alive, and ends with the exit code that the process shall have. In the worker it returns what
/// [`GuardBuilder::worker`](crate::GuardBuilder::worker) takes. `version` is what runs, as
/// [`GuardBuilder::version`](crate::GuardBuilder::version) is told it as well.
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
    let listeners = open_listeners(config)?;
    let mut limits = Limits::new(worker_memory_limit(config), config.hang_timeout, config.drain_timeout);
    limits.enforced = enforced_limit();
    let port = listeners.first().and_then(|it| it.local_addr().ok()).map_or(0, |address| address.port());
    // A port that was taken by chance says nothing of who had it last, so there are no leftovers to look for.
    let recorders =
        RecorderDirectory::open(&recorder_location(config, "", if config.port == 0 { 0 } else { port }));
    let supervisor = event_loop::Supervisor::new(limits, listeners, recorders, version)
        .map_err(|error| Error::System("supervise", error))?;
    let code = supervisor.run();
    std::process::exit(i32::from(code));
}

/// Where a guarded program listens, and where heapbeat tells of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// A port that is opened for the program and given to it as `LISTEN_FDS`: then it is replaced without a gap.
    pub listen: Option<u16>,
    /// The port of `/health`, `/metrics` and `/exits`.
    pub side: Option<u16>,
}

/// Guards another program until it is done or somebody asks to stop; the exit code.
pub fn supervise_program(config: &Config, guarded: &ExternalProgram, ports: Ports) -> Result<u8, Error> {
    let open = |port: Option<u16>| -> Result<Vec<TcpListener>, Error> {
        Ok(port.map(|port| listen::bind(config.host, port)).transpose()?.into_iter().collect())
    };
    let (listeners, side) = (open(ports.listen)?, open(ports.side)?);
    let addresses =
        side.iter().map(|it| (it, "/health")).chain(listeners.iter().map(|it| (it, "the program")));
    for (listener, what) in addresses {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(server.port = address.port(), "{what} is at port {}", address.port());
        }
    }
    let command = guarded.command.first().cloned().unwrap_or_default();
    let variables = external::runtime_settings(&command, guarded.limit, |name| std::env::var_os(name));
    for (name, value) in &variables {
        tracing::info!("{name}={value}: what the program's runtime takes shall fit {}", guarded.limit);
    }
    let mut limits = Limits::new(guarded.limit, config.hang_timeout, config.drain_timeout);
    // Without a socket of its own to be given, two of them would want the same port.
    limits.one_at_a_time = listeners.is_empty();
    let system = |error| Error::System("supervise", error);
    let program = Program::external(&guarded.command, variables).map_err(system)?;
    let external = ExternalStatus::new(ProgramMonitor::new(guarded.clone())?, guarded.limit, side);
    let recorders = RecorderDirectory::open(&recorder_location(config, "side-", ports.side.unwrap_or(0)));
    let supervisor = event_loop::Supervisor::new(limits, listeners, recorders, "").map_err(system)?;
    Ok(supervisor.with_program(program, external).run())
}

/// Becomes another program: what [`guard`] starts, so that the program is told its own process id (`LISTEN_PID`), is
/// killed before its supervisor for want of memory, and does not outlive it. Returns only when that fails.
pub fn become_program(command: &[OsString]) -> io::Error {
    worker::be_killed_first();
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        tracing::debug!("the program would outlive its supervisor: {error}");
    }
    // The guard may have died before it could be said that this ends with it.
    let guard = std::env::var(process::GUARD).ok().and_then(|pid| pid.parse().ok());
    if guard.is_some_and(|guard: i32| {
        getppid().map(Pid::as_raw_nonzero).is_none_or(|parent| parent.get() != guard)
    }) {
        return io::Error::other("its guard is gone");
    }
    let Some((program, arguments)) = command.split_first() else { return io::ErrorKind::InvalidInput.into() };
    let mut process = Process::new(program);
    process.args(arguments).env_remove(process::GUARD);
    if std::env::var_os("LISTEN_FDS").is_some() {
        process.env("LISTEN_PID", std::process::id().to_string());
    }
    process.exec()
}

/// The sockets that whoever started this has opened (`LISTEN_FDS`), or one of our own.
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

/// What the workers may take together.
pub fn worker_memory_limit(config: &Config) -> Bytes {
    Limit::effective(config.memory_limit, cgroup_limit(), physical_memory()).bytes
}

/// Where the kernel kills. A limit of one's own is not enforced by anybody.
fn enforced_limit() -> Bytes {
    cgroup_limit().into_iter().chain(physical_memory()).min().unwrap_or(Bytes(u64::MAX))
}

fn cgroup_limit() -> Option<Bytes> {
    Cgroup::of_this_process().and_then(|mut it| it.read()).and_then(|memory| memory.limit)
}

/// Where the recorders of the one server or guard at this port are; at 0 there are none to be found again.
fn recorder_location(config: &Config, what: &str, port: u16) -> RecorderLocation {
    match &config.flight {
        FlightDirectory::Off => RecorderLocation::Memory,
        FlightDirectory::Path(directory) => RecorderLocation::Directory(directory.clone()),
        FlightDirectory::Auto if port == 0 => RecorderLocation::Memory,
        FlightDirectory::Auto => {
            let user = rustix::process::geteuid().as_raw();
            RecorderLocation::Directory(std::env::temp_dir().join(format!("heapbeat-{user}-{what}{port}")))
        }
    }
}

/// Begins to record, where this process's supervisor has made a file for it.
pub(crate) fn start_recording(instance: &Instance) {
    let Some(path) = std::env::var_os(process::FLIGHT) else { return };
    let head = RecordingHeader {
        instance: instance.id,
        version: instance.version.clone(),
        started: instance.started,
        boot: flight_recorder::boot_id(),
    };
    if let Err(error) = flight_recorder::start(Path::new(&path), &head) {
        tracing::warn!("no flight recorder: {error}; only the exit status will tell how this process ended");
    }
}
