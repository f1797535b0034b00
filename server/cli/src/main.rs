//! The heapbeat binary: the library with an example backend.

mod apply;
mod check_memory;
mod cli;
mod convert;
mod forecast;
mod http_client;
mod inspect;
mod recycle;
mod run;
mod serve;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: heapbeat::Allocator = heapbeat::Allocator;

/// A wrong command line or configuration, as clap has it too.
const USAGE: u8 = 2;
/// Everything else that went wrong.
const FAILURE: u8 = 1;
/// Of the commands whose exit code is an answer: there is none.
const COULD_NOT_TELL: u8 = 3;

fn main() -> ExitCode {
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return usage(&error),
    };
    let result = match matches.subcommand() {
        Some(("serve", arguments)) => serve::run(arguments).map(|()| 0),
        Some(("run", arguments)) => run::run(arguments),
        Some((heapbeat::supervisor::START, arguments)) => return ExitCode::from(run::become_it(arguments)),
        Some(("check-memory", arguments)) => return ExitCode::from(check_memory::run(arguments)),
        Some(("recycle", arguments)) => return ExitCode::from(recycle::run(arguments)),
        Some(("apply", arguments)) => return ExitCode::from(apply::run(arguments)),
        Some(("convert", arguments)) => return ExitCode::from(convert::run(arguments)),
        Some(("forecast", arguments)) => return ExitCode::from(forecast::run(arguments)),
        _ => return ExitCode::from(USAGE),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            for line in error.to_string().lines() {
                eprintln!("heapbeat: {line}");
            }
            ExitCode::from(
                if matches!(
                    error,
                    serve::Error::Config(_)
                        | serve::Error::SidePort(_)
                        | serve::Error::Guard(heapbeat::Error::Thresholds(_))
                ) {
                    USAGE
                } else {
                    FAILURE
                },
            )
        }
    }
}

/// Help and version are no error. A command whose exit code is an answer must not give one to a misspelt question.
fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let answers = std::env::args_os().nth(1).is_some_and(|name| cli::ANSWERING.iter().any(|a| name == *a));
    match (error.use_stderr(), answers) {
        (false, _) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(COULD_NOT_TELL),
        (true, false) => ExitCode::from(USAGE),
    }
}
