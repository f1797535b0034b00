//! `GET /api/v1/monitors/{id}/latency?from=&to=`: tick by tick where the last day's ticks reach, else an hour each.
//!
//! `samples` has a row a tick or an hour in the order of `columns`, as the memory of a monitor is told; instants are in Unix
//! milliseconds, latencies in milliseconds.

use std::fmt::Write as _;
use std::time::Duration;

use heapbeat_shared::UnixMillis;

use crate::domain::history::downsample::MOST;

/// The body, as it is written: a row follows the other, and none is kept.
#[derive(Debug)]
pub struct Rows {
    /// Whether a row is an hour, by its beginning, and not a tick.
    hourly: bool,
    vouches: Duration,
    /// A row for each stretch of so many milliseconds at most; 0: all of them.
    stretch: i64,
    /// The highest row of the stretch that is under way.
    highest: Option<(UnixMillis, Vec<Option<u32>>)>,
    before: Option<UnixMillis>,
    samples: String,
    gaps: String,
}

impl Rows {
    /// Ticks; two that are further apart than `vouches` have a gap between them, from the one to the other.
    pub fn new(vouches: Duration) -> Self {
        Rows {
            hourly: false,
            vouches,
            stretch: 0,
            highest: None,
            before: None,
            samples: String::new(),
            gaps: String::new(),
        }
    }

    /// As many rows as a picture of this window can show, the highest of each stretch.
    pub fn thinned(&mut self, (from, to): (UnixMillis, UnixMillis)) {
        self.stretch = (to.0 - from.0) / i64::try_from(MOST).unwrap_or(1);
        self.vouches = self.vouches.max(Duration::from_millis(self.stretch.unsigned_abs() * 2));
    }

    /// Whether it is for one.
    pub fn is_picture(&self) -> bool {
        self.stretch > 0
    }

    /// What comes is hours, not ticks.
    pub fn hourly(&mut self) {
        self.hourly = true;
        self.vouches = Duration::from_secs(3600).max(Duration::from_millis(self.stretch.unsigned_abs() * 2));
    }

    /// The next row: an [`Hour`](crate::domain::history::latency::Hour), or a tick's milliseconds, `None` where nothing answered.
    pub fn push(&mut self, at: UnixMillis, figures: &[Option<u32>]) {
        if self.stretch < 1 {
            return self.write(at, figures);
        }
        // Of an hour its 95th percentile counts.
        let height =
            |figures: &[Option<u32>]| figures.get(if self.hourly { 2 } else { 0 }).copied().flatten();
        match &mut self.highest {
            Some((of, highest)) if of.0.div_euclid(self.stretch) == at.0.div_euclid(self.stretch) => {
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

    /// The stretch is over.
    fn flush(&mut self) {
        if let Some((at, figures)) = self.highest.take() {
            self.write(at, &figures);
        }
    }

    fn write(&mut self, at: UnixMillis, figures: &[Option<u32>]) {
        // Writing to a String cannot fail.
        let _ = write!(self.samples, ",[{}", at.0);
        for figure in figures {
            let _ = match figure {
                Some(figure) => write!(self.samples, ",{figure}"),
                None => self.samples.write_str(",null"),
            };
        }
        self.samples.push(']');
        if let Some(before) = self.before.filter(|before| at.since(*before) > self.vouches) {
            let _ = write!(self.gaps, r#",{{"from":{},"to":{}}}"#, before.0, at.0);
        }
        self.before = Some(at);
    }

    /// All of it.
    pub fn json(&mut self, monitor: &str, (from, to): (UnixMillis, UnixMillis)) -> String {
        self.flush();
        let (resolution, columns) =
            if self.hourly { ("1h", r#""low","mid","high","probes","failed""#) } else { ("tick", r#""ms""#) };
        let listed = |rows: &str| rows.get(1..).unwrap_or_default().to_owned();
        format!(
            r#"{{"monitor":"{monitor}","resolution":"{resolution}","from":{},"to":{},"columns":["at",{columns}],"samples":[{}],"gaps":[{}]}}"#,
            from.0,
            to.0,
            listed(&self.samples),
            listed(&self.gaps),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_highest_of_each_stretch() {
        let mut rows = Rows::new(Duration::from_secs(90));
        let window = (UnixMillis(0), UnixMillis(86_400_000));
        rows.thinned(window);
        // A tick a minute, six minutes a row: the third is the slowest, and of the second six nothing answered.
        for minute in 0..18_u32 {
            let figure = (!(6..12).contains(&minute)).then_some(if minute == 2 { 900 } else { minute });
            rows.push(UnixMillis(i64::from(minute) * 60_000), &[figure]);
        }
        let told = rows.json("api", window);
        assert!(told.contains(r#""samples":[[120000,900],[360000,null],[1020000,17]],"gaps":[]"#), "{told}");
    }

    #[test]
    fn ticks_and_hours_as_they_are_told() {
        let told = |hourly, list: &[(i64, &[Option<u32>])]| {
            let mut rows = Rows::new(Duration::from_secs(90));
            if hourly {
                rows.hourly();
            }
            for (at, figures) in list {
                rows.push(UnixMillis(*at), figures);
            }
            rows.json("api", (UnixMillis(0), UnixMillis(9_000_000)))
        };
        assert_eq!(
            told(false, &[]),
            r#"{"monitor":"api","resolution":"tick","from":0,"to":9000000,"columns":["at","ms"],"samples":[],"gaps":[]}"#
        );
        let ticks = [(60_000, Some(12)), (120_000, None), (210_000, Some(1)), (301_000, Some(9))];
        let ticks = ticks.map(|(at, ms)| (at, [ms]));
        assert_eq!(
            told(false, &ticks.each_ref().map(|(at, ms)| (*at, &ms[..]))),
            concat!(
                r#"{"monitor":"api","resolution":"tick","from":0,"to":9000000,"columns":["at","ms"],"#,
                r#""samples":[[60000,12],[120000,null],[210000,1],[301000,9]],"gaps":[{"from":210000,"to":301000}]}"#,
            )
        );
        let hours: [(i64, &[Option<u32>]); 3] = [
            (0, &[8, 12, 40, 60, 1].map(Some)),
            (3_600_000, &[None, None, None, Some(60), Some(60)]),
            (10_800_000, &[5, 5, 5, 1, 0].map(Some)),
        ];
        assert_eq!(
            told(true, &hours),
            concat!(
                r#"{"monitor":"api","resolution":"1h","from":0,"to":9000000,"#,
                r#""columns":["at","low","mid","high","probes","failed"],"samples":[[0,8,12,40,60,1],"#,
                r#"[3600000,null,null,null,60,60],[10800000,5,5,5,1,0]],"gaps":[{"from":3600000,"to":10800000}]}"#,
            )
        );
    }
}
