//! The measurements of a process in a file, so that looks at different times are one series: `check-memory --pid --once --state FILE`.
//!
//! The first line names the version and the process, every other one is `milliseconds,bytes`, so that `heapbeat forecast` reads the file as
//! well. It has at most [`MAX_POINTS`] measurements: beyond, of each two the lower one stays, as a leak raises the lowest values. A file
//! of another process, of another version or of something else is refused and stays as it is.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use heapbeat_forecast::{Forecaster, Point};
use heapbeat_shared::{Bytes, UnixMillis};

use super::target::TargetError;
use crate::replacement::Replacement;

/// Most measurements in a file. Each is assessed anew at every look, in a tenth of a second for all.
const MAX_POINTS: usize = 1024;

/// Size limit of a file in bytes: two numbers of twenty digits a line, and the first line.
const MAX_BYTES: u64 = MAX_POINTS as u64 * 42 + 200;

/// The begin of the first line, with the version of the format.
const MAGIC: &str = "# heapbeat check-memory, state 1, process ";

/// The measurements of a process, and their file.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    header: String,
    points: Vec<(UnixMillis, Bytes)>,
}

impl StateFile {
    /// Reads the file of a process that started when `started` says; one that does not exist is empty.
    pub(super) fn open(path: &Path, pid: u32, started: &str) -> Result<Self, TargetError> {
        let header = format!("{MAGIC}{pid}, started {started}");
        let mut state = StateFile { path: path.to_owned(), header, points: Vec::new() };
        let text = match File::open(path).and_then(read_bounded) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(state),
            Err(error) => return Err(state.error(&error)),
        };
        let mut lines = text.lines();
        match lines.next() {
            None => return Ok(state),
            Some(first) if first == state.header => {}
            Some(first) if first.starts_with(MAGIC) => {
                let other = first.trim_start_matches(MAGIC);
                return Err(state.error(&format!(
                    "it has measurements of process {other}, not of process {pid}, started {started}; remove it, or name another file"
                )));
            }
            Some(_) => {
                return Err(state.error(&"it is no state of this version of check-memory; name another file"));
            }
        }
        for (line, number) in lines.zip(2..) {
            let point = parse_point(line).ok_or_else(|| state.error(&format!("line {number} is damaged")))?;
            state.points.push(point);
        }
        Ok(state)
    }

    /// Adds the measurements to a forecaster, with an assessment at each, as if they had been made by one run.
    pub(super) fn replay(&self, forecaster: &mut Forecaster, limit: Bytes) {
        for (at, total) in &self.points {
            forecaster.push(Point::single(*at, *total));
            forecaster.assess(limit);
        }
    }

    /// Adds a measurement, and replaces the file by one with it. Another run sees the old file or the new one.
    pub(super) fn record(&mut self, at: UnixMillis, total: Bytes) -> Result<(), TargetError> {
        self.points.push((at, total));
        if self.points.len() > MAX_POINTS {
            let lower = |pair: &[(UnixMillis, Bytes)]| pair.iter().copied().min_by_key(|(_, total)| *total);
            self.points = self.points.chunks(2).filter_map(lower).collect();
        }
        let mut text = self.header.clone() + "\n";
        for (at, total) in &self.points {
            let _ = writeln!(text, "{},{}", at.0, total.0);
        }
        let new = Replacement::write(&self.path, text.as_bytes(), None);
        new.and_then(Replacement::place).map_err(|error| self.error(&error))
    }

    fn error(&self, reason: &impl ToString) -> TargetError {
        TargetError::State { path: self.path.display().to_string(), reason: reason.to_string() }
    }
}

fn read_bounded(file: File) -> io::Result<String> {
    let mut text = String::new();
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than a state of check-memory; name another file"));
    }
    Ok(text)
}

fn parse_point(line: &str) -> Option<(UnixMillis, Bytes)> {
    let (at, total) = line.split_once(',')?;
    Some((UnixMillis(at.parse().ok()?), Bytes(total.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use heapbeat_forecast::Verdict;

    use super::*;

    fn file(name: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        (directory, path)
    }

    #[test]
    fn looks_at_different_times_are_one_series() {
        let (_directory, path) = file("state.csv");
        for minute in 0..90 {
            let mut state = StateFile::open(&path, 7, "1.25 s after boot").unwrap();
            let total = Bytes::from_mb(100 + 2 * minute);
            state.record(UnixMillis(i64::try_from(minute).unwrap() * 60_000), total).unwrap();
        }
        let mut forecaster = Forecaster::new();
        let limit = Bytes::from_mb(512);
        StateFile::open(&path, 7, "1.25 s after boot").unwrap().replay(&mut forecaster, limit);
        assert_eq!(forecaster.assess(limit).verdict, Verdict::Leaking);
    }

    #[test]
    fn the_file_stays_bounded_and_keeps_the_lowest_values() {
        let (directory, path) = file("state.csv");
        let mut state = StateFile::open(&path, 7, "1 s after boot").unwrap();
        state.points = (0..4000).map(|at| (UnixMillis(at), Bytes(u64::MAX))).take(MAX_POINTS).collect();
        state.points[500].1 = Bytes(5);
        state.record(UnixMillis(i64::MAX), Bytes(u64::MAX)).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() <= MAX_BYTES);
        let state = StateFile::open(&path, 7, "1 s after boot").unwrap();
        assert_eq!(state.points.len(), MAX_POINTS / 2 + 1);
        assert!(state.points.contains(&(UnixMillis(500), Bytes(5))));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing stays beside it");
    }

    #[test]
    fn another_process_another_version_and_other_files_are_refused() {
        let (_directory, path) = file("state.csv");
        StateFile::open(&path, 7, "1 s after boot").unwrap().record(UnixMillis(0), Bytes(1)).unwrap();
        let own = std::fs::read_to_string(&path).unwrap();
        let cases = [
            (
                own.clone(),
                8,
                "1 s after boot",
                "measurements of process 7, started 1 s after boot, not of process 8",
            ),
            (own.clone(), 7, "2 s after boot", "not of process 7, started 2 s after boot"),
            (own.replace("state 1", "state 2"), 7, "1 s after boot", "no state of this version"),
            ("root:x:0:0\n".into(), 7, "1 s after boot", "no state of this version"),
            (own.clone() + "9\n", 7, "1 s after boot", "line 3 is damaged"),
            (own + &"0,0\n".repeat(20_000), 7, "1 s after boot", "larger than a state"),
        ];
        for (text, pid, started, reason) in cases {
            std::fs::write(&path, &text).unwrap();
            let error = StateFile::open(&path, pid, started).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it stays as it is");
        }
    }
}
