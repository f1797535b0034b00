//! Parses one line of a series: `time,bytes` CSV, or JSON.
//!
//! ```text
//! seconds,bytes                 {"seconds":0,"bytes":104857600}
//! 0,104857600                   {"seconds":1,"rss":104857600,"heap_used":52428800,"heap_resident":83886080}
//! 1735689600000,100MB           {"at":1735689600000,"rss":104857600,"heapUsed":52428800,"external":1048576}
//! 2025-01-01T00:00:00Z,1.5e8    {"at":1735689600000,"sample":{"rss":104857600},"heap_known":false}
//! # restart                     {"seconds":2,"event":"restart"}
//! ```
//!
//! The last JSON line is one of `check-memory --json`. An error names the invalid value, and what is expected.

use heapbeat_forecast::{Heap, Point, Reset};
use heapbeat_shared::{Bytes, UnixMillis};
use serde::Deserialize;

use super::time::{MILLIS_FROM, Time, parse_time, seconds_to_millis};

/// The content of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeriesLine {
    /// An empty line, a comment or the header.
    Blank,
    /// A sample.
    Sample(SeriesSample),
    /// An event, from which a new series begins.
    Event(Reset),
}

/// A sample, and what a line of `check-memory` says besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeriesSample {
    pub(super) point: Point,
    /// When the process started, if that is known.
    pub(super) started: Option<UnixMillis>,
    /// The memory limit that the process has.
    pub(super) limit: Option<Bytes>,
    /// The maximum of its runtime's heap.
    pub(super) runtime_max: Option<Bytes>,
}

impl From<Point> for SeriesSample {
    fn from(point: Point) -> Self {
        SeriesSample { point, started: None, limit: None, runtime_max: None }
    }
}

/// Parses a line without its line break. A header is allowed before the first sample. If `at` is given, that is the time of the line, which
/// needs none.
pub(super) fn parse_line(
    text: &str,
    header_allowed: bool,
    at: Option<UnixMillis>,
) -> Result<SeriesLine, String> {
    if text.is_empty() {
        Ok(SeriesLine::Blank)
    } else if let Some(comment) = text.strip_prefix('#') {
        Ok(parse_event(comment.trim()).map_or(SeriesLine::Blank, SeriesLine::Event))
    } else if text.starts_with('{') {
        parse_json(text, at)
    } else {
        parse_csv(text, header_allowed, at)
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

/// Parses two fields with any of the usual delimiters between them, with or without quotes and blanks. With a time `at`, the first one may
/// be missing.
fn parse_csv(text: &str, header_allowed: bool, at: Option<UnixMillis>) -> Result<SeriesLine, String> {
    let expected = "a line is `time,bytes`, such as `0,104857600` or `2025-01-01T00:00:00Z,100MB`";
    // No time and no size contains a delimiter.
    let delimiter = text.bytes().find(|byte| b",;\t".contains(byte)).unwrap_or(b',');
    let fields: Vec<&str> =
        text.splitn(4, char::from(delimiter)).map(|field| field.trim().trim_matches('"').trim()).collect();
    if header_allowed && fields.len() < 3 && fields.iter().all(|field| is_column_name(field)) {
        return Ok(SeriesLine::Blank);
    }
    let (time, bytes) = match (fields.as_slice(), at) {
        (&[bytes] | &[_, bytes], Some(at)) => (Ok(at), bytes),
        (&[time, bytes], None) => (parse_time(time).ok_or(time), bytes),
        ([_], None) => {
            return Err(format!("the time is missing: {expected}; --interval 10s reads lines without times"));
        }
        _ => return Err(format!("there are more than two fields; {expected}")),
    };
    let at = time.map_err(|time| format!("`{time}` is not a time; {expected}"))?;
    let total = parse_size(bytes).ok_or_else(|| format!("`{bytes}` is not a size in bytes; {expected}"))?;
    Ok(SeriesLine::Sample(Point::single(at, total).into()))
}

/// Returns whether a field can be the name of a column: it begins with a letter.
fn is_column_name(field: &str) -> bool {
    field.starts_with(|c: char| c.is_alphabetic()) && field.parse::<f64>().is_err()
}

/// Parses a whole number of bytes, a size with its unit, or a number such as `1.5e8` or `104857600.0`.
pub(super) fn parse_size(text: &str) -> Option<Bytes> {
    text.parse().ok().or_else(|| to_bytes(text.parse().ok()?))
}

fn to_bytes(number: f64) -> Option<Bytes> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded in the same line")]
    (0.0..1.8e19).contains(&number).then_some(Bytes(number as u64))
}

/// The figures of a JSON line that are used; others are ignored.
#[derive(Clone, Copy, Default, Deserialize)]
struct Figures {
    bytes: Option<f64>,
    working_set: Option<f64>,
    rss: Option<f64>,
    #[serde(alias = "heapUsed")]
    heap_used: Option<f64>,
    heap_resident: Option<f64>,
    external: Option<f64>,
}

/// The fields of a JSON line that are used; others are ignored.
#[derive(Deserialize)]
struct JsonLine {
    seconds: Option<f64>,
    /// Milliseconds, as in reports.
    at: Option<Time>,
    time: Option<Time>,
    timestamp: Option<Time>,
    ts: Option<Time>,
    t: Option<Time>,
    event: Option<String>,
    #[serde(flatten)]
    figures: Figures,
    /// The figures, in a line of `check-memory`.
    sample: Option<Figures>,
    heap_known: Option<bool>,
    uptime: Option<u64>,
    limit: Option<JsonLimit>,
    forecast: Option<JsonForecast>,
}

#[derive(Deserialize)]
struct JsonLimit {
    bytes: Bytes,
}

#[derive(Deserialize)]
struct JsonForecast {
    runtime_max_bytes: Option<Bytes>,
}

impl JsonLine {
    /// Returns the time; `None` if the line has none, an error if its value is no time.
    fn time(&self) -> Result<Option<UnixMillis>, String> {
        let named = [&self.time, &self.timestamp, &self.ts, &self.t].into_iter().flatten().next();
        let time = match (&self.at, self.seconds, named) {
            // Before 1973, milliseconds look like seconds.
            (Some(Time::Number(millis)), None, None) if millis.abs() < MILLIS_FROM => {
                seconds_to_millis(millis / 1000.0)
            }
            (_, Some(seconds), _) => Time::Number(seconds).to_millis(),
            (_, None, Some(time)) | (Some(time), None, None) => time.to_millis(),
            (None, None, None) => return Ok(None),
        };
        time.map(Some).ok_or_else(|| "the time is neither a number nor ISO 8601".to_owned())
    }
}

/// What a line without a time lacks.
const TIME_MISSING: &str = "the time is missing (`time`, `timestamp`, `ts`, `t`, `at` or `seconds`): Node writes it with \
    JSON.stringify({time: Date.now(), ...process.memoryUsage()}), and --interval 10s reads lines without times";

fn parse_json(text: &str, at: Option<UnixMillis>) -> Result<SeriesLine, String> {
    let expected = r#"a line is an object such as {"time":1735689600,"bytes":104857600}"#;
    let fields: JsonLine = serde_json::from_str(text).map_err(|error| format!("{error}; {expected}"))?;
    if let Some(word) = &fields.event {
        let known = "the events are `restart`, `purge` and `limit`";
        return parse_event(word)
            .map(SeriesLine::Event)
            .ok_or_else(|| format!("`{word}` is unknown; {known}"));
    }
    let at = match at {
        Some(at) => at,
        None => fields.time().map_err(|error| format!("{error}; {expected}"))?.ok_or(TIME_MISSING)?,
    };
    let runtime_max = fields.forecast.and_then(|forecast| forecast.runtime_max_bytes);
    let mut figures = fields.sample.unwrap_or(fields.figures);
    if fields.heap_known == Some(false) {
        figures.heap_used = None;
    }
    // Only of a managed heap, what is resident may be all that is known.
    let is_managed = runtime_max.is_some() && figures.heap_resident.is_some_and(|resident| resident > 0.0);
    if figures.heap_used.is_none() && !is_managed {
        figures.heap_resident = None;
    }
    let point = parse_figures(at, figures).map_err(|error| format!("{error}; {expected}"))?;
    let started = fields.uptime.map(|seconds| at.minus(std::time::Duration::from_secs(seconds)));
    let limit = fields.limit.map(|limit| limit.bytes);
    Ok(SeriesLine::Sample(SeriesSample { point, started, limit, runtime_max }))
}

fn parse_figures(at: UnixMillis, figures: Figures) -> Result<Point, String> {
    let figure = |name: &str, number: Option<f64>| match number {
        None => Ok(None),
        Some(number) => to_bytes(number).map(Some).ok_or_else(|| format!("`{name}` is {number}")),
    };
    let used = figure("heap_used", figures.heap_used)?;
    let resident = figure("heap_resident", figures.heap_resident)?;
    let external = figure("external", figures.external)?;
    let beside = figure("working_set", figures.working_set)?
        .or(figure("rss", figures.rss)?)
        .or(figure("bytes", figures.bytes)?);
    let total =
        beside.or(used).ok_or("the fields `bytes`, `rss`, `working_set` and `heap_used` are all missing")?;
    let is_known = beside.is_some() && (used.is_some() || resident.is_some());
    let heap = is_known.then_some(Heap { used, resident, external });
    Ok(Point { at, total, heap })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<SeriesLine, String> {
        parse_line(text, false, None)
    }

    fn single(millis: i64, total: u64) -> SeriesLine {
        SeriesLine::Sample(Point::single(UnixMillis(millis), Bytes(total)).into())
    }

    #[test]
    fn the_usual_formats_are_parsed() {
        let cases = [
            ("0,104857600", single(0, 104_857_600)),
            ("1.5, 100MB", single(1500, 104_857_600)),
            ("\"2\";\"1048576\"", single(2000, 1_048_576)),
            ("1735689600.25\t1.5e8", single(1_735_689_600_250, 150_000_000)),
            ("1735689600250,7", single(1_735_689_600_250, 7)),
            ("2025-01-01T00:00:00.25Z,7", single(1_735_689_600_250, 7)),
            ("2025-01-01 01:00:00+01:00,7", single(1_735_689_600_000, 7)),
            ("2025-01-01 00:00:00,7", single(1_735_689_600_000, 7)),
            ("-3,1048576.0", single(-3000, 1_048_576)),
            (r#"{"seconds":4,"bytes":7}"#, single(4000, 7)),
            (r#"{"seconds":1735689600250,"bytes":7}"#, single(1_735_689_600_250, 7)),
            (r#"{"at":1735689600250,"rss":7,"more":[1]}"#, single(1_735_689_600_250, 7)),
            (r#"{"at":4000,"rss":7}"#, single(4000, 7)),
            (r#"{"timestamp":"2025-01-01T00:00:00Z","rss":7}"#, single(1_735_689_600_000, 7)),
            (r#"{"seconds":4,"heapUsed":7}"#, single(4000, 7)),
            ("", SeriesLine::Blank),
            ("# a remark", SeriesLine::Blank),
            ("# restart", SeriesLine::Event(Reset::Restart)),
            (r#"{"seconds":4,"event":"purge"}"#, SeriesLine::Event(Reset::Purge)),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_heap_and_what_its_objects_hold_outside_are_parsed() {
        let point = |resident: Option<u64>, external: Option<u64>| {
            let (resident, external) = (resident.map(Bytes), external.map(Bytes));
            let heap = Some(Heap { used: Some(Bytes(10)), resident, external });
            Ok(SeriesLine::Sample(Point { at: UnixMillis(5000), total: Bytes(30), heap }.into()))
        };
        let jemalloc = r#"{"seconds":5,"working_set":30,"rss":40,"heap_used":10,"heap_resident":20}"#;
        assert_eq!(line(jemalloc), point(Some(20), None));
        let node = r#"{"seconds":5,"rss":30,"heapTotal":20,"heapUsed":10,"external":3,"arrayBuffers":1}"#;
        assert_eq!(line(node), point(None, Some(3)));
    }

    #[test]
    fn a_line_of_check_memory_has_its_limit_and_the_start_of_the_process() {
        let text = r#"{"severity":"ok","at":1735689600000,"uptime":60,"heap_known":false,
            "sample":{"at":1735689600000,"rss":40,"heap_used":0,"working_set":30},
            "limit":{"bytes":512,"origin":"cgroup"},"forecast":{"runtime_max_bytes":256}}"#;
        let point = Point::single(UnixMillis(1_735_689_600_000), Bytes(30));
        let started = Some(UnixMillis(1_735_689_540_000));
        let expected =
            SeriesSample { point, started, limit: Some(Bytes(512)), runtime_max: Some(Bytes(256)) };
        assert_eq!(line(text), Ok(SeriesLine::Sample(expected)));

        // Of a JVM's heap, it may have what is resident.
        let managed = text.replace(r#""heap_used":0"#, r#""heap_used":0,"heap_resident":20"#);
        let point = Point { heap: Some(Heap::managed(Bytes(20))), ..point };
        assert_eq!(line(&managed), Ok(SeriesLine::Sample(SeriesSample { point, ..expected })));
        let without_max = managed.replace(r#""runtime_max_bytes":256"#, "");
        let expected = SeriesSample { point: Point { heap: None, ..point }, runtime_max: None, ..expected };
        assert_eq!(line(&without_max), Ok(SeriesLine::Sample(expected)));
    }
}
