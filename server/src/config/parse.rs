//! The shapes that a setting's value can have. An error is the sentence that says what would be right.

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

use super::Readers;
use crate::overload::thresholds::{ParseThresholdError, Threshold};

/// Which events are logged: a level, or levels by the module that speaks, such as `info,heapbeat::http=debug`.
#[derive(Clone, Debug, PartialEq)]
pub struct LogFilter(pub(crate) Targets);

/// Where the flight recorder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlightPlace {
    /// A directory of this user's and port's own below the system's one for temporary files.
    Auto,
    /// In memory that the supervisor holds: it outlives a worker, but not the supervisor.
    Off,
    /// Here.
    Directory(PathBuf),
}

/// How long the edge may not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// Three times as long as between its visits, and three minutes at least.
    #[default]
    Learned,
    /// So long, from its first visit on.
    Given(Duration),
    /// Nobody wants to know.
    Endless,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) type Parsed<T> = Result<T, String>;

pub(super) fn port(text: &str) -> Parsed<u16> {
    text.trim()
        .parse()
        .map_err(|_| "a port is a number from 1 to 65535, or 0 to take any that is free".to_owned())
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
    Err(format!("it is at least {} and at most {}", range.start(), range.end()))
}

/// A size, or `word` for `None`.
pub(super) fn size_or(word: &str, text: &str, range: RangeInclusive<Bytes>) -> Parsed<Option<Bytes>> {
    if text.trim() == word {
        return Ok(None);
    }
    let instead = if word == "auto" { " to find out" } else { "" };
    size(text, range).map(Some).map_err(|right| format!("{right}; or `{word}`{instead}"))
}

pub(super) fn duration(text: &str, range: RangeInclusive<Duration>) -> Parsed<Duration> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    if range.contains(&duration) {
        return Ok(duration);
    }
    Err(format!("it is at least {:?} and at most {:?}", range.start(), range.end()))
}

/// A duration, or `off` for `None`.
pub(super) fn duration_or_off(text: &str, range: RangeInclusive<Duration>) -> Parsed<Option<Duration>> {
    if text.trim() == "off" {
        return Ok(None);
    }
    duration(text, range).map(Some).map_err(|right| format!("{right}; or `off`"))
}

pub(super) fn count(text: &str, range: RangeInclusive<usize>) -> Parsed<usize> {
    let right = || format!("it is a number from {} to {}", range.start(), range.end());
    let count = text.trim().parse().map_err(|_| right())?;
    if range.contains(&count) { Ok(count) } else { Err(right()) }
}

pub(super) fn mark(text: &str) -> Parsed<Threshold> {
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

/// Who may read the metrics.
pub(super) fn readers(text: &str) -> Parsed<Readers> {
    match text.trim() {
        "off" => Ok(Readers::Nobody),
        "owner" => Ok(Readers::Owner),
        "public" => Ok(Readers::Everybody),
        _ => Err("a reader is owner or public; or `off`".to_owned()),
    }
}

/// A secret, or `off` for `None`. The error does not say what was given.
pub(super) fn secret_or_off(text: &str) -> Parsed<Option<Secret>> {
    if text.trim() == "off" {
        return Ok(None);
    }
    Secret::new(text).map(Some).map_err(|right| format!("{right}; or `off`"))
}

/// How long the edge may stay away.
pub(super) fn patience(text: &str, range: RangeInclusive<Duration>) -> Parsed<Patience> {
    match text.trim() {
        "auto" => Ok(Patience::Learned),
        "off" => Ok(Patience::Endless),
        text => duration(text, range)
            .map(Patience::Given)
            .map_err(|right| format!("{right}; or `auto` to learn it, or `off`")),
    }
}

pub(super) fn flight(text: &str) -> Parsed<FlightPlace> {
    match text.trim() {
        "auto" => Ok(FlightPlace::Auto),
        "off" => Ok(FlightPlace::Off),
        path if path.starts_with('/') => Ok(FlightPlace::Directory(path.into())),
        _ => Err("a place is a directory that begins with /, or auto, or off".to_owned()),
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Parsed<Self> {
        // Alone, a word that is no level would be taken for a module of which everything is logged.
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
