//! Takes the place of the commands that guard a program, on systems where they cannot: each says so. They are not in the help.

use std::env::consts::OS;
use std::ffi::OsString;

use clap::Subcommand;

/// Exit code of a command that this system does not have.
const ABSENT: u8 = crate::FAILURE;

/// The subcommands, with whatever arguments they have on Linux.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardCommand {
    #[command(hide = true, disable_help_flag = true)]
    Serve(AnyArguments),
    #[command(hide = true, disable_help_flag = true)]
    Run(AnyArguments),
    #[command(hide = true, disable_help_flag = true)]
    Recycle(AnyArguments),
}

/// Arguments that nothing reads.
#[derive(Debug, clap::Args)]
pub(crate) struct AnyArguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

/// Prepares nothing.
pub(crate) fn prepare_process() {}

/// Reports that the command does not exist here, and returns the exit code.
#[expect(clippy::needless_pass_by_value, reason = "it has the form of the one on Linux")]
pub(crate) fn run(command: GuardCommand) -> u8 {
    eprintln!("heapbeat: {}", describe_absence(&command));
    ABSENT
}

fn describe_absence(command: &GuardCommand) -> String {
    let name = match command {
        GuardCommand::Serve(_) => "serve",
        GuardCommand::Run(_) => "run",
        GuardCommand::Recycle(_) => "recycle",
    };
    format!("`{name}` needs Linux, and this is {OS}; `heapbeat --help` lists the commands that work here")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use clap::error::ErrorKind;

    use super::*;

    #[derive(Debug, Parser)]
    struct Commands {
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        #[command(flatten)]
        Guard(GuardCommand),
        /// Works everywhere
        Forecast,
    }

    #[test]
    fn every_form_of_a_command_says_that_it_needs_linux() {
        for arguments in [
            &["run", "--", "node", "server.js"][..],
            &["run", "--front", "off", "--", "node", "-e", "1"],
            &["run", "--help"],
            &["run"],
            &["serve", "--demo", "--memory-limit=200MB"],
            &["serve", "-h"],
            &["recycle", "--pid", "42"],
        ] {
            let parsed = Commands::try_parse_from([&["heapbeat"], arguments].concat());
            let Ok(Commands { command: Command::Guard(command) }) = parsed else {
                panic!("{arguments:?}: {parsed:?}");
            };
            let text = describe_absence(&command);
            assert!(text.starts_with(&format!("`{}` needs Linux, and this is ", arguments[0])), "{text}");
        }
    }

    #[test]
    fn the_help_has_the_other_commands_alone() {
        for arguments in [&["heapbeat", "--help"][..], &["heapbeat", "forecast", "--help"]] {
            let error = Commands::try_parse_from(arguments).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayHelp);
            let help = error.to_string();
            assert!(help.contains("Works everywhere") && !help.contains("recycle"), "{help}");
        }
    }
}
