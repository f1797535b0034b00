//! The program `heapbeat`: the library with an example backend, a guard for any program, and tools around them.

mod admin_client;
#[cfg(target_os = "linux")]
mod agents;
mod alerts;
mod apply;
mod check_memory;
mod cli;
mod clock;
mod convert;
mod daemon_command;
mod doctor;
#[cfg(target_os = "linux")]
mod error;
mod forecast;
#[cfg(target_os = "linux")]
mod guard_commands;
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "its tests run on Linux"))]
mod guard_commands_absent;
mod http_client;
mod init;
mod inspect;
#[cfg(target_os = "linux")]
mod open_files;
mod output;
#[cfg(target_os = "linux")]
mod recycle;
mod replacement;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod serve;
#[cfg(target_os = "linux")]
mod setting_args;
mod usage_hint;
mod version;

#[cfg(not(target_os = "linux"))]
use guard_commands_absent as guard_commands;

use std::process::ExitCode;

use clap::Parser;

use self::cli::{Cli, Command};

/// Exit code of a wrong command line or configuration, which is also clap's.
const USAGE: u8 = 2;
/// Exit code of every other failure.
const FAILURE: u8 = 1;
/// Exit code of a command whose exit code is a verdict, if it has none.
const UNKNOWN: u8 = 3;

fn main() -> ExitCode {
    guard_commands::prepare_process();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    ExitCode::from(match cli.command {
        Command::Guard(command) => guard_commands::run(command),
        Command::CheckMemory(arguments) => check_memory::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Forecast(arguments) => forecast::run(&arguments),
        Command::Apply(arguments) => apply::run(&arguments),
        Command::Alerts(arguments) => alerts::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
    })
}

/// Prints the help, the version or an error of the command line, and returns the exit code: success for help and version, and
/// [`UNKNOWN`] for wrong arguments of a command whose exit code is a verdict.
fn print_usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let command = std::env::args_os().nth(1);
    if let Some(name) = command.as_ref().and_then(|name| name.to_str())
        && let Some(hint) = usage_hint::hint(error, name)
    {
        eprintln!("heapbeat: {hint}");
    }
    let has_verdict =
        command.is_some_and(|name| cli::VERDICT_COMMANDS.iter().any(|command| name == *command));
    match (error.use_stderr(), has_verdict) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(UNKNOWN),
        (true, false) => ExitCode::from(USAGE),
    }
}
