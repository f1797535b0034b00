use super::*;

fn holder(function: &str, megabytes: u64, survived: Option<u64>) -> Holder {
    Holder {
        function: function.into(),
        file: "a.js".into(),
        line: 1,
        bytes: megabytes << 20,
        survived: survived.map(|megabytes| megabytes << 20),
        growth: 0,
    }
}

/// The functions that are named after reports 10 s apart, and some time after the last. Of each function all survived.
fn names(reports: &[&[(&str, u64)]], age: u64) -> Vec<String> {
    let mut now = Instant::now();
    let mut history = HolderHistory::default();
    for (index, report) in reports.iter().enumerate() {
        now += Duration::from_secs(10);
        let before = index.checked_sub(1).map_or(&[][..], |before| reports[before]);
        let survived = |name: &str| before.iter().find(|(it, _)| *it == name).map_or(0, |(_, bytes)| *bytes);
        let holders =
            report.iter().map(|(name, bytes)| holder(name, *bytes, Some(*bytes.min(&survived(name)))));
        let report = HolderReport { holders: holders.collect(), held: None, seconds: None };
        history.record(&report, now);
    }
    history.growing(now + Duration::from_secs(age)).into_iter().map(|it| it.function).collect()
}

/// Reports of one function.
fn names_of(megabytes: &[u64]) -> Vec<String> {
    let reports: Vec<[(&str, u64); 1]> = megabytes.iter().map(|bytes| [("it", *bytes)]).collect();
    names(&reports.iter().map(|report| &report[..]).collect::<Vec<_>>(), 0)
}

#[test]
fn the_function_that_grows_fastest_comes_first() {
    let reports: &[&[(&str, u64)]] = &[
        &[("cache", 50)],
        &[("cache", 51), ("slow", 9), ("fast", 20)],
        &[("fast", 40), ("slow", 18), ("cache", 51)],
        &[("fast", 61), ("slow", 26), ("cache", 52)],
        &[("fast", 80), ("slow", 36), ("cache", 51)],
    ];
    assert_eq!(names(reports, 0), ["fast", "slow"]);
}

#[test]
fn what_grows_is_named_after_four_or_five_reports() {
    for (leak, named_after) in [([10, 20, 30, 40, 50, 60], 4), ([100, 120, 140, 160, 180, 200], 5)] {
        for reports in 1..=leak.len() {
            assert_eq!(names_of(&leak[..reports]).len(), usize::from(reports >= named_after), "{reports}");
        }
    }
}

#[test]
fn what_is_held_let_go_or_loaded_is_not_named() {
    let healthy: [&[u64]; 7] = [
        &[100, 104, 102, 108, 110, 109],
        // A warm-up that has ended.
        &[20, 80, 120, 121, 121],
        &[0, 120, 120, 120, 120],
        // Batches.
        &[10, 60, 12, 40, 70, 90],
        &[10, 40, 70, 10, 40, 70],
        &[10, 30, 50, 70, 5, 25, 45, 65, 85],
        // Loaded in two steps.
        &[10, 10, 50, 50, 90, 90],
    ];
    for megabytes in healthy {
        for reports in 1..=megabytes.len() {
            // A batch that takes longer than three pauses is a leak as far as can be seen, until it ends.
            let reported = &megabytes[..reports];
            assert!(names_of(reported).is_empty() || reported == [10, 30, 50, 70], "{reported:?}");
        }
    }
    assert_eq!(names_of(&[10, 30, 50, 70, 5, 25, 45, 65, 85, 105, 125]), ["it"], "more than ever before");
}

#[test]
fn what_is_allocated_and_let_go_between_two_reports_is_not_named_though_it_rises() {
    let mut now = Instant::now();
    let mut history = HolderHistory::default();
    for megabytes in [10, 30, 50, 70, 90, 110] {
        now += Duration::from_secs(10);
        let holders = vec![holder("batch", megabytes, Some(0))];
        history.record(&HolderReport { holders, held: None, seconds: None }, now);
        assert_eq!(history.growing(now), []);
    }
}

#[test]
fn one_recording_names_what_the_process_as_a_whole_grew_by() {
    let begun = Instant::now();
    let mut history = HolderHistory::default();
    let grown = |holder: Holder, growth| Holder { growth, ..holder };
    let holders = vec![grown(holder("cache", 50, None), 1 << 20), grown(holder("leak", 9, None), 8 << 20)];
    history.record(&HolderReport { holders, held: None, seconds: Some(30.0) }, begun);
    let names = |now| history.growing(now).into_iter().map(|it| it.function).collect::<Vec<_>>();
    assert_eq!(names(begun), ["leak"]);
    assert!(names(begun + Duration::from_secs(31)).is_empty());
}

#[test]
fn a_short_recording_needs_less_growth() {
    // Seconds, growth in kB, and whether the function is named.
    let cases =
        [(0.5, 127, false), (0.5, 128, true), (4.0, 1023, false), (4.0, 1024, true), (10.0, 1024, true)];
    let now = Instant::now();
    for (seconds, kilobytes, expected) in cases {
        let mut history = HolderHistory::default();
        let holders = vec![Holder { growth: kilobytes << 10, bytes: 1 << 19, ..holder("leak", 1, None) }];
        history.record(&HolderReport { holders, held: None, seconds: Some(seconds) }, now);
        assert_eq!(!history.growing(now).is_empty(), expected, "{kilobytes} kB in {seconds} s");
    }
}

#[test]
fn a_verdict_expires_when_reports_stop() {
    let reports: Vec<[(&str, u64); 1]> = (1..=6).map(|n| [("leak", n * 20)]).collect();
    let reports: Vec<&[(&str, u64)]> = reports.iter().map(|report| &report[..]).collect();
    assert_eq!(names(&reports, 0), ["leak"]);
    assert!(names(&reports, 60).is_empty());
}

#[test]
fn a_function_does_not_grow_where_the_process_does_not() {
    let begun = Instant::now();
    for (process_grows, expected) in [(false, 0), (true, 1)] {
        let mut history = HolderHistory::default();
        for n in 0..6u64 {
            let held = Some((100 + if process_grows { n * 10 } else { n % 2 }) << 20);
            let holders = vec![holder("cache", n * 10, Some(n.saturating_sub(1) * 10))];
            history.record(&HolderReport { holders, held, seconds: None }, begun);
        }
        assert_eq!(history.growing(begun).len(), expected, "{process_grows}");
    }
}

#[test]
fn what_an_agent_invents_is_kept_within_bounds() {
    let mut now = Instant::now();
    let mut history = HolderHistory::default();
    for round in 0..200u64 {
        now += Duration::from_secs(1);
        let holders = (0..100).map(|n| holder(&format!("{n} {round} {}", "x".repeat(5000)), n, Some(n)));
        let report = HolderReport { holders: holders.collect(), held: None, seconds: None };
        history.record(&report, now);
    }
    assert_eq!(history.reports.len(), WINDOW);
    assert!(history.functions.len() <= MAX_PLACES);
    assert!(history.functions.values().all(|series| series.len() == WINDOW));
    assert!(history.functions.keys().all(|(name, _, _)| name.chars().count() == MAX_TEXT));
}
