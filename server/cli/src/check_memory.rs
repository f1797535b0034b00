//! `heapbeat check-memory`: the command line of [`crate::inspect`].

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;

use crate::inspect::{Options, Target, run as look};

const EXAMPLES: &str = "\
A heapbeat server tells everything when HEAPBEAT_SECRET is set to its secret: limit, ladder, routes,
events, an hour of history. Without it, its public figures. Any other process of this machine is
looked at by its id, from the outside.

Keys: q, Esc or Ctrl-C quit; p pauses the screen while watching goes on.

Exit codes: 0 fine; 1 warning; 2 critical; 3 could not tell.

Examples:
  heapbeat check-memory                                     the server on this machine, PORT or 8080
  HEAPBEAT_SECRET=… heapbeat check-memory --url https://api.example.com
  heapbeat check-memory --pid $(pgrep -o node) --limit 512MB
  heapbeat check-memory --once || page-somebody             one look, for a script
  heapbeat check-memory --json --interval 10s | jq -r '[.at, .sample.rss] | @csv'
";

/// The shortest time between two looks: a look is a request.
const FASTEST: Duration = Duration::from_millis(100);

/// The subcommand.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name);
    let switch = |name| flag(name).action(ArgAction::SetTrue);
    let size = |text: &str| text.parse::<Bytes>();
    Command::new("check-memory")
        .about("Shows the memory of a process live: where it stands, who holds it, whether it leaks, what to do")
        .after_help(EXAMPLES)
        .arg(flag("url").value_name("URL").conflicts_with("pid").help(
            "A heapbeat server; /health is added where there is no path [default: http://127.0.0.1:$PORT/health]",
        ))
        .arg(flag("pid").value_name("PID").value_parser(clap::value_parser!(u32).range(1..)).help("A process of this machine"))
        .arg(switch("once").help("One look instead of a live view; so it is, too, when output is not a terminal"))
        .arg(switch("json").help("JSON, one object a look"))
        .arg(switch("no-color").help("No colours; NO_COLOR does the same"))
        .arg(flag("interval").value_name("TIME").default_value("1s").value_parser(interval).help("Time between two looks"))
        .arg(flag("limit").value_name("SIZE").value_parser(size).help("The limit, where the target does not tell its own"))
}

fn interval(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(interval) if interval >= FASTEST => Ok(interval),
        Ok(_) => Err("at most ten looks a second: 100ms or more".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Looks; the answer is the exit code.
pub(crate) fn run(arguments: &ArgMatches) -> u8 {
    let target = match target(arguments) {
        Ok(target) => target,
        Err(message) => {
            let _ = writeln!(io::stderr(), "heapbeat: {message}");
            return super::COULD_NOT_TELL;
        }
    };
    let plain = arguments.get_flag("no-color") || variable("NO_COLOR").is_some();
    let options = Options {
        target,
        once: arguments.get_flag("once"),
        json: arguments.get_flag("json"),
        colour: !plain && io::stdout().is_terminal(),
        interval: arguments.get_one("interval").copied().unwrap_or(Duration::from_secs(1)),
        limit: arguments.get_one("limit").copied(),
    };
    look(&options).code()
}

fn target(arguments: &ArgMatches) -> Result<Target, String> {
    if let Some(pid) = arguments.get_one::<u32>("pid") {
        return Ok(Target::Pid(*pid));
    }
    let secret = match variable("HEAPBEAT_SECRET") {
        // The text of a secret belongs in no message.
        Some(text) => {
            Some(Secret::new(&text).map_err(|error| format!("HEAPBEAT_SECRET is too short: {error}"))?)
        }
        None => None,
    };
    let url = arguments.get_one::<String>("url").cloned().unwrap_or_else(|| {
        let port = variable("PORT").unwrap_or_else(|| "8080".into());
        format!("http://127.0.0.1:{}/health", port.trim())
    });
    Ok(Target::Url { url, secret })
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
