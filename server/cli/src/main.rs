//! The program `heapbeat`: the library with an example backend, a guard for any program, and tools around them.

mod admin_client;
mod agents;
mod alerts;
mod apply;
mod check_memory;
mod cli;
mod convert;
mod doctor;
mod error;
mod forecast;
mod http_client;
mod init;
mod inspect;
mod open_files;
mod recycle;
mod run;
mod serve;
mod setting_args;
mod version;

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

use self::cli::{Cli, Command};
use self::error::RunError;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// Exit code of a wrong command line or configuration, which is also clap's.
const USAGE: u8 = 2;
/// Exit code of every other failure.
const FAILURE: u8 = 1;
/// Exit code of a command whose exit code is a verdict, if it has none.
const UNKNOWN: u8 = 3;

fn main() -> ExitCode {
    heapbeat::supervisor::survive_early_signals();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };
    let result = match cli.command {
        Command::Serve(arguments) => serve::run(&arguments).map(|()| 0),
        Command::Run(arguments) => run::run(arguments),
        Command::Exec(program) => Ok(run::exec(&program)),
        Command::Watchdog { arguments } => Ok(heapbeat::supervisor::run_watchdog(&arguments)),
        Command::CheckMemory(arguments) => Ok(check_memory::run(&arguments)),
        Command::Recycle(arguments) => Ok(recycle::run(&arguments)),
        Command::Apply(arguments) => Ok(apply::run(&arguments)),
        Command::Alerts(arguments) => Ok(alerts::run(&arguments)),
        Command::Convert(arguments) => Ok(convert::run(&arguments)),
        Command::Forecast(arguments) => Ok(forecast::run(&arguments)),
        Command::Init(arguments) => Ok(init::run(&arguments)),
        Command::Doctor(arguments) => Ok(doctor::run(&arguments)),
    };
    ExitCode::from(result.unwrap_or_else(|error| print_error(&error)))
}

/// Prints an error, each line behind the name of the program, and returns the exit code.
fn print_error(error: &RunError) -> u8 {
    for line in error.to_string().lines() {
        eprintln!("heapbeat: {line}");
    }
    if error.is_usage_error() { USAGE } else { FAILURE }
}

/// Prints the help, the version or an error of the command line, and returns the exit code: success for help and version, and
/// [`UNKNOWN`] for wrong arguments of a command whose exit code is a verdict.
fn print_usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let command = std::env::args_os().nth(1);
    if command.as_ref().is_some_and(|name| name == "run")
        && let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
        && !word.starts_with('-')
    {
        eprintln!("heapbeat: write `--` before the program: heapbeat run -- {word} …");
    }
    let has_verdict =
        command.is_some_and(|name| cli::VERDICT_COMMANDS.iter().any(|command| name == *command));
    match (error.use_stderr(), has_verdict) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(UNKNOWN),
        (true, false) => ExitCode::from(USAGE),
    }
}
