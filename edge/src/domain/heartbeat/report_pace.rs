//! How often a job may report. Each report writes a row, and who holds the token of a job must not use up what probes need.

use std::time::Duration;

use heapbeat_shared::UnixMillis;
use litemap::LiteMap;

use super::DueTimes;
use crate::domain::cell_rate::CellRate;
use crate::monitor_config::MonitorId;

/// The reports of one due time that are accepted on the average: a start, an end, and as many repeated.
const REPORTS_OF_A_RUN: u32 = 4;

/// The longest time from one report to the next at which all are accepted.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The reports that are accepted at once, such as those of somebody who tries a job out.
const BURST: u32 = 20;

/// When each job will have reported as often as it may.
#[derive(Debug, Default)]
pub struct ReportPace(LiteMap<MonitorId, UnixMillis>);

impl ReportPace {
    /// Counts a report of a job at `now`. If it is one too many, it is not counted, and the error is the time until the next one is accepted.
    pub fn count_report(
        &mut self,
        job: &MonitorId,
        due: &DueTimes<'_>,
        now: UnixMillis,
    ) -> Result<(), Duration> {
        let period = due.next(now).and_then(|next| Some(due.next(next)?.since(next)));
        let pause = (period.unwrap_or(LONGEST_PAUSE) / REPORTS_OF_A_RUN).min(LONGEST_PAUSE);
        let reached = CellRate { pause, burst: BURST }.admit(self.0.get(job).copied(), now)?;
        self.0.insert(job.clone(), reached);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor_config::{Heartbeat, MonitorConfig, Target};

    fn job(settings: &str) -> Heartbeat {
        let text = format!(r#"[{{"id":"job","kind":"heartbeat",{settings}}}]"#);
        let config = MonitorConfig::parse(Some(&text), false);
        assert_eq!(config.problems, []);
        match &config.monitors[0].target {
            Target::Heartbeat(job) => job.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The reports of a day that are accepted, of one each `every` seconds.
    fn accepted(job: &Heartbeat, every: i64) -> usize {
        let (mut pace, id) = (ReportPace::default(), "job".parse().unwrap());
        let due = DueTimes::new(job, &|_| 0);
        let reports = (0..86_400 / every).filter(|n| {
            pace.count_report(&id, &due, UnixMillis(1_767_225_600_000 + n * every * 1000)).is_ok()
        });
        reports.count()
    }

    #[test]
    fn a_token_of_a_job_costs_little_and_a_job_is_never_refused() {
        let (nightly, minutely) = (job(r#""schedule":"0 3 * * *""#), job(r#""interval":"1m""#));
        // A job with its starts, ends and one repetition of each.
        assert_eq!((accepted(&minutely, 15), accepted(&nightly, 60)), (5760, 1440));
        // Somebody who reports each second writes at most 6 % of the rows of a day.
        for (job, usual) in [(&minutely, 5760), (&nightly, 1440)] {
            let found = accepted(job, 1);
            assert!((usual..=usual + 20).contains(&found), "{found}");
        }
    }

    #[test]
    fn the_error_says_when_to_come_back() {
        let (mut pace, id, job) = (ReportPace::default(), "job".parse().unwrap(), job(r#""interval":"1h""#));
        let due = DueTimes::new(&job, &|_| 0);
        let now = UnixMillis(1_767_225_600_000);
        for _ in 0..BURST {
            assert_eq!(pace.count_report(&id, &due, now), Ok(()));
        }
        assert_eq!(pace.count_report(&id, &due, now), Err(Duration::from_secs(60)));
        assert_eq!(pace.count_report(&id, &due, now.plus(Duration::from_secs(60))), Ok(()));
        assert_eq!(pace.count_report(&id, &due, UnixMillis(5)), Ok(()), "after the clock was set back");
    }
}
