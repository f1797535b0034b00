//! Memory over time as SVG paths.
//!
//! The picture is stretched to the width of its place, so only lines are in it and the words stand around it as text: they
//! stay readable at 320 px. Where nobody looked there is no line: a gap is drawn as a gap.

use std::fmt::Write as _;

use heapbeat_shared::units::Fixed;
use heapbeat_shared::{Megabytes, UnixMillis};

use super::words;
use crate::instant;
use crate::view::ChartPoint;

/// Width of the picture, in its own units.
pub const WIDTH: f64 = 1000.0;

/// Height of the picture, in its own units.
pub const HEIGHT: f64 = 200.0;

/// A hole longer than so many usual distances between points is a gap.
const GAP: f64 = 2.5;

/// Longest stretch that is shown.
const DAY_MILLIS: i64 = 86_400_000;

/// Shortest stretch that is shown, so that the first minutes are not a single dot.
const LEAST_MILLIS: i64 = 600_000;

/// What the template draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The resident set, as a line.
    pub rss: String,
    /// The used heap, as an area down to zero.
    pub heap: String,
    /// Where the limit is, where it is known and on the picture.
    pub limit: Option<String>,
    /// Where restarts were.
    pub restarts: Vec<String>,
    /// Labels of the memory axis, top first.
    pub memory_labels: Vec<String>,
    /// Labels of the time axis, oldest first.
    pub time_labels: Vec<String>,
    /// In one sentence, for those who cannot see it.
    pub summary: String,
}

/// Makes the picture; `None` without a point.
pub fn chart(
    points: &[ChartPoint],
    restarts: &[UnixMillis],
    limit: Option<Megabytes>,
    now: UnixMillis,
) -> Option<Chart> {
    let (first, last) = (points.first()?, points.last()?);
    let start = first.at.0.clamp(now.0 - DAY_MILLIS, now.0 - LEAST_MILLIS);
    let time = Scale { from: start as f64, to: now.0.max(start + 1) as f64, length: WIDTH };
    let highest = points.iter().flat_map(|p| [p.memory.rss.0, p.memory.heap_used.0]).max().unwrap_or(0);
    // The limit belongs on the picture where memory is within sight of it, else it would flatten everything.
    let limit = limit.filter(|limit| highest.saturating_mul(4) >= limit.0);
    let top = nice(highest.max(limit.map_or(0, |limit| limit.0)));
    let memory = Scale { from: top as f64, to: 0.0, length: HEIGHT };
    let runs = runs(points);
    let x = |point: &ChartPoint| time.place(point.at.0 as f64);
    let lowest = points.iter().map(|p| p.memory.rss.0).min().unwrap_or(0);
    let peak = points.iter().map(|p| p.memory.rss.0).max().unwrap_or(0);
    Some(Chart {
        rss: runs.iter().map(|run| line(run, x, |p| memory.place(p.memory.rss.0 as f64))).collect(),
        heap: runs.iter().map(|run| area(run, x, |p| memory.place(p.memory.heap_used.0 as f64))).collect(),
        limit: limit.map(|limit| tenth(memory.place(limit.0 as f64))),
        restarts: restarts
            .iter()
            .filter(|at| at.0 >= start)
            .map(|at| tenth(time.place(at.0 as f64)))
            .collect(),
        memory_labels: [top, top / 2, 0].map(|mb| format!("{mb} MB")).into(),
        time_labels: [start, i64::midpoint(start, now.0), now.0]
            .map(|at| instant::clock(UnixMillis(at)))
            .into(),
        summary: format!(
            "Resident memory over {}: between {lowest} and {peak} MB, {} MB at the end.",
            words::span(u64::try_from((now.0 - start) / 1000).unwrap_or(0)),
            last.memory.rss.0
        ),
    })
}

/// Maps a range of values onto a length.
struct Scale {
    from: f64,
    to: f64,
    length: f64,
}

impl Scale {
    fn place(&self, value: f64) -> f64 {
        // Not `clamp`, whose complaint about a limit that is no number brings every way to print one along.
        ((value - self.from) / (self.to - self.from) * self.length).max(0.0).min(self.length)
    }
}

/// The lowest of 1, 2, 4, 6, 8 times a power of ten that is not below `value`, and at least 2.
fn nice(value: u64) -> u64 {
    let mut power = 1u64;
    while power.saturating_mul(10) <= value {
        power = power.saturating_mul(10);
    }
    let steps = [1, 2, 4, 6, 8, 10].map(|step| power.saturating_mul(step));
    steps.into_iter().find(|top| *top >= value).unwrap_or(value).max(2)
}

/// Points that belong to one line: none of them farther from the one before than [`GAP`] usual distances.
fn runs(points: &[ChartPoint]) -> Vec<&[ChartPoint]> {
    // The mean of those distances that are not above the mean of all: what a gap adds is left out.
    let distances = || points.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0);
    let mean = |most: i64| {
        let (sum, count) =
            distances().filter(|it| *it <= most).fold((0, 0), |(sum, n), it| (sum + it, n + 1));
        sum / count.max(1)
    };
    let usual = mean(mean(i64::MAX));
    points.chunk_by(|a, b| (b.at.0 - a.at.0) as f64 <= usual as f64 * GAP).collect()
}

fn line(run: &[ChartPoint], x: impl Fn(&ChartPoint) -> f64, y: impl Fn(&ChartPoint) -> f64) -> String {
    let mut path = String::with_capacity(run.len() * 12);
    for (index, point) in run.iter().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        // Writing to a String cannot fail.
        let _ = write!(path, "{command}{} {}", tenth(x(point)), tenth(y(point)));
    }
    if run.len() == 1 {
        // A line of no length has round ends: a dot.
        path.push_str("h0");
    }
    path
}

fn area(run: &[ChartPoint], x: impl Fn(&ChartPoint) -> f64, y: impl Fn(&ChartPoint) -> f64) -> String {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return String::new() };
    if run.len() == 1 {
        return String::new();
    }
    let (from, to) = (tenth(x(first)), tenth(x(last)));
    let bottom = tenth(HEIGHT);
    format!("{}L{to} {bottom}L{from} {bottom}Z", line(run, &x, &y))
}

/// One decimal is finer than a pixel.
fn tenth(value: f64) -> String {
    format!("{:#}", Fixed::new(value, 1))
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::HealthMemory;

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_769_860_800_000);

    fn point(minutes_ago: i64, rss: u64) -> ChartPoint {
        let memory =
            HealthMemory { rss: Megabytes(rss), heap_used: Megabytes(rss / 2), ..HealthMemory::default() };
        ChartPoint { at: UnixMillis(NOW.0 - minutes_ago * 60_000), memory }
    }

    #[test]
    fn axes_end_at_round_figures() {
        let cases = [
            (0, 2),
            (1, 2),
            (3, 4),
            (7, 8),
            (9, 10),
            (11, 20),
            (99, 100),
            (101, 200),
            (151, 200),
            (700, 800),
            (1024, 2000),
        ];
        for (highest, top) in cases {
            assert_eq!(nice(highest), top, "{highest}");
        }
    }

    #[test]
    fn a_line_goes_from_the_first_point_to_now() {
        let chart = chart(&[point(20, 100), point(10, 50), point(0, 100)], &[], None, NOW).unwrap();
        assert_eq!(chart.rss, "M0 0L500 100L1000 0");
        assert_eq!(chart.heap, "M0 100L500 150L1000 100L1000 200L0 200Z");
        assert_eq!(chart.memory_labels, ["100 MB", "50 MB", "0 MB"]);
        assert_eq!(chart.time_labels, ["11:40", "11:50", "12:00"]);
        assert_eq!(chart.summary, "Resident memory over 20 min: between 50 and 100 MB, 100 MB at the end.");
    }

    #[test]
    fn a_gap_is_drawn_as_a_gap() {
        let points = [point(60, 100), point(59, 100), point(58, 100), point(20, 100), point(19, 100)];
        let chart = chart(&points, &[], None, NOW).unwrap();
        assert_eq!(chart.rss.matches('M').count(), 2, "{}", chart.rss);
        assert_eq!(chart.heap.matches('Z').count(), 2);
    }

    #[test]
    fn the_first_point_is_a_dot_in_ten_minutes() {
        let chart = chart(&[point(0, 10)], &[], None, NOW).unwrap();
        assert_eq!((chart.rss.as_str(), chart.heap.as_str()), ("M1000 0h0", ""));
        assert_eq!(chart.time_labels[0], "11:50");
    }

    #[test]
    fn the_limit_is_shown_where_it_is_within_sight() {
        let with = |limit| chart(&[point(20, 100), point(0, 100)], &[], Some(Megabytes(limit)), NOW).unwrap();
        assert_eq!(with(200).limit, Some("0".to_owned()));
        assert_eq!(with(4096).limit, None);
    }

    #[test]
    fn restarts_are_marked_where_they_were() {
        let old = UnixMillis(NOW.0 - 90_000_000);
        let chart = chart(&[point(20, 100), point(0, 100)], &[old, point(10, 0).at], None, NOW).unwrap();
        assert_eq!(chart.restarts, ["500"]);
    }

    #[test]
    fn nothing_makes_no_picture() {
        assert_eq!(chart(&[], &[], None, NOW), None);
    }
}
