//! `heapbeat forecast`: does this series leak, and when does it reach the limit?
//!
//! Reads in bounded memory whatever the file's length. An error shows the file, the line and what would be right,
//! and nothing is told of half a file: a forecast from it would be a wrong one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use heapbeat_shared::Bytes;
use heapbeat_forecast::read::{ReadError, Reader};
use heapbeat_forecast::{Assessment, Verdict};

/// A limit that is reached sooner than this wants somebody now.
const SOON: Duration = Duration::from_secs(3600);

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

const EXAMPLES: &str = "\
A line is `seconds,bytes` (100MB and such are sizes too), or a JSON object with `seconds` (or `at`,
milliseconds) and `bytes`, `rss` or `working_set`; `heap_used` and `heap_resident` beside it let the
answer tell a leak from fragmentation. `#` begins a comment; {\"seconds\":9,\"event\":\"restart\"}
starts over (also purge, limit).

Exit codes: 0 steady; 1 growing, fragmenting or leaking; 2 the limit is less than an hour away;
3 unknown, or the series cannot be read.

Examples:
  heapbeat forecast rss.csv
  heapbeat forecast --limit 512MB --json samples.jsonl
  while sleep 1; do echo \"$(date +%s),$(($(awk '{print $2}' /proc/4242/statm) * 4096))\"; done |
    head -n 600 | heapbeat forecast --limit 512MB -
";

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("forecast")
        .about("Tells whether a series of memory figures leaks, and when it reaches the limit")
        .after_help(EXAMPLES)
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("SIZE")
                .default_value("1024MB")
                .value_parser(|text: &str| text.parse::<Bytes>())
                .help("What must not be reached"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object instead of text"))
        .arg(Arg::new("file").value_name("FILE").required(true).help("The series; `-` for standard input"))
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{name}: {source}")]
    Io { name: String, source: io::Error },
    #[error("{name}: {source}")]
    Series { name: String, source: ReadError },
}

/// Reads, tells, and says it again as the exit code.
pub(crate) fn run(arguments: &ArgMatches) -> u8 {
    let file = arguments.get_one::<String>("file").map_or("-", String::as_str);
    let limit = arguments.get_one::<Bytes>("limit").copied().unwrap_or(Bytes::from_mb(1024));
    match assess(file, limit) {
        Ok(told) => {
            let text = if arguments.get_flag("json") { told.to_json() + "\n" } else { told.report() };
            // A reader that has gone wants nothing more.
            let _ = io::stdout().write_all(text.as_bytes());
            exit_code(&told)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::COULD_NOT_TELL
        }
    }
}

fn assess(file: &str, limit: Bytes) -> Result<Assessment, Error> {
    if file == "-" {
        return read(io::stdin().lock(), "standard input", limit);
    }
    let input = File::open(file).map_err(|source| Error::Io { name: file.to_owned(), source })?;
    read(input, file, limit)
}

fn read(mut input: impl Read, name: &str, limit: Bytes) -> Result<Assessment, Error> {
    let series = |source| Error::Series { name: name.to_owned(), source };
    let mut reader = Reader::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => reader.feed(&chunk[..count]).map_err(series)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Io { name: name.to_owned(), source }),
        }
    }
    Ok(reader.finish().map_err(series)?.assess(limit))
}

fn exit_code(told: &Assessment) -> u8 {
    match (told.verdict, told.time_to_limit) {
        (Verdict::Unknown, _) => super::COULD_NOT_TELL,
        (_, Some(time)) if time.expected < SOON => 2,
        (Verdict::Steady, _) => 0,
        (Verdict::Growing | Verdict::Leaking | Verdict::Fragmenting, _) => 1,
    }
}
