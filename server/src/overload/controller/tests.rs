//! Timelines under a limit of 1000 MB: purge begins at 879 MB, recycle at 937, shed at 969.

use OverloadEffect::{
    Alert, PurgeFinished, RelaxDecay, RequestReplacement, SheddingEnded, Shutdown, StartPurge, WouldAct,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn controller(observe_only: bool, replaceable: bool) -> Controller {
    Controller::new(Thresholds::default(), Bytes::from_mb(1000), observe_only, replaceable).unwrap()
}

/// A reading of `mb` at `second`, without a supervisor.
fn state(second: u64, mb: u64) -> MemoryState {
    MemoryState {
        now: Duration::from_secs(second),
        memory: Bytes::from_mb(mb),
        limit: Bytes::from_mb(1000),
        reaches_limit_in: None,
        replacement: None,
        purge_ended: None,
    }
}

fn effects(controller: &mut Controller, state: &MemoryState) -> Vec<OverloadEffect> {
    let effects = controller.decide(state, SECOND).effects;
    effects.into_iter().filter(|effect| !matches!(effect, Alert { .. })).collect()
}

#[test]
fn a_purge_is_started_once_and_its_result_is_reported_when_it_has_ended() {
    let mut controller = controller(false, false);
    effects(&mut controller, &state(20, 900));
    let started = effects(&mut controller, &state(26, 900));
    assert_eq!(started, [], "the purge of second 20 still runs");
    let ended = MemoryState { purge_ended: Some(PurgeEnd::Finished(SECOND)), ..state(27, 600) };
    let (before, after) = (Bytes::from_mb(900), Bytes::from_mb(600));
    assert_eq!(effects(&mut controller, &ended), [PurgeFinished { before, after, took: SECOND }]);
    // The level is left five settled seconds later.
    assert_eq!(effects(&mut controller, &state(31, 600)), []);
    assert_eq!(effects(&mut controller, &state(32, 600)), [OverloadEffect::Cleared, RelaxDecay]);
    assert_eq!(effects(&mut controller, &state(33, 600)), [], "relaxed once");
}

#[test]
fn a_purge_that_failed_is_tried_again_and_reports_nothing() {
    let mut controller = controller(false, false);
    assert!(matches!(*effects(&mut controller, &state(20, 900)), [StartPurge { .. }]));
    let failed = MemoryState { purge_ended: Some(PurgeEnd::Failed), ..state(26, 900) };
    assert!(matches!(*effects(&mut controller, &failed), [StartPurge { .. }]));
}

#[test]
fn readings_come_at_the_fastest_rate_while_a_purge_runs_or_memory_is_above_the_recycle_threshold() {
    let mut controller = controller(false, false);
    assert_eq!(controller.decide(&state(20, 885), SECOND).next, FASTEST, "it is purged");
    let ended = MemoryState { purge_ended: Some(PurgeEnd::Finished(SECOND)), ..state(21, 884) };
    assert_eq!(controller.decide(&ended, SECOND).next, SECOND);
    assert_eq!(controller.decide(&state(22, 990), SECOND).next, FASTEST);
}

#[test]
fn the_end_of_shedding_is_reported_with_its_length() {
    let mut controller = controller(false, false);
    let shed = controller.decide(&state(20, 990), SECOND);
    assert_eq!((shed.pressure, shed.shed), (Pressure::Shed, ShedShare::ALL));
    assert_eq!(shed.retry_after, 5, "seconds, as it has only begun");
    let over = MemoryState { purge_ended: Some(PurgeEnd::Finished(SECOND)), ..state(23, 800) };
    let ended = effects(&mut controller, &over);
    assert!(ended.contains(&SheddingEnded { lasted: Duration::from_secs(3) }), "{ended:?}");
}

#[test]
fn without_a_supervisor_shedding_in_vain_ends_in_one_shutdown() {
    let mut controller = controller(false, false);
    let all: Vec<_> = (20..90).flat_map(|second| effects(&mut controller, &state(second, 990))).collect();
    assert_eq!(all.iter().filter(|effect| **effect == Shutdown).count(), 1);
}

#[test]
fn a_supervisor_is_asked_for_a_replacement() {
    let mut controller = controller(false, true);
    let high = |second| MemoryState { replacement: Some(ReplacementStatus::Available), ..state(second, 950) };
    effects(&mut controller, &high(20));
    assert_eq!(
        effects(&mut controller, &high(21)),
        [RequestReplacement { reason: RecycleReason::Threshold, threshold: Bytes(983_040_000) }]
    );
}

#[test]
fn in_observe_only_mode_nothing_is_done_and_what_would_be_done_is_reported() {
    let mut controller = controller(true, false);
    let mut reported = Vec::new();
    for second in 20..200 {
        let decision = controller.decide(&state(second, 990), SECOND);
        assert_eq!((decision.pressure, decision.shed), (Pressure::Calm, ShedShare::NONE));
        reported.extend(decision.effects.into_iter().filter(|effect| !matches!(effect, Alert { .. })));
    }
    assert!(reported.iter().all(|effect| matches!(effect, WouldAct(_))), "{reported:?}");
    let shutdowns = reported.iter().filter(|effect| **effect == WouldAct(Action::Shutdown)).count();
    assert_eq!(shutdowns, 1);
}
