//! `heapbeat check-memory`: the arguments of [`crate::inspect`].

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;

use crate::inspect::{InspectTarget, Options, inspect, measure_once};

const EXAMPLES: &str = "\
With HEAPBEAT_SECRET set to the server's secret, a heapbeat server reports its limit, pressure level, routes, events and an hour of \
history. Without it, it reports only its public figures. --pid measures any process of this machine from outside.

Keys: q, Esc or Ctrl-C quits; p pauses the screen while measuring continues.

Exit codes: 0 fine; 1 warning; 2 critical; 3 unknown. With --reachable: 0 the target answers; 1 it does not.

Examples:
  heapbeat check-memory                                     shows the server on this machine, on PORT or 8080
  HEAPBEAT_SECRET=… heapbeat check-memory --url https://api.example.com
  heapbeat check-memory --pid $(pgrep -o node) --limit 512MB
  heapbeat check-memory --once || notify-on-call            measures once, for a script
  heapbeat check-memory --pid 4242 --once --state /var/lib/memory-4242.csv     the same from cron: keeps what it measured
  heapbeat check-memory --json --interval 10s >> memory.jsonl; heapbeat forecast memory.jsonl
";

/// Shortest interval, as each measurement is a request.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Shows the memory of a process live: usage, limit, growth per route, leak forecast, and recommendations
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct CheckMemoryArgs {
    /// Address of a heapbeat server; without a path, /health is added [default: http://127.0.0.1:$PORT/health]
    #[arg(long, value_name = "URL", conflicts_with = "pid")]
    url: Option<String>,
    /// Id of a process of this machine
    #[arg(long, value_name = "PID", value_parser = parse_pid, allow_negative_numbers = true)]
    pid: Option<u32>,
    /// Measures once instead of showing a live view; the default if the output is not a terminal
    #[arg(long)]
    once: bool,
    /// File that keeps the measurements of the process between runs with --once, so that they can tell whether memory grows
    #[arg(long, value_name = "FILE", requires = "pid", conflicts_with = "reachable")]
    state: Option<PathBuf>,
    /// Exits with 0 as long as the target answers, and with 1 otherwise: for a HEALTHCHECK, as pressure is no reason to restart
    #[arg(long, conflicts_with = "json")]
    reachable: bool,
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
    #[arg(long, value_name = "SIZE", value_parser = parse_limit)]
    limit: Option<Bytes>,
}

fn parse_pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| "a process id is a number above 0, as `pgrep -o node` prints one".to_owned())
}

pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(interval) if interval >= MIN_INTERVAL => Ok(interval),
        Ok(_) => Err("the interval must be 100ms or more".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Lowest limit that is accepted: no process needs less than a megabyte.
const MIN_LIMIT: Bytes = Bytes::from_mb(1);

/// Measures, and returns the verdict as the exit code.
pub(crate) fn run(arguments: &CheckMemoryArgs) -> u8 {
    let target = match parse_target(arguments) {
        Ok(target) => target,
        Err(message) => {
            let _ = writeln!(io::stderr(), "heapbeat: {message}");
            return super::UNKNOWN;
        }
    };
    if arguments.reachable {
        return check_reachable(&target);
    }
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

/// Returns the exit code of a health check: 0 if the target answers, else 1.
fn check_reachable(target: &InspectTarget) -> u8 {
    match measure_once(target) {
        Ok(_) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::FAILURE
        }
    }
}

/// Returns the process to measure, or a message if its secret is invalid.
fn parse_target(arguments: &CheckMemoryArgs) -> Result<InspectTarget, String> {
    if let Some(pid) = arguments.pid {
        return Ok(InspectTarget::Pid { pid, state: arguments.state.clone() });
    }
    let secret = match read_variable("HEAPBEAT_SECRET") {
        // The message must not contain the secret.
        Some(text) => {
            Some(Secret::new(&text).map_err(|error| format!("HEAPBEAT_SECRET is too short: {error}"))?)
        }
        None => None,
    };
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => format!("http://127.0.0.1:{}/health", parse_port(read_variable("PORT"))?),
    };
    Ok(InspectTarget::Url { url, secret: secret.map(Box::new) })
}

/// Returns the port of the server on this machine, from the value of `PORT`.
fn parse_port(variable: Option<String>) -> Result<u16, String> {
    let Some(text) = variable else { return Ok(8080) };
    text.trim().parse().ok().filter(|port| *port > 0).ok_or_else(|| {
        format!(
            "PORT is {text:?}: a port is a number from 1 to 65535; set it, or give the address with --url"
        )
    })
}

/// Parses a limit that a process can have.
pub(crate) fn parse_limit(text: &str) -> Result<Bytes, String> {
    match text.parse::<Bytes>() {
        Ok(limit) if limit >= MIN_LIMIT => Ok(limit),
        Ok(_) => Err(format!("the limit must be {MIN_LIMIT} or more")),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads an environment variable. Returns `None` if it is not set or empty.
fn read_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_port_is_named_with_its_variable() {
        assert_eq!(parse_port(None), Ok(8080));
        assert_eq!(parse_port(Some(" 81\n".into())), Ok(81));
        for text in ["abc", "0", "65536"] {
            let error = parse_port(Some(text.into())).unwrap_err();
            assert!(error.starts_with(&format!("PORT is {text:?}: a port is a number")), "{error}");
        }
    }

    #[test]
    fn a_limit_needs_a_unit_and_at_least_a_megabyte() {
        assert_eq!(parse_limit("512MB"), Ok(Bytes::from_mb(512)));
        assert_eq!(parse_limit("10").unwrap_err(), "a size needs a unit; did you mean 10MB?");
        assert_eq!(parse_limit("10B").unwrap_err(), "the limit must be 1.0 MB or more");
    }
}
