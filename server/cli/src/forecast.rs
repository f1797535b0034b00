//! `heapbeat forecast`: forecasts whether a series leaks, and when it reaches the limit.
//!
//! It uses the same memory for a file of any size. An error names the file, the line and what is expected. A file with an invalid line
//! gets no verdict, as a verdict on a part could be wrong.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::time::Duration;

use heapbeat_forecast::{Assessment, Verdict};
use heapbeat_shared::Bytes;

mod line;
mod series;

use self::series::{SeriesFileError, read_series};

/// A limit that is reached sooner than this is critical.
const SOON: Duration = Duration::from_secs(3600);

const EXAMPLES: &str = "\
A line is `seconds,bytes` (sizes such as 100MB are accepted), or a JSON object with `seconds` (or `at`, in milliseconds) and
`bytes`, `rss` or `working_set`. With `heap_used` and `heap_resident` as well, a leak can be distinguished from fragmentation.
`#` begins a comment. {\"seconds\":9,\"event\":\"restart\"} begins a new series; the other events are `purge` and `limit`.

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
#[error("{name}: {source}")]
struct Error {
    name: String,
    source: SeriesFileError,
}

/// Prints the assessment of a series, and returns it as the exit code.
pub(crate) fn run(arguments: &ForecastArgs) -> u8 {
    match assess_file(&arguments.file, arguments.limit) {
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

/// Reads a file, or standard input for `-`, and assesses its series.
fn assess_file(file: &str, limit: Bytes) -> Result<Assessment, Error> {
    let (name, input) = match file {
        "-" => ("standard input", Ok(Box::new(io::stdin().lock()) as Box<dyn BufRead>)),
        file => (file, File::open(file).map(|file| Box::new(BufReader::new(file)) as Box<dyn BufRead>)),
    };
    let series = input.map_err(SeriesFileError::from).and_then(read_series);
    series.map(|series| series.assess(limit)).map_err(|source| Error { name: name.to_owned(), source })
}

fn exit_code(assessment: &Assessment) -> u8 {
    match (assessment.verdict, assessment.time_to_limit) {
        (Verdict::Unknown, _) => super::UNKNOWN,
        (_, Some(time)) if time.expected < SOON => 2,
        (Verdict::Steady, _) => 0,
        (Verdict::Growing | Verdict::Leaking | Verdict::Fragmenting, _) => 1,
    }
}
