//! `heapbeat recycle`: replaces the worker of a running server.

use heapbeat::supervisor::recycle_client::request_recycle;

const EXAMPLES: &str = "\
Starts a replacement worker beside the running one. When it is ready it takes over, and the old worker finishes its requests. If it \
does not become ready, the old worker keeps serving. The replacement runs the program file as it is now, so this also deploys a new \
build without refused connections.

Exit codes: 0 the replacement worker serves; 1 it does not.

Examples:
  heapbeat recycle                                   recycles the only supervised server of this user
  heapbeat recycle --pid 4242                        recycles the server with supervisor 4242 (SIGUSR2 does the same)
";

/// Replaces the worker of a running server, without refused connections
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RecycleArgs {
    /// Process id of the supervisor; needed only if there are several
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
}

/// Requests a replacement worker, waits for it, and prints the result.
pub(crate) fn run(arguments: &RecycleArgs) -> u8 {
    match request_recycle(arguments.pid) {
        Ok((pid, took)) => {
            println!(
                "process {pid} has a replacement worker; the old one exited after {:.1} s",
                took.as_secs_f64()
            );
            0
        }
        Err(error) => {
            eprintln!("heapbeat: {error}");
            super::FAILURE
        }
    }
}
