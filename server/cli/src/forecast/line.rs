//! Parses one line of a series: `seconds,bytes` CSV, or JSON.
//!
//! ```text
//! seconds,bytes                 {"seconds":0,"bytes":104857600}
//! 0,104857600                   {"seconds":1,"rss":104857600,"heap_used":52428800,"heap_resident":83886080}
//! 1.5,100MB                     {"at":1735689600000,"working_set":104857600,"heap_used":52428800,"heap_resident":83886080}
//! # restart                     {"seconds":2,"event":"restart"}
//! ```
//!
//! An error names the invalid value, and what is expected.

use heapbeat_forecast::{Heap, Point, Reset};
use heapbeat_shared::{Bytes, UnixMillis};
use serde::Deserialize;

use super::series::MAX_LINE_BYTES;

/// The content of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeriesLine {
    /// An empty line, a comment or the header.
    Blank,
    /// A sample.
    Sample(Point),
    /// An event, from which a new series begins.
    Event(Reset),
}

/// Parses a line without its line break. A header is allowed before the first sample.
pub(super) fn parse_line(text: &str, header_allowed: bool) -> Result<SeriesLine, String> {
    if text.is_empty() {
        Ok(SeriesLine::Blank)
    } else if let Some(comment) = text.strip_prefix('#') {
        Ok(parse_event(comment.trim()).map_or(SeriesLine::Blank, SeriesLine::Event))
    } else if text.starts_with('{') {
        parse_json(text)
    } else {
        parse_csv(text, header_allowed)
    }
}

fn parse_event(word: &str) -> Option<Reset> {
    match word {
        "restart" | "started" => Some(Reset::Restart),
        "purge" => Some(Reset::Purge),
        "limit" => Some(Reset::Limit),
        _ => None,
    }
}

/// Parses two fields with any of the usual delimiters between them. The crate `csv` handles quotes and blanks.
fn parse_csv(text: &str, header_allowed: bool) -> Result<SeriesLine, String> {
    let expected = "a line is `seconds,bytes`, such as `0,104857600` or `1.5,100MB`";
    let delimiter = text.bytes().find(|byte| b",;\t".contains(byte));
    let delimiter = delimiter.ok_or_else(|| format!("there is no comma; {expected}"))?;
    let mut reader = csv::ReaderBuilder::new();
    reader.has_headers(false).delimiter(delimiter).trim(csv::Trim::All).buffer_capacity(MAX_LINE_BYTES);
    let mut record = csv::StringRecord::new();
    reader
        .from_reader(text.as_bytes())
        .read_record(&mut record)
        .map_err(|error| format!("{error}; {expected}"))?;
    let (time, bytes) = match record.iter().collect::<Vec<_>>()[..] {
        [time, bytes] => (time, bytes),
        [_] | [] => return Err(format!("there is only one field; {expected}")),
        _ => return Err(format!("there are more than two fields; {expected}")),
    };
    if header_allowed && is_column_name(time) && is_column_name(bytes) {
        return Ok(SeriesLine::Blank);
    }
    let at = parse_seconds(time).ok_or_else(|| format!("`{time}` is not a time in seconds; {expected}"))?;
    let total = parse_size(bytes).ok_or_else(|| format!("`{bytes}` is not a size in bytes; {expected}"))?;
    Ok(SeriesLine::Sample(Point::single(at, total)))
}

/// Returns whether a field can be the name of a column: it begins with a letter.
fn is_column_name(field: &str) -> bool {
    field.starts_with(|c: char| c.is_alphabetic()) && field.parse::<f64>().is_err()
}

/// Parses seconds since any origin, and rounds them to milliseconds.
fn parse_seconds(text: &str) -> Option<UnixMillis> {
    to_millis(text.parse().ok()?)
}

fn to_millis(seconds: f64) -> Option<UnixMillis> {
    let millis = (seconds * 1000.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "bounded in the same line; NaN fails the comparison")]
    (millis.abs() < 4e18).then_some(UnixMillis(millis as i64))
}

/// Parses a whole number of bytes, a size with its unit, or a number such as `1.5e8` or `104857600.0`.
fn parse_size(text: &str) -> Option<Bytes> {
    text.parse().ok().or_else(|| to_bytes(text.parse().ok()?))
}

fn to_bytes(number: f64) -> Option<Bytes> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded in the same line")]
    (0.0..1.8e19).contains(&number).then_some(Bytes(number as u64))
}

/// The fields of a JSON line that are used; others are ignored.
#[derive(Deserialize)]
struct JsonLine {
    seconds: Option<f64>,
    /// Milliseconds, as in reports.
    at: Option<i64>,
    bytes: Option<f64>,
    working_set: Option<f64>,
    rss: Option<f64>,
    #[serde(alias = "heapUsed")]
    heap_used: Option<f64>,
    heap_resident: Option<f64>,
    event: Option<String>,
}

fn parse_json(text: &str) -> Result<SeriesLine, String> {
    let expected = r#"a line is an object such as {"seconds":0,"bytes":104857600}"#;
    let fields: JsonLine = serde_json::from_str(text).map_err(|error| format!("{error}; {expected}"))?;
    if let Some(word) = &fields.event {
        let known = "the events are `restart`, `purge` and `limit`";
        return parse_event(word)
            .map(SeriesLine::Event)
            .ok_or_else(|| format!("`{word}` is unknown; {known}"));
    }
    let at = match (fields.seconds, fields.at) {
        (Some(seconds), _) => {
            to_millis(seconds).ok_or_else(|| format!("`seconds` is {seconds}; {expected}"))?
        }
        (None, Some(at)) => UnixMillis(at),
        (None, None) => return Err(format!("the fields `seconds` and `at` are both missing; {expected}")),
    };
    let figure = |name: &str, number: Option<f64>| match number {
        None => Ok(None),
        Some(number) => to_bytes(number).map(Some).ok_or_else(|| format!("`{name}` is {number}; {expected}")),
    };
    let used = figure("heap_used", fields.heap_used)?;
    let resident = figure("heap_resident", fields.heap_resident)?;
    let total = figure("working_set", fields.working_set)?
        .or(figure("rss", fields.rss)?)
        .or(figure("bytes", fields.bytes)?)
        .or(used)
        .ok_or_else(|| {
            format!("the fields `bytes`, `rss`, `working_set` and `heap_used` are all missing; {expected}")
        })?;
    let heap_only = fields.working_set.or(fields.rss).or(fields.bytes).is_none();
    let heap = used.filter(|_| !heap_only).map(|used| Heap { used, resident });
    Ok(SeriesLine::Sample(Point { at, total, heap }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<SeriesLine, String> {
        parse_line(text, false)
    }

    fn single(millis: i64, total: u64) -> SeriesLine {
        SeriesLine::Sample(Point::single(UnixMillis(millis), Bytes(total)))
    }

    #[test]
    fn the_usual_formats_are_parsed() {
        let cases = [
            ("0,104857600", single(0, 104_857_600)),
            ("1.5, 100MB", single(1500, 104_857_600)),
            ("\"2\";\"1048576\"", single(2000, 1_048_576)),
            ("1735689600.25\t1.5e8", single(1_735_689_600_250, 150_000_000)),
            ("-3,1048576.0", single(-3000, 1_048_576)),
            (r#"{"seconds":4,"bytes":7}"#, single(4000, 7)),
            (r#"{"at":4000,"rss":7,"more":[1]}"#, single(4000, 7)),
            (r#"{"seconds":4,"heapUsed":7}"#, single(4000, 7)),
            ("", SeriesLine::Blank),
            ("# a remark", SeriesLine::Blank),
            ("# restart", SeriesLine::Event(Reset::Restart)),
            (r#"{"seconds":4,"event":"purge"}"#, SeriesLine::Event(Reset::Purge)),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), Ok(expected), "{text}");
        }
        let sample = r#"{"at":5,"working_set":30,"rss":40,"heap_used":10,"heap_resident":20}"#;
        let heap = Some(Heap { used: Bytes(10), resident: Some(Bytes(20)) });
        assert_eq!(line(sample), Ok(SeriesLine::Sample(Point { at: UnixMillis(5), total: Bytes(30), heap })));
    }
}
