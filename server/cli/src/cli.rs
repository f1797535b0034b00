//! The subcommands and their arguments.

use clap::{Parser, Subcommand};

use crate::alerts::AlertsArgs;
use crate::apply::ApplyArgs;
use crate::check_memory::CheckMemoryArgs;
use crate::convert::ConvertArgs;
use crate::doctor::DoctorArgs;
use crate::forecast::ForecastArgs;
use crate::init::InitArgs;
use crate::recycle::RecycleArgs;
use crate::run::{ProgramArgs, RunArgs};
use crate::serve::ServeArgs;
use crate::version::version;

/// Keeps a memory-bound backend alive, and reports the cause of every outage
#[derive(Debug, Parser)]
#[command(name = "heapbeat", version = version(), arg_required_else_help = true)]
pub(crate) struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(ServeArgs),
    CheckMemory(CheckMemoryArgs),
    Run(Box<RunArgs>),
    Init(InitArgs),
    Doctor(DoctorArgs),
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
    Forecast(ForecastArgs),
    Apply(ApplyArgs),
    Alerts(AlertsArgs),
    Convert(ConvertArgs),
}

/// Commands whose exit code is a verdict.
pub(crate) const VERDICT_COMMANDS: [&str; 3] = ["check-memory", "doctor", "forecast"];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
