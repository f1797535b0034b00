//! `heapbeat convert`: a Gatus configuration as a `monitors.toml`.
//!
//! What cannot be brought along stands as a comment above the monitor that it belonged to, with the reason, and is told
//! on standard error: a check that is silently missing is worse than none. No value of a credential is written.

use std::fs::File;
use std::io::{self, Read, Write};

use clap::{Arg, ArgMatches, Command};

mod gatus;
mod names;
mod toml;

/// Longest file that is read, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

const EXAMPLES: &str = "\
Brings along endpoints over HTTP and TCP with their conditions, headers, bodies, intervals, timeouts and
thresholds, and external endpoints with a heartbeat. A header with a credential becomes the name of a
Worker secret; its value is left behind.

Exit codes: 0 converted, notes or not; 1 the file cannot be read; 2 a wrong command line.

Examples:
  heapbeat convert gatus.yaml > monitors.toml
  heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev --dry-run
";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("convert")
        .about("Turns a Gatus configuration into a monitors.toml")
        .after_help(EXAMPLES)
        .arg(Arg::new("file").value_name("FILE").required(true).help("Gatus's YAML; `-` for standard input"))
}

/// Converts; says how it went as the exit code.
pub(crate) fn run(arguments: &ArgMatches) -> u8 {
    let file = arguments.get_one::<String>("file").map_or("-", String::as_str);
    let converted = read(file).map_err(|error| error.to_string()).and_then(|text| gatus::convert(&text));
    match converted {
        Ok(found) => {
            let _ = io::stdout().write_all(toml::write(&found).as_bytes());
            for note in found.iter().flat_map(|entry| &entry.notes) {
                let _ = writeln!(io::stderr(), "{file}: {note}");
            }
            0
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {file}: {error}");
            super::FAILURE
        }
    }
}

fn read(file: &str) -> io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(file)?) };
    input.take(LONGEST_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(io::Error::other(format!("is longer than {LONGEST_FILE} bytes")));
    }
    Ok(text)
}
