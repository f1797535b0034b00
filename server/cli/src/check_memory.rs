//! `heapbeat check-memory`: the arguments of [`crate::inspect`].

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;

use crate::inspect::{Options, Target, inspect};

const EXAMPLES: &str = "\
With HEAPBEAT_SECRET set to the server's secret, a heapbeat server reports its limit, pressure level, routes, events and an hour of
history. Without it, it reports only its public figures. --pid measures any process of this machine from outside.

Keys: q, Esc or Ctrl-C quits; p pauses the screen while measuring continues.

Exit codes: 0 fine; 1 warning; 2 critical; 3 unknown.

Examples:
  heapbeat check-memory                                     shows the server on this machine, on PORT or 8080
  HEAPBEAT_SECRET=… heapbeat check-memory --url https://api.example.com
  heapbeat check-memory --pid $(pgrep -o node) --limit 512MB
  heapbeat check-memory --once || notify-on-call            measures once, for a script
  heapbeat check-memory --json --interval 10s | jq -r '[.at, .sample.rss] | @csv'
";

/// Shortest interval, as each measurement is a request.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Shows the memory of a process live: usage, limit, growth per route, leak forecast, and recommendations
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckMemoryArgs {
    /// Address of a heapbeat server; without a path, /health is added [default: http://127.0.0.1:$PORT/health]
    #[arg(long, value_name = "URL", conflicts_with = "pid")]
    url: Option<String>,
    /// Id of a process of this machine
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Measures once instead of showing a live view; the default if the output is not a terminal
    #[arg(long)]
    once: bool,
    /// Prints one JSON object per measurement
    #[arg(long)]
    json: bool,
    /// Prints without colors; `NO_COLOR` does the same
    #[arg(long)]
    no_color: bool,
    /// Time between two measurements
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_interval)]
    interval: Duration,
    /// Memory limit, if the target does not report its own
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| text.parse::<Bytes>())]
    limit: Option<Bytes>,
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(interval) if interval >= MIN_INTERVAL => Ok(interval),
        Ok(_) => Err("the interval must be 100ms or more".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Measures, and returns the verdict as the exit code.
pub(crate) fn run(arguments: &CheckMemoryArgs) -> u8 {
    let target = match parse_target(arguments) {
        Ok(target) => target,
        Err(message) => {
            let _ = writeln!(io::stderr(), "heapbeat: {message}");
            return super::UNKNOWN;
        }
    };
    let plain = arguments.no_color || read_variable("NO_COLOR").is_some();
    let options = Options {
        target,
        once: arguments.once,
        json: arguments.json,
        color: !plain && io::stdout().is_terminal(),
        interval: arguments.interval,
        limit: arguments.limit,
    };
    inspect(&options).code()
}

/// Returns the process to measure, or a message if its secret is invalid.
fn parse_target(arguments: &CheckMemoryArgs) -> Result<Target, String> {
    if let Some(pid) = arguments.pid {
        return Ok(Target::Pid(pid));
    }
    let secret = match read_variable("HEAPBEAT_SECRET") {
        // The message must not contain the secret.
        Some(text) => {
            Some(Secret::new(&text).map_err(|error| format!("HEAPBEAT_SECRET is too short: {error}"))?)
        }
        None => None,
    };
    let url = arguments.url.clone().unwrap_or_else(|| {
        let port = read_variable("PORT").unwrap_or_else(|| "8080".into());
        format!("http://127.0.0.1:{}/health", port.trim())
    });
    Ok(Target::Url { url, secret: secret.map(Box::new) })
}

/// Reads an environment variable. Returns `None` if it is not set or empty.
fn read_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
