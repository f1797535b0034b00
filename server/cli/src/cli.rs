//! The subcommands and their arguments.

use clap::{Parser, Subcommand};

use crate::alerts::AlertsArgs;
use crate::apply::ApplyArgs;
use crate::check_memory::CheckMemoryArgs;
use crate::convert::ConvertArgs;
use crate::doctor::DoctorArgs;
use crate::forecast::ForecastArgs;
use crate::guard_commands::GuardCommand;
use crate::init::InitArgs;
use crate::version::version;

/// Keeps a memory-bound backend alive, and reports the cause of every outage
#[derive(Debug, Parser)]
#[command(name = "heapbeat", version = version(), arg_required_else_help = true)]
#[cfg_attr(not(target_os = "linux"), command(after_help = "On Linux there are also serve, run and recycle."))]
pub(crate) struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The commands that guard a program.
    #[command(flatten)]
    Guard(GuardCommand),
    CheckMemory(CheckMemoryArgs),
    Init(InitArgs),
    Doctor(DoctorArgs),
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
