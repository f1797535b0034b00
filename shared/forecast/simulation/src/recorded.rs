//! Measures verdicts and forecasts on recorded series.
//!
//! A file is named `healthy…csv` or `leaking…csv`, and has a line `seconds,total[,heap used[,external]]` per point, in bytes. Before it,
//! `# max BYTES` tells the maximum of a managed runtime's heap, `# resident` that the third figure is its resident part instead, and `# limit BYTES`
//! the memory limit; otherwise that is twice the highest value. Files are in folders, each of which becomes a row.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use heapbeat_forecast::{Forecaster, Heap, Point};
use heapbeat_shared::{Bytes, UnixMillis};

/// Assessments per series, at most.
const ASSESSMENTS: usize = 600;

/// Rises until a limit whose forecast is checked, as shares of what has grown so far.
const LIMITS: [f64; 3] = [0.25, 0.5, 1.0];

/// What was found in one recording.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The name of the file.
    pub name: String,
    /// Second of the first verdict `leaking` or `fragmenting`.
    pub first_leak: Option<f64>,
    /// Second at which the limit was first critical.
    pub first_critical: Option<f64>,
    /// Share of assessments that found a leak.
    pub leak_share: f64,
    /// Number of changes of the verdict.
    pub changes: usize,
    /// The last verdict.
    pub last: String,
    /// Length in seconds.
    pub seconds: f64,
    /// Forecasts whose truth is known: relative error, and whether it was within the interval. Infinite: the limit was not reached.
    pub forecasts: Vec<(f64, bool)>,
    /// Forecasts whose truth is not known, as the series ends before.
    pub open: usize,
}

/// Reads a series, the maximum of its runtime's heap, and the memory limit.
fn read_points(text: &str) -> (Option<Bytes>, Option<Bytes>, Vec<Point>) {
    let (mut max, mut limit, mut is_resident) = (None, None, false);
    let mut points = Vec::new();
    for line in text.lines() {
        if let Some(bytes) = line.strip_prefix("# max ") {
            max = bytes.trim().parse().ok().map(Bytes);
            continue;
        }
        is_resident |= line == "# resident";
        if let Some(bytes) = line.strip_prefix("# limit ") {
            limit = bytes.trim().parse().ok().map(Bytes);
            continue;
        }
        let fields: Vec<f64> = line.split(',').map_while(|field| field.trim().parse().ok()).collect();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let bytes = |index: usize| fields.get(index).map(|value| Bytes(*value as u64));
        let (Some(seconds), Some(total)) = (fields.first(), bytes(1)) else { continue };
        let heap = bytes(2).map(|heap| {
            let told = Heap { used: Some(heap), resident: None, external: bytes(3) };
            if is_resident { Heap::managed(heap) } else { told }
        });
        #[allow(clippy::cast_possible_truncation)]
        points.push(Point { at: UnixMillis((seconds * 1000.0) as i64), total, heap });
    }
    (max, limit, points)
}

impl Recording {
    /// Replays a file. `total_only` hides the figures of the heap; there is nothing to replay if it has none.
    pub fn of(path: &Path, total_only: bool) -> io::Result<Option<Recording>> {
        let (max, limit, mut points) = read_points(&fs::read_to_string(path)?);
        if total_only {
            if points.iter().all(|point| point.heap.is_none()) {
                return Ok(None);
            }
            for point in &mut points {
                point.heap = None;
            }
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = Recording { name, ..Recording::default() };
        let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else {
            return Ok(Some(found));
        };
        let highest = points.iter().map(|point| point.total.0).max().unwrap_or_default();
        let limit = limit.unwrap_or(Bytes(highest * 2));
        let seconds = |at: UnixMillis| at.since(first.at).as_secs_f64();
        let mut forecaster = Forecaster::new();
        forecaster.set_runtime_max(max);
        let every = (points.len() / ASSESSMENTS).max(1);
        let (mut before, mut leaks, mut assessments) = (None, 0usize, 0usize);
        for (index, point) in points.iter().enumerate() {
            forecaster.push(*point);
            if index % every != 0 {
                continue;
            }
            let now = seconds(point.at);
            let mut other = forecaster.clone();
            let assessment = forecaster.assess(limit);
            assessments += 1;
            found.changes += usize::from(before.is_some_and(|verdict| verdict != assessment.verdict));
            before = Some(assessment.verdict);
            found.last = format!("{} ({:?})", assessment.verdict.as_str(), assessment.basis);
            if assessment.verdict.is_leak() {
                leaks += 1;
                found.first_leak.get_or_insert(now);
            }
            if assessment.reaches_limit_within(Duration::from_secs(3600)) {
                found.first_critical.get_or_insert(now);
            }
            if index % (every * 5) == 0 {
                for share in LIMITS {
                    found.check_forecast(&mut other, &points, index, share);
                }
            }
        }
        found.seconds = seconds(last.at);
        found.leak_share = leaks as f64 / assessments.max(1) as f64;
        Ok(Some(found))
    }

    /// Compares the forecast for a limit that is `share` of the growth so far above what is held now with what came.
    fn check_forecast(&mut self, forecaster: &mut Forecaster, points: &[Point], index: usize, share: f64) {
        let lowest = |points: &[Point]| points.iter().map(|point| point.total.0).min().unwrap_or_default();
        let recent = index.saturating_sub(index / 10);
        let (start, now) = (lowest(&points[..(index / 10).max(1)]), lowest(&points[recent..=index]));
        if now <= start + start / 100 {
            return;
        }
        let highest = points[recent..=index].iter().map(|point| point.total.0).max().unwrap_or_default();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let limit = highest + ((now - start) as f64 * share) as u64;
        let Some(time) = forecaster.clone().assess(Bytes(limit)).time_to_limit else { return };
        let at = points[index].at;
        let reached = points[index..].iter().find(|point| point.total.0 >= limit);
        let known = points.last().map_or(Duration::ZERO, |last| last.at.since(at));
        match reached.map(|point| point.at.since(at)) {
            Some(truth) if truth > Duration::ZERO => {
                let error = (time.expected.as_secs_f64() / truth.as_secs_f64() - 1.0).abs();
                self.forecasts.push((error, (time.earliest..=time.latest).contains(&truth)));
            }
            None if known > time.latest => self.forecasts.push((f64::INFINITY, false)),
            _ => self.open += 1,
        }
    }

    fn is_leaking(&self) -> bool {
        self.name.starts_with("leaking")
    }
}

/// The results of a folder of recordings.
#[derive(Debug, Default)]
pub struct Recordings(pub BTreeMap<String, Vec<Recording>>);

impl Recordings {
    /// Replays all files below `folder`.
    pub fn of(folder: &Path, total_only: bool) -> io::Result<Recordings> {
        let mut all = Recordings::default();
        for entry in fs::read_dir(folder)? {
            let entry = entry?.path();
            if !entry.is_dir() {
                continue;
            }
            let group = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let mut files: Vec<_> = fs::read_dir(&entry)?.collect::<Result<_, _>>()?;
            files.sort_by_key(fs::DirEntry::path);
            for file in files {
                if let Some(recording) = Recording::of(&file.path(), total_only)? {
                    all.0.entry(group.clone()).or_default().push(recording);
                }
            }
        }
        Ok(all)
    }
}

impl fmt::Display for Recordings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| recordings | healthy | ever a leak | ever critical | leaking | found | median found after | changes of the verdict, median and most | forecasts | truth in the interval | median error |"
        )?;
        writeln!(f, "|{}|", ["---"; 11].join("|"))?;
        for (group, recordings) in &self.0 {
            let (leaking, healthy): (Vec<&Recording>, Vec<&Recording>) =
                recordings.iter().partition(|recording| recording.is_leaking());
            let mut after: Vec<f64> = leaking.iter().filter_map(|it| it.first_leak).collect();
            after.sort_by(f64::total_cmp);
            let mut changes: Vec<usize> = recordings.iter().map(|it| it.changes).collect();
            changes.sort_unstable();
            let forecasts: Vec<(f64, bool)> =
                recordings.iter().flat_map(|it| it.forecasts.iter().copied()).collect();
            let mut errors: Vec<f64> = forecasts.iter().map(|(error, _)| *error).collect();
            errors.sort_by(f64::total_cmp);
            let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
            writeln!(
                f,
                "| {group} | {} | {} | {} | {} | {} | {:.0} s | {} {} | {} | {:.1} % | {:.0} % |",
                healthy.len(),
                healthy.iter().filter(|it| it.first_leak.is_some()).count(),
                healthy.iter().filter(|it| it.first_critical.is_some()).count(),
                leaking.len(),
                after.len(),
                after.get(after.len() / 2).copied().unwrap_or(f64::NAN),
                changes.get(changes.len() / 2).copied().unwrap_or_default(),
                changes.last().copied().unwrap_or_default(),
                forecasts.len(),
                share(forecasts.iter().filter(|(_, within)| *within).count(), forecasts.len()),
                100.0 * errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = self.forecasts.iter().filter(|(_, within)| *within).count();
        let show = |at: Option<f64>| at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
        write!(
            f,
            "{:60} {:>8.0} s leak at {:>8}, {:>3.0} %; critical at {:>8}; {:>3} changes; {}/{} within, {} open; {}",
            self.name,
            self.seconds,
            show(self.first_leak),
            self.leak_share * 100.0,
            show(self.first_critical),
            self.changes,
            within,
            self.forecasts.len(),
            self.open,
            self.last
        )
    }
}
