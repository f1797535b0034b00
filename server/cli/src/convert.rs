//! `heapbeat convert`: converts a Gatus configuration to a `monitors.toml`.
//!
//! Settings that cannot be converted become comments above their monitor, with the reason, and are printed on standard error, so that
//! no check is dropped silently. Credentials are not written.

use std::fs::File;
use std::io::{self, Read, Write};

mod gatus;
mod monitors_toml;
mod names;

/// Size limit of the file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

const EXAMPLES: &str = "\
Converts HTTP and TCP endpoints with their conditions, headers, bodies, intervals, timeouts and thresholds, and external endpoints
with a heartbeat. A header with a credential becomes the name of a Worker secret; its value is not written.

Exit codes: 0 converted, with or without notes; 1 the file cannot be read; 2 wrong command line.

Examples:
  heapbeat convert gatus.yaml > monitors.toml
  heapbeat apply monitors.toml --url https://heapbeat.example.workers.dev --dry-run
";

/// Converts a Gatus configuration to a monitors.toml
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// Configuration file of Gatus (YAML); `-` for standard input
    file: String,
}

/// Converts the file, and returns the exit code.
pub(crate) fn run(arguments: &ConvertArgs) -> u8 {
    let file = &arguments.file;
    let converted = read_text(file).map_err(|error| error.to_string()).and_then(|text| gatus::convert(&text));
    match converted {
        Ok(converted) => {
            let _ = io::stdout().write_all(monitors_toml::format_file(&converted).as_bytes());
            for note in converted.iter().flat_map(|endpoint| &endpoint.notes) {
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

/// Reads the file, or standard input for `-`.
fn read_text(file: &str) -> io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn Read> =
        if file == "-" { Box::new(io::stdin().lock()) } else { Box::new(File::open(file)?) };
    input.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("the file has more than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}
