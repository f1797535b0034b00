use super::*;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Name, visits, end, configured silence; expected changes.
type Case<'a> = (&'a str, &'a [u64], u64, EdgeTimeout, &'a [(u64, LivenessChange)]);

/// Plays visits at these seconds and a check each second except within `stopped`; returns the changes with their seconds.
fn timeline(
    visits: &[u64],
    end: u64,
    timeout: EdgeTimeout,
    stopped: std::ops::Range<u64>,
) -> Vec<(u64, LivenessChange)> {
    let mut tracker = VisitTracker::default();
    let mut changes = Vec::new();
    for second in 0..end {
        for _ in visits.iter().filter(|visit| **visit == second) {
            tracker.record_visit(seconds(second));
        }
        if !stopped.contains(&second) {
            changes
                .extend(tracker.check_silence(seconds(second), true, timeout).map(|change| (second, change)));
        }
    }
    changes
}

fn interval(step: u64, from: u64, to: u64) -> Vec<u64> {
    (from..=to).step_by(usize::try_from(step).unwrap()).collect()
}

fn silent(since: u64, interval: Option<u64>) -> LivenessChange {
    LivenessChange::Silent { since: seconds(since), interval: interval.map(seconds) }
}

fn back(since: u64, at: u64) -> LivenessChange {
    LivenessChange::Returned { since: seconds(since), at: seconds(at) }
}

#[test]
fn a_silence_is_reported_once_and_its_end_once() {
    use EdgeTimeout::{After, Auto, Off};
    let minutes = interval(60, 10, 610);
    let with = |more: &[u64]| [minutes.as_slice(), more].concat();
    let hours = interval(3600, 5, 36_005);
    let three_regions: Vec<u64> = minutes.iter().flat_map(|at| [*at, *at, at + 4]).collect();
    let ten_minutes = interval(600, 0, 6000).iter().flat_map(|at| [*at, at + 1, at + 9]).collect::<Vec<_>>();
    let missed: Vec<u64> = minutes.iter().copied().filter(|at| *at != 250 && *at != 310).collect();
    let cases: &[Case] = &[
        ("no visit ever", &[], 10_000, Auto, &[]),
        ("no visit ever, with a configured silence", &[], 10_000, After(seconds(5)), &[]),
        ("regular visits", &minutes, 700, Auto, &[]),
        ("two visits missing", &missed, 700, Auto, &[]),
        ("visits end", &minutes, 100_000, Auto, &[(790, silent(610, Some(60)))]),
        (
            "visits end and resume",
            &with(&[2000, 2060]),
            2239,
            Auto,
            &[(790, silent(610, Some(60))), (2000, back(610, 2000))],
        ),
        (
            "two silences",
            &with(&[2000, 5000]),
            5010,
            Auto,
            &[
                (790, silent(610, Some(60))),
                (2000, back(610, 2000)),
                (2180, silent(2000, Some(60))),
                (5000, back(2000, 5000)),
            ],
        ),
        ("once an hour, three of them", &hours, 100_000, Auto, &[(46_805, silent(36_005, Some(3600)))]),
        ("from three regions", &three_regions, 2000, Auto, &[(794, silent(614, Some(60)))]),
        (
            "every ten minutes, from three regions",
            &ten_minutes,
            9000,
            Auto,
            &[(7809, silent(6009, Some(600)))],
        ),
        ("every five seconds", &interval(5, 0, 300), 1000, Auto, &[(480, silent(300, Some(30)))]),
        ("too few visits to learn from", &interval(60, 10, 130), 100_000, Auto, &[]),
        ("just enough", &interval(60, 10, 190), 100_000, Auto, &[(370, silent(190, Some(60)))]),
        (
            "a configured silence counts from the first visit",
            &[10],
            1000,
            After(seconds(20)),
            &[(30, silent(10, None))],
        ),
        ("switched off", &minutes, 10_000, Off, &[]),
    ];
    for (name, visits, end, timeout, expected) in cases {
        assert_eq!(timeline(visits, *end, *timeout, 0..0), *expected, "{name}");
    }
}

#[test]
fn time_in_which_this_process_was_stopped_does_not_count_as_silence() {
    let minutes = interval(60, 10, 610);
    assert_eq!(timeline(&minutes, 4000, EdgeTimeout::Auto, 620..3600), [(3780, silent(610, Some(60)))]);
    let resumed = [minutes.as_slice(), &[3650, 3710, 3770]].concat();
    assert_eq!(timeline(&resumed, 3800, EdgeTimeout::Auto, 620..3600), []);
}

#[test]
fn a_process_that_has_handed_over_reports_no_silence() {
    let mut tracker = VisitTracker::default();
    for at in interval(60, 0, 600) {
        tracker.record_visit(seconds(at));
    }
    for second in 600..2000 {
        assert_eq!(tracker.check_silence(seconds(second), false, EdgeTimeout::Auto), None, "{second}");
    }
}

#[test]
fn a_changed_interval_is_learned() {
    let mut visits = interval(60, 0, 600);
    visits.extend((1..20).map(|hour| 600 + hour * 3600));
    let changes = timeline(&visits, 70_000, EdgeTimeout::Auto, 0..0);
    let silences: Vec<u64> =
        changes.iter().filter(|(_, it)| matches!(it, LivenessChange::Silent { .. })).map(|it| it.0).collect();
    // Nine gaps are kept: once five of them are an hour, so is their median.
    assert_eq!(silences, [780, 4380, 7980, 11_580, 15_180]);
}

#[test]
fn the_number_of_gaps_is_bounded() {
    let mut tracker = VisitTracker::default();
    (0..10_000).for_each(|at| tracker.record_visit(seconds(at * 31)));
    assert_eq!((tracker.gaps.len(), tracker.interval()), (MAX_GAPS, Some(seconds(31))));
    tracker.record_visit(seconds(10_000 * 31 + 30 * 86_400));
    assert_eq!(tracker.gaps.last(), Some(&MAX_INTERVAL));
}
