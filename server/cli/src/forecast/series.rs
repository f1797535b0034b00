//! Reads a series of memory figures line by line.
//!
//! Reading uses bounded memory, so that a file of any size, or a pipe without an end, can be assessed. An invalid line is an error with
//! its number and its text, and is never skipped, as a forecast of half a file could be wrong. For the same reason a series that is not in
//! order of time is refused.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use heapbeat_forecast::{Assessment, Forecaster, Reset};
use heapbeat_shared::{Bytes, UnixMillis};

use super::line::{SeriesLine, SeriesSample, parse_line};
use super::prometheus::{Labels, is_prometheus, read_prometheus};

/// Size limit of a line, in bytes. A line of figures has about fifty, one of `check-memory --json` with all routes and events some ten
/// thousand.
const MAX_LINE_BYTES: usize = 256 * 1024;

/// Bytes of a line that an error shows.
const SHOWN_BYTES: usize = 60;

/// How much earlier a process may seem to have started than a line before said, in milliseconds: its age has whole seconds.
const START_TOLERANCE: i64 = 5000;

/// The reason why the text is not a series. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeriesFileError {
    /// The text cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line has more than [`MAX_LINE_BYTES`].
    #[error("line {0} is longer than {MAX_LINE_BYTES} bytes; a line is `time,bytes` or one JSON object")]
    LineTooLong(u64),
    /// A line is not UTF-8.
    #[error("line {0} is not UTF-8 text")]
    NotText(u64),
    /// A line is neither a sample nor an event.
    #[error("line {line}, `{text}`: {reason}")]
    Malformed {
        /// Number of the line.
        line: u64,
        /// Beginning of the line.
        text: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// It is a response of Prometheus, but not one with a series.
    #[error("this response of Prometheus cannot be assessed: {0}")]
    Prometheus(String),
    /// A series of a response of Prometheus was selected, but the input is something else.
    #[error("this is no response of Prometheus, so that --series selects nothing")]
    NotPrometheus,
    /// There is no sample.
    #[error(
        "there is no sample in {lines} lines; a line is `time,bytes`, such as `0,104857600`, or one JSON object"
    )]
    Empty {
        /// Number of lines.
        lines: u64,
    },
    /// The samples are not in order of time.
    #[error(
        "{late} of {samples} samples are older than the one before, the first in line {line}; sort them by time, or write `# restart` where another process begins"
    )]
    Unsorted {
        /// Number of samples that are older than the one before.
        late: u64,
        /// Number of all samples.
        samples: u64,
        /// The line of the first of them.
        line: u64,
    },
}

/// How to read a series.
#[derive(Debug, Default)]
pub(super) struct SeriesOptions {
    /// The time from each line to the next, which then need no times.
    pub(super) interval: Option<Duration>,
    /// The labels of the series in a response of Prometheus that has several.
    pub(super) labels: Labels,
}

/// A series that was read.
#[derive(Debug, Default)]
pub(super) struct SeriesReader {
    forecaster: Forecaster,
    /// The newest reading.
    newest: Bytes,
    /// Number of samples, and of those that are older than the one before; the line of the first of those.
    samples: u64,
    late: u64,
    first_late: u64,
    last: Option<UnixMillis>,
    started: Option<UnixMillis>,
    limit: Option<Bytes>,
}

impl SeriesReader {
    /// Adds a sample of a line. A process that started later is another one.
    pub(super) fn add(&mut self, sample: SeriesSample, line: u64) {
        let restarted =
            |before: UnixMillis, now: UnixMillis| now.0.saturating_sub(before.0) > START_TOLERANCE;
        if self.started.zip(sample.started).is_some_and(|(before, now)| restarted(before, now)) {
            self.reset(Reset::Restart);
        }
        (self.started, self.limit) = (sample.started.or(self.started), sample.limit.or(self.limit));
        self.samples += 1;
        if self.last.is_some_and(|last| sample.point.at < last) {
            self.late += 1;
            self.first_late = if self.late == 1 { line } else { self.first_late };
            return;
        }
        (self.last, self.newest) = (Some(sample.point.at), sample.point.total);
        if sample.runtime_max.is_some() {
            self.forecaster.set_runtime_max(sample.runtime_max);
        }
        self.forecaster.push(sample.point);
    }

    fn reset(&mut self, reason: Reset) {
        self.forecaster.reset(reason);
        self.last = None;
    }

    fn finish(self, lines: u64) -> Result<Self, SeriesFileError> {
        let SeriesReader { samples, late, first_late: line, .. } = self;
        match (samples, late) {
            (0, _) => Err(SeriesFileError::Empty { lines }),
            (_, 0) => Ok(self),
            _ => Err(SeriesFileError::Unsorted { late, samples, line }),
        }
    }

    /// Returns the newest reading.
    pub(super) const fn newest(&self) -> Bytes {
        self.newest
    }

    /// Returns the limit that its lines have.
    pub(super) const fn limit(&self) -> Option<Bytes> {
        self.limit
    }

    /// Assesses the series against a limit.
    pub(super) fn assess(&mut self, limit: Bytes) -> Assessment {
        self.forecaster.assess(limit)
    }
}

/// Reads a series.
pub(super) fn read_series(
    mut input: impl BufRead,
    options: &SeriesOptions,
) -> Result<SeriesReader, SeriesFileError> {
    let mut series = SeriesReader::default();
    if is_prometheus(input.fill_buf()?) {
        read_prometheus(input, &options.labels, &mut series)?;
        return series.finish(1);
    }
    if !options.labels.is_empty() {
        return Err(SeriesFileError::NotPrometheus);
    }
    let (mut lines, mut line) = (0, Vec::new());
    loop {
        line.clear();
        // One byte more than the limit, and the line break.
        if input.by_ref().take(MAX_LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)? == 0 {
            return series.finish(lines);
        }
        lines += 1;
        match decode_line(&line, lines, series.samples, options.interval)? {
            SeriesLine::Blank => {}
            SeriesLine::Sample(sample) => series.add(sample, lines),
            SeriesLine::Event(reset) => series.reset(reset),
        }
    }
}

/// Decodes a line. `samples` is the number of those before, each of which an interval precedes if there is one.
fn decode_line(
    line: &[u8],
    number: u64,
    samples: u64,
    interval: Option<Duration>,
) -> Result<SeriesLine, SeriesFileError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > MAX_LINE_BYTES {
        return Err(SeriesFileError::LineTooLong(number));
    }
    let text = std::str::from_utf8(line).map_err(|_| SeriesFileError::NotText(number))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let after = |interval: Duration| interval.saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX));
    let at = interval.map(|interval| UnixMillis(0).plus(after(interval)));
    parse_line(text, samples == 0, at).map_err(|reason| SeriesFileError::Malformed {
        line: number,
        text: text[..text.floor_char_boundary(SHOWN_BYTES)].to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    const LIMIT: Bytes = Bytes::from_mb(512);

    fn read(input: impl BufRead) -> Result<SeriesReader, SeriesFileError> {
        read_series(input, &SeriesOptions::default())
    }

    fn assess(input: impl BufRead) -> Assessment {
        read(input).unwrap().assess(LIMIT)
    }

    fn error(text: &[u8]) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_line_its_text_and_the_reason() {
        let cases = [
            ("12", "the time is missing: a line is `time,bytes`"),
            ("1,2,3", "more than two fields"),
            ("x,2", "`x` is not a time;"),
            ("1,-2", "`-2` is not a size"),
            ("1,", "`` is not a size"),
            ("nan,2", "`nan` is not a time"),
            ("1,inf", "`inf` is not a size"),
            ("1e300,2", "`1e300` is not a time"),
            ("{", "EOF while parsing"),
            (r#"{"bytes":1}"#, "the time is missing (`time`, "),
            (r#"{"seconds":1}"#, "the fields `bytes`, `rss`"),
            (r#"{"seconds":1,"bytes":-1}"#, "`bytes` is -1"),
            (r#"{"event":"party"}"#, "`party` is unknown"),
        ];
        for (text, reason) in cases {
            let error = error(format!("seconds,bytes\n0,1\n{text}\n1,1").as_bytes());
            assert!(error.starts_with("line 3, `"), "{error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn headers_byte_order_marks_and_line_ends_of_other_systems_are_accepted() {
        let text = "\u{feff}seconds,rss\r\n0,5\r\n\r\n1,6\r\n";
        assert!(read(text.as_bytes()).is_ok());
        // A line of names is a header only before the first sample.
        assert!(error(format!("{text}seconds,rss").as_bytes()).starts_with("line 5, `seconds,rss`"));
    }

    #[test]
    fn a_series_without_samples_and_a_line_without_end_are_refused() {
        assert!(error(b"seconds,bytes\n").starts_with("there is no sample in 1 lines"));
        assert!(error(&vec![b'1'; MAX_LINE_BYTES + 1]).starts_with("line 1 is longer than 262144 bytes"));
        assert!(error(&vec![b'1'; 3 * MAX_LINE_BYTES]).starts_with("line 1 is longer than 262144 bytes"));
        assert_eq!(error(b"1,2\n\xff\xfe"), "line 2 is not UTF-8 text");
    }

    #[test]
    fn the_result_does_not_depend_on_the_size_of_reads() {
        let lines: Vec<String> = (0..400).map(|i| format!("{i},{}", 100_000_000 + i * 20_000)).collect();
        let text = lines.join("\n");
        let whole = assess(text.as_bytes());
        for size in [1, 7, 100, 4096, 5000] {
            assert_eq!(
                assess(BufReader::with_capacity(size, text.as_bytes())),
                whole,
                "reads of {size} bytes"
            );
        }
    }

    #[test]
    fn a_restart_begins_a_new_series() {
        let leak = |from: u64| (0..900).map(move |i| format!("{},{}\n", from + i, 100_000_000 + i * 20_000));
        let text: String = leak(900).chain(["# restart\n".to_owned()]).chain(leak(0)).collect();
        let alone: String = leak(0).collect();
        assert_eq!(assess(text.as_bytes()), assess(alone.as_bytes()));
        // `check-memory` says how old the process is.
        let lines = |from: u64, age: u64| {
            (0..900).map(move |i| {
                let (at, uptime, rss) = ((from + i) * 1000, age + i, 100_000_000 + i * 20_000);
                format!("{{\"at\":{at},\"uptime\":{uptime},\"sample\":{{\"rss\":{rss}}}}}\n")
            })
        };
        let text: String = lines(0, 5000).chain(lines(900, 0)).collect();
        assert_eq!(assess(text.as_bytes()), assess(alone.as_bytes()));
        let text: String = lines(0, 5000).chain(lines(900, 5900)).collect();
        assert_ne!(assess(text.as_bytes()), assess(alone.as_bytes()));
    }

    #[test]
    fn a_series_out_of_order_is_refused_with_a_count() {
        let error = error(b"0,1\n5,2\n3,3\n4,4\n6,5\n");
        assert!(
            error.starts_with("2 of 5 samples are older than the one before, the first in line 3; "),
            "{error}"
        );
        assert!(read(&b"0,1\n0,2\n1,3\n"[..]).is_ok(), "two samples of one instant are in order");
    }

    #[test]
    fn seconds_milliseconds_and_iso_times_give_the_same_assessment() {
        let series = |time: fn(i64) -> String| -> Assessment {
            let lines: Vec<String> =
                (0..900).map(|i| format!("{},{}", time(i), 100_000_000 + i * 20_000)).collect();
            assess(lines.join("\n").as_bytes())
        };
        let seconds = series(|i| (1_735_689_600 + i).to_string());
        assert_eq!(seconds.verdict.as_str(), "leaking");
        assert_eq!(series(|i| ((1_735_689_600 + i) * 1000).to_string()), seconds);
        assert_eq!(series(|i| UnixMillis((1_735_689_600 + i) * 1000).to_rfc3339()), seconds);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&text[..]);
        }

        #[test]
        fn nothing_like_a_line_makes_the_parser_panic(text in r#"[{}"a-z0-9.,:;# e+-]{0,60}"#) {
            let _ = read(text.as_bytes());
        }
    }
}
