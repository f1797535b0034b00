//! The command line.

use clap::{Parser, Subcommand};

use crate::apply::ApplyArgs;
use crate::check_memory::CheckMemoryArgs;
use crate::convert::ConvertArgs;
use crate::forecast::ForecastArgs;
use crate::recycle::RecycleArgs;
use crate::run::{ProgramArgs, RunArgs};
use crate::serve::ServeArgs;

/// Keeps a memory-bound backend alive, and reports the cause of every outage
#[derive(Debug, Parser)]
#[command(name = "heapbeat", version = version(), arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(ServeArgs),
    CheckMemory(CheckMemoryArgs),
    Run(RunArgs),
    /// Replaces itself by the program that `run` guards; no user types it
    #[command(name = heapbeat::supervisor::START, hide = true)]
    Exec(ProgramArgs),
    Recycle(RecycleArgs),
    Forecast(ForecastArgs),
    Apply(ApplyArgs),
    Convert(ConvertArgs),
}

/// Commands whose exit code is a verdict.
pub(crate) const VERDICT_COMMANDS: [&str; 2] = ["check-memory", "forecast"];

/// The version, and the commit if the build knew it (Render sets `RENDER_GIT_COMMIT`).
pub(crate) fn version() -> &'static str {
    const COMMIT: Option<&str> = match option_env!("HEAPBEAT_COMMIT") {
        Some(commit) => Some(commit),
        None => option_env!("RENDER_GIT_COMMIT"),
    };
    static VERSION: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    VERSION.get_or_init(|| match COMMIT.filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
