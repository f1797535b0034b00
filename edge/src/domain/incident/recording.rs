//! The memory around an incident: from an hour before it until after its end.
//!
//! The samples of the ten minutes before an incident are stored with it when it opens, and are kept as long as the incident. The rest
//! comes from the memory history, whose resolution falls with its age.

use std::collections::VecDeque;
use std::time::Duration;

use heapbeat_shared::series::Series;
use heapbeat_shared::{Sample, UnixMillis};

use crate::domain::incident::Incident;
use crate::domain::report::last_report::SampleRun;

/// The length of the recording that is stored when an incident opens.
pub const RECORDING_LENGTH: Duration = Duration::from_secs(600);

/// The time before an incident that is shown.
pub const SHOWN_BEFORE: Duration = Duration::from_secs(3600);

/// The time after the end of an incident that is shown.
pub const SHOWN_AFTER: Duration = Duration::from_secs(900);

/// Selects the sample runs, oldest first, that are stored with an incident that opened at `opened`.
pub fn select_recording(runs: &VecDeque<SampleRun>, opened: UnixMillis) -> Vec<SampleRun> {
    let from = opened.minus(RECORDING_LENGTH);
    let overlaps = |run: &&SampleRun| run.series.samples.last().is_some_and(|last| last.at >= from);
    runs.iter().filter(overlaps).cloned().collect()
}

/// Returns the time around `incident` that is shown at `now`: an open incident has no end yet.
pub fn shown_window(incident: &Incident, now: UnixMillis) -> (UnixMillis, UnixMillis) {
    let end = incident.closed.map_or(now, |closed| closed.plus(SHOWN_AFTER).min(now));
    (incident.opened.minus(SHOWN_BEFORE), end.max(incident.opened))
}

/// Joins the stored recording with the memory history around it, both oldest first. For the time of the recording its own samples are
/// taken, as those of an old history are only peaks.
pub fn join_recording(stored: Vec<SampleRun>, history: &[SampleRun]) -> Vec<SampleRun> {
    let samples = || stored.iter().flat_map(|run| &run.series.samples).map(|sample| sample.at);
    let (Some(begin), Some(end)) = (samples().min(), samples().max()) else { return history.to_vec() };
    let before = select_samples(history, |sample| sample.at < begin);
    let after = select_samples(history, |sample| sample.at > end);
    before.into_iter().chain(stored).chain(after).collect()
}

/// Selects the samples of `runs` from `from` to `to`.
pub fn select_window(runs: &[SampleRun], (from, to): (UnixMillis, UnixMillis)) -> Vec<SampleRun> {
    select_samples(runs, |sample| sample.at >= from && sample.at <= to)
}

/// Selects samples of each run; the selected ones follow each other, as time rises within a run.
fn select_samples(runs: &[SampleRun], which: impl Fn(&Sample) -> bool) -> Vec<SampleRun> {
    let part = |run: &SampleRun| {
        let skipped = run.series.samples.iter().take_while(|sample| !which(sample)).count();
        let samples: Vec<Sample> =
            run.series.samples.iter().skip(skipped).take_while(|sample| which(sample)).copied().collect();
        let first = run.series.first.saturating_add(skipped as u64);
        (!samples.is_empty())
            .then_some(SampleRun { instance: run.instance, series: Series { first, samples } })
    };
    runs.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use heapbeat_shared::InstanceId;

    use super::*;
    use crate::domain::incident::Severity;

    fn minute(n: i64) -> UnixMillis {
        UnixMillis(n * 60_000)
    }

    /// A run with a sample in each of these minutes.
    fn run(instance: u64, first: u64, minutes: impl IntoIterator<Item = i64>) -> SampleRun {
        let samples = minutes.into_iter().map(|n| Sample { at: minute(n), ..Sample::default() }).collect();
        SampleRun { instance: InstanceId(instance), series: Series { first, samples } }
    }

    fn minutes(runs: &[SampleRun]) -> Vec<(u64, u64, Vec<i64>)> {
        let described = |run: &SampleRun| {
            let at = run.series.samples.iter().map(|sample| sample.at.0 / 60_000).collect();
            (run.instance.0, run.series.first, at)
        };
        runs.iter().map(described).collect()
    }

    #[test]
    fn what_is_shown_begins_an_hour_before_and_ends_after_the_end() {
        let mut incident = Incident::new("api".parse().unwrap(), minute(100), Severity::Warning);
        assert_eq!(shown_window(&incident, minute(146)), (minute(40), minute(146)), "open: until now");
        incident.close(minute(146));
        assert_eq!(shown_window(&incident, minute(150)), (minute(40), minute(150)), "not into the future");
        assert_eq!(shown_window(&incident, minute(900)), (minute(40), minute(161)));
    }

    #[test]
    fn the_climb_from_the_warning_to_the_kill_is_shown() {
        // The warning is at minute 100; the stored recording ends there, and the kill is 46 minutes later.
        let stored = vec![run(1, 90, 90..=100)];
        let history = [run(1, 0, 0..=145), run(2, 0, 147..=180)];
        let joined = select_window(&join_recording(stored, &history), (minute(40), minute(161)));
        let expected = [
            (1, 40, (40..=89).collect()),
            (1, 90, (90..=100).collect()),
            (1, 101, (101..=145).collect()),
            (2, 0, (147..=161).collect::<Vec<_>>()),
        ];
        assert_eq!(minutes(&joined), expected);
    }

    #[test]
    fn a_recording_stands_alone_if_there_is_no_history() {
        let stored = vec![run(1, 0, 90..=100)];
        assert_eq!(join_recording(stored.clone(), &[]), stored);
        let history = [run(1, 0, 0..=20)];
        assert_eq!(join_recording(Vec::new(), &history), history);
        assert_eq!(select_window(&history, (minute(30), minute(40))), []);
    }
}
