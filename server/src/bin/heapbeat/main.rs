//! The heapbeat binary: the library with an example backend.

mod cli;
mod demo;
mod serve;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// A wrong command line or configuration, as clap has it too.
const USAGE: u8 = 2;
/// Everything else that went wrong.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let result = match matches.subcommand() {
        Some(("serve", arguments)) => serve::run(arguments),
        _ => return ExitCode::from(USAGE),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                eprintln!("heapbeat: {line}");
            }
            ExitCode::from(if matches!(error, serve::Error::Config(_)) { USAGE } else { FAILURE })
        }
    }
}
