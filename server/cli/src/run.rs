//! `heapbeat run`: any program, guarded.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use heapbeat::config::{Config, environment};
use heapbeat::logging;
use heapbeat::supervisor;
use heapbeat::supervisor::Ports;
use heapbeat::supervisor::external::{ExternalProgram, ShrinkMethod};
use heapbeat_shared::Bytes;
use heapbeat_shared::units::parse_duration;

use super::serve::Error;

const EXAMPLES: &str = "\
The memory of the program and of all that it starts is measured from outside. At the marks of HEAPBEAT_ALERT_AT and the
others it is warned of, asked to shrink, and replaced: by SIGTERM, and SIGKILL after HEAPBEAT_DRAIN_TIMEOUT. A program
that ends in any other way than with exit code 0 is started again.

Examples:
  heapbeat run --limit 512MB -- node server.js
  heapbeat run --shrink-signal USR1 -- ./api --port 3000
  heapbeat run --listen 3000 -- ./api                given its socket as LISTEN_FDS: replaced without a gap
  curl localhost:8090/health                         what is known of it; /metrics and /endings too
";

/// The subcommand.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, shape: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(shape).help(help)
    };
    Command::new("run")
        .about("Guards any program: measures its memory, replaces it in time, restarts it, says why it ended")
        .after_help(EXAMPLES)
        .arg(flag("limit", "SIZE", "What it may take [default: the cgroup's limit, at most 1024MB]"))
        .arg(
            flag(
                "side-port",
                "PORT",
                "Where /health, /metrics and /endings are; 0 takes a free one, `off` none",
            )
            .default_value("8090"),
        )
        .arg(
            flag("listen", "PORT", "Opens this port and gives it to the program as LISTEN_FDS")
                .value_parser(value_parser!(u16)),
        )
        .arg(
            flag("ready-after", "DURATION", "How long after its start the program counts as ready")
                .default_value("3s")
                .value_parser(|text: &str| parse_duration(text)),
        )
        .arg(
            flag("shrink-signal", "SIGNAL", "Sent when memory shall shrink: USR1, USR2, HUP, WINCH or PWR")
                .value_parser(signal),
        )
        .arg(
            flag(
                "shrink-command",
                "COMMAND",
                "Run by the shell when memory shall shrink; HEAPBEAT_PID is the program's",
            )
            .conflicts_with("shrink-signal"),
        )
        .arg(
            Arg::new("command")
                .value_name("CMD")
                .required(true)
                .last(true)
                .num_args(1..)
                .action(ArgAction::Append)
                .value_parser(value_parser!(OsString))
                .help("The program and its arguments"),
        )
}

/// What becomes the program. Nobody types it.
pub(crate) fn start() -> Command {
    Command::new(supervisor::START).hide(true).arg(
        Arg::new("command").required(true).last(true).num_args(1..).value_parser(value_parser!(OsString)),
    )
}

/// Signals that programs take for a wish, by their names; numbers as on x86 and ARM.
fn signal(text: &str) -> Result<i32, String> {
    match text.strip_prefix("SIG").unwrap_or(text) {
        "HUP" => Ok(1),
        "USR1" => Ok(10),
        "USR2" => Ok(12),
        "WINCH" => Ok(28),
        "PWR" => Ok(30),
        _ => Err("a signal that asks is USR1, USR2, HUP, WINCH or PWR".to_owned()),
    }
}

/// Guards until it is over; the exit code.
pub(crate) fn run(arguments: &ArgMatches) -> Result<u8, Error> {
    let limit = arguments.get_one::<String>("limit").cloned();
    let config = Config::from_layers(|name| limit.clone().filter(|_| name == "memory-limit"), environment)?;
    logging::init(&config)?;
    let shrink =
        match (arguments.get_one::<i32>("shrink-signal"), arguments.get_one::<String>("shrink-command")) {
            (Some(signal), _) => ShrinkMethod::Signal(*signal),
            (None, Some(command)) => ShrinkMethod::Shell(command.clone()),
            (None, None) => ShrinkMethod::Nothing,
        };
    let guarded = ExternalProgram {
        command: words(arguments),
        limit: supervisor::limit(&config),
        marks: config.marks,
        shrink,
        ready_after: arguments.get_one::<Duration>("ready-after").copied().unwrap_or_default(),
    };
    let side = match arguments.get_one::<String>("side-port").map_or("off", String::as_str) {
        "off" => None,
        text => Some(text.parse().map_err(|_| Error::SidePort(text.to_owned()))?),
    };
    let ports = Ports { listen: arguments.get_one::<u16>("listen").copied(), side };
    let told: Bytes = guarded.limit;
    tracing::info!(heapbeat.memory.limit = told.0, "guarding {:?} within {told}", guarded.command);
    Ok(supervisor::guard(&config, &guarded, ports)?)
}

/// Becomes the program; the exit code of a shell when there is none.
pub(crate) fn become_it(arguments: &ArgMatches) -> u8 {
    let command = words(arguments);
    let error = supervisor::become_program(&command);
    eprintln!("heapbeat: cannot run {:?}: {error}", command.first());
    127
}

fn words(arguments: &ArgMatches) -> Vec<OsString> {
    arguments.get_many::<OsString>("command").into_iter().flatten().cloned().collect()
}
