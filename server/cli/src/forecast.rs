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
mod prometheus;
mod series;
mod time;

use self::prometheus::Labels;
use self::series::{SeriesFileError, SeriesOptions, read_series};
use super::check_memory::{parse_interval, parse_limit};
use super::inspect::advice::SOON;

/// The memory limit if none is given, and the series does not tell it: the largest that heapbeat takes without being asked.
const DEFAULT_LIMIT: Bytes = Bytes::from_mb(1024);

const EXAMPLES: &str = "\
A line is `time,bytes` (sizes such as 100MB are accepted), or a JSON object with a time (`time`, `timestamp`, `ts`, `t`, `at` or `seconds`) \
and `bytes`, `rss` or `working_set`. A time is in seconds, milliseconds (recognized by their size) or ISO 8601; lines without times need \
--interval. With `heap_used`, and `heap_resident` or `external`, as well, a leak can be distinguished from fragmentation. Node writes \
such lines with JSON.stringify({time: Date.now(), ...process.memoryUsage()}). Those of `check-memory --json`, and the response of \
Prometheus' /api/v1/query_range, can be given as they are. `#` begins a comment. {\"seconds\":9,\"event\":\"restart\"} begins a new \
series; the other events are `purge` and `limit`.

Exit codes: 0 steady; 1 growing, fragmenting or leaking; 2 memory has reached the limit, or a leak reaches it in less than an hour, and \
in twice the time for which it has lasted, or any growth reaches it within minutes; 3 unknown, or the series cannot be read.

Examples:
  heapbeat forecast rss.csv
  heapbeat forecast --limit 512MB --json samples.jsonl
  heapbeat forecast --interval 30s --limit 512MB memory-usage.jsonl                lines without times
  heapbeat forecast --series 'instance=\"10.0.0.7:8080\"' query-range.json         one series of several
  heapbeat check-memory --json --interval 10s | head -n 360 | heapbeat forecast -
  while sleep 1; do echo \"$(date +%s),$(($(awk '{print $2}' /proc/4242/statm) * 4096))\"; done |
    head -n 600 | heapbeat forecast --limit 512MB -
";

/// Forecasts whether a series of memory figures leaks, and when it reaches the limit
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForecastArgs {
    /// Memory limit [default: the one in the lines of check-memory, or 1024MB]
    #[arg(long, value_name = "SIZE", value_parser = parse_limit)]
    limit: Option<Bytes>,
    /// Time from each line to the next, for lines without times; their own times are ignored
    #[arg(long, value_name = "TIME", value_parser = parse_interval)]
    interval: Option<Duration>,
    /// Labels of the series to assess, if a response of Prometheus has several: `instance="a"`, or as they are listed in braces
    #[arg(long, value_name = "LABELS")]
    series: Option<Labels>,
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
    let options =
        SeriesOptions { interval: arguments.interval, labels: arguments.series.clone().unwrap_or_default() };
    match assess_file(&arguments.file, &options, arguments.limit) {
        Ok(FileAssessment { assessment, newest, is_default_limit }) => {
            let mut text =
                if arguments.json { assessment.to_json(newest) + "\n" } else { assessment.report(newest) };
            if is_default_limit && newest >= assessment.limit && !arguments.json {
                text += "\nThis limit is the default: set that of the process with --limit.\n";
            }
            // The reader of a closed pipe needs no message.
            let _ = io::stdout().write_all(text.as_bytes());
            exit_code(&assessment, newest)
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "heapbeat: {error}");
            super::UNKNOWN
        }
    }
}

/// The assessment of the series in a file.
struct FileAssessment {
    assessment: Assessment,
    /// The newest reading.
    newest: Bytes,
    /// Whether neither the command line nor the series told the limit.
    is_default_limit: bool,
}

/// Reads a file, or standard input for `-`, and assesses its series.
fn assess_file(file: &str, options: &SeriesOptions, limit: Option<Bytes>) -> Result<FileAssessment, Error> {
    let (name, input) = match file {
        "-" => ("standard input", Ok(Box::new(io::stdin().lock()) as Box<dyn BufRead>)),
        file => (file, File::open(file).map(|file| Box::new(BufReader::new(file)) as Box<dyn BufRead>)),
    };
    let series = input.map_err(SeriesFileError::from).and_then(|input| read_series(input, options));
    let mut series = series.map_err(|source| Error { name: name.to_owned(), source })?;
    let limit = limit.or(series.limit());
    Ok(FileAssessment {
        assessment: series.assess(limit.unwrap_or(DEFAULT_LIMIT)),
        newest: series.newest(),
        is_default_limit: limit.is_none(),
    })
}

/// Returns the exit code. Memory that has reached the limit is critical whatever the verdict.
fn exit_code(assessment: &Assessment, newest: Bytes) -> u8 {
    match assessment.verdict {
        _ if newest >= assessment.limit || assessment.reaches_limit_within(SOON) => 2,
        Verdict::Unknown => super::UNKNOWN,
        Verdict::Steady => 0,
        Verdict::Growing | Verdict::Leaking | Verdict::Fragmenting => 1,
    }
}
