//! Anybody's series as text: `seconds,bytes` CSV, or JSON lines.
//!
//! Read line by line in bounded memory, so that a file of any size, or a pipe without an end, can be assessed. What is
//! not understood is an error with its line, its text and what would be right, never a value skipped in silence: a
//! forecast from half a file is a wrong one.
//!
//! ```text
//! seconds,bytes                 {"seconds":0,"bytes":104857600}
//! 0,104857600                   {"seconds":1,"rss":104857600,"heap_used":52428800,"heap_resident":83886080}
//! 1.5,100MB                     {"at":1735689600000,"working_set":104857600,"heap_used":52428800,"heap_resident":83886080}
//! # restart                     {"seconds":2,"event":"restart"}
//! ```

use heapbeat_shared::{Bytes, UnixMillis};
use serde::Deserialize;

use super::{Forecaster, Heap, Point, Reset};

/// Longest line in bytes; a line of figures has some fifty.
pub const MAX_LINE: usize = 4096;

/// Most bytes of a line that an error shows.
const SHOWN: usize = 60;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nothing: empty, a comment, the header.
    Nothing,
    /// A reading.
    Reading(Point),
    /// What came before no longer counts.
    Event(Reset),
}

/// Why a line is not one of a series.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`MAX_LINE`].
    #[error("line {line} is longer than {MAX_LINE} bytes; a line is `seconds,bytes` or one JSON object")]
    TooLong {
        /// Counted from 1.
        line: u64,
    },
    /// Not UTF-8.
    #[error("line {line} is not UTF-8 text")]
    NotText {
        /// Counted from 1.
        line: u64,
    },
    /// Not a reading.
    #[error("line {line}, `{text}`: {reason}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// Its beginning.
        text: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// No reading in all of it.
    #[error(
        "no reading in {lines} lines; a line is `seconds,bytes`, such as `0,104857600`, or one JSON object"
    )]
    Empty {
        /// Lines read.
        lines: u64,
    },
}

/// Reads lines into a forecaster.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    forecaster: Forecaster,
    /// The beginning of a line whose end was not fed yet, at most a byte longer than a line may be.
    partial: Vec<u8>,
    lines: u64,
    readings: u64,
}

impl Reader {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes of the text, however they are cut.
    pub fn feed(&mut self, mut chunk: &[u8]) -> Result<(), ReadError> {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            if self.partial.is_empty() {
                self.line(line)?;
            } else {
                self.keep(line);
                let line = std::mem::take(&mut self.partial);
                self.line(&line)?;
            }
            chunk = rest;
        }
        self.keep(chunk);
        // A line without an end is refused before it fills the memory.
        if self.partial.len() > MAX_LINE { Err(ReadError::TooLong { line: self.lines + 1 }) } else { Ok(()) }
    }

    /// Adds to the unfinished line, as much as is needed to see that it is too long.
    fn keep(&mut self, bytes: &[u8]) {
        let room = (MAX_LINE + 1).saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Takes in one line, with or without its end. The first error is the one to report; nothing of that line counts.
    pub fn line(&mut self, line: &[u8]) -> Result<(), ReadError> {
        self.lines += 1;
        let number = self.lines;
        if line.len() > MAX_LINE {
            return Err(ReadError::TooLong { line: number });
        }
        let text = std::str::from_utf8(line).map_err(|_| ReadError::NotText { line: number })?;
        let text = text.trim_start_matches('\u{feff}').trim();
        let parsed = parse(text, self.readings == 0).map_err(|reason| ReadError::Malformed {
            line: number,
            text: text[..text.floor_char_boundary(SHOWN)].to_owned(),
            reason,
        })?;
        match parsed {
            Line::Nothing => {}
            Line::Reading(point) => {
                self.readings += 1;
                self.forecaster.push(point);
            }
            Line::Event(reset) => self.forecaster.reset(reset),
        }
        Ok(())
    }

    /// Readings so far.
    pub fn readings(&self) -> u64 {
        self.readings
    }

    /// The series that was read, its last line with or without an end.
    pub fn finish(mut self) -> Result<Forecaster, ReadError> {
        let last = std::mem::take(&mut self.partial);
        if !last.is_empty() {
            self.line(&last)?;
        }
        if self.readings == 0 { Err(ReadError::Empty { lines: self.lines }) } else { Ok(self.forecaster) }
    }
}

/// A whole text at once.
pub fn read(text: &[u8]) -> Result<Forecaster, ReadError> {
    let mut reader = Reader::new();
    reader.feed(text)?;
    reader.finish()
}

fn parse(text: &str, header_allowed: bool) -> Result<Line, String> {
    if text.is_empty() {
        Ok(Line::Nothing)
    } else if let Some(comment) = text.strip_prefix('#') {
        Ok(event(comment.trim()).map_or(Line::Nothing, Line::Event))
    } else if text.starts_with('{') {
        json(text)
    } else {
        csv(text, header_allowed)
    }
}

fn event(word: &str) -> Option<Reset> {
    match word {
        "restart" | "started" => Some(Reset::Restart),
        "purge" => Some(Reset::Purge),
        "limit" => Some(Reset::Limit),
        _ => None,
    }
}

fn csv(text: &str, header_allowed: bool) -> Result<Line, String> {
    let wanted = "a line is `seconds,bytes`, such as `0,104857600` or `1.5,100MB`";
    let Some((time, rest)) = text.split_once([',', ';', '\t']) else {
        return Err(format!("there is no comma; {wanted}"));
    };
    let (time, bytes) = (unquoted(time), unquoted(rest));
    if header_allowed && names_no_number(time) && names_no_number(bytes) {
        return Ok(Line::Nothing);
    }
    if bytes.contains([',', ';', '\t']) {
        return Err(format!("there are more than two fields; {wanted}"));
    }
    let at = seconds(time).ok_or_else(|| format!("`{time}` is not a time in seconds; {wanted}"))?;
    let total = size(bytes).ok_or_else(|| format!("`{bytes}` is not a size in bytes; {wanted}"))?;
    Ok(Line::Reading(Point::single(at, total)))
}

fn unquoted(field: &str) -> &str {
    field.trim().trim_matches('"').trim()
}

/// Whether a field can be the name of a column: it begins with a letter.
fn names_no_number(field: &str) -> bool {
    field.starts_with(|c: char| c.is_alphabetic()) && field.parse::<f64>().is_err()
}

/// Seconds since anything, to the millisecond; at most 100 billion years either way.
fn seconds(text: &str) -> Option<UnixMillis> {
    millis(text.parse().ok()?)
}

fn millis(seconds: f64) -> Option<UnixMillis> {
    let millis = (seconds * 1000.0).round();
    // Bounded just before; NaN is no bound's friend and fails the test.
    #[allow(clippy::cast_possible_truncation)]
    (millis.abs() < 4e18).then_some(UnixMillis(millis as i64))
}

/// A whole number of bytes, a size with its unit, or a number such as `1.5e8` or `104857600.0`, as tools write them.
fn size(text: &str) -> Option<Bytes> {
    text.parse().ok().or_else(|| bytes(text.parse().ok()?))
}

fn bytes(number: f64) -> Option<Bytes> {
    // Bounded just before.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..1.8e19).contains(&number).then_some(Bytes(number as u64))
}

/// The fields of a JSON line; whatever else is in it does not matter here.
#[derive(Deserialize)]
struct Fields {
    seconds: Option<f64>,
    /// Milliseconds, as samples have them.
    at: Option<i64>,
    bytes: Option<f64>,
    working_set: Option<f64>,
    rss: Option<f64>,
    #[serde(alias = "heapUsed")]
    heap_used: Option<f64>,
    heap_resident: Option<f64>,
    event: Option<String>,
}

fn json(text: &str) -> Result<Line, String> {
    let wanted = r#"a line is an object such as {"seconds":0,"bytes":104857600}"#;
    let fields: Fields = serde_json::from_str(text).map_err(|error| format!("{error}; {wanted}"))?;
    if let Some(word) = &fields.event {
        let known = "the events that count are `restart`, `purge` and `limit`";
        return event(word).map(Line::Event).ok_or_else(|| format!("`{word}` is not known; {known}"));
    }
    let at = match (fields.seconds, fields.at) {
        (Some(seconds), _) => millis(seconds).ok_or_else(|| format!("`seconds` is {seconds}; {wanted}"))?,
        (None, Some(at)) => UnixMillis(at),
        (None, None) => return Err(format!("there is neither `seconds` nor `at`; {wanted}")),
    };
    let figure = |name: &str, number: Option<f64>| match number {
        None => Ok(None),
        Some(number) => bytes(number).map(Some).ok_or_else(|| format!("`{name}` is {number}; {wanted}")),
    };
    let used = figure("heap_used", fields.heap_used)?;
    let resident = figure("heap_resident", fields.heap_resident)?;
    let total = figure("working_set", fields.working_set)?
        .or(figure("rss", fields.rss)?)
        .or(figure("bytes", fields.bytes)?)
        .or(used)
        .ok_or_else(|| format!("there is none of `bytes`, `rss`, `working_set` and `heap_used`; {wanted}"))?;
    let alone = fields.working_set.or(fields.rss).or(fields.bytes).is_none();
    let heap = used.filter(|_| !alone).map(|used| Heap { used, resident });
    Ok(Line::Reading(Point { at, total, heap }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> Result<Line, String> {
        parse(text, false)
    }

    fn single(millis: i64, total: u64) -> Line {
        Line::Reading(Point::single(UnixMillis(millis), Bytes(total)))
    }

    #[test]
    fn readings_are_understood_as_people_and_tools_write_them() {
        let cases = [
            ("0,104857600", single(0, 104_857_600)),
            ("1.5, 100MB", single(1500, 104_857_600)),
            ("\"2\";\"1048576\"", single(2000, 1_048_576)),
            ("1735689600.25\t1.5e8", single(1_735_689_600_250, 150_000_000)),
            ("-3,1048576.0", single(-3000, 1_048_576)),
            (r#"{"seconds":4,"bytes":7}"#, single(4000, 7)),
            (r#"{"at":4000,"rss":7,"more":[1]}"#, single(4000, 7)),
            (r#"{"seconds":4,"heapUsed":7}"#, single(4000, 7)),
            ("", Line::Nothing),
            ("# a remark", Line::Nothing),
            ("# restart", Line::Event(Reset::Restart)),
            (r#"{"seconds":4,"event":"purge"}"#, Line::Event(Reset::Purge)),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), Ok(expected), "{text}");
        }
        let sample = r#"{"at":5,"working_set":30,"rss":40,"heap_used":10,"heap_resident":20}"#;
        let heap = Some(Heap { used: Bytes(10), resident: Some(Bytes(20)) });
        assert_eq!(line(sample), Ok(Line::Reading(Point { at: UnixMillis(5), total: Bytes(30), heap })));
    }

    #[test]
    fn an_error_names_the_line_the_text_and_what_would_be_right() {
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
            (r#"{"bytes":1}"#, "neither `seconds` nor `at`"),
            (r#"{"seconds":1}"#, "none of `bytes`"),
            (r#"{"seconds":1,"bytes":-1}"#, "`bytes` is -1"),
            (r#"{"event":"party"}"#, "`party` is not known"),
        ];
        for (text, reason) in cases {
            let error = read(format!("seconds,bytes\n0,1\n{text}\n1,1").as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line 3, `"), "{error}");
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn headers_marks_and_line_ends_of_other_systems_are_fine() {
        let mut reader = Reader::new();
        for text in ["\u{feff}seconds,rss\r\n", "0,5\r\n", "\r\n", "1,6\r\n"] {
            reader.line(text.as_bytes()).unwrap();
        }
        assert_eq!(reader.readings(), 2);
        // Only before the first reading is a line of names a header.
        assert!(reader.line(b"seconds,rss").is_err());
    }

    #[test]
    fn an_empty_or_endless_line_series_is_refused() {
        assert_eq!(read(b"seconds,bytes\n").unwrap_err(), ReadError::Empty { lines: 1 });
        assert_eq!(read(&[b'1'; MAX_LINE + 1]).unwrap_err(), ReadError::TooLong { line: 1 });
        assert_eq!(read(b"1,2\n\xff\xfe").unwrap_err(), ReadError::NotText { line: 2 });
    }

    #[test]
    fn it_does_not_matter_how_the_text_is_cut() {
        let lines: Vec<String> = (0..400).map(|i| format!("{i},{}", 100_000_000 + i * 20_000)).collect();
        let text = lines.join("\n");
        let whole = read(text.as_bytes()).unwrap().assess(Bytes::from_mb(512));
        for size in [1, 7, 100, 4096, 5000] {
            let mut reader = Reader::new();
            for chunk in text.as_bytes().chunks(size) {
                reader.feed(chunk).unwrap();
            }
            assert_eq!(reader.finish().unwrap().assess(Bytes::from_mb(512)), whole, "chunks of {size}");
        }
        let mut endless = Reader::new();
        let refused = (0..100).map(|_| endless.feed(&[b'1'; 100])).find(Result::is_err);
        assert_eq!(refused, Some(Err(ReadError::TooLong { line: 1 })));
    }

    #[test]
    fn a_restart_forgets_what_was_before() {
        let leak = |from: u64| (0..900).map(move |i| format!("{},{}\n", from + i, 100_000_000 + i * 20_000));
        let text: String = leak(0).chain(["# restart\n".to_owned()]).chain(leak(900)).collect();
        let forecaster = read(text.as_bytes()).unwrap();
        assert_eq!(forecaster.last_reset(), Some(Reset::Restart));
        let limit = Bytes::from_mb(512);
        let alone: String = leak(900).collect();
        assert_eq!(forecaster.assess(limit), read(alone.as_bytes()).unwrap().assess(limit));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&text);
        }

        #[test]
        fn nothing_like_a_line_makes_the_parser_panic(text in r#"[{}"a-z0-9.,:;# e+-]{0,60}"#) {
            let _ = read(text.as_bytes());
        }
    }
}
