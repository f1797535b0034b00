//! `heapbeat doctor`: checks a deployment from outside, and says what to do.
//!
//! The answers of the server and the edge are gathered into [`Answers`]; the findings are a function of them ([`findings`]).

mod findings;
mod gather;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use heapbeat_shared::signing::Secret;

use self::findings::{Finding, Level, find};
use crate::inspect::parse_address;

const EXAMPLES: &str = "\
With HEAPBEAT_SECRET set to the server's secret, the signature, the limit and the version are checked as well.

Exit codes: 0 fine; 1 warning; 2 something does not work; 3 wrong command line.

Examples:
  heapbeat doctor --url https://api.example.com
  heapbeat doctor --edge https://heapbeat.example.workers.dev
  HEAPBEAT_SECRET=… heapbeat doctor --url https://api.example.com --edge https://heapbeat.example.workers.dev
";

/// Checks a deployment from outside: the server, its secret, clock, limit and version, and the edge
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("target").args(["url", "edge"]).multiple(true).required(true))]
pub(crate) struct DoctorArgs {
    /// Address of the server; without a path, /health is added
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Address of the status page
    #[arg(long, value_name = "URL")]
    edge: Option<String>,
}

/// Checks, prints the findings, and returns the exit code.
pub(crate) fn run(arguments: &DoctorArgs) -> u8 {
    let secret = match std::env::var("HEAPBEAT_SECRET").ok().filter(|text| !text.is_empty()) {
        Some(text) => match Secret::new(&text) {
            Ok(secret) => Some(secret),
            Err(error) => {
                let _ = writeln!(io::stderr(), "heapbeat: HEAPBEAT_SECRET is too short: {error}");
                return super::UNKNOWN;
            }
        },
        None => None,
    };
    for address in arguments.url.iter().chain(&arguments.edge) {
        if let Err(error) = parse_address(address) {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            return super::UNKNOWN;
        }
    }
    let answers = gather::gather(arguments.url.as_deref(), arguments.edge.as_deref(), secret);
    let found = find(&answers);
    let mut output = io::stdout().lock();
    for Finding { level, text, advice } in &found {
        let _ = writeln!(output, "{:<8}{text}", level.label());
        if let Some(advice) = advice {
            let _ = writeln!(output, "        {advice}");
        }
    }
    exit_code(&found)
}

/// Returns the exit code: that of the worst finding.
fn exit_code(found: &[Finding]) -> u8 {
    match found.iter().map(|finding| finding.level).max() {
        Some(Level::Problem) => 2,
        Some(Level::Warning) => 1,
        _ => 0,
    }
}
