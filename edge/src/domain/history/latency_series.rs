//! Latencies of a window as rows, for the API and for charts.

use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::history::downsample::MAX_POINTS;

/// Rows of latencies, oldest first, and the gaps between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatencySeries {
    /// Whether each row is an hour, by its beginning, and not a tick.
    pub hourly: bool,
    /// The instant of each row, and its figures: the milliseconds of a tick, or a
    /// [`LatencySummary`](crate::domain::history::latency::LatencySummary).
    pub rows: Vec<(UnixMillis, Vec<Option<u32>>)>,
    /// Gaps without a probe: the instants of the rows before and after.
    pub gaps: Vec<(UnixMillis, UnixMillis)>,
}

/// Builds a [`LatencySeries`] from rows that come oldest first.
#[derive(Debug)]
pub struct LatencySeriesBuilder {
    series: LatencySeries,
    /// Rows that are further apart than this have a gap between them.
    validity: Duration,
    /// One row is kept for each bucket of so many milliseconds; 0 keeps all rows.
    bucket: i64,
    /// The highest row of the present bucket.
    highest: Option<(UnixMillis, Vec<Option<u32>>)>,
}

impl LatencySeriesBuilder {
    /// Starts with rows of ticks, each of which is valid for `validity`.
    pub fn new(validity: Duration) -> Self {
        LatencySeriesBuilder { series: LatencySeries::default(), validity, bucket: 0, highest: None }
    }

    /// Keeps only as many rows as a chart of this window can show: the highest of each bucket.
    pub fn downsample(&mut self, (from, to): (UnixMillis, UnixMillis)) {
        self.bucket = (to.0 - from.0) / i64::try_from(MAX_POINTS).unwrap_or(1);
        self.validity = self.validity.max(self.two_buckets());
    }

    /// Whether the series is downsampled for a chart.
    pub fn is_downsampled(&self) -> bool {
        self.bucket > 0
    }

    /// Treats the rows that follow as hours and not as ticks.
    pub fn switch_to_hours(&mut self) {
        self.series.hourly = true;
        self.validity = Duration::from_secs(3600).max(self.two_buckets());
    }

    /// Adds a row: an hour, or the milliseconds of a tick, `None` if there was no response.
    pub fn push(&mut self, at: UnixMillis, figures: &[Option<u32>]) {
        if self.bucket < 1 {
            return self.append(at, figures.to_vec());
        }
        // The height of an hour is its 95th percentile.
        let column = if self.series.hourly { 2 } else { 0 };
        let height = |figures: &[Option<u32>]| figures.get(column).copied().flatten();
        match &mut self.highest {
            Some((of, highest)) if of.0.div_euclid(self.bucket) == at.0.div_euclid(self.bucket) => {
                if height(figures) > height(highest) {
                    (*of, *highest) = (at, figures.to_vec());
                }
            }
            _ => {
                self.flush();
                self.highest = Some((at, figures.to_vec()));
            }
        }
    }

    /// Returns the finished series.
    pub fn finish(mut self) -> LatencySeries {
        self.flush();
        self.series
    }

    fn two_buckets(&self) -> Duration {
        Duration::from_millis(self.bucket.unsigned_abs() * 2)
    }

    fn flush(&mut self) {
        if let Some((at, figures)) = self.highest.take() {
            self.append(at, figures);
        }
    }

    fn append(&mut self, at: UnixMillis, figures: Vec<Option<u32>>) {
        let before = self.series.rows.last().map(|(before, _)| *before);
        if let Some(before) = before.filter(|before| at.since(*before) > self.validity) {
            self.series.gaps.push((before, at));
        }
        self.series.rows.push((at, figures));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_the_highest_row_of_each_bucket() {
        let mut builder = LatencySeriesBuilder::new(Duration::from_secs(90));
        builder.downsample((UnixMillis(0), UnixMillis(86_400_000)));
        // A tick a minute, six minutes a row: the third is the slowest, and of the second six nothing answered.
        for minute in 0..18_u32 {
            let figure = (!(6..12).contains(&minute)).then_some(if minute == 2 { 900 } else { minute });
            builder.push(UnixMillis(i64::from(minute) * 60_000), &[figure]);
        }
        let row = |at, ms| (UnixMillis(at), vec![ms]);
        let series = builder.finish();
        assert_eq!(series.rows, [row(120_000, Some(900)), row(360_000, None), row(1_020_000, Some(17))]);
        assert_eq!(series.gaps, []);
    }

    #[test]
    fn rows_that_are_too_far_apart_have_a_gap() {
        let gaps = |hourly, list: &[i64]| {
            let mut builder = LatencySeriesBuilder::new(Duration::from_secs(90));
            if hourly {
                builder.switch_to_hours();
            }
            for at in list {
                builder.push(UnixMillis(*at), &[Some(1)]);
            }
            builder.finish().gaps
        };
        assert_eq!(gaps(false, &[]), []);
        assert_eq!(
            gaps(false, &[60_000, 120_000, 210_000, 301_000]),
            [(UnixMillis(210_000), UnixMillis(301_000))]
        );
        assert_eq!(
            gaps(true, &[0, 3_600_000, 10_800_000]),
            [(UnixMillis(3_600_000), UnixMillis(10_800_000))]
        );
    }
}
