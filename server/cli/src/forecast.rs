//! `heapbeat forecast`: whether a series leaks, and when it reaches the limit.
//!
//! The memory that it takes does not grow with the file. An error names the file, the line and what is expected. There is no verdict
//! on a part of a file, as it could be wrong.

use std::fs::File;
use std::io::{self, Read, Write};
use std::time::Duration;

use heapbeat_forecast::read::{ReadError, Reader};
use heapbeat_forecast::{Assessment, Verdict};
use heapbeat_shared::Bytes;

/// A limit that is reached sooner than this is critical.
const SOON: Duration = Duration::from_secs(3600);

/// Size of one read, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

const EXAMPLES: &str = "\
A line is `seconds,bytes` (sizes such as 100MB are accepted), or a JSON object with `seconds` (or `at`, in milliseconds) and
`bytes`, `rss` or `working_set`. With `heap_used` and `heap_resident` as well, a leak can be distinguished from fragmentation.
`#` begins a comment. {\"seconds\":9,\"event\":\"restart\"} begins a new series; the events `purge` and `limit` exist, too.

Exit codes: 0 steady; 1 growing, fragmenting or leaking; 2 the limit is less than an hour away;
3 unknown, or the series cannot be read.

Examples:
  heapbeat forecast rss.csv
  heapbeat forecast --limit 512MB --json samples.jsonl
  while sleep 1; do echo \"$(date +%s),$(($(awk '{print $2}' /proc/4242/statm) * 4096))\"; done |
    head -n 600 | heapbeat forecast --limit 512MB -
";

/// Forecasts whether a series of memory figures leaks, and when it reaches the limit
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForecastArgs {
    /// Memory limit
    #[arg(long, value_name = "SIZE", default_value = "1024MB", value_parser = |text: &str| text.parse::<Bytes>())]
    limit: Bytes,
    /// Prints one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// File with the series; `-` for standard input
    file: String,
}

/// The series cannot be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{name}: {source}")]
    Io { name: String, source: io::Error },
    #[error("{name}: {source}")]
    Series { name: String, source: ReadError },
}

/// Prints the assessment of a series, and returns it as the exit code.
pub(crate) fn run(arguments: &ForecastArgs) -> u8 {
    match assess(&arguments.file, arguments.limit) {
        Ok(assessment) => {
            let text = if arguments.json { assessment.to_json() + "\n" } else { assessment.report() };
            // The reader of a closed pipe needs no message.
            let _ = io::stdout().write_all(text.as_bytes());
            exit_code(&assessment)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::UNKNOWN
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
    let mut chunk = vec![0; CHUNK_BYTES];
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

fn exit_code(assessment: &Assessment) -> u8 {
    match (assessment.verdict, assessment.time_to_limit) {
        (Verdict::Unknown, _) => super::UNKNOWN,
        (_, Some(time)) if time.expected < SOON => 2,
        (Verdict::Steady, _) => 0,
        (Verdict::Growing | Verdict::Leaking | Verdict::Fragmenting, _) => 1,
    }
}
