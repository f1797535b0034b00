//! The commands that guard a program. They need Linux: `/proc`, control groups, and sockets and signals that pass to children.
//! Elsewhere `guard_commands_absent` takes their place.

use clap::Subcommand;

use crate::error::RunError;
use crate::recycle::{self, RecycleArgs};
use crate::run::{self, ProgramArgs, RunArgs};
use crate::serve::{self, ServeArgs};
use crate::{FAILURE, USAGE};

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    Serve(ServeArgs),
    Run(Box<RunArgs>),
    /// Replaces this process by the program that `run` guards; for internal use
    #[command(name = heapbeat::supervisor::START, hide = true)]
    Exec(ProgramArgs),
    /// Stops what `run` leaves behind when it is killed; for internal use
    #[command(name = heapbeat::supervisor::WATCHDOG, hide = true)]
    Watchdog {
        /// Process id of the supervisor, stop signal, and drain time
        arguments: Vec<String>,
    },
    Recycle(RecycleArgs),
}

/// Prepares the process, before anything else of it runs.
pub(crate) fn prepare_process() {
    heapbeat::supervisor::survive_early_signals();
}

/// Runs a command, and returns its exit code.
pub(crate) fn run(command: GuardCommand) -> u8 {
    let result = match command {
        GuardCommand::Serve(arguments) => serve::run(&arguments).map(|()| 0),
        GuardCommand::Run(arguments) => run::run(arguments),
        GuardCommand::Exec(program) => Ok(run::exec(&program)),
        GuardCommand::Watchdog { arguments } => Ok(heapbeat::supervisor::run_watchdog(&arguments)),
        GuardCommand::Recycle(arguments) => Ok(recycle::run(&arguments)),
    };
    result.unwrap_or_else(|error| print_error(&error))
}

/// Prints an error, each line behind the name of the program, and returns the exit code.
fn print_error(error: &RunError) -> u8 {
    for line in error.to_string().lines() {
        eprintln!("heapbeat: {line}");
    }
    if error.is_usage_error() { USAGE } else { FAILURE }
}
