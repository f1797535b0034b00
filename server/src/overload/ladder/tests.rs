//! Timelines of memory, and the expected steps of the ladder. The limit is 1000 MB, so that a megabyte is a tenth
//! of a percent: alert at 781, purge at 879, recycle at 937, shed at 969, each left 30 lower.

use proptest::prelude::*;

use super::*;
use crate::config::thresholds::Thresholds;

const LIMIT: Bytes = Bytes::from_mb(1000);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Creates an observation of `mb` at `seconds`: fresh, without a supervisor and a forecast.
fn observed(seconds: f64, mb: u64) -> Observation {
    Observation {
        now: secs(seconds),
        read: secs(seconds),
        memory: Bytes::from_mb(mb),
        is_confirmed: false,
        levels: Thresholds::default().levels(LIMIT).unwrap(),
        reaches_limit_in: None,
        replacement: None,
    }
}

fn ladder() -> Ladder {
    Ladder::new(LadderRules::default())
}

/// Plays observations, and returns each step that changed the level or requested an action.
fn play(ladder: &mut Ladder, observations: impl IntoIterator<Item = Observation>) -> Vec<String> {
    let mut steps = Vec::new();
    let mut level = ladder.pressure();
    for observation in observations {
        let step = ladder.step(&observation);
        if step.pressure != level || !step.actions.is_empty() {
            steps.push(format!(
                "{}s {} {:?}",
                observation.now.as_secs_f64(),
                step.pressure.as_str(),
                step.actions
            ));
            level = step.pressure;
        }
    }
    steps
}

#[test]
fn a_slow_rise_passes_level_by_level() {
    let climb = (0..=100u32).map(|i| observed(20.0 + f64::from(i), 700 + u64::from(i) * 3));
    let steps = play(&mut ladder(), climb);
    assert_eq!(
        steps,
        [
            "49s alert [Alert(Alert)]",
            "80s purge [Alert(Purge), Purge]",
            "85s purge [Purge]",
            "90s purge [Purge]",
            "95s purge [Purge]",
            "100s shed [Alert(Shed), Purge]",
            "105s shed [Purge]",
            "110s shed [Purge]",
            "115s shed [Purge]",
            "120s shed [Purge]",
        ]
    );
}

#[test]
fn with_a_supervisor_a_replacement_comes_before_shedding() {
    let mut ladder = ladder();
    let possible = |s, mb| Observation { replacement: Some(ReplacementStatus::Available), ..observed(s, mb) };
    let underway =
        |s, mb| Observation { replacement: Some(ReplacementStatus::InProgress), ..observed(s, mb) };
    let steps = play(
        &mut ladder,
        [
            possible(20.0, 940),
            possible(20.5, 942),
            underway(21.0, 950),
            underway(22.0, 955),
            underway(22.1, 960),
        ],
    );
    assert_eq!(steps[0], "20s purge [Alert(Purge), Purge]");
    assert_eq!(steps[1], "20.5s recycle [Alert(Recycle), Recycle(Threshold)]");
    assert_eq!(steps.len(), 2, "{steps:?}");
    // The old worker goes on growing faster than it is replaced: only now are requests refused.
    assert_eq!(
        ladder.step(&underway(22.2, 970)).shed,
        ShedShare::between(Bytes::from_mb(970), threshold(Pressure::Shed), full_shedding())
    );
    assert_eq!(ladder.step(&underway(22.3, 990)).shed, ShedShare::ALL);
}

fn threshold(level: Pressure) -> Bytes {
    observed(0.0, 0).levels.enter(level)
}

/// Half way between the shed threshold and the limit.
fn full_shedding() -> Bytes {
    Bytes(threshold(Pressure::Shed).0.midpoint(LIMIT.0))
}

#[test]
fn one_high_observation_is_ignored() {
    let steps = play(
        &mut ladder(),
        [observed(20.0, 700), observed(21.0, 800), observed(22.0, 700), observed(23.0, 800)],
    );
    assert_eq!(steps, [] as [&str; 0]);
}

#[test]
fn an_observation_that_rests_on_several_readings_is_acted_on_at_once() {
    let replacement = Some(ReplacementStatus::Available);
    let at = |seconds, is_confirmed| Observation { is_confirmed, replacement, ..observed(seconds, 940) };
    let recycles = |steps: Vec<String>| steps.iter().any(|line| line.contains("Recycle(Threshold)"));
    assert!(recycles(play(&mut ladder(), [at(20.0, true)])));
    assert!(!recycles(play(&mut ladder(), [at(20.0, false)])));
    assert!(!recycles(play(&mut ladder(), [at(9.0, true)])), "not in the grace");
}

#[test]
fn a_value_that_hovers_does_not_flap() {
    let mut ladder = ladder();
    let hover = (0..600u32).map(|i| observed(20.0 + f64::from(i), if i % 2 == 0 { 790 } else { 760 }));
    // 790 is above the threshold, 760 above the exit threshold: single observations neither alert nor clear.
    assert_eq!(play(&mut ladder, hover), [] as [&str; 0]);
    assert_eq!(
        play(&mut ladder, [observed(700.0, 790), observed(701.0, 790)]),
        ["701s alert [Alert(Alert)]"]
    );
    let hover = (0..500u32).map(|i| observed(702.0 + f64::from(i), if i % 2 == 0 { 790 } else { 755 }));
    let steps = play(&mut ladder, hover);
    assert_eq!(steps, ["1001s alert [Alert(Alert)]"], "only the reminder after five minutes");
}

#[test]
fn a_level_is_left_after_one_settled_period() {
    let mut ladder = ladder();
    play(&mut ladder, [observed(20.0, 900), observed(21.0, 900)]);
    let steps = play(
        &mut ladder,
        [observed(22.0, 740), observed(25.0, 740), observed(26.9, 740), observed(27.0, 740)],
    );
    assert_eq!(steps, ["27s calm [Cleared]"]);
}

#[test]
fn a_dip_does_not_count_as_settled() {
    let mut ladder = ladder();
    play(&mut ladder, [observed(20.0, 800), observed(21.0, 800)]);
    let steps = play(
        &mut ladder,
        [
            observed(22.0, 700),
            observed(26.0, 760),
            observed(27.0, 700),
            observed(31.9, 700),
            observed(32.0, 700),
        ],
    );
    assert_eq!(steps, ["32s calm [Cleared]"]);
}

#[test]
fn flapping_through_calm_alerts_once_in_five_minutes() {
    let mut ladder = ladder();
    let wave = (0..30u32).flat_map(|wave| {
        let start = 20.0 + f64::from(wave) * 10.0;
        [
            observed(start, 800),
            observed(start + 1.0, 800),
            observed(start + 2.0, 700),
            observed(start + 8.0, 700),
        ]
    });
    let steps = play(&mut ladder, wave);
    let alerts: Vec<_> = steps.iter().filter(|line| line.contains("Alert(")).collect();
    let cleared = steps.iter().filter(|line| line.contains("Cleared")).count();
    assert_eq!((alerts.len(), cleared), (1, 1), "{steps:?}");
}

#[test]
fn a_stale_observation_is_ignored() {
    let mut ladder = ladder();
    let stale = |s| Observation { read: secs(10.0), ..observed(s, 999) };
    assert_eq!(play(&mut ladder, [stale(20.0), stale(21.0), stale(22.0)]), [] as [&str; 0]);
    assert_eq!(ladder.pressure(), Pressure::Calm);
}

#[test]
fn a_start_up_spike_is_no_leak() {
    let mut ladder = ladder();
    let possible = |s, mb| Observation { replacement: Some(ReplacementStatus::Available), ..observed(s, mb) };
    let steps = play(&mut ladder, [possible(1.0, 800), possible(2.0, 800), possible(3.0, 800)]);
    assert_eq!(steps, [] as [&str; 0], "no alert within the grace");
    let steps = play(&mut ladder, [possible(4.0, 950), possible(5.0, 950)]);
    assert_eq!(steps, ["4s shed [Alert(Shed), Purge]"], "purge and shed all the same, but no replacement");
}

#[test]
fn without_shedding_in_the_grace_a_high_start_waits_for_its_end() {
    let mut ladder = Ladder::new(LadderRules { shed_in_grace: false, ..LadderRules::default() });
    let possible = |s, mb| Observation { replacement: Some(ReplacementStatus::Available), ..observed(s, mb) };
    let steps: Vec<_> = [1.0, 2.0, 9.0].map(|s| ladder.step(&possible(s, 995))).into();
    assert!(steps.iter().all(|step| step.shed == ShedShare::NONE), "{steps:?}");
    let after = ladder.step(&possible(10.0, 995));
    assert_eq!(after.actions.last(), Some(&Action::Recycle(RecycleReason::Threshold)), "{after:?}");
}

#[test]
fn an_ineffective_purge_is_not_repeated_and_escalates() {
    let mut ladder = ladder();
    let possible = |s| Observation { replacement: Some(ReplacementStatus::Available), ..observed(s, 900) };
    let steps = play(&mut ladder, [possible(20.0)]);
    assert_eq!(steps, ["20s purge [Alert(Purge), Purge]"]);
    ladder.record_purge(PurgeResult { before: Bytes::from_mb(900), after: Bytes::from_mb(895) });
    let steps =
        play(&mut ladder, (21..100).map(|s| possible(f64::from(s))).take_while(|l| l.now <= secs(81.0)));
    assert_eq!(steps, ["81s recycle [Alert(Recycle), Recycle(PurgeIneffective)]"]);
}

#[test]
fn after_an_ineffective_purge_growth_allows_another() {
    let mut ladder = ladder();
    play(&mut ladder, [observed(20.0, 890)]);
    ladder.record_purge(PurgeResult { before: Bytes::from_mb(890), after: Bytes::from_mb(889) });
    let steps = play(&mut ladder, [observed(30.0, 890), observed(40.0, 908), observed(50.0, 909)]);
    assert_eq!(steps, ["50s purge [Purge]"]);
}

#[test]
fn the_growth_that_allows_another_purge_doubles_with_each_ineffective_one() {
    let mut ladder = ladder();
    let mut purged_at = Vec::new();
    // 1 MB each ten seconds; every purge leaves memory as it was, but the third.
    for mb in 890_u32..1020 {
        let observation = observed(20.0 + f64::from(mb - 890) * 10.0, mb.into());
        if ladder.step(&observation).actions.contains(&Action::Purge) {
            purged_at.push(mb);
            let freed = if purged_at.len() == 3 { 50 } else { 0 };
            let after = Bytes::from_mb(u64::from(mb) - freed);
            ladder.record_purge(PurgeResult { before: Bytes::from_mb(mb.into()), after });
        }
    }
    // 2 % of the limit are 20 MB.
    assert_eq!(purged_at, [890, 910, 950, 951, 971, 1011]);
}

#[test]
fn a_purge_that_helps_is_repeated_every_five_seconds_at_most() {
    let mut ladder = ladder();
    let mut at = Vec::new();
    for tick in 0..400 {
        let observation = observed(20.0 + f64::from(tick) / 20.0, 900);
        if ladder.step(&observation).actions.contains(&Action::Purge) {
            at.push(observation.now);
            ladder.record_purge(PurgeResult { before: Bytes::from_mb(900), after: Bytes::from_mb(800) });
        }
    }
    assert_eq!(at, [20.0, 25.0, 30.0, 35.0].map(secs));
}

#[test]
fn a_forecast_recycles_before_the_threshold() {
    let mut ladder = ladder();
    let soon = |s, mb, left| Observation {
        replacement: Some(ReplacementStatus::Available),
        reaches_limit_in: Some(secs(left)),
        ..observed(s, mb)
    };
    assert_eq!(
        play(&mut ladder, [soon(20.0, 700, 9.0), soon(21.0, 700, 9.0)]),
        [] as [&str; 0],
        "not yet at alert"
    );
    let steps = play(&mut ladder, [soon(22.0, 800, 11.0), soon(23.0, 820, 10.0), soon(23.5, 830, 9.0)]);
    assert_eq!(
        steps,
        ["23s purge [Alert(Purge), Purge]", "23.5s recycle [Alert(Recycle), Recycle(Forecast)]"],
    );
}

#[test]
fn shedding_grows_with_memory() {
    let mut ladder = ladder();
    let shares: Vec<u16> = [930, 938, 945, 953, 961, 969, 999]
        .map(|mb| ladder.step(&observed(20.0, mb)).shed.thousandths())
        .into();
    assert_eq!(shares, [0, 16, 240, 496, 752, 1000, 1000]);
}

#[test]
fn below_its_threshold_shedding_refuses_no_requests_while_it_settles() {
    let mut ladder = ladder();
    play(&mut ladder, [observed(20.0, 980)]);
    let step = ladder.step(&observed(21.0, 930));
    assert_eq!((step.pressure, step.shed), (Pressure::Shed, ShedShare::NONE));
}

#[test]
fn shedding_does_not_last_for_ever() {
    let mut alone = ladder();
    let steps = play(&mut alone, (0..=61).map(|s| observed(20.0 + f64::from(s), 960)));
    assert_eq!(steps.last().unwrap(), "81s shed [Shutdown]");
    assert!(steps.iter().any(|line| line == "80s shed [Purge, Shutdown]"), "{steps:?}");

    let mut recent = ladder();
    let not_now = |s: u32| Observation {
        replacement: Some(ReplacementStatus::RateLimited),
        ..observed(20.0 + f64::from(s), 960)
    };
    let steps = play(&mut recent, (0..=60).map(not_now));
    assert_eq!(steps.last().unwrap(), "80s shed [Purge, Recycle(Shedding)]");
}

#[test]
fn hovering_just_below_shedding_does_not_end_the_process() {
    let mut ladder = ladder();
    play(&mut ladder, [observed(20.0, 960)]);
    let steps = play(&mut ladder, (21..600).map(|s| observed(f64::from(s), 920)));
    assert!(!steps.iter().any(|line| line.contains("Shutdown")), "{steps:?}");
}

#[test]
fn a_lowered_limit_applies_at_the_next_observation() {
    let mut ladder = ladder();
    assert_eq!(ladder.step(&observed(20.0, 500)).pressure, Pressure::Calm);
    let lower = Observation {
        levels: Thresholds::default().levels(Bytes::from_mb(512)).unwrap(),
        ..observed(21.0, 500)
    };
    assert_eq!(ladder.step(&lower).pressure, Pressure::Shed);
}

proptest! {
    /// For any course of memory: purges keep their distance, no request is shed below the recycle threshold, the share grows with memory,
    /// and a calm quarter of a minute clears the ladder.
    #[test]
    fn the_ladder_keeps_its_invariants(
        walk in prop::collection::vec((1u64..1500, 0u64..1100, 0u8..4), 1..200),
    ) {
        let mut ladder = ladder();
        let mut now = 0.0;
        let mut last_purge: Option<Duration> = None;
        for (millis, mb, replacement) in walk {
            now += millis as f64 / 1000.0;
            let replacement = [None, Some(ReplacementStatus::Available), Some(ReplacementStatus::InProgress), Some(ReplacementStatus::RateLimited)]
                [usize::from(replacement)];
            let observation = Observation { replacement, ..observed(now, mb) };
            let step = ladder.step(&observation);
            prop_assert_eq!(step.pressure, ladder.pressure());
            if observation.memory < threshold(Pressure::Recycle) {
                prop_assert_eq!(step.shed, ShedShare::NONE);
            }
            if observation.memory >= full_shedding() {
                prop_assert_eq!(step.shed, ShedShare::ALL);
            }
            if step.actions.contains(&Action::Purge) {
                prop_assert!(last_purge.is_none_or(|last| observation.now >= last + LadderRules::default().purge_again));
                last_purge = Some(observation.now);
            }
            let recycles = step.actions.iter().filter(|a| matches!(a, Action::Recycle(_))).count();
            prop_assert!(recycles <= usize::from(replacement.is_some() && replacement != Some(ReplacementStatus::InProgress)));
        }
        for quiet in 0..16 {
            ladder.step(&observed(now + f64::from(quiet), 10));
        }
        prop_assert_eq!(ladder.pressure(), Pressure::Calm);
    }
}
