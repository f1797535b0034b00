//! `heapbeat recycle`.

use clap::{Arg, ArgMatches, Command};
use heapbeat::supervisor::recycle_client::renew;

const EXAMPLES: &str = "\
Starts a fresh worker beside the one that serves; when it is ready it takes over, and the old one finishes what it has.
If the fresh one does not get ready, the old one stays. The fresh worker runs the binary that is in the old one's place
by now, so this is also how a new build is rolled out without a gap.

Exit codes: 0 the fresh worker serves; 1 it does not.

Examples:
  heapbeat recycle                                   the only supervised server of this user
  heapbeat recycle --pid 4242                        the one whose supervisor is process 4242 (SIGUSR2 does the same)
";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("recycle")
        .about("Replaces the worker of a running server by a fresh one, without a gap")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("pid")
                .long("pid")
                .value_name("PID")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("The supervisor's process id; needed only where there are several"),
        )
}

/// Asks and waits; says what became of it.
pub(crate) fn run(arguments: &ArgMatches) -> u8 {
    match renew(arguments.get_one::<u32>("pid").copied()) {
        Ok((pid, took)) => {
            println!("process {pid} has a fresh worker; the old one left after {:.1} s", took.as_secs_f64());
            0
        }
        Err(error) => {
            eprintln!("heapbeat: {error}");
            super::FAILURE
        }
    }
}
