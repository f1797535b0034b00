//! Parsers for the values of settings. An error is the phrase that says what is expected.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use heapbeat_shared::Bytes;
use heapbeat_shared::signing::Secret;
use heapbeat_shared::units::parse_duration;
use tracing_subscriber::filter::{LevelFilter, Targets};

use super::MetricsAccess;
use super::thresholds::{ParseThresholdError, Threshold};

/// Events that are logged: a level, or levels by module, such as `info,heapbeat::http=debug`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter(pub(crate) Targets);

/// Directory of the flight recorder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlightDirectory {
    /// A directory for this user and port in the system's directory for temporary files.
    Auto,
    /// No directory: the recorder is in memory that the supervisor holds, so it outlives a worker but not the supervisor.
    Off,
    /// This directory.
    Path(PathBuf),
}

/// Time without a visit of the edge after which the server warns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdgeTimeout {
    /// Three times the usual interval between visits, and at least three minutes.
    #[default]
    Auto,
    /// This long, counted from the first visit on.
    After(Duration),
    /// The server does not warn.
    Off,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines otherwise.
    Auto,
    /// Text for people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn port(text: &str) -> Parsed<u16> {
    text.trim().parse().map_err(|_| "a port is a number from 1 to 65535, or 0 for any free one".to_owned())
}

pub(super) fn host(text: &str) -> Parsed<Option<IpAddr>> {
    if text.trim() == "any" {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|_| {
        "an address is an IP address of this machine, such as 127.0.0.1 or ::1, or `any` for all of them"
            .to_owned()
    })
}

pub(super) fn size(text: &str, range: RangeInclusive<Bytes>) -> Parsed<Bytes> {
    let size: Bytes = text.parse().map_err(|error| format!("{error}"))?;
    if range.contains(&size) {
        return Ok(size);
    }
    Err(format!("the value must be from {} to {}", range.start(), range.end()))
}

/// A size, or `word` for `None`.
pub(super) fn size_or(word: &str, text: &str, range: RangeInclusive<Bytes>) -> Parsed<Option<Bytes>> {
    if text.trim() == word {
        return Ok(None);
    }
    let instead = if word == "auto" { " to detect it" } else { "" };
    size(text, range).map(Some).map_err(|expected| format!("{expected}; or `{word}`{instead}"))
}

pub(super) fn duration(text: &str, range: RangeInclusive<Duration>) -> Parsed<Duration> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    Err(format!("the value must be from {:?} to {:?}", range.start(), range.end()))
}

/// A duration, or `off` for `None`.
pub(super) fn duration_or_off(text: &str, range: RangeInclusive<Duration>) -> Parsed<Option<Duration>> {
    if text.trim() == "off" {
        return Ok(None);
    }
    duration(text, range).map(Some).map_err(|expected| format!("{expected}; or `off`"))
}

pub(super) fn count(text: &str, range: RangeInclusive<usize>) -> Parsed<usize> {
    let expected = || format!("the value is a number from {} to {}", range.start(), range.end());
    let count = text.trim().parse().map_err(|_| expected())?;
    if range.contains(&count) { Ok(count) } else { Err(expected()) }
}

pub(super) fn threshold(text: &str) -> Parsed<Threshold> {
    text.parse().map_err(|error: ParseThresholdError| error.to_string())
}

pub(super) fn switch(text: &str) -> Parsed<bool> {
    match text.trim() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("a switch is on or off".to_owned()),
    }
}

/// A switch that only a program with call stacks can turn on.
pub(super) fn heap_profile(text: &str) -> Parsed<bool> {
    match switch(text)? {
        true if !cfg!(feature = "heap-profile") => {
            Err("this program cannot take call stacks: it needs the feature `heap-profile` of the crate heapbeat; or `off`"
                .to_owned())
        }
        on => Ok(on),
    }
}

pub(super) fn metrics_access(text: &str) -> Parsed<MetricsAccess> {
    match text.trim() {
        "off" => Ok(MetricsAccess::Off),
        "owner" => Ok(MetricsAccess::Owner),
        "public" => Ok(MetricsAccess::Public),
        _ => Err("access is `owner`, `public` or `off`".to_owned()),
    }
}

/// A secret, or `off` for `None`. The error does not repeat what was given.
pub(super) fn secret_or_off(text: &str) -> Parsed<Option<Secret>> {
    if text.trim() == "off" {
        return Ok(None);
    }
    Secret::new(text).map(Some).map_err(|expected| format!("{expected}; or `off`"))
}

/// A duration, `auto` or `off`.
pub(super) fn edge_timeout(text: &str, range: RangeInclusive<Duration>) -> Parsed<EdgeTimeout> {
    match text.trim() {
        "auto" => Ok(EdgeTimeout::Auto),
        "off" => Ok(EdgeTimeout::Off),
        text => duration(text, range)
            .map(EdgeTimeout::After)
            .map_err(|expected| format!("{expected}; or `auto` to learn it, or `off`")),
    }
}

pub(super) fn flight_directory(text: &str) -> Parsed<FlightDirectory> {
    match text.trim() {
        "auto" => Ok(FlightDirectory::Auto),
        "off" => Ok(FlightDirectory::Off),
        path if path.starts_with('/') => Ok(FlightDirectory::Path(path.into())),
        _ => Err("the directory is an absolute path; or `auto`, or `off`".to_owned()),
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        // A word that is not a level would be taken for a module, of which everything is logged.
        let plain = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
        let filter = text.trim().parse().ok().filter(|_| text.split(',').all(plain));
        filter.map(LogFilter).ok_or_else(|| {
            "a filter is a level (error, warn, info, debug, trace, off), or levels by module such as \
             info,heapbeat::http=debug"
                .to_owned()
        })
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        match text.trim() {
            "auto" => Ok(LogFormat::Auto),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("a log format is auto, text or json".to_owned()),
        }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
