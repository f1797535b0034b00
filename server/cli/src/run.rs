//! `heapbeat run`: guards any program.

mod endpoint_args;
mod free_port;
mod front_args;
mod front_gateway;
mod operator_routes;
mod starter;
mod useless_settings;

use std::ffi::OsString;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::ArgAction;
use heapbeat::config::Config;
use heapbeat::listen;
use heapbeat::logging;
use heapbeat::supervisor;
use heapbeat::supervisor::agent_link::AgentLink;
use heapbeat::supervisor::external::{ExternalProgram, ShrinkMethod};
use heapbeat::supervisor::gateway::Gateway;
use heapbeat::supervisor::program_status::ProgramRoutes;
use heapbeat::supervisor::{Integrations, Ports, Signals};
use heapbeat_front::{Front, FrontConfig, HoldLimits};
use heapbeat_shared::units::parse_duration;

use heapbeat_agents::injection::{is_invalid, is_off};

use crate::agents::Agents;
use crate::daemon_command::describe_daemon;
use crate::error::RunError;
use crate::open_files::raise_limit;
use crate::setting_args::{SettingArgs, log_unknown_variables};
use endpoint_args::EndpointArgs;
use front_args::{FrontArgs, FrontKind, UpstreamChoice};
use front_gateway::{FrontGateway, ReadyCheck};
use operator_routes::{Figures, PublicRoutes, SideRoutes, own_health_check};
use useless_settings::{RunMode, warn_of_useless_settings};

/// Variables besides those of the library: of this command, of the agents, and of other commands, which share an environment with it.
const OTHER_VARIABLES: [&str; 6] = [
    "HEAPBEAT_AGENT",
    "HEAPBEAT_AGENT_INTERVAL",
    "HEAPBEAT_STDERR_TAIL",
    "HEAPBEAT_AGENT_SOCKET",
    "HEAPBEAT_ADMIN_TOKEN",
    "HEAPBEAT_PID",
];

const EXAMPLES: &str = "\
heapbeat takes PORT and forwards requests to the program, which gets another PORT.
While an instance starts, crashes or is replaced, requests wait.

It measures the program and all its child processes. At HEAPBEAT_ALERT_AT it logs a
warning, at HEAPBEAT_PURGE_AT it asks for a collection, and at HEAPBEAT_RECYCLE_AT it
starts another instance, passes requests on to that one and stops the old one when
it has none left.

An agent reports the heaps of Node and Python from inside; HEAPBEAT_AGENT=off leaves
it out. More is in docs/any-program.md.

Examples:
  heapbeat run --limit 512MB -- node server.js
  heapbeat run --shrink-signal USR1 -- ./api --port 3000
  heapbeat run --listen 3000 -- ./api                passes the socket, so that ./api is replaced without refused connections
  curl localhost:8080/health                         prints the memory figures; see also /metrics and /exits
";

/// Guards any program: measures its memory, replaces it in time, restarts it, and reports why it exited
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// Memory limit of the program; `auto` is the limit of the cgroup, at most 1024MB [default: auto]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    limit: Option<String>,
    /// `serve` and the environment variable call the limit so; here it is the one of another program.
    #[arg(long = "memory-limit", hide = true, value_parser = refuse_memory_limit)]
    _memory_limit: Option<String>,
    /// Port to open and pass to the program as a socket, as systemd does (`LISTEN_FDS`)
    #[arg(long, value_name = "PORT", value_parser = parse_port, allow_negative_numbers = true)]
    listen: Option<u16>,
    /// Time after which a program counts as ready that takes no requests, or takes them without a front
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = |text: &str| parse_duration(text))]
    ready_after: Duration,
    /// Signal that asks the program to stop: TERM, INT, QUIT, HUP, USR1, USR2 or WINCH
    #[arg(long, value_name = "SIGNAL", default_value = "TERM", value_parser = parse_stop_signal)]
    stop_signal: i32,
    /// Keep the last lines of the program's standard error, without secrets, as evidence for its exits: on or off
    #[arg(long, env = "HEAPBEAT_STDERR_TAIL", value_name = "SWITCH", default_value = "on", value_parser = parse_switch,
          action = ArgAction::Set)]
    stderr_tail: bool,
    /// Signal that asks the program to renew itself before it is replaced: HUP for gunicorn, USR1 for puma in cluster mode
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal)]
    recycle_signal: Option<i32>,
    /// Signal that asks the program to shrink: USR1, USR2, HUP, WINCH or PWR
    #[arg(long, value_name = "SIGNAL", value_parser = parse_signal)]
    shrink_signal: Option<i32>,
    /// Shell command that makes the program shrink; `HEAPBEAT_PID` is its process id
    #[arg(long, value_name = "COMMAND", conflicts_with = "shrink_signal")]
    shrink_command: Option<String>,
    #[command(flatten)]
    front: FrontArgs,
    #[command(flatten)]
    endpoints: EndpointArgs,
    #[command(flatten)]
    program: ProgramArgs,
}

/// The program to run and its arguments, after `--`.
#[derive(Debug, clap::Args)]
pub(crate) struct ProgramArgs {
    /// The program and its arguments
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<OsString>,
}

fn refuse_memory_limit(text: &str) -> Result<String, String> {
    Err(format!("the limit of a guarded program is --limit {text}"))
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a port is a number from 1 to 65535, or 0 for any free one".to_owned())
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("expected `on` or `off`".to_owned()),
    }
}

/// Returns the name of a signal as the kernel has it, without `SIG`.
fn signal_name(text: &str) -> String {
    let name = text.to_ascii_uppercase();
    name.strip_prefix("SIG").map(str::to_owned).unwrap_or(name)
}

/// Parses the name of a signal that programs handle as a request, such as `USR1` or `SIGUSR1`. The numbers are those of x86 and ARM.
fn parse_signal(text: &str) -> Result<i32, String> {
    match signal_name(text).as_str() {
        "HUP" => Ok(1),
        "USR1" => Ok(10),
        "USR2" => Ok(12),
        "WINCH" => Ok(28),
        "PWR" => Ok(30),
        _ => Err("the signal must be USR1, USR2, HUP, WINCH or PWR".to_owned()),
    }
}

/// Parses the name of a signal that programs handle as a request to stop.
fn parse_stop_signal(text: &str) -> Result<i32, String> {
    match signal_name(text).as_str() {
        "TERM" => Ok(15),
        "INT" => Ok(2),
        "QUIT" => Ok(3),
        "HUP" | "USR1" | "USR2" | "WINCH" => parse_signal(text),
        _ => Err("the signal must be TERM, INT, QUIT, HUP, USR1, USR2 or WINCH".to_owned()),
    }
}

/// Guards the program until it exits for good, and returns the exit code.
pub(crate) fn run(arguments: Box<RunArgs>) -> Result<u8, RunError> {
    let kind = arguments.front.kind(arguments.listen.is_some()).map_err(RunError::Arguments)?;
    arguments.endpoints.check(kind, arguments.front.takes_requests()).map_err(RunError::Arguments)?;
    let front = arguments.front.config(kind).map_err(RunError::Arguments)?;
    let flags = [("memory-limit", arguments.limit.clone()), ("port", arguments.front.port.clone())];
    let settings = SettingArgs::from_flags(flags);
    // Without a front, `PORT` belongs to the program.
    let config =
        if kind == FrontKind::Off { settings.read_config_of_program() } else { settings.read_config() };
    let config = config.map_err(|error| error.with_flag("memory-limit", "limit"))?;
    if let Some(value) = std::env::var_os("HEAPBEAT_AGENT").filter(|value| is_invalid(value)) {
        let detail = format!("HEAPBEAT_AGENT is \"{}\": it is on or off", value.display());
        return Err(RunError::Arguments(detail));
    }
    logging::init(&config)?;
    log_unknown_variables::<RunArgs>("run", &OTHER_VARIABLES);
    let side_port = arguments.endpoints.side_port(kind, config.host);
    let passes_socket = arguments.listen.is_some();
    warn_of_useless_settings(RunMode { kind, passes_socket, side_port });
    warn_of_useless_options(&arguments, kind, side_port.is_some());
    warn_of_command(&arguments.program.command);
    starter::follow_shell();
    if arguments.listen.is_some() && binds_passed_socket(&arguments.program.command) {
        return Err(RunError::SocketBoundTwice);
    }
    let shrink = match (arguments.shrink_signal, arguments.shrink_command) {
        (Some(signal), _) => ShrinkMethod::Signal(signal),
        (None, Some(command)) => ShrinkMethod::Shell(command),
        (None, None) => ShrinkMethod::None,
    };
    let program = ExternalProgram {
        command: arguments.program.command,
        limit: supervisor::worker_memory_limit(&config),
        thresholds: config.thresholds,
        shrink,
        recycle_signal: arguments.recycle_signal,
        ready_after: arguments.ready_after,
        takes_requests: arguments.front.takes_requests(),
        stop_signal: arguments.stop_signal,
        instances: arguments.front.instances(kind).map_err(RunError::Arguments)?,
        single: arguments.front.single(),
        hold: arguments.front.hold,
        ready_timeout: arguments.front.ready_timeout,
        stderr_tail: arguments.stderr_tail,
        open_files: raise_limit(),
    };
    if kind != FrontKind::Off && arguments.front.upstream() == UpstreamChoice::Port(config.port) {
        let detail = format!(
            "--upstream {0}: heapbeat itself listens on port {0}; give the program another one",
            config.port
        );
        return Err(RunError::Arguments(detail));
    }
    check_thresholds(&config, &program, &settings)?;
    let own_port = if kind == FrontKind::Off { side_port.map_or(0, |(_, port)| port) } else { config.port };
    if kind != FrontKind::Off && side_port.is_some_and(|(_, port)| port != 0 && port == config.port) {
        let detail =
            format!("--side-port {0}: heapbeat takes requests on port {0}; give it another one", config.port);
        return Err(RunError::Arguments(detail));
    }
    let ports = Ports { listen: arguments.listen, own: own_port };
    let limit = supervisor::program_limit(&config, program.limit);
    tracing::info!(
        heapbeat.memory.limit = limit.bytes.0,
        "guarding {}, memory limit: {} ({}; --limit sets it)",
        quote_words(&supervisor::redact_arguments(&program.command)),
        limit.bytes,
        limit.origin
    );
    // Before anything listens, as a stop may be requested as soon as clients can connect.
    let signals = Signals::listen()
        .map_err(|error| settings.describe_error(heapbeat::Error::System("handle signals", error)))?;
    let running_front = Arc::new(OnceLock::new());
    let own_health = arguments.endpoints.health_path.clone();
    let own_health = own_health.map(|path| own_health_check(path, Arc::clone(&running_front)));
    // Where there is a side port, signed requests come to that one.
    let endpoints = Config { port: side_port.map_or(config.port, |(_, port)| port), ..config.clone() };
    let routes =
        ProgramRoutes::new(&endpoints, arguments.endpoints.paths(), own_health.into_iter().collect())?;
    let _side = match side_port {
        Some(address) => {
            Some(start_side_port(address, &routes).map_err(|error| settings.describe_error(error))?)
        }
        None => None,
    };
    let gateway = match kind {
        FrontKind::Off => None,
        FrontKind::Http | FrontKind::Tcp => {
            let ready = ReadyCheck {
                path: arguments.front.ready_path(kind, arguments.endpoints.health_path.as_deref()),
                timeout: arguments.front.ready_timeout,
            };
            let gateway = start_front(&arguments.front, kind, front, ready, &config, &routes)?;
            let _ = running_front.set(gateway.handle());
            Some(Box::new(gateway) as Box<dyn Gateway>)
        }
    };
    let hang_timeout = arguments.front.hang_timeout();
    let integrations = Integrations { gateway, hang_timeout, agents: start_agents(), routes };
    supervisor::supervise_program(&config, &program, signals, ports, integrations)
        .map_err(|error| settings.describe_error(error))
}

/// Refuses thresholds that contradict each other. A client must not be answered by a guard that then refuses its settings, so this comes before
/// anything listens.
fn check_thresholds(
    config: &Config,
    program: &ExternalProgram,
    settings: &SettingArgs,
) -> Result<(), RunError> {
    let levels = config.thresholds.levels(program.limit);
    levels.map(|_| ()).map_err(|error| settings.describe_error(heapbeat::Error::from(error)))
}

/// Warns of options and variables of this command that were given and do nothing.
fn warn_of_useless_options(arguments: &RunArgs, kind: FrontKind, has_side_port: bool) {
    let options = arguments.front.options_without_effect(kind, arguments.listen.is_some());
    for option in options.into_iter().chain(arguments.endpoints.option_without_effect(kind, has_side_port)) {
        tracing::warn!("{} has no effect {}", option.flag, option.why);
    }
    let interval = "HEAPBEAT_AGENT_INTERVAL";
    if has_no_agents() && std::env::var_os(interval).is_some() {
        tracing::warn!("{interval} has no effect with HEAPBEAT_AGENT=off");
    }
}

/// Whether agents are switched off.
fn has_no_agents() -> bool {
    std::env::var_os("HEAPBEAT_AGENT").is_some_and(|value| is_off(&value))
}

/// Warns where heapbeat cannot see the program as it should.
fn warn_of_command(command: &[OsString]) {
    if let Some(remark) = describe_daemon(command.iter().filter_map(|word| word.to_str())) {
        tracing::warn!("{remark}");
    }
    if std::env::var_os("HEAPBEAT_AGENT_SOCKET").is_some() {
        tracing::warn!(
            "heapbeat runs under another heapbeat: the outer one then knows neither heap nor functions; start it once, as npm start does if \
             its script begins with it"
        );
    }
}

/// Joins the words of a command as a shell would need them.
fn quote_words(words: &[String]) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "-_./:=@%+,*".contains(character);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Starts to listen for agents. Without them the program is guarded from outside.
fn start_agents() -> Option<Box<dyn AgentLink>> {
    if has_no_agents() {
        return None;
    }
    match Agents::start() {
        Ok(agents) => Some(Box::new(agents)),
        Err(error) => {
            tracing::warn!(
                "the heap of the program's runtime is not known, as agents cannot be used: {error}"
            );
            None
        }
    }
}

/// Serves the endpoints on a port of their own.
fn start_side_port(
    (host, port): (IpAddr, u16),
    routes: &Arc<ProgramRoutes>,
) -> Result<Front, heapbeat::Error> {
    let listener = listen::bind(Some(host), port).map_err(|error| error.with_setting("--side-port"))?;
    if let Ok(address) = listener.local_addr() {
        let port = address.port();
        let reach = if host.is_loopback() {
            format!("for this machine only (--side-port 0.0.0.0:{port} opens it)")
        } else {
            format!("at {host}")
        };
        tracing::info!(server.port = port, "/health: listening on port {port}, {reach}");
    }
    let hold = HoldLimits { time: Duration::ZERO, ..HoldLimits::default() };
    let front = FrontConfig { hold, ..FrontConfig::default() };
    let started = Front::start(front, vec![listener], Arc::new(SideRoutes(Arc::clone(routes))));
    started.map_err(|error| heapbeat::Error::System("serve the side port", error))
}

/// Opens the public port, and starts the front on it.
fn start_front(
    arguments: &FrontArgs,
    kind: FrontKind,
    front: FrontConfig,
    ready: ReadyCheck,
    config: &Config,
    routes: &Arc<ProgramRoutes>,
) -> Result<FrontGateway, RunError> {
    let listener = listen::bind(config.host, config.port).map_err(heapbeat::Error::from)?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(
            heapbeat.front.port = address.port(),
            server.port = (kind == FrontKind::Http).then(|| address.port()),
            "requests: listening on port {}, and forwarding to the program",
            address.port()
        );
    }
    let endpoints = Arc::new(PublicRoutes(Arc::clone(routes)));
    let gateway = FrontGateway::start(front, vec![listener], endpoints, arguments.upstream(), ready);
    let gateway = gateway.map_err(RunError::Front)?;
    routes.set_front(Arc::new(Figures::new(gateway.handle())));
    Ok(gateway)
}

/// Whether a command is gunicorn that is told to use descriptor 3, which it does anyway with a socket of `--listen`; told so, it takes it
/// twice and fails in a loop.
fn binds_passed_socket(command: &[OsString]) -> bool {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    words.iter().any(|word| word.rsplit('/').next() == Some("gunicorn"))
        && words.iter().any(|word| word.ends_with("fd://3"))
}

/// Replaces this process by the program. Returns, with the exit code of a shell, only if that fails.
pub(crate) fn exec(program: &ProgramArgs) -> u8 {
    let error = supervisor::become_program(&program.command);
    let name = program.command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    eprintln!("heapbeat: cannot run {name}: {error}");
    127
}

#[cfg(test)]
mod tests {
    use super::quote_words;

    #[test]
    fn a_command_is_written_as_a_shell_would_need_it() {
        let cases: [(&[&str], &str); 4] = [
            (&["npm", "start"], "npm start"),
            (&["sh", "-c", "exit 0"], "sh -c 'exit 0'"),
            (&["say", "", "it's", "a=b/c:1"], r"say '' 'it'\''s' a=b/c:1"),
            (&["echo", "$HOME", "[a]"], "echo '$HOME' '[a]'"),
        ];
        for (words, expected) in cases {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(quote_words(&words), expected);
        }
    }
}
