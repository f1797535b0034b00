//! Reads a series of memory figures line by line.
//!
//! Reading uses bounded memory, so that a file of any size, or a pipe without an end, can be assessed. An invalid line is an error with
//! its number and its text, and is never skipped, as a forecast of half a file could be wrong.

use std::io::{self, BufRead, Read};

use heapbeat_forecast::Forecaster;

use super::line::{SeriesLine, parse_line};

/// Size limit of a line, in bytes; a line of figures has about fifty.
pub(super) const MAX_LINE_BYTES: usize = 4096;

/// Bytes of a line that an error shows.
const SHOWN_BYTES: usize = 60;

/// The reason why the text is not a series. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub(super) enum SeriesFileError {
    /// The text cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line has more than [`MAX_LINE_BYTES`].
    #[error("line {0} is longer than {MAX_LINE_BYTES} bytes; a line is `seconds,bytes` or one JSON object")]
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
    /// There is no sample.
    #[error(
        "there is no sample in {lines} lines; a line is `seconds,bytes`, such as `0,104857600`, or one JSON object"
    )]
    Empty {
        /// Number of lines.
        lines: u64,
    },
}

/// Reads a series into a forecaster.
pub(super) fn read_series(mut input: impl BufRead) -> Result<Forecaster, SeriesFileError> {
    let mut forecaster = Forecaster::new();
    let (mut lines, mut samples, mut line) = (0, 0_u64, Vec::new());
    loop {
        line.clear();
        // One byte more than the limit, and the line break.
        if input.by_ref().take(MAX_LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        lines += 1;
        match decode_line(&line, lines, samples == 0)? {
            SeriesLine::Blank => {}
            SeriesLine::Sample(point) => {
                samples += 1;
                forecaster.push(point);
            }
            SeriesLine::Event(reset) => forecaster.reset(reset),
        }
    }
    if samples == 0 { Err(SeriesFileError::Empty { lines }) } else { Ok(forecaster) }
}

fn decode_line(line: &[u8], number: u64, header_allowed: bool) -> Result<SeriesLine, SeriesFileError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line.len() > MAX_LINE_BYTES {
        return Err(SeriesFileError::LineTooLong(number));
    }
    let text = std::str::from_utf8(line).map_err(|_| SeriesFileError::NotText(number))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    parse_line(text, header_allowed).map_err(|reason| SeriesFileError::Malformed {
        line: number,
        text: text[..text.floor_char_boundary(SHOWN_BYTES)].to_owned(),
        reason,
    })
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use heapbeat_forecast::Reset;
    use heapbeat_shared::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn error(text: &[u8]) -> String {
        read_series(text).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_line_its_text_and_the_reason() {
        let cases = [
            ("12", "there is no comma"),
            ("1,2,3", "more than two fields"),
            ("x,2", "`x` is not a time in seconds"),
            ("1,-2", "`-2` is not a size"),
            ("1,", "`` is not a size"),
            ("nan,2", "`nan` is not a time"),
            ("1,inf", "`inf` is not a size"),
            ("1e300,2", "`1e300` is not a time"),
            ("{", "EOF while parsing"),
            (r#"{"bytes":1}"#, "the fields `seconds` and `at` are both missing"),
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
        assert!(read_series(text.as_bytes()).is_ok());
        // A line of names is a header only before the first sample.
        assert!(error(format!("{text}seconds,rss").as_bytes()).starts_with("line 5, `seconds,rss`"));
    }

    #[test]
    fn a_series_without_samples_and_a_line_without_end_are_refused() {
        assert!(error(b"seconds,bytes\n").starts_with("there is no sample in 1 lines"));
        assert!(error(&[b'1'; MAX_LINE_BYTES + 1]).starts_with("line 1 is longer than 4096 bytes"));
        assert!(error(&vec![b'1'; 10 * MAX_LINE_BYTES]).starts_with("line 1 is longer than 4096 bytes"));
        assert_eq!(error(b"1,2\n\xff\xfe"), "line 2 is not UTF-8 text");
    }

    #[test]
    fn the_result_does_not_depend_on_the_size_of_reads() {
        let lines: Vec<String> = (0..400).map(|i| format!("{i},{}", 100_000_000 + i * 20_000)).collect();
        let text = lines.join("\n");
        let whole = read_series(text.as_bytes()).unwrap().assess(Bytes::from_mb(512));
        for size in [1, 7, 100, 4096, 5000] {
            let input = BufReader::with_capacity(size, text.as_bytes());
            assert_eq!(
                read_series(input).unwrap().assess(Bytes::from_mb(512)),
                whole,
                "reads of {size} bytes"
            );
        }
    }

    #[test]
    fn a_restart_begins_a_new_series() {
        let leak = |from: u64| (0..900).map(move |i| format!("{},{}\n", from + i, 100_000_000 + i * 20_000));
        let text: String = leak(0).chain(["# restart\n".to_owned()]).chain(leak(900)).collect();
        let forecaster = read_series(text.as_bytes()).unwrap();
        assert_eq!(forecaster.last_reset(), Some(Reset::Restart));
        let limit = Bytes::from_mb(512);
        let alone: String = leak(900).collect();
        assert_eq!(forecaster.assess(limit), read_series(alone.as_bytes()).unwrap().assess(limit));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_series(&text[..]);
        }

        #[test]
        fn nothing_like_a_line_makes_the_parser_panic(text in r#"[{}"a-z0-9.,:;# e+-]{0,60}"#) {
            let _ = read_series(text.as_bytes());
        }
    }
}
